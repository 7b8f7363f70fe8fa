//! CMS SignedData (RFC 5652).
//!
//! What was signed is never encoded again: the signed attributes are cut out of the bytes as they stand, and only
//! their tag is changed from `[0]` to SET OF, as RFC 5652 section 5.4 demands.

mod build;

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data as rfc5652;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber};
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::Malformed;
use super::cert::{Certificate, wrap};
use super::time::Time;

pub use build::{assemble, entry_attribute, signed_attributes, token_attribute};

/// Most certificates in one signature; gitsign wrote one or two, corporate chains four.
pub const MAX_CERTIFICATES: usize = 16;
/// Most attributes of one signer, of either sort; gitsign's prototype of 2023 wrote nine.
pub const MAX_ATTRIBUTES: usize = 32;

/// id-data (RFC 5652 section 4).
pub const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// id-signedData (RFC 5652 section 5.1).
pub const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-contentType (RFC 5652 section 11.1).
pub const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// id-messageDigest (RFC 5652 section 11.2).
pub const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// id-signingTime (RFC 5652 section 11.3): a claim of the signer, never evidence.
pub const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// id-aa-timeStampToken (RFC 3161 appendix A).
pub const TIMESTAMP_TOKEN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.14");
/// gitsign's embedded TransparencyLogEntry.
pub const LOG_ENTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.1");
/// id-sha256 (RFC 5754 section 2.2).
pub const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// id-sha384.
pub const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
/// id-sha512.
pub const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A SignedData as somebody wrote it.
#[derive(Clone, Debug)]
pub struct SignedData {
    parsed: rfc5652::SignedData,
    certificates: Vec<Certificate>,
    signed_attributes: Option<Vec<u8>>,
}

impl SignedData {
    /// From DER and nothing but DER: what is read must encode to the same bytes, sets sorted included.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let read = Self::parse_unsorted(bytes)?;
        let malformed = |error: der::Error| Malformed::new("CMS", error);
        let content = Any::encode_from(&read.parsed).map_err(malformed)?;
        let again = ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der().map_err(malformed)?;
        if again != bytes {
            return Err(Malformed::new("CMS", "not DER: encoding what was read gives other bytes"));
        }
        Ok(read)
    }

    /// From DER whose sets may be in any order: timestamp authorities put certificates in the order of their issue,
    /// and RFC 5652 demands DER of the signed attributes alone, which are cut out as they stand.
    pub fn parse_unsorted(bytes: &[u8]) -> Result<Self, Malformed> {
        let malformed = |error: der::Error| Malformed::new("CMS", error);
        let info = ContentInfo::from_der(bytes).map_err(malformed)?;
        if info.content_type != ID_SIGNED_DATA {
            return Err(Malformed::new("CMS", format!("content type {} is not id-signedData", info.content_type)));
        }
        let parsed: rfc5652::SignedData = info.content.decode_as().map_err(malformed)?;
        let signed_attributes = first_signed_attributes(bytes).map_err(malformed)?;
        Ok(Self { certificates: certificates(bytes, &parsed)?, parsed, signed_attributes })
    }

    /// From BER, without the bytes that were signed: enough to see whom the signer names, and for nothing else.
    pub fn parse_leniently(bytes: &[u8]) -> Option<Self> {
        let info = ContentInfo::from_ber(bytes).ok().filter(|info| info.content_type == ID_SIGNED_DATA)?;
        let parsed = rfc5652::SignedData::from_ber(&info.content.to_der().ok()?).ok()?;
        let readable = parsed.certificates.iter().flat_map(|set| set.0.iter()).filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Certificate::of(certificate.clone()).ok(),
            CertificateChoices::Other(_) => None,
        });
        Some(Self { certificates: readable.collect(), parsed, signed_attributes: None })
    }

    /// CMSVersion (RFC 5652 section 5.1).
    pub fn version(&self) -> u8 {
        version(self.parsed.version)
    }

    /// The algorithm identifiers of the digests.
    pub fn digest_algorithms(&self) -> &[AlgorithmIdentifierOwned] {
        self.parsed.digest_algorithms.as_slice()
    }

    /// What kind of content the signature speaks of.
    pub fn content_type(&self) -> ObjectIdentifier {
        self.parsed.encap_content_info.econtent_type
    }

    /// The content inside, when it is not detached: any element, for Sigstore's tokens an OCTET STRING.
    pub fn content(&self) -> Option<&Any> {
        self.parsed.encap_content_info.econtent.as_ref()
    }

    /// Whether revocation lists are inside.
    pub fn has_crls(&self) -> bool {
        self.parsed.crls.is_some()
    }

    /// The certificates inside, in their order; nothing is known of them.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Whether the signer's certificate carries Fulcio's extensions; where the signer names none inside, any of them.
    pub fn is_keyless(&self) -> bool {
        let names = |certificate: &&Certificate| self.signer_infos().any(|signer| signer.is(certificate));
        let named: Vec<_> = self.certificates.iter().filter(names).collect();
        match named.is_empty() {
            true => self.certificates.iter().any(Certificate::is_fulcio),
            false => named.iter().any(|certificate| certificate.is_fulcio()),
        }
    }

    /// How many SignerInfos there are.
    pub fn signers(&self) -> usize {
        self.parsed.signer_infos.0.len()
    }

    /// The first SignerInfo.
    pub fn signer(&self) -> Option<Signer<'_>> {
        self.signer_infos().next()
    }

    /// All of them; the signed attributes as they are stored are the first one's alone.
    fn signer_infos(&self) -> impl Iterator<Item = Signer<'_>> {
        let first = std::iter::once(self.signed_attributes.as_deref()).chain(std::iter::repeat(None));
        self.parsed.signer_infos.0.iter().zip(first).map(|(info, signed_attributes)| Signer { info, signed_attributes })
    }
}

