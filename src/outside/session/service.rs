//! The keyrings that have one interface in common: Secret Service, Keychain, Credential Manager.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::{ABSENT, Keyring, MAX_KEPT_BYTES, SERVICE};

type Store = Arc<dyn CredentialStoreApi + Send + Sync>;

pub(super) fn read(keyring: Keyring, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    match entry(keyring, name)?.get_secret().map(Zeroizing::new) {
        Ok(bytes) if bytes.len() <= MAX_KEPT_BYTES => Ok(Some(bytes)),
        Ok(bytes) => Err(format!("{} bytes under our name", bytes.len())),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(why(&error)),
    }
}

pub(super) fn write(keyring: Keyring, name: &str, bytes: &[u8]) -> Result<(), String> {
    entry(keyring, name)?.set_secret(bytes).map_err(|error| why(&error))
}

pub(super) fn forget(keyring: Keyring, name: &str) -> Result<(), String> {
    remove(&entry(keyring, name)?)
}

pub(super) fn forget_all(keyring: Keyring) -> Result<usize, String> {
    let store = open(keyring)?;
    let ours = store.search(&HashMap::from([ours(keyring)])).map_err(|error| why(&error))?;
    ours.iter().try_for_each(remove)?;
    Ok(ours.len())
}

fn entry(keyring: Keyring, name: &str) -> Result<Entry, String> {
    open(keyring)?.build(SERVICE, name, modifiers(keyring).as_ref()).map_err(|error| why(&error))
}

fn remove(entry: &Entry) -> Result<(), String> {
    match entry.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(why(&error)),
    }
}

/// What finds all of ours.
fn ours(keyring: Keyring) -> (&'static str, &'static str) {
    match keyring {
        // Names are `NAME.SERVICE` there, and this is a regular expression.
        Keyring::CredentialManager => ("pattern", r"^[0-9a-f]+\.git-keyless$"),
        _ => ("service", SERVICE),
    }
}

/// How ours differ from what others keep: until the end of this session where that can be said.
fn modifiers(keyring: Keyring) -> Option<HashMap<&'static str, &'static str>> {
    match keyring {
        Keyring::CredentialManager => Some(HashMap::from([("persistence", "Session")])),
        Keyring::SecretService => Some(HashMap::from([("label", "git-keyless: a login")])),
        Keyring::Keychain | Keyring::Keyutils => None,
    }
}

fn open(keyring: Keyring) -> Result<Store, String> {
    match keyring {
        #[cfg(all(unix, not(target_os = "macos")))]
        Keyring::SecretService if !has_bus() => Err(ABSENT.to_owned()),
        #[cfg(all(unix, not(target_os = "macos")))]
        Keyring::SecretService => match zbus_secret_service_keyring_store::Store::new() {
            Ok(store) => Ok(store),
            Err(error) => Err(why(&error)),
        },
        #[cfg(target_os = "macos")]
        Keyring::Keychain => match apple_native_keyring_store::keychain::Store::new() {
            Ok(store) => Ok(store),
            Err(error) => Err(why(&error)),
        },
        #[cfg(windows)]
        Keyring::CredentialManager => match windows_native_keyring_store::Store::new() {
            Ok(store) => Ok(store),
            Err(error) => Err(why(&error)),
        },
        _ => Err(ABSENT.to_owned()),
    }
}

/// Whether there is a session bus to ask on; by the D-Bus specification, "Session message bus".
#[cfg(all(unix, not(target_os = "macos")))]
fn has_bus() -> bool {
    let named = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty());
    let socket = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| std::path::Path::new(&folder).join("bus"));
    named || socket.is_some_and(|socket| socket.exists())
}

/// No secret is in any of them, since bytes that cannot be read are not quoted.
fn why(error: &Error) -> String {
    match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "what is kept cannot be read".to_owned(),
        // A bus, and nobody on it who keeps secrets.
        error if error.to_string().contains("DBus.Error.ServiceUnknown") => ABSENT.to_owned(),
        error => error.to_string(),
    }
}
