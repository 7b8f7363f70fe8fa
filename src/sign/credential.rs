//! Steps 2 and 3: a key, and the certificate that says whose it is.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Failure, Warning};
use crate::format::Malformed;
use crate::format::cert::Certificate;
use crate::format::time::{Time, Window};
use crate::key::{EphemeralKey, KeyFailure, Memo};
use crate::report::Identity;
use crate::trust::TrustRoot;
use crate::verify;

/// What a kept credential must have left: a signature takes seconds, and up to two checkpoints of Rekor v2.
pub const LEAST_LIFE: Duration = Duration::from_secs(60);
/// The first byte of a kept credential.
const FORMAT: u8 = 1;

/// A key and its certificate, which fit, from an authority of the trust root and seen by its log. It is wiped when it is
/// dropped, and printed by nothing.
pub struct Credential {
    key: EphemeralKey,
    leaf: Certificate,
    identity: Identity,
    window: Window,
    warnings: Vec<Warning>,
}

/// Why a kept credential is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It would not verify, or is no credential at all.
    Refused(Failure),
    /// Its certificate has less life left than [`LEAST_LIFE`], or is not yet valid.
    Expired(Window),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(failure) => write!(f, "{failure}"),
            Self::Expired(window) => write!(f, "its certificate is valid {window}, and that is over or nearly"),
        }
    }
}

impl<F: Into<Failure>> From<F> for NotTaken {
    fn from(failure: F) -> Self {
        Self::Refused(failure.into())
    }
}

impl Credential {
    /// Step 3, second half: our key, issued by our authority and seen by its log. All of it before anything is logged
    /// under this certificate.
    pub(super) fn of(key: EphemeralKey, leaf: Certificate, root: &TrustRoot, memo: &Memo) -> Result<Self, Failure> {
        if leaf.spki()? != key.public()?.spki() {
            return Err(Failure::Key);
        }
        let identity = verify::verify_issued(&leaf, root, memo).map_err(Failure::Certificate)?;
        let window = leaf.validity()?;
        Ok(Self { key, leaf, identity, window, warnings: Vec::new() })
    }

    pub(super) fn warning(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }

    pub(super) fn from_bytes(bytes: &[u8], root: &TrustRoot, memo: &Memo, now: Time) -> Result<Self, NotTaken> {
        let (key, leaf) = split(bytes)?;
        let key = EphemeralKey::from_pkcs8(key).map_err(|_| broken())?;
        let credential = Self::of(key, Certificate::parse(leaf)?, root, memo)?;
        // The library reads a key from more than one form.
        if credential.to_bytes()?.as_slice() != bytes {
            return Err(broken().into());
        }
        match credential.window.left(now) < LEAST_LIFE {
            true => Err(NotTaken::Expired(credential.window)),
            false => Ok(credential),
        }
    }

    /// A format byte, the length of the key in two bytes, the key as PKCS #8, the certificate: some 1,000 bytes.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyFailure> {
        let key = self.key.to_pkcs8()?;
        let length = u16::try_from(key.len()).map_err(|_| KeyFailure)?.to_be_bytes();
        let parts: [&[u8]; 4] = [&[FORMAT], &length, &key, self.leaf.der()];
        // All of it reserved at once: growing would leave copies behind that nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Ok(bytes)
    }

    /// Whom it signs as.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When.
    pub fn window(&self) -> Window {
        self.window
    }

    /// What the person should hear.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(super) fn key(&self) -> &EphemeralKey {
        &self.key
    }

    pub(super) fn leaf(&self) -> &Certificate {
        &self.leaf
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} {})", self.identity.subject.name(), self.identity.issuer)
    }
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let [FORMAT, high, low, rest @ ..] = bytes else { return Err(broken()) };
    rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).ok_or_else(broken)
}

fn broken() -> Malformed {
    Malformed::new("kept credential", "not in the form that this program writes")
}
