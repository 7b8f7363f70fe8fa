//! The certificate transparency log: signs for precertificates (RFC 6962 section 3.2). It keeps no tree, so nobody can
//! ask it for proofs; no client does.

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use super::Failure;
use super::der::{OCTET_STRING, element};
use super::faults::Fault;
use super::state::fresh_p256;
use crate::key::sha256;

pub(super) struct CtLog {
    key: KeyPair,
}

impl CtLog {
    pub(super) fn new(key: KeyPair) -> Self {
        Self { key }
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The content of the SCT list extension (section 3.3) for the precertificate `tbs`, promised at `seconds`.
    pub(super) fn sct_list(
        &self,
        tbs: &[u8],
        issuer_spki: &[u8],
        seconds: i64,
        fault: Fault,
    ) -> Result<Vec<u8>, Failure> {
        let stranger = fresh_p256()?;
        let (named, signing) = match fault {
            Fault::ForeignSct => (&stranger, &stranger),
            Fault::WrongSignature => (&self.key, &stranger),
            _ => (&self.key, &self.key),
        };
        let millis = u64::try_from(seconds).map_err(Failure::new)?.saturating_mul(1000).to_be_bytes();
        let length = u32::try_from(tbs.len()).map_err(Failure::new)?.to_be_bytes();
        let extensions = [0, 0];
        // version 1, certificate_timestamp; precert_entry; a length of three bytes.
        let mut signed = vec![0, 0];
        signed.extend(millis);
        signed.extend([0, 1]);
        signed.extend(sha256(issuer_spki));
        signed.extend(length.iter().skip(1));
        signed.extend(tbs);
        signed.extend(extensions);
        let signature = signing.sign(&signed).map_err(Failure::new)?;

        let mut sct = vec![0];
        sct.extend(sha256(&named.subject_public_key_info()));
        sct.extend(millis);
        sct.extend(extensions);
        // SHA-256 and ECDSA in the numbers of RFC 5246 section 7.4.1.4.1.
        sct.extend([4, 3]);
        let list = vector(&vector(&[sct, vector(&signature)?].concat())?)?;
        Ok(element(OCTET_STRING, &[&list]))
    }
}

/// A vector with a length of two bytes (RFC 5246 section 4.3).
fn vector(content: &[u8]) -> Result<Vec<u8>, Failure> {
    let length = u16::try_from(content.len()).map_err(Failure::new)?;
    Ok([length.to_be_bytes().as_slice(), content].concat())
}
