//! Step 8: leaf and authorities valid, keys inside their windows, at *every* verified time and not just at the best.

use webpki::KeyUsage;

use super::chain::{IssuedLeaf, PathFault, check_path};
use super::entry::VerifiedEntry;
use super::time::{VerifiedTime, VerifiedTimes};
use crate::format::cert::CODE_SIGNING;
use crate::format::time::Time;
use crate::key::Memo;
use crate::report::Reason;

/// The whole chain was valid whenever anybody says the signature was there.
pub(super) struct VerifiedChain {
    times: usize,
}

impl VerifiedChain {
    pub(super) fn detail(&self) -> String {
        match self.times {
            1 => "valid at the verified time".to_owned(),
            times => format!("valid at all {times} verified times"),
        }
    }
}

pub(super) fn verify_validity(
    leaf: &IssuedLeaf<'_>,
    times: &VerifiedTimes,
    entry: Option<&VerifiedEntry<'_>>,
    memo: &Memo,
) -> Result<VerifiedChain, Reason> {
    let mut count = 0;
    for verified in times.iter() {
        check_certificates(leaf, verified.time(), memo)?;
        check_authority(verified)?;
        check_log(entry, verified.time())?;
        count += 1;
    }
    Ok(VerifiedChain { times: count })
}

pub(super) fn check_certificates(leaf: &IssuedLeaf<'_>, time: Time, memo: &Memo) -> Result<(), Reason> {
    if !leaf.validity().contains(time) {
        return Err(Reason::CertificateNotValid { time, window: leaf.validity() });
    }
    let outside = |window, authority: String| Reason::AuthorityOutsideWindow { time, window, authority };
    for authority in leaf.above() {
        let window = authority.validity().map_err(|error| Reason::ChainInvalid(error.to_string()))?;
        if !window.contains(time) {
            return Err(outside(window, authority.subject_name().to_string()));
        }
    }
    if !leaf.authority_window().contains(time) {
        return Err(outside(leaf.authority_window(), leaf.leaf().issuer_name().to_string()));
    }
    let issuer = leaf.above().first().ok_or_else(|| Reason::ChainInvalid("no issuer".into()))?;
    check_path(leaf.leaf(), issuer, time, KeyUsage::required(CODE_SIGNING.as_bytes()), memo).map_err(
        |fault| match fault {
            PathFault::Issuer => Reason::ChainInvalid("its issuer did not sign it".into()),
            PathFault::Other(error) => Reason::ChainInvalid(error.to_string()),
        },
    )
}

/// A token counts only inside the window of the authority that signed it.
fn check_authority(verified: &VerifiedTime) -> Result<(), Reason> {
    match verified.authority() {
        Some((window, authority)) if !window.contains(verified.time()) => {
            Err(Reason::AuthorityOutsideWindow { time: verified.time(), window: *window, authority: authority.clone() })
        }
        _ => Ok(()),
    }
}

fn check_log(entry: Option<&VerifiedEntry<'_>>, time: Time) -> Result<(), Reason> {
    let Some(entry) = entry else { return Ok(()) };
    entry.log().check_covers(time).map_err(|window| Reason::LogOutsideWindow { time, window })
}
