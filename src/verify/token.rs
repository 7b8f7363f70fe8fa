//! A timestamp token (RFC 3161) of an authority of the trust root, over the signature's octets.

use der::asn1::ObjectIdentifier;
use webpki::KeyUsage;

use super::chain::{PathFault, check_path};
use crate::format::Malformed;
use crate::format::cert::{Certificate, TIME_STAMPING};
use crate::format::cms::{self, CONTENT_TYPE, MESSAGE_DIGEST, SHA256, SHA384, SHA512, SignedData, Signer};
use crate::format::time::{Time, Window};
use crate::format::timestamp::{self, ID_CT_TST_INFO, TstInfo};
use crate::key::{Hash, KeyKind, Memo, PublicKey, sha1_of};
use crate::report::Reason;
use crate::trust::{Authority, TrustRoot};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// What an authority of the trust root says: when.
pub(super) struct VerifiedToken {
    time: Time,
    /// When the trust root lets the authority count, and who that is.
    authority: (Window, String),
}

impl VerifiedToken {
    pub(super) fn time(&self) -> Time {
        self.time
    }

    pub(super) fn into_authority(self) -> (Window, String) {
        self.authority
    }
}

/// None for a token of nobody whom the trust root lists.
pub(super) fn verify_token(
    der: &[u8],
    stamped: &[u8],
    root: &TrustRoot,
    memo: &Memo,
) -> Result<Option<VerifiedToken>, Reason> {
    match is_of_somebody_known(der, root)? {
        true => verified(der, stamped, root, memo),
        false => Ok(None),
    }
}

/// Whether the signer names an authority of the trust root, or a certificate that one may have issued. Asked first and
/// leniently: a token of anybody else neither helps nor harms, however it is written. One that nobody can read is false.
fn is_of_somebody_known(der: &[u8], root: &TrustRoot) -> Result<bool, Reason> {
    let malformed = || Reason::TimestampMalformed(Malformed::new("timestamp token", "no CMS with a signer"));
    let token = SignedData::parse_leniently(der).ok_or_else(malformed)?;
    let signer = token.signer().ok_or_else(malformed)?;
    let embedded: Vec<_> = token.certificates().iter().filter(|certificate| signer.is(certificate)).collect();
    let knows = |chain: &Vec<Certificate>| {
        let issued_below = |first: &Certificate| embedded.iter().any(|own| own.issuer_name() == first.subject_name());
        chain.first().is_some_and(|first| signer.is(first) || issued_below(first))
    };
    Ok(root.timestamp_authorities.iter().filter_map(|authority| authority.chain.as_ref().ok()).any(knows))
}

/// None for a token whose signer only looks like an authority's.
fn verified(der: &[u8], stamped: &[u8], root: &TrustRoot, memo: &Memo) -> Result<Option<VerifiedToken>, Reason> {
    let invalid = |why: &str| Reason::TimestampInvalid(why.to_owned());
    let token = SignedData::parse_unsorted(der).map_err(Reason::TimestampMalformed)?;
    let info = TstInfo::of(&token).map_err(Reason::TimestampMalformed)?;
    if token.signers() != 1 {
        return Err(invalid("it has not exactly one signer"));
    }
    let signer = token.signer().ok_or_else(|| invalid("no signer"))?;
    let Some((authority, certificate)) = authority(&token, &signer, root, info.time, memo)? else { return Ok(None) };
    check_shell(&token, &signer, &certificate)?;
    check_token_signature(&token, &signer, &certificate, memo)?;
    let imprint = hash(info.imprint_algorithm).ok_or_else(|| invalid("its imprint algorithm is not supported"))?;
    if imprint.digest(stamped) != info.imprint {
        return Err(invalid("it is for another signature"));
    }
    Ok(Some(VerifiedToken { time: info.time, authority: (authority.window, authority.uri.clone()) }))
}

