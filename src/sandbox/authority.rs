//! The certificate authority behind Fulcio's interface: chains, leaves, and what keys it certifies.

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SanType,
    SerialNumber, SignatureAlgorithm,
};

use super::ct::CtLog;
use super::der::{self, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, UTF8_STRING, element};
use super::faults::Fault;
use super::identity::{Principal, Subject};
use super::state::{Directory, fresh_p256};
use super::{Failure, ORGANIZATION};
use crate::key::{self, KeyKind, PublicKey, sha1_of};

/// What every certificate of Fulcio lives.
const LIFETIME_SECONDS: i64 = 600;
/// What the authorities' own certificates live: ten years.
const AUTHORITY_SECONDS: i64 = 3650 * 86_400;

/// A chain that certifies: a root, and below it the certificate whose key signs.
pub(super) struct Chain {
    /// The lower certificate.
    pub(super) lower: Vec<u8>,
    /// The self-signed root.
    pub(super) root: Vec<u8>,
}

impl Chain {
    /// Fulcio's: P-384 both, code signing alone.
    pub(super) fn fulcio(directory: &Directory, start: i64) -> Result<(Self, KeyPair), Failure> {
        let root_key = directory.key("fulcio-root", &PKCS_ECDSA_P384_SHA384)?;
        let key = directory.key("fulcio", &PKCS_ECDSA_P384_SHA384)?;
        let mut lower = params("sandbox-intermediate", &key, start)?;
        lower.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        lower.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        Self::kept(directory, ["sandbox-root", "fulcio-root", "fulcio"], &root_key, &key, lower, start)
            .map(|chain| (chain, key))
    }

    /// The timestamp authority's: P-256 under a P-384 root, timestamps alone.
    pub(super) fn timestamps(directory: &Directory, start: i64) -> Result<(Self, KeyPair), Failure> {
        let root_key = directory.key("timestamp-root", &PKCS_ECDSA_P384_SHA384)?;
        let key = directory.key("timestamp", &PKCS_ECDSA_P256_SHA256)?;
        // Critical, which rcgen's own form of this extension is not (RFC 3161 section 2.3).
        let usage = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[&[0x2b, 6, 1, 5, 5, 7, 3, 8]])]);
        let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], usage);
        usage.set_criticality(true);
        let mut lower = params("sandbox-tsa", &key, start)?;
        lower.is_ca = IsCa::ExplicitNoCa;
        lower.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        lower.custom_extensions = vec![usage];
        let names = ["sandbox-tsa-root", "timestamp-root", "timestamp"];
        Self::kept(directory, names, &root_key, &key, lower, start).map(|chain| (chain, key))
    }

    /// Leafward first.
    pub(super) fn ders(&self) -> [&[u8]; 2] {
        [&self.lower, &self.root]
    }

    /// The same in PEM.
    pub(super) fn pems(&self) -> Result<Vec<String>, Failure> {
        self.ders().into_iter().map(|der| der::pem("CERTIFICATE", der)).collect()
    }

    fn kept(
        directory: &Directory,
        [name, root_file, lower_file]: [&str; 3],
        root_key: &KeyPair,
        key: &KeyPair,
        lower: CertificateParams,
        start: i64,
    ) -> Result<Self, Failure> {
        let mut root = params(name, root_key, start)?;
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        root.use_authority_key_identifier_extension = false;
        let der = |certificate: Certificate| certificate.der().to_vec();
        let made = || root.self_signed(root_key).map(der).map_err(Failure::new);
        let root_der = directory.keep(&format!("certificates/{root_file}.der"), made)?;
        let issuer = Issuer::from_params(&root, root_key);
        let made = || lower.signed_by(key, &issuer).map(der).map_err(Failure::new);
        let lower = directory.keep(&format!("certificates/{lower_file}.der"), made)?;
        Ok(Self { lower, root: root_der })
    }
}

/// An authority's certificate, as long as nothing else is said.
fn params(name: &str, key: &KeyPair, start: i64) -> Result<CertificateParams, Failure> {
    let mut params = between(start, AUTHORITY_SECONDS)?;
    params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(key));
    Ok(params)
}

