//! Cryptography, all of it: the only file that names `aws_lc_rs`.
//!
//! A public key knows its kind from its SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), never from its length; the
//! hash comes from the standard that demands the signature. What the pair does not name here is refused.

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;

use aws_lc_rs::digest as lc_digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair as _;
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

/// Checks that a memo remembers before it forgets them all; 32 bytes each.
pub const MEMO_ENTRIES: usize = 1 << 17;

const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(lc_digest::digest(&lc_digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of the parts, one after the other.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = lc_digest::Context::new(&lc_digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-1 of the parts: git's object ids and the fingerprints that git's status lines carry. Never evidence.
pub fn sha1_of(parts: &[&[u8]]) -> [u8; 20] {
    let mut context = lc_digest::Context::new(&lc_digest::SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 20];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// A hash that a signature is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        lc_digest::digest(self.algorithm(), bytes).as_ref().to_vec()
    }

    fn algorithm(self) -> &'static lc_digest::Algorithm {
        match self {
            Self::Sha256 => &lc_digest::SHA256,
            Self::Sha384 => &lc_digest::SHA384,
            Self::Sha512 => &lc_digest::SHA512,
        }
    }
}

/// What a public key is, by its algorithm identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA on P-256 (RFC 5480).
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// RSA with PKCS #1 v1.5 signatures (RFC 8017 section 8.2); 2,048 to 8,192 bits.
    Rsa,
}

/// A public key that can check signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    spki: Vec<u8>,
    /// What `aws_lc_rs` wants: an uncompressed point, 32 bytes, or an RSAPublicKey.
    raw: Vec<u8>,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedKey(String);

impl fmt::Display for UnsupportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A signature that does not verify, or whose algorithm does not fit its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl PublicKey {
    /// From a DER SubjectPublicKeyInfo.
    pub fn from_spki(der: &[u8]) -> Result<Self, UnsupportedKey> {
        let unsupported = |why: &str| UnsupportedKey(why.to_owned());
        let spki = SubjectPublicKeyInfoOwned::from_der(der)
            .map_err(|error| UnsupportedKey(format!("SubjectPublicKeyInfo: {error}")))?;
        let curve = spki.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let raw =
            spki.subject_public_key.as_bytes().ok_or_else(|| unsupported("key bits are no whole bytes"))?.to_vec();
        let (kind, length) = match (spki.algorithm.oid, curve) {
            (ID_EC_PUBLIC_KEY, Some(SECP256R1)) => (KeyKind::P256, 65),
            (ID_EC_PUBLIC_KEY, Some(SECP384R1)) => (KeyKind::P384, 97),
            (ID_EC_PUBLIC_KEY, Some(SECP521R1)) => (KeyKind::P521, 133),
            (ID_ED25519, None) if spki.algorithm.parameters.is_none() => (KeyKind::Ed25519, 32),
            (RSA_ENCRYPTION, _) => (KeyKind::Rsa, raw.len()),
            (oid, _) => return Err(UnsupportedKey(format!("key algorithm {oid} is not supported"))),
        };
        if raw.len() != length {
            return Err(unsupported("the point is not in its uncompressed form"));
        }
        Ok(Self { kind, spki: der.to_vec(), raw })
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The bits of the key: of Ed25519 the 32 bytes that a C2SP key id is computed from.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether `signature` verifies over a message of which only the `digest` is known: what a log can check.
    /// Nothing of this is remembered.
    pub fn check_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        let algorithm = self.algorithm(hash).ok_or(Invalid)?;
        let digest = lc_digest::Digest::import_less_safe(digest, hash.algorithm()).map_err(|_| Invalid)?;
        lc::UnparsedPublicKey::new(algorithm, &self.raw).verify_digest(&digest, signature).map_err(|_| Invalid)
    }

    fn algorithm(&self, hash: Hash) -> Option<&'static dyn lc::VerificationAlgorithm> {
        Some(match (self.kind, hash) {
            (KeyKind::P256, Hash::Sha256) => &lc::ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, Hash::Sha384) => &lc::ECDSA_P256_SHA384_ASN1,
            (KeyKind::P384, Hash::Sha256) => &lc::ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, Hash::Sha384) => &lc::ECDSA_P384_SHA384_ASN1,
            (KeyKind::P521, Hash::Sha256) => &lc::ECDSA_P521_SHA256_ASN1,
            (KeyKind::P521, Hash::Sha384) => &lc::ECDSA_P521_SHA384_ASN1,
            (KeyKind::P521, Hash::Sha512) => &lc::ECDSA_P521_SHA512_ASN1,
            (KeyKind::Rsa, Hash::Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, Hash::Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, Hash::Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
            // Pure Ed25519 hashes for itself (RFC 8032); the standard that names it says SHA-512.
            (KeyKind::Ed25519, Hash::Sha512) => &lc::ED25519,
            (KeyKind::P256 | KeyKind::P384, Hash::Sha512) | (KeyKind::Ed25519, Hash::Sha256 | Hash::Sha384) => {
                return None;
            }
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.kind)
    }
}