/// The authority whose certificate the signer names, with that certificate: pinned in the trust root, or inside the
/// token and issued by the authority's chain. Of several with the same certificate, one whose window fits is taken.
fn authority<'r>(
    token: &SignedData,
    signer: &Signer<'_>,
    root: &'r TrustRoot,
    time: Time,
    memo: &Memo,
) -> Result<Option<(&'r Authority, Certificate)>, Reason> {
    let mut found: Option<(&Authority, Certificate)> = None;
    for authority in &root.timestamp_authorities {
        let Ok(chain) = &authority.chain else { continue };
        let Some((certificate, above)) = signing_certificate(token, signer, chain, time, memo) else { continue };
        check_authority(&certificate, above, time, memo)?;
        if found.is_none() || authority.window.contains(time) {
            found = Some((authority, certificate));
        }
    }
    Ok(found)
}

fn signing_certificate<'r>(
    token: &SignedData,
    signer: &Signer<'_>,
    chain: &'r [Certificate],
    time: Time,
    memo: &Memo,
) -> Option<(Certificate, &'r [Certificate])> {
    let [first, above @ ..] = chain else { return None };
    if signer.is(first) {
        return Some((first.clone(), above));
    }
    let embedded = token.certificates().iter().find(|certificate| signer.is(certificate))?;
    let issued = embedded.issuer_name() == first.subject_name()
        && check_path(embedded, first, time, KeyUsage::required(TIME_STAMPING.as_bytes()), memo).is_ok();
    issued.then(|| (embedded.clone(), chain))
}

/// RFC 3161 section 2.3: the key is for timestamps and nothing else, critically so; the chain is valid at the time.
fn check_authority(certificate: &Certificate, above: &[Certificate], time: Time, memo: &Memo) -> Result<(), Reason> {
    let invalid = |why: String| Reason::TimestampInvalid(why);
    match certificate.extended_key_usage().map_err(Reason::TimestampMalformed)? {
        Some((true, usages)) if usages.as_slice() == [TIME_STAMPING] => {}
        _ => return Err(invalid("its certificate is not for timestamps alone".into())),
    }
    if certificate.is_ca().map_err(Reason::TimestampMalformed)? {
        return Err(invalid("its certificate is an authority's".into()));
    }
    for link in std::iter::once(certificate).chain(above) {
        let window = link.validity().map_err(Reason::TimestampMalformed)?;
        if !window.contains(time) {
            return Err(invalid(format!(
                "at {time} the certificate of {} was not valid ({window})",
                link.subject_name()
            )));
        }
    }
    match above
        .first()
        .map(|issuer| check_path(certificate, issuer, time, KeyUsage::required(TIME_STAMPING.as_bytes()), memo))
    {
        None | Some(Ok(())) => Ok(()),
        Some(Err(PathFault::Issuer)) => {
            Err(invalid("its certificate is not signed by the next one of its chain".into()))
        }
        Some(Err(PathFault::Other(error))) => Err(invalid(error.to_string())),
    }
}

/// What no signature covers must still agree with what one does: versions and digest algorithms (RFC 5652 sections 5.1 and 5.3),
/// and the signer's certificate, where certificates are inside.
fn check_shell(token: &SignedData, signer: &Signer<'_>, certificate: &Certificate) -> Result<(), Reason> {
    let invalid = |why: &str| Err(Reason::TimestampInvalid(why.to_owned()));
    let signer_version = if signer.names_issuer_and_serial() { 1 } else { 3 };
    if (token.version(), signer.version()) != (3, signer_version) {
        return invalid("its versions are not what its content and signer ask for");
    }
    if token.digest_algorithms() != std::slice::from_ref(signer.digest_algorithm()) {
        return invalid("its digest algorithms are not its signer's");
    }
    match token.certificates() {
        [] => Ok(()),
        inside if inside.contains(certificate) => Ok(()),
        _ => invalid("the certificates inside are not its signer's"),
    }
}