/// One SignerInfo (RFC 5652 section 5.3).
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    info: &'a SignerInfo,
    signed_attributes: Option<&'a [u8]>,
}

impl<'a> Signer<'a> {
    /// CMSVersion: 1 for issuer and serial number, 3 for a key identifier.
    pub fn version(&self) -> u8 {
        version(self.info.version)
    }

    /// Whether `certificate` is the one that the signer names.
    pub fn is(&self, certificate: &Certificate) -> bool {
        match &self.info.sid {
            SignerIdentifier::IssuerAndSerialNumber(named) => {
                named.issuer.as_ref() == certificate.issuer_name()
                    && named.serial_number.as_bytes() == certificate.serial()
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                certificate.subject_key_id().is_some_and(|own| own == id.0.as_bytes())
            }
        }
    }

    /// Whether the signer names its certificate by issuer and serial number.
    pub fn names_issuer_and_serial(&self) -> bool {
        matches!(self.info.sid, SignerIdentifier::IssuerAndSerialNumber(_))
    }

    /// Digest algorithm over the content.
    pub fn digest_algorithm(&self) -> &'a AlgorithmIdentifierOwned {
        &self.info.digest_alg
    }

    /// Signature algorithm over the signed attributes.
    pub fn signature_algorithm(&self) -> &'a AlgorithmIdentifierOwned {
        &self.info.signature_algorithm
    }

    /// The signature itself.
    pub fn signature(&self) -> &'a [u8] {
        self.info.signature.as_bytes()
    }

    /// The signed attributes as they are stored, tagged SET OF: the bytes that the signature is over.
    pub fn signed_attributes(&self) -> Option<&'a [u8]> {
        self.signed_attributes
    }

    /// The signed attributes, read.
    pub fn signed(&self) -> &'a [Attribute] {
        self.info.signed_attrs.as_ref().map_or(&[], |attributes| attributes.as_slice())
    }

    /// The unsigned attributes, read. Anybody can change them.
    pub fn unsigned(&self) -> &'a [Attribute] {
        self.info.unsigned_attrs.as_ref().map_or(&[], |attributes| attributes.as_slice())
    }
}

/// All values of an attribute, and how often the attribute stands in the list.
pub fn values(attributes: &[Attribute], id: ObjectIdentifier) -> (usize, Vec<&Any>) {
    let found: Vec<_> = attributes.iter().filter(|attribute| attribute.oid == id).collect();
    (found.len(), found.iter().flat_map(|attribute| attribute.values.iter()).collect())
}

/// The one value of an attribute that must stand once with one value.
pub fn sole_value<'a>(
    attributes: &'a [Attribute],
    id: ObjectIdentifier,
    what: &'static str,
) -> Result<&'a Any, Malformed> {
    match values(attributes, id) {
        (0, _) => Err(Malformed::new(what, "missing")),
        (1, found) => match found.as_slice() {
            [value] => Ok(value),
            found => Err(Malformed::new(what, format!("has {} values, not one", found.len()))),
        },
        (count, _) => Err(Malformed::new(what, format!("stands {count} times, not once"))),
    }
}

/// The content octets of an OCTET STRING.
pub fn octets(value: &Any) -> Result<&[u8], Malformed> {
    value
        .decode_as::<&OctetStringRef>()
        .map(OctetStringRef::as_bytes)
        .map_err(|error| Malformed::new("OCTET STRING", error))
}

