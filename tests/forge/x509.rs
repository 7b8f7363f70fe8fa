//! Certificates with everything settable, and authorities that issue them.

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _, SignatureAlgorithm,
    SigningKey as _,
};
use rustls_pki_types::PrivatePkcs8KeyDer;

use git_keyless::key::{Hash, random, sha1_of, sha256};

use super::der::{
    BOOLEAN, INTEGER, SEQUENCE, SET, algorithm, bits, context, element, inside, integer, octets, oid, sequence, text,
    time,
};

pub(crate) const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
pub(crate) const ECDSA_WITH_SHA384: &str = "1.2.840.10045.4.3.3";
pub(crate) const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
pub(crate) const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";
pub(crate) const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";

/// The key of that name, always the same one: whoever reads this has it, so it is worth nothing to anybody.
pub(crate) fn named_key(name: &str, algorithm: &'static SignatureAlgorithm) -> KeyPair {
    let secret = Hash::Sha384.digest(format!("git-keyless tests: {name}").as_bytes());
    let curve = |curve: &str, length: usize| {
        let key = octets(&sequence(&[&integer(1), &octets(&secret[..length])]));
        sequence(&[&integer(0), &sequence(&[&oid("1.2.840.10045.2.1"), &oid(curve)]), &key])
    };
    let pkcs8 = match () {
        () if algorithm == &PKCS_ECDSA_P256_SHA256 => curve("1.2.840.10045.3.1.7", 32),
        () if algorithm == &PKCS_ECDSA_P384_SHA384 => curve("1.3.132.0.34", 48),
        () if algorithm == &PKCS_ED25519 => {
            sequence(&[&integer(0), &self::algorithm("1.3.101.112"), &octets(&octets(&secret[..32]))])
        }
        () => panic!("no named keys of this kind"),
    };
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), algorithm).unwrap()
}

/// A key that is forgotten.
pub(crate) fn fresh_key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

pub(crate) fn signature(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(message).unwrap()
}

/// A Name of organization and common name; an empty one is an empty Name.
pub(crate) fn name(common: &str) -> Vec<u8> {
    let attribute = |id: &str, value: &str| element(SET, &[&sequence(&[&oid(id), &text(value)])]);
    match common {
        "" => sequence(&[]),
        _ => sequence(&[&attribute("2.5.4.10", "example.com"), &attribute("2.5.4.3", common)]),
    }
}