/// RFC 5652 section 5.4 and RFC 5816: signed attributes, their digest of the content, the certificate they bind to.
fn check_token_signature(
    token: &SignedData,
    signer: &Signer<'_>,
    certificate: &Certificate,
    memo: &Memo,
) -> Result<(), Reason> {
    let invalid = |why: &str| Reason::TimestampInvalid(why.to_owned());
    let content = token
        .content()
        .ok_or_else(|| invalid("no content"))
        .and_then(|content| cms::octets(content).map_err(Reason::TimestampMalformed))?;
    let attributes = signer.signed_attributes().ok_or_else(|| invalid("no signed attributes"))?;
    let signed = signer.signed();
    let content_type = cms::sole_value(signed, CONTENT_TYPE, "contentType").map_err(Reason::TimestampMalformed)?;
    if content_type.decode_as::<ObjectIdentifier>() != Ok(ID_CT_TST_INFO) {
        return Err(invalid("its content type attribute is not id-ct-TSTInfo"));
    }
    let digest_hash =
        hash(signer.digest_algorithm().oid).ok_or_else(|| invalid("its digest algorithm is not supported"))?;
    let digest = cms::sole_value(signed, MESSAGE_DIGEST, "messageDigest")
        .and_then(cms::octets)
        .map_err(Reason::TimestampMalformed)?;
    if digest != digest_hash.digest(content) {
        return Err(invalid("its content is not what was signed"));
    }
    check_binding(signed, certificate)?;
    let key = authority_key(certificate)?;
    let scheme =
        signature_hash(signer, &key, digest_hash).ok_or_else(|| invalid("its signature algorithm is not supported"))?;
    memo.check_signature(&key, scheme, attributes, signer.signature())
        .map_err(|_| invalid("its signature does not verify"))
}

/// A key of a kind that is not known here says nothing against the token.
fn authority_key(certificate: &Certificate) -> Result<PublicKey, Reason> {
    let unusable = |why: &dyn std::fmt::Display| {
        Reason::TrustRootUnusable(format!("timestamp authority {}: {why}", certificate.subject_name()))
    };
    let spki = certificate.spki().map_err(Reason::TimestampMalformed)?;
    match PublicKey::from_spki(&spki) {
        Ok(key) if key.kind() == KeyKind::Ed25519 => Err(unusable(&"Ed25519 keys are not supported")),
        Ok(key) => Ok(key),
        Err(error) => Err(unusable(&error)),
    }
}

fn check_binding(signed: &[x509_cert::attr::Attribute], certificate: &Certificate) -> Result<(), Reason> {
    let bound = timestamp::signing_certificate(signed).map_err(Reason::TimestampMalformed)?;
    let own = match bound.algorithm {
        None => Some(sha1_of(&[certificate.der()]).to_vec()),
        Some(algorithm) => hash(algorithm).map(|hash| hash.digest(certificate.der())),
    };
    match own {
        Some(own) if own == bound.hash => Ok(()),
        _ => Err(Reason::TimestampInvalid("it is bound to another certificate".into())),
    }
}

fn hash(algorithm: ObjectIdentifier) -> Option<Hash> {
    match algorithm {
        SHA256 => Some(Hash::Sha256),
        SHA384 => Some(Hash::Sha384),
        SHA512 => Some(Hash::Sha512),
        _ => None,
    }
}

/// The hash that the signature is over: named by the signature algorithm, or by the digest's where that names none.
fn signature_hash(signer: &Signer<'_>, key: &PublicKey, digest: Hash) -> Option<Hash> {
    match (signer.signature_algorithm().oid, key.kind()) {
        (ECDSA_WITH_SHA256, KeyKind::P256 | KeyKind::P384 | KeyKind::P521) | (SHA256_WITH_RSA, KeyKind::Rsa) => {
            Some(Hash::Sha256)
        }
        (ECDSA_WITH_SHA384, KeyKind::P256 | KeyKind::P384 | KeyKind::P521) | (SHA384_WITH_RSA, KeyKind::Rsa) => {
            Some(Hash::Sha384)
        }
        (ECDSA_WITH_SHA512, KeyKind::P521) | (SHA512_WITH_RSA, KeyKind::Rsa) => Some(Hash::Sha512),
        (RSA_ENCRYPTION, KeyKind::Rsa) => Some(digest),
        _ => None,
    }
}