/// Remembers the SHA-256 of (scheme, key, message, signature) of checks that held, so that forty commits under one
/// certificate cost one check of its issuer's signature. Checks that failed are never remembered; times are not in it.
#[derive(Default)]
pub struct Memo(Mutex<HashSet<[u8; 32]>>);

impl Memo {
    /// An empty memo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `signature` over `message` verifies under `key` with `hash`. ECDSA signatures are DER
    /// (RFC 3279 section 2.2.3).
    pub fn check_signature(
        &self,
        key: &PublicKey,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Invalid> {
        let algorithm = key.algorithm(hash).ok_or(Invalid)?;
        let scheme = [key.kind as u8, hash as u8];
        self.check(&scheme, &key.raw, message, signature, || {
            lc::UnparsedPublicKey::new(algorithm, &key.raw).verify(message, signature).is_ok()
        })
    }

    /// For checks that another library makes: `held` runs only when the same check has not held before. `scheme`
    /// must tell apart every algorithm that could give the same key, message and signature another answer.
    pub(crate) fn check(
        &self,
        scheme: &[u8],
        key: &[u8],
        message: &[u8],
        signature: &[u8],
        held: impl FnOnce() -> bool,
    ) -> Result<(), Invalid> {
        let length = |part: &[u8]| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        let name = sha256_of(&[
            &length(scheme),
            scheme,
            &length(key),
            key,
            &length(message),
            message,
            &length(signature),
            signature,
        ]);
        if self.held(&name) {
            return Ok(());
        }
        if !held() {
            return Err(Invalid);
        }
        self.remember(name);
        Ok(())
    }

    fn held(&self, name: &[u8; 32]) -> bool {
        self.0.lock().is_ok_and(|held| held.contains(name))
    }

    fn remember(&self, name: [u8; 32]) {
        if let Ok(mut held) = self.0.lock() {
            if held.len() >= MEMO_ENTRIES {
                held.clear();
            }
            held.insert(name);
        }
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

/// A key that lives for minutes: P-256. `aws_lc_rs` wipes it when it is freed.
pub struct EphemeralKey(lc::EcdsaKeyPair);

/// The machine could not give randomness, or the library refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFailure;

impl fmt::Display for KeyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no key could be made or used: the machine gives no randomness")
    }
}

impl EphemeralKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, KeyFailure> {
        lc::EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_ASN1_SIGNING).map(Self).map_err(|_| KeyFailure)
    }

    /// All of it as PKCS #8 (RFC 5208), 138 bytes, for a keyring: who has them can sign.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyFailure> {
        self.0.to_pkcs8v1().map(|key| Zeroizing::new(key.as_ref().to_vec())).map_err(|_| KeyFailure)
    }

    /// From what [`EphemeralKey::to_pkcs8`] gave.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyFailure> {
        lc::EcdsaKeyPair::from_pkcs8(&lc::ECDSA_P256_SHA256_ASN1_SIGNING, bytes).map(Self).map_err(|_| KeyFailure)
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, KeyFailure> {
        let point = self.0.public_key().as_ref();
        let spki = SubjectPublicKeyInfoOwned {
            algorithm: x509_cert::spki::AlgorithmIdentifierOwned {
                oid: ID_EC_PUBLIC_KEY,
                parameters: Some((&SECP256R1).into()),
            },
            subject_public_key: der::asn1::BitString::from_bytes(point).map_err(|_| KeyFailure)?,
        };
        PublicKey::from_spki(&spki.to_der().map_err(|_| KeyFailure)?).map_err(|_| KeyFailure)
    }

    /// ECDSA with SHA-256 over `message`, DER.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFailure> {
        self.0.sign(&SystemRandom::new(), message).map(|signature| signature.as_ref().to_vec()).map_err(|_| KeyFailure)
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKey")
    }
}

/// `N` bytes that nobody can guess: nonces.
pub fn random<const N: usize>() -> Result<[u8; N], KeyFailure> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| KeyFailure)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It forgets all rather than grow, and what it forgot is checked again.
    #[test]
    fn a_memo_has_a_limit() {
        let memo = Memo::new();
        let check = |at: usize, held: bool| memo.check(b"", b"", &at.to_be_bytes(), b"", || held);
        (0..MEMO_ENTRIES).for_each(|at| assert_eq!(check(at, true), Ok(())));
        assert_eq!(check(0, false), Ok(()), "it remembers");
        assert_eq!(check(MEMO_ENTRIES, true), Ok(()));
        assert_eq!(check(0, false), Err(Invalid), "one beyond the limit, and the first is forgotten");
        assert_eq!(check(MEMO_ENTRIES, false), Ok(()));
    }
}
