//! Step 3: the leaf is signed by a certificate authority of the trust root, inside that authority's window.
//!
//! An issuer is found by its signature, never by its name alone: two authorities may share one.

use std::fmt;

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, UnixTime,
};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, aws_lc_rs as algorithms};

use crate::format::cert::Certificate;
use crate::format::time::{Time, Window};
use crate::key::{KeyKind, Memo, PublicKey, sha256};
use crate::report::{CertificateFact, Reason};
use crate::trust::{Authority, TrustRoot};

/// A leaf with the authority that issued it.
pub(super) struct IssuedLeaf<'r> {
    leaf: Certificate,
    validity: Window,
    authority: &'r Authority,
    /// The issuer first, then who issued that, up to the end of the authority's chain.
    above: &'r [Certificate],
}

impl<'r> IssuedLeaf<'r> {
    pub(super) fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The leaf's dates.
    pub(super) fn validity(&self) -> Window {
        self.validity
    }

    /// When the trust root lets the authority count.
    pub(super) fn authority_window(&self) -> Window {
        self.authority.window
    }

    /// The certificates above the leaf, the issuer first.
    pub(super) fn above(&self) -> &'r [Certificate] {
        self.above
    }

    pub(super) fn fact(&self) -> CertificateFact {
        CertificateFact {
            sha256: sha256(self.leaf.der()),
            serial: self.leaf.serial().to_vec(),
            validity: self.validity,
        }
    }

    pub(super) fn detail(&self) -> String {
        format!("issued by {} ({})", self.leaf.issuer_name(), self.authority.uri)
    }
}

pub(super) fn verify_issuer<'r>(
    leaf: &Certificate,
    root: &'r TrustRoot,
    memo: &Memo,
) -> Result<IssuedLeaf<'r>, Reason> {
    let validity = leaf.validity().map_err(|error| Reason::ChainInvalid(error.to_string()))?;
    let mut refusal = None;
    for (authority, above) in issuers(root, leaf)? {
        let Some(issuer) = above.first() else { continue };
        match check_path(leaf, issuer, validity.start, AnyUsage, memo) {
            Ok(()) if !authority.window.contains(validity.start) => {
                refusal = Some(Reason::AuthorityOutsideWindow {
                    time: validity.start,
                    window: authority.window,
                    authority: issuer.subject_name().to_string(),
                });
            }
            Ok(()) => {
                if let Some(id) = leaf.repeated_extension() {
                    return Err(Reason::ChainInvalid(format!("the extension {id} stands twice")));
                }
                return Ok(IssuedLeaf { leaf: leaf.clone(), validity, authority, above });
            }
            Err(PathFault::Issuer) if named_by_key(leaf, issuer) => {
                refusal = Some(Reason::CertificateForged(leaf.issuer_name().to_string()))
            }
            Err(PathFault::Issuer) => {}
            Err(PathFault::Other(_)) if !may_check(issuer) => {
                let why = format!("the key of {} is of a kind that is not supported", issuer.subject_name());
                refusal = Some(Reason::TrustRootUnusable(why));
            }
            Err(PathFault::Other(error)) => refusal = Some(Reason::ChainInvalid(error.to_string())),
        }
    }
    Err(refusal.unwrap_or_else(|| Reason::IssuerUnknown { issuer: leaf.issuer_name().to_string() }))
}

/// Certificates of the trust root with the name that the leaf gives its issuer, each with what is above it.
fn issuers<'r>(root: &'r TrustRoot, leaf: &Certificate) -> Result<Vec<(&'r Authority, &'r [Certificate])>, Reason> {
    let readable: Vec<_> = root
        .authorities
        .iter()
        .filter_map(|authority| Some((authority, authority.chain.as_ref().ok()?.as_slice())))
        .collect();
    if readable.is_empty() {
        let why =
            root.authorities.iter().find_map(|authority| authority.chain.as_ref().err()).cloned().unwrap_or_default();
        return Err(Reason::TrustRootUnusable(format!("no certificate authority can be read: {why}")));
    }
    let tails = |(authority, chain): (&'r Authority, &'r [Certificate])| {
        (0..chain.len()).filter_map(move |at| Some((authority, chain.get(at..)?)))
    };
    Ok(readable
        .into_iter()
        .flat_map(tails)
        .filter(|(_, above)| above.first().is_some_and(|issuer| issuer.subject_name() == leaf.issuer_name()))
        .collect())
}

