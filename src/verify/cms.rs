//! Step 2: strict DER, the profile of a commit signature, the payload's digest, and the signature over the attributes
//! as they are stored, under the key of the certificate that the signer names.

use der::asn1::ObjectIdentifier;
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::format::cert::{Certificate, ECDSA_WITH_SHA256};
use crate::format::cms::{
    self, CONTENT_TYPE, Family, ID_DATA, MAX_ATTRIBUTES, MESSAGE_DIGEST, SHA256, SignedData, Signer,
};
use crate::format::{Malformed, hex};
use crate::key::{Hash, KeyKind, Memo, PublicKey, sha256};
use crate::report::Reason;
use crate::verify::object::SoleArmor;

/// sha256WithRSAEncryption (RFC 4055 section 5).
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// rsaEncryption, which CMS allows in its place (RFC 3370 section 3.2).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A signature over the payload that verifies under the leaf's key. Nothing is known of the leaf.
pub(super) struct VerifiedSignature {
    leaf: Certificate,
    key: PublicKey,
    attributes_digest: [u8; 32],
    signature: Vec<u8>,
    unsigned: Vec<Attribute>,
}

impl VerifiedSignature {
    pub(super) fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256 of the signed attributes tagged SET OF: what the log's entry is about.
    pub(super) fn attributes_digest(&self) -> &[u8; 32] {
        &self.attributes_digest
    }

    /// What a timestamp is over.
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Under no signature.
    pub(super) fn unsigned(&self) -> &[Attribute] {
        &self.unsigned
    }

    pub(super) fn detail(&self) -> String {
        format!("the payload is what was signed, with {:?} and SHA-256", self.key.kind())
    }
}

pub(super) fn verify_signature(armor: &SoleArmor, payload: &[u8], memo: &Memo) -> Result<VerifiedSignature, Reason> {
    let cms = keyless(armor.der())?;
    check_profile(&cms)?;
    let signer = cms.signer().ok_or_else(|| Reason::CmsProfile("no signer".into()))?;
    let leaf =
        cms.certificates().iter().find(|certificate| signer.is(certificate)).ok_or(Reason::SignerCertificateMissing)?;
    let attributes = signer.signed_attributes().ok_or_else(|| Reason::CmsProfile("no signed attributes".into()))?;
    check_attributes(&signer, payload)?;
    let key = leaf_key(leaf, signer.signature_algorithm())?;
    memo.check_signature(&key, Hash::Sha256, attributes, signer.signature()).map_err(|_| Reason::SignatureInvalid)?;
    Ok(VerifiedSignature {
        leaf: leaf.clone(),
        key,
        attributes_digest: sha256(attributes),
        signature: signer.signature().to_vec(),
        unsigned: signer.unsigned().to_vec(),
    })
}

/// The certificate that the signature names, whatever it is worth: for messages and status lines.
pub(super) fn claimed_leaf(armor: &SoleArmor) -> Option<Certificate> {
    let cms = SignedData::parse(armor.der()).ok()?;
    let signer = cms.signer()?;
    cms.certificates().iter().find(|certificate| signer.is(certificate)).cloned()
}

/// Only what is keyless is judged strictly; for anything else somebody else should be asked. Strictly first, since nearly
/// everything is good: whoever does not read so may still be somebody else's.
fn keyless(der: &[u8]) -> Result<SignedData, Reason> {
    match SignedData::parse(der) {
        Ok(cms) if cms.is_keyless() => Ok(cms),
        Err(why) if cms::family(der) != Family::Foreign => Err(Reason::CmsMalformed(why)),
        Ok(_) | Err(_) => Err(Reason::NotKeyless),
    }
}

fn check_profile(cms: &SignedData) -> Result<(), Reason> {
    let profile = |wrong: bool, what: &str| if wrong { Err(Reason::CmsProfile(what.to_owned())) } else { Ok(()) };
    profile(cms.signers() != 1, &format!("{} signers, not one", cms.signers()))?;
    profile(cms.content().is_some(), "content inside the signature")?;
    profile(cms.content_type() != ID_DATA, &format!("content type {}, not id-data", cms.content_type()))?;
    profile(cms.has_crls(), "revocation lists inside the signature")?;
    let signer = cms.signer().ok_or_else(|| Reason::CmsProfile("no signer".into()))?;
    // RFC 5652 sections 5.1 and 5.3: the versions follow from the signer's identifier.
    let version = if signer.names_issuer_and_serial() { 1 } else { 3 };
    profile((cms.version(), signer.version()) != (version, version), "version does not fit the signer's identifier")?;
    for algorithm in cms.digest_algorithms().iter().chain([signer.digest_algorithm()]) {
        if algorithm.oid != SHA256 || has_parameters(algorithm) {
            return Err(Reason::AlgorithmUnsupported { what: format!("digest algorithm {}", algorithm.oid) });
        }
    }
    profile(cms.digest_algorithms().len() != 1, "not exactly one digest algorithm")?;
    for (what, attributes) in [("signed attributes", signer.signed()), ("unsigned attributes", signer.unsigned())] {
        if attributes.len() > MAX_ATTRIBUTES {
            return Err(Reason::LimitExceeded { what, found: attributes.len(), limit: MAX_ATTRIBUTES });
        }
    }
    Ok(())
}

/// Parameters other than NULL.
fn has_parameters(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.parameters.as_ref().is_some_and(|parameters| !parameters.is_null())
}

fn check_attributes(signer: &Signer<'_>, payload: &[u8]) -> Result<(), Reason> {
    let signed = signer.signed();
    for attribute in signed {
        cms::sole_value(signed, attribute.oid, "signed").map_err(|_| {
            Reason::AttributeInvalid(Malformed::new(
                "attribute",
                format!("{} does not stand once with one value", attribute.oid),
            ))
        })?;
    }
    let content_type = cms::sole_value(signed, CONTENT_TYPE, "contentType").map_err(Reason::AttributeInvalid)?;
    if content_type.decode_as::<ObjectIdentifier>() != Ok(ID_DATA) {
        return Err(Reason::AttributeInvalid(Malformed::new("contentType", "not id-data")));
    }
    let digest = cms::sole_value(signed, MESSAGE_DIGEST, "messageDigest")
        .and_then(cms::octets)
        .map_err(Reason::AttributeInvalid)?;
    let own = sha256(payload);
    if digest != own {
        return Err(Reason::DigestMismatch { payload: hex(&own), signed: hex(digest) });
    }
    Ok(())
}

/// The key decides the scheme; the algorithm identifier must agree with it.
fn leaf_key(leaf: &Certificate, algorithm: &AlgorithmIdentifierOwned) -> Result<PublicKey, Reason> {
    let spki = leaf.spki().map_err(Reason::CmsMalformed)?;
    let key = PublicKey::from_spki(&spki)
        .map_err(|error| Reason::AlgorithmUnsupported { what: format!("the leaf's key ({error})") })?;
    let fits = match key.kind() {
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
            algorithm.oid == ECDSA_WITH_SHA256 && algorithm.parameters.is_none()
        }
        KeyKind::Rsa => matches!(algorithm.oid, SHA256_WITH_RSA | RSA_ENCRYPTION) && !has_parameters(algorithm),
        KeyKind::Ed25519 => false,
    };
    if fits {
        Ok(key)
    } else {
        Err(Reason::AlgorithmUnsupported {
            what: format!("signature algorithm {} with a {:?} key", algorithm.oid, key.kind()),
        })
    }
}
