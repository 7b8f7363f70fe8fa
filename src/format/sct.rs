//! Signed certificate timestamps inside a certificate (RFC 6962 sections 3.2 and 3.3).

use der::Decode as _;
use x509_cert::ext::pkix::sct as tls;

use super::Malformed;
use super::time::Time;

/// Most timestamps in one list; real ones have one.
pub const MAX_SCTS: usize = 8;

/// One SCT as the certificate carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sct {
    /// SHA-256 of the log's key.
    pub log_id: [u8; 32],
    /// When the log promised.
    pub time: Time,
    /// The same in milliseconds, as it was signed.
    pub millis: u64,
    /// Extensions, which static logs use; covered by the signature.
    pub extensions: Vec<u8>,
    /// Hash and signature algorithm of RFC 5246 section 7.4.1.4.1.
    pub algorithm: SctAlgorithm,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The pairs that RFC 6962 section 2.1.4 allows, and everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctAlgorithm {
    /// (4, 3).
    EcdsaSha256,
    /// (4, 1).
    RsaSha256,
    /// Anything else.
    Other,
}

/// Reads the content of the SCT list extension: an OCTET STRING in DER, a TLS vector in it. Nothing may be left over,
/// and an empty list is none.
pub fn parse_list(extension: &[u8]) -> Result<Vec<Sct>, Malformed> {
    let malformed = |why: &dyn std::fmt::Debug| Malformed::new("SCT list", format!("{why:?}"));
    let list = tls::SignedCertificateTimestampList::from_der(extension).map_err(|error| malformed(&error))?;
    let serialized = list.parse_timestamps().map_err(|error| malformed(&error))?;
    if serialized.is_empty() || serialized.len() > MAX_SCTS {
        return Err(Malformed::new("SCT list", format!("{} timestamps, not 1 to {MAX_SCTS}", serialized.len())));
    }
    serialized.iter().map(|sct| sct.parse_timestamp().map_err(|error| malformed(&error)).and_then(sct_of)).collect()
}

fn sct_of(sct: tls::SignedCertificateTimestamp) -> Result<Sct, Malformed> {
    use tls::{HashAlgorithm, SignatureAlgorithm};
    Ok(Sct {
        log_id: sct.log_id.key_id,
        time: Time::from_millis(sct.timestamp)?,
        millis: sct.timestamp,
        extensions: sct.extensions.as_slice().to_vec(),
        algorithm: match (&sct.signature.algorithm.hash, &sct.signature.algorithm.signature) {
            (HashAlgorithm::Sha256, SignatureAlgorithm::Ecdsa) => SctAlgorithm::EcdsaSha256,
            (HashAlgorithm::Sha256, SignatureAlgorithm::Rsa) => SctAlgorithm::RsaSha256,
            _ => SctAlgorithm::Other,
        },
        signature: sct.signature.signature.as_slice().to_vec(),
    })
}

/// The `digitally-signed` struct for a precertificate (RFC 6962 section 3.2). `issuer_key_hash` is SHA-256 of the
/// SubjectPublicKeyInfo of the certificate that really issued it, found by its signature and not by its name.
pub fn signed_struct(sct: &Sct, issuer_key_hash: &[u8; 32], precertificate_tbs: &[u8]) -> Result<Vec<u8>, Malformed> {
    let too_long = || Malformed::new("SCT", "longer than its length field can say");
    let tbs_length =
        u32::try_from(precertificate_tbs.len()).ok().filter(|length| *length < 1 << 24).ok_or_else(too_long)?;
    let extensions_length = u16::try_from(sct.extensions.len()).map_err(|_| too_long())?;
    let mut out = Vec::with_capacity(precertificate_tbs.len() + 64);
    out.extend_from_slice(&[0, 0]); // version 1, certificate_timestamp
    out.extend_from_slice(&sct.millis.to_be_bytes());
    out.extend_from_slice(&[0, 1]); // precert_entry
    out.extend_from_slice(issuer_key_hash);
    out.extend(tbs_length.to_be_bytes().iter().skip(1));
    out.extend_from_slice(precertificate_tbs);
    out.extend_from_slice(&extensions_length.to_be_bytes());
    out.extend_from_slice(&sct.extensions);
    Ok(out)
}
