//! Step 4: a certificate transparency log of the trust root signed for this certificate, inside that log's window.

use super::chain::IssuedLeaf;
use crate::format::hex;
use crate::format::sct::{self, Sct, SctAlgorithm};
use crate::format::time::Time;
use crate::key::{Hash, KeyKind, Memo, PublicKey, sha256};
use crate::report::Reason;
use crate::trust::{Log, TrustRoot};

/// A log of the trust root has seen the leaf.
pub(super) struct VerifiedSct {
    log: String,
    time: Time,
}

impl VerifiedSct {
    pub(super) fn detail(&self) -> String {
        format!("logged by {} at {}", self.log, self.time)
    }
}

/// Every SCT of a log that is listed must verify; one must be there.
pub(super) fn verify_sct(leaf: &IssuedLeaf<'_>, root: &TrustRoot, memo: &Memo) -> Result<VerifiedSct, Reason> {
    check_usable(root)?;
    let list = leaf.leaf().sct_list().ok_or(Reason::SctMissing)?;
    let scts = sct::parse_list(list).map_err(Reason::SctMalformed)?;
    let mut held = None;
    for sct in &scts {
        let Some(log) = root.ct_logs.iter().find(|log| log.id == sct.log_id) else { continue };
        check_sct(sct, log, leaf, memo)?;
        held = Some(VerifiedSct { log: log.base_url.clone(), time: sct.time });
    }
    held.ok_or_else(|| Reason::SctLogUnknown { id: scts.first().map(|sct| hex(&sct.log_id)).unwrap_or_default() })
}

/// Logs that are listed are required, also when this program can read none of their keys.
fn check_usable(root: &TrustRoot) -> Result<(), Reason> {
    match root.ct_logs.iter().find_map(|log| log.key.as_ref().err()) {
        Some(why) if root.ct_logs.iter().all(|log| log.key.is_err()) => {
            Err(Reason::TrustRootUnusable(format!("no certificate transparency log can be used: {why}")))
        }
        _ => Ok(()),
    }
}

fn check_sct(sct: &Sct, log: &Log, leaf: &IssuedLeaf<'_>, memo: &Memo) -> Result<(), Reason> {
    let (key, hash) = log
        .key
        .as_ref()
        .map_err(|why| Reason::TrustRootUnusable(format!("certificate transparency log {}: {why}", log.base_url)))?;
    if !fits(sct.algorithm, key) || *hash != Hash::Sha256 {
        return Err(Reason::SctInvalid);
    }
    // The issuer that the signature proved, never one looked up by name.
    let issuer = leaf.above().first().ok_or(Reason::SctInvalid)?.spki().map_err(Reason::SctMalformed)?;
    let tbs = leaf.leaf().precertificate_tbs().map_err(Reason::SctMalformed)?;
    let signed = sct::signed_struct(sct, &sha256(&issuer), &tbs).map_err(Reason::SctMalformed)?;
    memo.check_signature(key, *hash, &signed, &sct.signature).map_err(|_| Reason::SctInvalid)?;
    log.check_covers(sct.time).map_err(|window| Reason::SctOutsideWindow { time: sct.time, window })
}

fn fits(algorithm: SctAlgorithm, key: &PublicKey) -> bool {
    matches!(
        (algorithm, key.kind()),
        (SctAlgorithm::EcdsaSha256, KeyKind::P256) | (SctAlgorithm::RsaSha256, KeyKind::Rsa)
    )
}
