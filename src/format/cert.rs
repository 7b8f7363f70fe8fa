//! X.509 certificates (RFC 5280), Fulcio's extensions, and the PKCS #10 request that asks for one (RFC 2986).

use der::asn1::{AnyRef, BitString, ObjectIdentifier, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Header, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::RdnSequence;
use x509_cert::request::{CertReq, CertReqInfo, Version};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::Malformed;
use super::time::{Time, Window};

/// Everything that Fulcio writes into a certificate is below this arc.
pub const FULCIO_ARC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");
/// id-kp-codeSigning (RFC 5280 section 4.2.1.12).
pub const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// id-kp-timeStamping (RFC 3161 section 2.3).
pub const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// ecdsa-with-SHA256 (RFC 5758 section 3.2).
pub const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// The SCT list of RFC 6962 section 3.3.
const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// Issuer, raw bytes (deprecated in March 2023).
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");
/// Issuer, DER UTF8String.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
/// otherName of Fulcio's `user!domain` identities.
const OTHER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");

/// Names of 1.3.6.1.4.1.57264.1.1 and following, from Fulcio's own table (docs/oid-info.md).
const FULCIO_EXTENSIONS: [&str; 24] = [
    "issuer (old form)",
    "GitHub workflow trigger",
    "GitHub workflow SHA",
    "GitHub workflow name",
    "GitHub workflow repository",
    "GitHub workflow ref",
    "other name",
    "issuer",
    "build signer URI",
    "build signer digest",
    "runner environment",
    "source repository URI",
    "source repository digest",
    "source repository ref",
    "source repository identifier",
    "source repository owner URI",
    "source repository owner identifier",
    "build config URI",
    "build config digest",
    "build trigger",
    "run invocation URI",
    "source repository visibility at signing",
    "deployment environment",
    "token subject",
];

/// A certificate: its bytes and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

/// A subject alternative name, in the forms that Fulcio issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// otherName 1.3.6.1.4.1.57264.1.7.
    OtherName(String),
}

impl Subject {
    /// The name itself.
    pub fn name(&self) -> &str {
        match self {
            Self::Email(name) | Self::Uri(name) | Self::OtherName(name) => name,
        }
    }

    /// As our JSON says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Uri(_) => "uri",
            Self::OtherName(_) => "other-name",
        }
    }
}

