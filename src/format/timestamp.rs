//! Timestamps (RFC 3161): the query, the reply, and what is inside a token.

use der::asn1::{Any, AnyRef, Int, ObjectIdentifier, OctetString, OctetStringRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader, Tag, TagNumber};
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::Malformed;
use super::cert::wrap;
use super::cms::{SHA256, sole_value, values};
use super::time::Time;

/// id-ct-TSTInfo (RFC 3161 section 2.4.2).
pub const ID_CT_TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// Most values of the token attribute that are looked at, as DESIGN of the format says.
pub const MAX_TOKENS: usize = 8;

/// id-aa-signingCertificate (RFC 2634 section 5.4), SHA-1.
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// id-aa-signingCertificateV2 (RFC 5035 section 3).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

#[derive(Sequence)]
struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

#[derive(Sequence)]
struct TimeStampReq {
    version: u8,
    message_imprint: MessageImprint,
    nonce: Int,
    cert_req: bool,
}

/// A query (RFC 3161 section 2.4.1) for SHA-256 `imprint`, the signer's certificate asked for.
pub fn query(imprint: &[u8; 32], nonce: &[u8; 16]) -> Result<Vec<u8>, Malformed> {
    let malformed = |error: der::Error| Malformed::new("timestamp query", error);
    let request = TimeStampReq {
        version: 1,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifierOwned { oid: SHA256, parameters: None },
            hashed_message: OctetString::new(imprint.as_slice()).map_err(malformed)?,
        },
        nonce: Int::new(&nonce_integer(nonce)).map_err(malformed)?,
        cert_req: true,
    };
    request.to_der().map_err(malformed)
}

/// A positive INTEGER that keeps all the nonce's bits: DER drops leading zeros, so the first byte is never zero.
fn nonce_integer(nonce: &[u8; 16]) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(nonce);
    bytes
}

/// The token inside a reply (RFC 3161 section 2.4.2), which must answer `nonce`. Its signature is not looked at.
pub fn token_of_reply(reply: &[u8], nonce: &[u8; 16]) -> Result<Vec<u8>, Malformed> {
    let malformed = |error: der::Error| Malformed::new("timestamp reply", error);
    let mut fields = SliceReader::new(AnyRef::from_der(reply).map_err(malformed)?.value()).map_err(malformed)?;
    let status = AnyRef::decode(&mut fields).map_err(malformed)?;
    let mut status = SliceReader::new(status.value()).map_err(malformed)?;
    let status = u8::decode(&mut status).map_err(malformed)?;
    // granted, grantedWithMods
    if status > 1 {
        return Err(Malformed::new("timestamp reply", format!("refused with PKIStatus {status}")));
    }
    let token = fields.tlv_bytes().map_err(malformed)?.to_vec();
    fields.finish().map_err(malformed)?;
    let content = super::cms::SignedData::parse(&token)?;
    let info = TstInfo::of(&content)?;
    match info.nonce {
        Some(answered) if answered == nonce_integer(nonce) => Ok(token),
        _ => Err(Malformed::new("timestamp reply", "it does not answer the nonce that was sent")),
    }
}

/// A reply around a token, as Sigstore bundles want it: PKIStatus granted and the token.
pub fn reply_around(token: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut content = vec![0x30, 0x03, 0x02, 0x01, 0x00];
    content.extend_from_slice(token);
    wrap(Tag::Sequence, &content).map_err(|error| Malformed::new("timestamp reply", error))
}

