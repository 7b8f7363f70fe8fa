//! SignedData with every field settable: commit signatures and timestamp tokens.

use git_keyless::format::armor::armor;
use git_keyless::key::{Hash, sha256};
use rcgen::KeyPair;

use super::der::{
    GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, SET, algorithm, context, element, integer, octets, oid,
    sequence, set_of, time,
};
use super::x509::{ECDSA_WITH_SHA256, issuer_and_serial, signature};

pub(crate) const SHA256: &str = "2.16.840.1.101.3.4.2.1";
pub(crate) const ID_DATA: &str = "1.2.840.113549.1.7.1";
pub(crate) const ID_SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
pub(crate) const ID_TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
pub(crate) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub(crate) const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub(crate) const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
pub(crate) const LOG_ENTRY: &str = "1.3.6.1.4.1.57264.3.1";
pub(crate) const TOKEN: &str = "1.2.840.113549.1.9.16.2.14";
pub(crate) const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";

/// One attribute with its values.
pub(crate) fn attribute(id: &str, values: &[Vec<u8>]) -> Vec<u8> {
    sequence(&[&oid(id), &set_of(SET, values)])
}

/// A SignedData inside its ContentInfo.
#[derive(Clone)]
pub(crate) struct Cms {
    pub(crate) version: u8,
    pub(crate) digests: Vec<Vec<u8>>,
    pub(crate) content_type: &'static str,
    /// eContent, whole.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Revocation lists.
    pub(crate) crls: Option<Vec<u8>>,
    pub(crate) signers: Vec<Signer>,
}

/// A SignerInfo.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) version: u8,
    /// SignerIdentifier, whole.
    pub(crate) names: Vec<u8>,
    pub(crate) digest: Vec<u8>,
    pub(crate) signed: Vec<Vec<u8>>,
    /// In the order in which they stand, where that is not DER's.
    pub(crate) in_disorder: bool,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) unsigned: Vec<Vec<u8>>,
}

impl Signer {
    fn new(certificate: &[u8], signed: Vec<Vec<u8>>) -> Self {
        Self {
            version: 1,
            names: issuer_and_serial(certificate),
            digest: algorithm(SHA256),
            signed,
            in_disorder: false,
            algorithm: algorithm(ECDSA_WITH_SHA256),
            signature: Vec::new(),
            unsigned: Vec::new(),
        }
    }

    /// The signed attributes as they are signed.
    pub(crate) fn attributes(&self) -> Vec<u8> {
        match self.in_disorder {
            true => element(SET, &self.signed.iter().map(Vec::as_slice).collect::<Vec<_>>()),
            false => set_of(SET, &self.signed),
        }
    }

    pub(crate) fn sign(&mut self, key: &KeyPair) {
        self.signature = signature(key, &self.attributes());
    }

    /// Puts `attribute` in the place of the one with the same name.
    pub(crate) fn replace(&mut self, id: &str, values: &[Vec<u8>]) {
        let name = oid(id);
        self.signed.retain(|attribute| !super::der::content(attribute).starts_with(&name));
        self.signed.push(attribute(id, values));
    }

    fn der(&self) -> Vec<u8> {
        let signed = match self.signed.is_empty() {
            true => Vec::new(),
            false => element(context(0), &[super::der::content(&self.attributes())]),
        };
        let unsigned = match self.unsigned.is_empty() {
            true => Vec::new(),
            false => set_of(context(1), &self.unsigned),
        };
        let parts = [&self.names[..], &self.digest, &signed, &self.algorithm, &octets(&self.signature), &unsigned];
        sequence(&[&integer(self.version), &parts.concat()])
    }
}

impl Cms {
    /// A commit signature as gitsign writes it, not signed yet.
    pub(crate) fn over(payload: &[u8], leaf: &[u8], at: i64) -> Self {
        let signed = vec![
            attribute(CONTENT_TYPE, &[oid(ID_DATA)]),
            attribute(SIGNING_TIME, &[time(at)]),
            attribute(MESSAGE_DIGEST, &[octets(&sha256(payload))]),
        ];
        Self {
            version: 1,
            digests: vec![algorithm(SHA256)],
            content_type: ID_DATA,
            content: None,
            certificates: vec![leaf.to_vec()],
            crls: None,
            signers: vec![Signer::new(leaf, signed)],
        }
    }

    /// A timestamp token around `info`, not signed yet.
    pub(crate) fn token(info: &[u8], certificate: &[u8]) -> Self {
        let binding = sequence(&[&sequence(&[&sequence(&[&octets(&sha256(certificate))])])]);
        let signed = vec![
            attribute(CONTENT_TYPE, &[oid(ID_TST_INFO)]),
            attribute(MESSAGE_DIGEST, &[octets(&sha256(info))]),
            attribute(SIGNING_CERTIFICATE_V2, &[binding]),
        ];
        Self {
            version: 3,
            digests: vec![algorithm(SHA256)],
            content_type: ID_TST_INFO,
            content: Some(octets(info)),
            certificates: vec![certificate.to_vec()],
            crls: None,
            signers: vec![Signer::new(certificate, signed)],
        }
    }

    /// The only signer of most.
    pub(crate) fn signer(&mut self) -> &mut Signer {
        &mut self.signers[0]
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let content = self.content.as_ref().map(|content| element(context(0), &[content])).unwrap_or_default();
        let certificates = match self.certificates.is_empty() {
            true => Vec::new(),
            false => set_of(context(0), &self.certificates),
        };
        let crls = self.crls.as_ref().map(|crls| element(context(1), &[crls])).unwrap_or_default();
        let signers: Vec<_> = self.signers.iter().map(Signer::der).collect();
        let signed_data = sequence(&[
            &integer(self.version),
            &set_of(SET, &self.digests),
            &sequence(&[&oid(self.content_type), &content]),
            &certificates,
            &crls,
            &set_of(SET, &signers),
        ]);
        sequence(&[&oid(ID_SIGNED_DATA), &element(context(0), &[&signed_data])])
    }
}

/// TSTInfo (RFC 3161 section 2.4.2) over `imprint`, at a GeneralizedTime.
pub(crate) fn tst_info(hash: &str, imprint: &[u8], at: &str) -> Vec<u8> {
    sequence(&[
        &integer(1),
        &oid("1.3.6.1.4.1.57264.2"),
        &element(SEQUENCE, &[&algorithm(hash), &element(OCTET_STRING, &[imprint])]),
        &element(INTEGER, &[&[0x2a]]),
        &element(GENERALIZED_TIME, &[at.as_bytes()]),
    ])
}

/// TSTInfo over what Sigstore stamps: the octets of a signature.
pub(crate) fn stamp_of(stamped: &[u8], at: &str) -> Vec<u8> {
    tst_info(SHA256, &Hash::Sha256.digest(stamped), at)
}

/// A commit with `armor` in its header.
pub(crate) fn commit(payload: &[u8], armor: &str) -> Vec<u8> {
    let text = String::from_utf8(payload.to_vec()).unwrap();
    let (headers, message) = text.split_once("\n\n").unwrap();
    let folded = armor.trim_end_matches('\n').replace('\n', "\n ");
    format!("{headers}\ngpgsig {folded}\n\n{message}").into_bytes()
}

/// The same around DER.
pub(crate) fn commit_of(payload: &[u8], der: &[u8]) -> Vec<u8> {
    commit(payload, &armor(der).unwrap())
}
