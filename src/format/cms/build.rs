//! A commit signature, written: DER, byte for byte as gitsign writes it.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data as rfc5652;
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo};
use der::asn1::{Any, ObjectIdentifier, OctetString, SetOfVec, UtcTime};
use der::{Decode, Encode};
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{CONTENT_TYPE, ID_DATA, ID_SIGNED_DATA, LOG_ENTRY, MESSAGE_DIGEST, SHA256, SIGNING_TIME, TIMESTAMP_TOKEN};
use crate::format::Malformed;
use crate::format::cert::{Certificate, ECDSA_WITH_SHA256};
use crate::format::time::Time;

/// The signed attributes of a commit signature, DER SET OF: the bytes to sign.
pub fn signed_attributes(message_digest: &[u8; 32], signing_time: Time) -> Result<Vec<u8>, Malformed> {
    let malformed = |error: der::Error| Malformed::new("signed attributes", error);
    let time = UtcTime::from_unix_duration(
        signing_time.since_unix().ok_or_else(|| Malformed::new("signing time", "before 1970"))?,
    )
    .map_err(malformed)?;
    let attributes = SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, &ID_DATA)?,
        attribute(SIGNING_TIME, &time)?,
        attribute(MESSAGE_DIGEST, &OctetString::new(message_digest.as_slice()).map_err(malformed)?)?,
    ])
    .map_err(malformed)?;
    attributes.to_der().map_err(malformed)
}

/// A SignedData as gitsign writes it: version 1, detached, SHA-256, ecdsa-with-SHA256, one signer by issuer and
/// serial number, the leaf alone. `signed_attributes` is what [`signed_attributes`] made, `signature` is over it.
pub fn assemble(
    leaf: &Certificate,
    signed_attributes: &[u8],
    signature: &[u8],
    unsigned: Vec<Attribute>,
) -> Result<Vec<u8>, Malformed> {
    let malformed = |error: der::Error| Malformed::new("CMS", error);
    let sha256 = AlgorithmIdentifierOwned { oid: SHA256, parameters: None };
    let tbs = leaf.x509().tbs_certificate();
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer().clone(),
            serial_number: tbs.serial_number().clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(SetOfVec::from_der(signed_attributes).map_err(malformed)?),
        signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None },
        signature: OctetString::new(signature).map_err(malformed)?,
        unsigned_attrs: if unsigned.is_empty() { None } else { Some(SetOfVec::try_from(unsigned).map_err(malformed)?) },
    };
    let signed = rfc5652::SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256]).map_err(malformed)?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
        certificates: Some(vec![CertificateChoices::Certificate(leaf.x509().clone())].try_into().map_err(malformed)?),
        crls: None,
        signer_infos: vec![signer].try_into().map_err(malformed)?,
    };
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed).map_err(malformed)? }
        .to_der()
        .map_err(malformed)
}

/// The unsigned attribute that holds a log entry: OCTET STRING of the protobuf message.
pub fn entry_attribute(entry: &[u8]) -> Result<Attribute, Malformed> {
    attribute(LOG_ENTRY, &OctetString::new(entry).map_err(|error| Malformed::new("log entry", error))?)
}

/// The unsigned attribute that holds a timestamp token, which is a ContentInfo.
pub fn token_attribute(token: &[u8]) -> Result<Attribute, Malformed> {
    let token = Any::from_der(token).map_err(|error| Malformed::new("timestamp token", error))?;
    let values = SetOfVec::try_from(vec![token]).map_err(|error| Malformed::new("timestamp token", error))?;
    Ok(Attribute { oid: TIMESTAMP_TOKEN, values })
}

fn attribute<T: Encode + der::Tagged + der::EncodeValue>(
    oid: ObjectIdentifier,
    value: &T,
) -> Result<Attribute, Malformed> {
    let malformed = |error: der::Error| Malformed::new("attribute", error);
    let values = SetOfVec::try_from(vec![Any::encode_from(value).map_err(malformed)?]).map_err(malformed)?;
    Ok(Attribute { oid, values })
}