/// The signing time that the signer claims.
pub fn signing_time(attributes: &[Attribute]) -> Option<Time> {
    let value = sole_value(attributes, SIGNING_TIME, "signingTime").ok()?;
    let time: x509_cert::time::Time = value.decode_as().ok()?;
    Time::from_unix(time.to_unix_duration()).ok()
}

/// Whose signature this is, read leniently (BER too): decides nothing but who should be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The signer's certificate carries Fulcio's extensions.
    Keyless,
    /// A readable CMS whose signer's certificate does not, or is not inside.
    Foreign,
    /// No CMS.
    Unreadable,
}

/// See [`Family`].
pub fn family(bytes: &[u8]) -> Family {
    match SignedData::parse_leniently(bytes) {
        None => Family::Unreadable,
        Some(signed) if signed.is_keyless() => Family::Keyless,
        Some(_) => Family::Foreign,
    }
}

/// Whether another program may be asked: one signer, whose certificate is inside, and no certificate of Fulcio is; and
/// no content (RFC 5652 section 5.2, eContent), since git's signatures are detached and a program that is given both
/// may judge the content inside instead of git's.
pub fn is_foreign(bytes: &[u8]) -> bool {
    SignedData::parse_leniently(bytes).is_some_and(|signed| {
        let fulcio = signed.certificates.iter().any(Certificate::is_fulcio);
        let named = signed.signer().is_some_and(|signer| signed.certificates.iter().any(|one| signer.is(one)));
        signed.signers() == 1 && named && !fulcio && signed.content().is_none()
    })
}

/// As they are stored: readers forgive what would be gone if they were encoded again.
fn certificates(bytes: &[u8], parsed: &rfc5652::SignedData) -> Result<Vec<Certificate>, Malformed> {
    let Some(set) = &parsed.certificates else { return Ok(Vec::new()) };
    if set.0.len() > MAX_CERTIFICATES {
        return Err(Malformed::new("CMS", format!("{} certificates, more than {MAX_CERTIFICATES}", set.0.len())));
    }
    if set.0.iter().any(|choice| matches!(choice, CertificateChoices::Other(_))) {
        return Err(Malformed::new("CMS", "a certificate of another format"));
    }
    let stored = stored_certificates(bytes).map_err(|error| Malformed::new("CMS", error))?;
    stored.into_iter().map(Certificate::parse).collect()
}

fn version(version: CmsVersion) -> u8 {
    match version {
        CmsVersion::V0 => 0,
        CmsVersion::V1 => 1,
        CmsVersion::V2 => 2,
        CmsVersion::V3 => 3,
        CmsVersion::V4 => 4,
        CmsVersion::V5 => 5,
    }
}

const CONTEXT_0: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The element of SignedData with this tag behind version, digests and content: ContentInfo, `[0]`, SignedData; then
/// `[0]`?, `[1]`?, SET.
fn field_of_signed_data(bytes: &[u8], tag: Tag) -> der::Result<Option<AnyRef<'_>>> {
    let content_info = elements(AnyRef::from_der(bytes)?.value())?;
    let Some(explicit) = content_info.get(1) else { return Ok(None) };
    let signed_data = elements(AnyRef::from_der(explicit.value())?.value())?;
    Ok(signed_data.into_iter().skip(3).find(|element| element.header().tag() == tag))
}

fn stored_certificates(bytes: &[u8]) -> der::Result<Vec<&[u8]>> {
    let Some(certificates) = field_of_signed_data(bytes, CONTEXT_0)? else { return Ok(Vec::new()) };
    let mut reader = SliceReader::new(certificates.value())?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.tlv_bytes()?);
    }
    Ok(found)
}

/// In the first SignerInfo behind version, signer id and digest, `[0]`. By position, since a signer id may carry the same
/// tag number.
fn first_signed_attributes(bytes: &[u8]) -> der::Result<Option<Vec<u8>>> {
    let Some(signer_infos) = field_of_signed_data(bytes, Tag::Set)? else { return Ok(None) };
    let signer_infos = elements(signer_infos.value())?;
    let Some(signer) = signer_infos.first() else { return Ok(None) };
    let fields = elements(signer.value())?;
    match fields.get(3) {
        Some(attributes) if attributes.header().tag() == CONTEXT_0 => wrap(Tag::Set, attributes.value()).map(Some),
        _ => Ok(None),
    }
}

fn elements(content: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(content)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader)?);
    }
    Ok(found)
}