/// TSTInfo (RFC 3161 section 2.4.2): what the authority signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TstInfo {
    /// Algorithm of the imprint.
    pub imprint_algorithm: ObjectIdentifier,
    /// The imprint: hash of what was stamped.
    pub imprint: Vec<u8>,
    /// When.
    pub time: Time,
    /// The content octets of the nonce, if one was asked for.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    /// Out of a token's content.
    pub fn of(token: &super::cms::SignedData) -> Result<Self, Malformed> {
        if token.content_type() != ID_CT_TST_INFO {
            return Err(Malformed::new(
                "timestamp token",
                format!("content type {} is not id-ct-TSTInfo", token.content_type()),
            ));
        }
        let content = token.content().ok_or_else(|| Malformed::new("timestamp token", "no TSTInfo inside"))?;
        Self::parse(super::cms::octets(content)?)
    }

    /// From DER.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let malformed = |error: der::Error| Malformed::new("TSTInfo", error);
        let sequence = AnyRef::from_der(der).map_err(malformed)?;
        if sequence.header().tag() != Tag::Sequence {
            return Err(Malformed::new("TSTInfo", "not a SEQUENCE"));
        }
        let mut fields = SliceReader::new(sequence.value()).map_err(malformed)?;
        let version = u8::decode(&mut fields).map_err(malformed)?;
        if version != 1 {
            return Err(Malformed::new("TSTInfo", format!("version {version}")));
        }
        <ObjectIdentifier>::decode(&mut fields).map_err(malformed)?; // policy
        let imprint = MessageImprint::decode(&mut fields).map_err(malformed)?;
        Int::decode(&mut fields).map_err(malformed)?; // serial number
        let time = AnyRef::decode(&mut fields).map_err(malformed)?;
        if time.header().tag() != Tag::GeneralizedTime {
            return Err(Malformed::new("TSTInfo", "genTime is no GeneralizedTime"));
        }
        let time = std::str::from_utf8(time.value())
            .map_err(|error| Malformed::new("TSTInfo", error))
            .and_then(Time::parse_generalized)?;
        Ok(Self {
            imprint_algorithm: imprint.hash_algorithm.oid,
            imprint: imprint.hashed_message.as_bytes().to_vec(),
            time,
            nonce: optional_fields(fields).map_err(malformed)?,
        })
    }
}

/// accuracy, ordering, nonce, `[0]` tsa, `[1]` extensions: each at most once, in this order. Gives the nonce.
fn optional_fields(mut fields: SliceReader<'_>) -> der::Result<Option<Vec<u8>>> {
    let (mut nonce, mut reached) = (None, 0);
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        let position = match field.header().tag() {
            Tag::Sequence => 1,
            Tag::Boolean => 2,
            Tag::Integer => 3,
            Tag::ContextSpecific { number: TagNumber(0), .. } => 4,
            Tag::ContextSpecific { number: TagNumber(1), .. } => 5,
            tag => return Err(tag.value_error().into()),
        };
        if position <= reached {
            return Err(field.header().tag().value_error().into());
        }
        reached = position;
        if position == 3 {
            nonce = Some(field.value().to_vec());
        }
    }
    Ok(nonce)
}

/// The certificate that a token's signer binds itself to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateHash {
    /// None is SHA-1, by RFC 2634.
    pub algorithm: Option<ObjectIdentifier>,
    /// Hash of the certificate's DER.
    pub hash: Vec<u8>,
}

/// ESSCertID or ESSCertIDv2 out of the signed attributes, the first of its list (RFC 5816 section 2.2.1).
pub fn signing_certificate(signed: &[Attribute]) -> Result<CertificateHash, Malformed> {
    let what = "signing-certificate attribute";
    if values(signed, SIGNING_CERTIFICATE_V2).0 > 0 {
        return ess_cert_id(sole_value(signed, SIGNING_CERTIFICATE_V2, what)?, Some(SHA256))
            .map_err(|error| Malformed::new(what, error));
    }
    ess_cert_id(sole_value(signed, SIGNING_CERTIFICATE, what)?, None).map_err(|error| Malformed::new(what, error))
}

/// SEQUENCE { SEQUENCE OF SEQUENCE { AlgorithmIdentifier (v2, default SHA-256), OCTET STRING, ... }, ... }
fn ess_cert_id(value: &Any, default: Option<ObjectIdentifier>) -> der::Result<CertificateHash> {
    let mut attribute = SliceReader::new(value.value())?;
    let mut certificates = SliceReader::new(AnyRef::decode(&mut attribute)?.value())?;
    let mut id = SliceReader::new(AnyRef::decode(&mut certificates)?.value())?;
    let algorithm = match default {
        Some(_) if Tag::peek(&id)? == Tag::Sequence => Some(AlgorithmIdentifierOwned::decode(&mut id)?.oid),
        default => default,
    };
    let hash = <&OctetStringRef>::decode(&mut id)?.as_bytes().to_vec();
    Ok(CertificateHash { algorithm, hash })
}