impl Certificate {
    /// From DER, nothing behind it. The bytes are kept: a reader forgives a FALSE or a version that DER leaves out, and
    /// what was signed are the bytes.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|error| Malformed::new("certificate", error))?;
        Ok(Self { der: der.to_vec(), parsed })
    }

    /// A certificate that was read already, encoded anew: the bytes it had, if those were DER.
    pub fn of(parsed: x509_cert::Certificate) -> Result<Self, Malformed> {
        let der = parsed.to_der().map_err(|error| Malformed::new("certificate", error))?;
        Ok(Self { der, parsed })
    }

    /// From PEM, one certificate.
    pub fn parse_pem(pem: &str) -> Result<Self, Malformed> {
        let (label, der) =
            der::pem::decode_vec(pem.as_bytes()).map_err(|error| Malformed::new("certificate", error))?;
        if label != "CERTIFICATE" {
            return Err(Malformed::new("certificate", format!("PEM label `{label}`")));
        }
        Self::parse(&der)
    }

    /// The bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM with 64 columns and a final LF, as Rekor v1 stores it.
    pub fn to_pem(&self) -> Result<String, Malformed> {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &self.der)
            .map_err(|error| Malformed::new("certificate", error))
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn spki(&self) -> Result<Vec<u8>, Malformed> {
        self.parsed
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .map_err(|error| Malformed::new("SubjectPublicKeyInfo", error))
    }

    /// The dates inside the certificate, both included.
    pub fn validity(&self) -> Result<Window, Malformed> {
        let validity = self.parsed.tbs_certificate().validity();
        Ok(Window {
            start: Time::from_unix(validity.not_before.to_unix_duration())?,
            end: Some(Time::from_unix(validity.not_after.to_unix_duration())?),
        })
    }

    /// The name of who issued it.
    pub fn issuer_name(&self) -> &RdnSequence {
        self.parsed.tbs_certificate().issuer().as_ref()
    }

    /// The name of whom it is for; empty in Fulcio's leaves.
    pub fn subject_name(&self) -> &RdnSequence {
        self.parsed.tbs_certificate().subject().as_ref()
    }

    /// The serial number's content octets.
    pub fn serial(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// The parsed certificate, to name it in a signature.
    pub fn x509(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    /// Whether any of Fulcio's extensions is in it: what makes a signature keyless.
    pub fn is_fulcio(&self) -> bool {
        self.extensions().iter().any(|extension| extension.extn_id.starts_with(FULCIO_ARC))
    }

    /// The first extension object identifier that stands in it twice (RFC 5280 section 4.2 forbids that).
    pub fn repeated_extension(&self) -> Option<ObjectIdentifier> {
        let mut seen = std::collections::HashSet::new();
        self.extensions().iter().map(|extension| extension.extn_id).find(|id| !seen.insert(*id))
    }

    /// The content of the SCT list extension (RFC 6962 section 3.3), if there is one.
    pub fn sct_list(&self) -> Option<&[u8]> {
        self.extension(SCT_LIST).map(|(_, value)| value)
    }

    /// All subject alternative names; an error when one cannot be read or has a form that Fulcio does not issue.
    pub fn subjects(&self) -> Result<Vec<Subject>, Malformed> {
        let Some((_, value)) = self.extension(SUBJECT_ALT_NAME) else { return Ok(Vec::new()) };
        let names =
            SubjectAltName::from_der(value).map_err(|error| Malformed::new("subject alternative name", error))?;
        names.0.iter().map(subject).collect()
    }

    /// The issuer of the identity: extension .1.8, else .1.1; both present must agree.
    pub fn identity_issuer(&self) -> Result<Option<String>, Malformed> {
        let wrong = |why: &str| Malformed::new("issuer extension", why);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| wrong("not UTF-8"));
        let old = self.extension(ISSUER_V1).map(|(_, value)| text(value)).transpose()?;
        let new = self
            .extension(ISSUER_V2)
            .map(|(_, value)| {
                Utf8StringRef::from_der(value)
                    .map(|issuer| issuer.as_str().to_owned())
                    .map_err(|error| Malformed::new("issuer extension", error))
            })
            .transpose()?;
        match (new, old) {
            (Some(new), Some(old)) if new != old => Err(Malformed::new(
                "issuer extension",
                format!("1.3.6.1.4.1.57264.1.8 says `{new}`, .1.1 says `{old}`"),
            )),
            (Some(issuer), _) | (None, Some(issuer)) => Ok(Some(issuer)),
            (None, None) => Ok(None),
        }
    }

    /// Fulcio's extensions by name, in their order, as text: for people, never for decisions.
    pub fn fulcio_extensions(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| match Utf8StringRef::from_der(bytes) {
            Ok(text) => text.as_str().to_owned(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
        let named = |extension: &x509_cert::ext::Extension| {
            let id = extension.extn_id;
            let is_named = id.starts_with(FULCIO_ARC) && id.len() == FULCIO_ARC.len() + 1;
            let number = usize::try_from(id.arcs().last().filter(|_| is_named)?).ok()?;
            let name = FULCIO_EXTENSIONS.get(number.checked_sub(1)?).copied().unwrap_or("unknown");
            Some((format!(".1.{number} {name}"), text(extension.extn_value.as_bytes())))
        };
        self.extensions().iter().filter_map(named).collect()
    }

    /// Extended key usages and whether the extension is critical.
    pub fn extended_key_usage(&self) -> Result<Option<(bool, Vec<ObjectIdentifier>)>, Malformed> {
        self.extension(EXTENDED_KEY_USAGE)
            .map(|(critical, value)| {
                ExtendedKeyUsage::from_der(value)
                    .map(|usage| (critical, usage.0))
                    .map_err(|error| Malformed::new("extended key usage", error))
            })
            .transpose()
    }

    /// Whether the key may make digital signatures; true when nothing restricts it.
    pub fn may_sign(&self) -> Result<bool, Malformed> {
        self.key_usage().map(|usage| usage.is_none_or(|usage| usage.0.contains(KeyUsages::DigitalSignature)))
    }

    /// Whether this is an authority's certificate (RFC 5280 section 4.2.1.9).
    pub fn is_ca(&self) -> Result<bool, Malformed> {
        let Some((_, value)) = self.extension(BASIC_CONSTRAINTS) else { return Ok(false) };
        BasicConstraints::from_der(value)
            .map(|constraints| constraints.ca)
            .map_err(|error| Malformed::new("basic constraints", error))
    }

    /// The key identifier of the issuer that the certificate names, if it names one readably.
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        let (_, value) = self.extension(AUTHORITY_KEY_ID)?;
        let id = x509_cert::ext::pkix::AuthorityKeyIdentifier::from_der(value).ok()?.key_identifier?;
        Some(id.as_bytes().to_vec())
    }

    /// The key identifier that the certificate names itself by.
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        let (_, value) = self.extension(SUBJECT_KEY_ID)?;
        Some(x509_cert::ext::pkix::SubjectKeyIdentifier::from_der(value).ok()?.0.as_bytes().to_vec())
    }

    /// The TBSCertificate without its SCT list: what a CT log signed (RFC 6962 section 3.2). Everything else keeps
    /// its bytes and its order.
    pub fn precertificate_tbs(&self) -> Result<Vec<u8>, Malformed> {
        precertificate_tbs(&self.der).map_err(|error| Malformed::new("TBSCertificate", error))
    }

    fn key_usage(&self) -> Result<Option<KeyUsage>, Malformed> {
        self.extension(KEY_USAGE)
            .map(|(_, value)| KeyUsage::from_der(value).map_err(|error| Malformed::new("key usage", error)))
            .transpose()
    }

    fn extensions(&self) -> &[x509_cert::ext::Extension] {
        self.parsed.tbs_certificate().extensions().map_or(&[], |extensions| extensions.as_slice())
    }

    fn extension(&self, id: ObjectIdentifier) -> Option<(bool, &[u8])> {
        self.extensions()
            .iter()
            .find(|extension| extension.extn_id == id)
            .map(|extension| (extension.critical, extension.extn_value.as_bytes()))
    }
}