/// Whether certificates that this issuer signed can be checked: what it is listed with may be newer than this program.
fn may_check(issuer: &Certificate) -> bool {
    let key = issuer.spki().ok().and_then(|spki| PublicKey::from_spki(&spki).ok());
    key.is_some_and(|key| key.kind() != KeyKind::Ed25519)
}

/// Whether the leaf names this issuer's very key: then a signature that does not fit is forged, not unknown.
fn named_by_key(leaf: &Certificate, issuer: &Certificate) -> bool {
    leaf.authority_key_id().is_some_and(|id| Some(id) == issuer.subject_key_id())
}

/// Why a path does not validate.
pub(super) enum PathFault {
    /// This issuer did not sign it.
    Issuer,
    /// Anything else.
    Other(webpki::Error),
}

/// RFC 5280 path validation of `leaf` directly under `issuer`, which is trusted, at `time`. Windows of `issuer` and of
/// what is above it are the caller's to check: an anchor has no dates for this library.
pub(super) fn check_path(
    leaf: &Certificate,
    issuer: &Certificate,
    time: Time,
    usage: impl ExtendedKeyUsageValidator,
    memo: &Memo,
) -> Result<(), PathFault> {
    let issuer = CertificateDer::from(issuer.der());
    let leaf = CertificateDer::from(leaf.der());
    let anchor = webpki::anchor_from_trusted_cert(&issuer).map_err(PathFault::Other)?;
    let end_entity = EndEntityCert::try_from(&leaf).map_err(PathFault::Other)?;
    let at = UnixTime::since_unix_epoch(time.since_unix().unwrap_or_default());
    let through_memo = ALGORITHMS.map(|(scheme, inner)| ThroughMemo { scheme, inner, memo });
    let algorithms = through_memo.each_ref().map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm);
    match end_entity.verify_for_usage(&algorithms, &[anchor], &[], at, usage, None, None) {
        Ok(_) => Ok(()),
        Err(webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey) => Err(PathFault::Issuer),
        Err(error) => Err(PathFault::Other(error)),
    }
}

/// Any usage: step 5 looks at the usages, and step 8 validates again with code signing.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// What may sign a certificate. The letter keeps their memories apart.
const ALGORITHMS: [(u8, &dyn SignatureVerificationAlgorithm); 10] = [
    (b'a', algorithms::ECDSA_P256_SHA256),
    (b'b', algorithms::ECDSA_P256_SHA384),
    (b'c', algorithms::ECDSA_P384_SHA256),
    (b'd', algorithms::ECDSA_P384_SHA384),
    (b'e', algorithms::ECDSA_P521_SHA256),
    (b'f', algorithms::ECDSA_P521_SHA384),
    (b'g', algorithms::ECDSA_P521_SHA512),
    (b'h', algorithms::RSA_PKCS1_2048_8192_SHA256),
    (b'i', algorithms::RSA_PKCS1_2048_8192_SHA384),
    (b'j', algorithms::RSA_PKCS1_2048_8192_SHA512),
];

/// An algorithm of path validation that asks the memo first.
struct ThroughMemo<'m> {
    scheme: u8,
    inner: &'static dyn SignatureVerificationAlgorithm,
    memo: &'m Memo,
}

impl fmt::Debug for ThroughMemo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for ThroughMemo<'_> {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let scheme = [b'x', b'5', b'0', b'9', self.scheme];
        self.memo
            .check(&scheme, public_key, message, signature, || {
                self.inner.verify_signature(public_key, message, signature).is_ok()
            })
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }
}