/// One extension, whole.
pub(crate) fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { element(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    sequence(&[&oid(id), &flag, &octets(value)])
}

/// extKeyUsage.
pub(crate) fn usages(critical: bool, ids: &[&str]) -> Vec<u8> {
    let ids: Vec<_> = ids.iter().map(|id| oid(id)).collect();
    extension("2.5.29.37", critical, &element(SEQUENCE, &ids.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// keyUsage: the content of its BIT STRING, unused bits first.
pub(crate) fn key_usage(content: &[u8]) -> Vec<u8> {
    extension("2.5.29.15", true, &element(0x03, &[content]))
}

/// digitalSignature.
pub(crate) const MAY_SIGN: &[u8] = &[7, 0x80];
/// keyCertSign and cRLSign.
pub(crate) const MAY_CERTIFY: &[u8] = &[1, 0x06];

/// basicConstraints.
pub(crate) fn constraints(ca: bool, path_length: Option<u8>) -> Vec<u8> {
    let ca = if ca { element(BOOLEAN, &[&[0xff]]) } else { Vec::new() };
    let length = path_length.map(integer).unwrap_or_default();
    extension("2.5.29.19", true, &sequence(&[&ca, &length]))
}

/// subjectAltName of GeneralNames, each whole.
pub(crate) fn names(general: &[Vec<u8>]) -> Vec<u8> {
    let value = element(SEQUENCE, &general.iter().map(Vec::as_slice).collect::<Vec<_>>());
    extension("2.5.29.17", true, &value)
}

pub(crate) fn email(address: &str) -> Vec<u8> {
    element(0x81, &[address.as_bytes()])
}

pub(crate) fn uri(address: &str) -> Vec<u8> {
    element(0x86, &[address.as_bytes()])
}

/// One of Fulcio's extensions with text as a UTF8String.
pub(crate) fn fulcio(last: u8, value: &str) -> Vec<u8> {
    extension(&format!("1.3.6.1.4.1.57264.1.{last}"), false, &text(value))
}

/// One of Fulcio's old extensions, bare.
pub(crate) fn fulcio_raw(last: u8, value: &[u8]) -> Vec<u8> {
    extension(&format!("1.3.6.1.4.1.57264.1.{last}"), false, value)
}

/// RFC 5280 section 4.2.1.2, method 1.
pub(crate) fn key_id(key: &KeyPair) -> Vec<u8> {
    sha1_of(&[key.der_bytes()]).to_vec()
}

pub(crate) fn subject_key_id(id: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &octets(id))
}

pub(crate) fn authority_key_id(id: &[u8]) -> Vec<u8> {
    extension("2.5.29.35", false, &sequence(&[&element(0x80, &[id])]))
}

/// What is signed as a certificate: every field as it will stand there.
#[derive(Clone)]
pub(crate) struct Certificate {
    /// Content octets.
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    /// Two times, whole.
    pub(crate) validity: [Vec<u8>; 2],
    pub(crate) subject: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    /// Of the outer AlgorithmIdentifier, where it is not the inner one.
    pub(crate) outer: Option<&'static str>,
}

impl Certificate {
    /// With a random serial number and no extension.
    pub(crate) fn new(issuer: Vec<u8>, subject: Vec<u8>, spki: Vec<u8>, [start, end]: [i64; 2]) -> Self {
        let mut serial: [u8; 20] = random().unwrap();
        serial[0] = serial[0] & 0x7f | 0x40;
        let validity = [time(start), time(end)];
        Self { serial: serial.to_vec(), issuer, validity, subject, spki, extensions: Vec::new(), outer: None }
    }

    /// TBSCertificate.
    pub(crate) fn tbs(&self, by: &KeyPair) -> Vec<u8> {
        let extensions = element(SEQUENCE, &self.extensions.iter().map(Vec::as_slice).collect::<Vec<_>>());
        sequence(&[
            &element(context(0), &[&integer(2)]),
            &element(INTEGER, &[&self.serial]),
            &algorithm(signature_algorithm(by)),
            &self.issuer,
            &sequence(&[&self.validity[0], &self.validity[1]]),
            &self.subject,
            &self.spki,
            &element(context(3), &[&extensions]),
        ])
    }

    pub(crate) fn signed(&self, by: &KeyPair) -> Vec<u8> {
        let tbs = self.tbs(by);
        let algorithm = algorithm(self.outer.unwrap_or(signature_algorithm(by)));
        sequence(&[&tbs, &algorithm, &bits(&signature(by, &tbs))])
    }
}

fn signature_algorithm(by: &KeyPair) -> &'static str {
    match by.algorithm() {
        p384 if p384 == &PKCS_ECDSA_P384_SHA384 => ECDSA_WITH_SHA384,
        edwards if edwards == &PKCS_ED25519 => "1.3.101.112",
        _ => ECDSA_WITH_SHA256,
    }
}

/// A certificate authority or the one above a timestamp authority: a key with its certificate and what is above.
pub(crate) struct Authority {
    pub(crate) key: KeyPair,
    /// Its Name.
    pub(crate) name: Vec<u8>,
    /// Leafward first.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// From 2020 to 2040.
pub(crate) const LONG: [i64; 2] = [1_577_836_800, 2_208_988_800];

/// How an authority is made; its keys are those of its `name`.
pub(crate) struct AuthorityPlan {
    pub(crate) name: &'static str,
    pub(crate) common: &'static str,
    pub(crate) root: [i64; 2],
    pub(crate) lower: [i64; 2],
    /// More in the lower certificate.
    pub(crate) more: Vec<Vec<u8>>,
    /// Of the key that issues.
    pub(crate) kind: &'static SignatureAlgorithm,
}

impl AuthorityPlan {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, common: name, root: LONG, lower: LONG, more: Vec::new(), kind: &PKCS_ECDSA_P384_SHA384 }
    }

    /// A root and a certificate below it that issues code signing leaves.
    pub(crate) fn made(self) -> Authority {
        let root_key = named_key(&format!("{} root", self.name), &PKCS_ECDSA_P384_SHA384);
        let key = named_key(self.name, self.kind);
        let root_name = name(&format!("{} root", self.common));
        let mut root =
            Certificate::new(root_name.clone(), root_name.clone(), root_key.subject_public_key_info(), self.root);
        root.extensions = vec![key_usage(MAY_CERTIFY), constraints(true, Some(1)), subject_key_id(&key_id(&root_key))];
        let mut lower = Certificate::new(root_name, name(self.common), key.subject_public_key_info(), self.lower);
        lower.extensions = vec![
            key_usage(MAY_CERTIFY),
            usages(false, &[CODE_SIGNING]),
            constraints(true, Some(0)),
            subject_key_id(&key_id(&key)),
            authority_key_id(&key_id(&root_key)),
        ];
        lower.extensions.extend(self.more);
        Authority { name: name(self.common), chain: vec![lower.signed(&root_key), root.signed(&root_key)], key }
    }
}

/// Fields of a certificate that a SignerInfo names it by: issuer and serialNumber, whole.
pub(crate) fn issuer_and_serial(certificate: &[u8]) -> Vec<u8> {
    let tbs = inside(&inside(certificate)[0]);
    sequence(&[&tbs[3], &tbs[1]])
}

/// One SCT as it stands in a list (RFC 6962 section 3.2).
#[derive(Clone)]
pub(crate) struct Sct {
    pub(crate) log_id: [u8; 32],
    pub(crate) millis: u64,
    pub(crate) extensions: Vec<u8>,
    /// Hash and signature algorithm in the numbers of RFC 5246.
    pub(crate) algorithm: [u8; 2],
    pub(crate) signature: Vec<u8>,
}

impl Sct {
    /// Over the precertificate `tbs` of an issuer with that SubjectPublicKeyInfo.
    pub(crate) fn over(tbs: &[u8], issuer_spki: &[u8], by: &KeyPair, millis: u64, extensions: &[u8]) -> Self {
        let mut signed = vec![0, 0];
        signed.extend(millis.to_be_bytes());
        signed.extend([0, 1]);
        signed.extend(sha256(issuer_spki));
        signed.extend(&u32::try_from(tbs.len()).unwrap().to_be_bytes()[1..]);
        signed.extend(tbs);
        signed.extend(prefixed(extensions));
        Self {
            log_id: sha256(&by.subject_public_key_info()),
            millis,
            extensions: extensions.to_vec(),
            algorithm: [4, 3],
            signature: signature(by, &signed),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [
            &[0][..],
            &self.log_id,
            &self.millis.to_be_bytes(),
            &prefixed(&self.extensions),
            &self.algorithm,
            &prefixed(&self.signature),
        ]
        .concat()
    }
}

/// The extension that holds a list of them.
pub(crate) fn sct_list(scts: &[Sct]) -> Vec<u8> {
    let each: Vec<_> = scts.iter().map(|sct| prefixed(&sct.bytes())).collect();
    extension(SCT_LIST, false, &octets(&prefixed(&each.concat())))
}

/// With its length in two bytes before it.
fn prefixed(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// SubjectPublicKeyInfo of an RSA key, whatever its numbers.
pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let positive = |digits: &[u8]| match digits.first() {
        Some(first) if *first >= 0x80 => element(INTEGER, &[&[0], digits]),
        _ => element(INTEGER, &[digits]),
    };
    let key = sequence(&[&positive(modulus), &positive(exponent)]);
    sequence(&[&sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]]), &bits(&key)])
}

/// SubjectPublicKeyInfo of an elliptic curve with a point that need not be on it.
pub(crate) fn curve_spki(curve: &str, point: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&oid("1.2.840.10045.2.1"), &oid(curve)]), &bits(point)])
}