fn subject(name: &GeneralName) -> Result<Subject, Malformed> {
    let what = "subject alternative name";
    match name {
        GeneralName::Rfc822Name(email) => Ok(Subject::Email(email.to_string())),
        GeneralName::UniformResourceIdentifier(uri) => Ok(Subject::Uri(uri.to_string())),
        GeneralName::OtherName(other) if other.type_id == OTHER_NAME => {
            let name = other.value.decode_as::<Utf8StringRef<'_>>().map_err(|error| Malformed::new(what, error))?;
            Ok(Subject::OtherName(name.as_str().to_owned()))
        }
        _ => Err(Malformed::new(what, "neither e-mail, URI nor Fulcio's user name")),
    }
}

fn precertificate_tbs(certificate: &[u8]) -> der::Result<Vec<u8>> {
    const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
    let certificate = AnyRef::from_der(certificate)?;
    let mut outer = SliceReader::new(certificate.value())?;
    let tbs = AnyRef::decode(&mut outer)?;
    let mut fields = SliceReader::new(tbs.value())?;
    let mut content = Vec::with_capacity(tbs.value().len());
    while !fields.is_finished() {
        let field = fields.tlv_bytes()?;
        match AnyRef::from_der(field)? {
            extensions if extensions.header().tag() == EXTENSIONS => {
                content.extend(without_sct_list(extensions.value())?)
            }
            _ => content.extend_from_slice(field),
        }
    }
    wrap(Tag::Sequence, &content)
}

/// `value` is the content of `[3] EXPLICIT`: one SEQUENCE OF Extension.
fn without_sct_list(value: &[u8]) -> der::Result<Vec<u8>> {
    let list = AnyRef::from_der(value)?;
    let mut extensions = SliceReader::new(list.value())?;
    let mut kept = Vec::with_capacity(value.len());
    while !extensions.is_finished() {
        let extension = extensions.tlv_bytes()?;
        let mut inside = SliceReader::new(AnyRef::from_der(extension)?.value())?;
        if <ObjectIdentifier>::decode(&mut inside)? != SCT_LIST {
            kept.extend_from_slice(extension);
        }
    }
    wrap(Tag::ContextSpecific { constructed: true, number: TagNumber(3) }, &wrap(Tag::Sequence, &kept)?)
}

/// One DER element of `tag` around `content`.
pub(crate) fn wrap(tag: Tag, content: &[u8]) -> der::Result<Vec<u8>> {
    let mut out = Header::new(tag, der::Length::try_from(content.len())?).to_der()?;
    out.extend_from_slice(content);
    Ok(out)
}

/// A PKCS #10 request for `spki`, as PEM. Fulcio looks at the key and at the request's own signature, nothing else;
/// `sign` makes it: ECDSA with SHA-256 over the bytes it is given.
pub fn certification_request<E>(
    spki: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Result<String, E>, Malformed> {
    let malformed = |error: der::Error| Malformed::new("certification request", error);
    let info = CertReqInfo {
        version: Version::V1,
        subject: x509_cert::name::Name::default(),
        public_key: SubjectPublicKeyInfoOwned::from_der(spki).map_err(malformed)?,
        attributes: SetOfVec::new(),
    };
    let signature = match sign(&info.to_der().map_err(malformed)?) {
        Ok(signature) => signature,
        Err(error) => return Ok(Err(error)),
    };
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None },
        signature: BitString::from_bytes(&signature).map_err(malformed)?,
    };
    let der = request.to_der().map_err(malformed)?;
    der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &der)
        .map(Ok)
        .map_err(|error| Malformed::new("certification request", error))
}
