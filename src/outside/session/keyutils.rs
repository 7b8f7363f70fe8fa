//! The kernel's keyring of this user (keyrings(7)): memory alone, and each key forgets itself.
//!
//! A key may be read by whoever *possesses* it, and not every process possesses its user's keyring (a session without
//! `pam_keyinit`, a container, a daemon's child), so each call links it to its own thread's keyring, which goes with the
//! thread.

use std::time::Duration;

use linux_keyutils::{Key, KeyError, KeyRing, KeyRingIdentifier, LinkNode};
use zeroize::Zeroizing;

use super::{MAX_KEPT_BYTES, SERVICE};

/// Links that one look at the keyring can show, four times that many bytes. The library must be asked for more than
/// there can be; the kernel grants a user 200 keys (`kernel.keys.maxkeys`).
const MAX_LINKS: usize = 1 << 16;

pub(super) fn read(name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let Some(key) = find(name)? else { return Ok(None) };
    let mut bytes = Zeroizing::new(vec![0; MAX_KEPT_BYTES]);
    match key.read(&mut *bytes) {
        Ok(length) if length <= MAX_KEPT_BYTES => {
            bytes.truncate(length);
            Ok(Some(bytes))
        }
        Ok(length) => Err(format!("{length} bytes under our name")),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(why(error)),
    }
}

pub(super) fn write(name: &str, bytes: &[u8], life: Duration) -> Result<(), String> {
    let key = ring().and_then(|ring| ring.add_key(&description(name), bytes)).map_err(why)?;
    let seconds = usize::try_from(life.as_secs()).unwrap_or(usize::MAX).max(1);
    key.set_timeout(seconds).map_err(|error| {
        // Nothing stays that does not forget itself.
        let _ = key.invalidate();
        why(error)
    })
}

pub(super) fn forget(name: &str) -> Result<(), String> {
    find(name)?.map_or(Ok(()), remove)
}

pub(super) fn forget_all() -> Result<usize, String> {
    let ring = ring().map_err(why)?;
    let links = ring.get_links(MAX_LINKS).map_err(why)?;
    let ours = |node: &LinkNode| match node {
        LinkNode::Key(key) => {
            let described = key.metadata().is_ok_and(|key| key.get_description().starts_with(&description("")));
            described.then_some(*key)
        }
        LinkNode::KeyRing(_) => None,
    };
    let ours: Vec<Key> = links.iter().filter_map(ours).collect();
    ours.iter().try_for_each(|key| remove(*key))?;
    Ok(ours.len())
}

/// The user's keyring, possessed by this thread.
fn ring() -> Result<KeyRing, KeyError> {
    let user = KeyRing::from_special_id(KeyRingIdentifier::User, true)?;
    KeyRing::from_special_id(KeyRingIdentifier::Thread, true)?.link_keyring(user)?;
    Ok(user)
}

fn find(name: &str) -> Result<Option<Key>, String> {
    match ring().and_then(|ring| ring.search(&description(name))) {
        Ok(key) => Ok(Some(key)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(why(error)),
    }
}

fn remove(key: Key) -> Result<(), String> {
    match key.invalidate() {
        Err(error) if !is_gone(&error) => Err(why(error)),
        _ => Ok(()),
    }
}

fn is_gone(error: &KeyError) -> bool {
    matches!(error, KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked)
}

fn description(name: &str) -> String {
    format!("{SERVICE}:{name}")
}

/// As people know it from keyctl(1); the library has names for them.
fn why(error: KeyError) -> String {
    match error {
        KeyError::PermissionDenied | KeyError::Unknown(_) => format!("the kernel or a container forbids it: {error}"),
        KeyError::QuotaExceeded => "this user's quota is used up (/proc/key-users)".to_owned(),
        error => error.to_string(),
    }
}