/// Dates and a serial number of 160 bits, and nothing else.
fn between(start: i64, seconds: i64) -> Result<CertificateParams, Failure> {
    let mut serial: [u8; 20] = key::random().map_err(Failure::new)?;
    // Positive, and never shorter than 20 bytes.
    serial[0] = serial[0] & 0x7f | 0x40;
    let since = |seconds: i64| u64::try_from(seconds).map(std::time::Duration::from_secs).map_err(Failure::new);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = epoch + since(start)?;
    params.not_after = epoch + since(start + seconds)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// RFC 5280 section 4.2.1.2, method 1, as Go's library and so Fulcio has it.
fn key_id(key: &impl PublicKeyData) -> Vec<u8> {
    sha1_of(&[key.der_bytes()]).to_vec()
}

/// A key that somebody wants a certificate for.
pub(super) struct Certified {
    key: PublicKey,
    algorithm: &'static SignatureAlgorithm,
}

impl Certified {
    pub(super) fn new(key: PublicKey) -> Self {
        let algorithm: &'static SignatureAlgorithm = match key.kind() {
            KeyKind::P256 => &PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &PKCS_ECDSA_P384_SHA384,
            KeyKind::P521 => &PKCS_ECDSA_P521_SHA512,
            KeyKind::Ed25519 => &PKCS_ED25519,
            KeyKind::Rsa => &PKCS_RSA_SHA256,
        };
        Self { key, algorithm }
    }
}

impl PublicKeyData for Certified {
    fn der_bytes(&self) -> &[u8] {
        self.key.raw()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// What issues leaves.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    issuer_spki: Vec<u8>,
    pub(super) chain: Chain,
    pub(super) ct: CtLog,
}

impl Authority {
    pub(super) fn open(directory: &Directory, start: i64) -> Result<Self, Failure> {
        let (chain, key) = Chain::fulcio(directory, start)?;
        let issuer_spki = key.subject_public_key_info();
        let ct = CtLog::new(directory.key("ct", &PKCS_ECDSA_P256_SHA256)?);
        let issuer = Issuer::new(params("sandbox-intermediate", &key, start)?, key);
        Ok(Self { issuer, issuer_spki, chain, ct })
    }

    /// A leaf with an embedded SCT: the certificate is made twice, first without it, as what the log signs.
    pub(super) fn issue(
        &self,
        principal: &Principal,
        key: PublicKey,
        now: i64,
        fault: Fault,
    ) -> Result<Vec<u8>, Failure> {
        let key = match fault {
            Fault::OtherKey => PublicKey::from_spki(&fresh_p256()?.subject_public_key_info()).map_err(Failure::new)?,
            _ => key,
        };
        let key = Certified::new(key);
        let mut params = leaf(principal, &key, now, fault)?;
        let precertificate = params.signed_by(&key, &self.issuer).map_err(Failure::new)?;
        let tbs = der::split(precertificate.der())
            .and_then(|(_, content, _, _)| der::split(content))
            .map(|(_, _, tbs, _)| tbs)
            .ok_or_else(|| Failure::new("no TBSCertificate"))?;
        let sct = self.ct.sct_list(tbs, &self.issuer_spki, now, fault)?;
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], sct));
        params.signed_by(&key, &self.issuer).map(|leaf| leaf.der().to_vec()).map_err(Failure::new)
    }
}

/// Fulcio's profile, without the SCT.
fn leaf(principal: &Principal, key: &Certified, now: i64, fault: Fault) -> Result<CertificateParams, Failure> {
    let ia5 = |name: &str| Ia5String::try_from(name).map_err(Failure::new);
    let subject = match (&principal.subject, fault) {
        (_, Fault::OtherIdentity) => SanType::Rfc822Name(ia5("somebody.else@sandbox.invalid")?),
        (Subject::Email(email), _) => SanType::Rfc822Name(ia5(email)?),
        (Subject::Uri(uri), _) => SanType::URI(ia5(uri)?),
    };
    let mut extensions =
        vec![CustomExtension::from_oid_content(&[2, 5, 29, 14], element(OCTET_STRING, &[&key_id(key)]))];
    extensions.extend(principal.words().into_iter().map(|(last, word)| {
        // Those of the first years are bare text.
        let content = if last < 7 { word.as_bytes().to_vec() } else { element(UTF8_STRING, &[word.as_bytes()]) };
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, last], content)
    }));
    let mut params = between(now, LIFETIME_SECONDS)?;
    params.subject_alt_names = vec![subject];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions = extensions;
    Ok(params)
}
