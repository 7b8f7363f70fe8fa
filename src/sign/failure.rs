//! What a person hears when there is no signature, or one with a warning.

use std::fmt;
use std::time::Duration;

use crate::format::time::{Time, Window};
use crate::format::{Malformed, printable};
use crate::key::KeyFailure;
use crate::outside::http;
use crate::report::{Check, Identity, Reason, Step};

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The certificate that arrived would not verify.
    Certificate(Reason),
    /// The certificate is for somebody else than the token.
    Identity {
        /// Whom it names.
        found: Identity,
        /// Whom the token names.
        wanted: String,
    },
    /// The certificate is for another key.
    Key,
    /// No randomness.
    KeyMade(KeyFailure),
    /// Not done in time.
    Late(Duration),
    /// Something could not be encoded.
    Malformed(Malformed),
    /// Our own result does not verify.
    Refused {
        /// The first step that does not hold.
        check: Box<Check>,
        /// Whose evidence that is.
        by: String,
    },
    /// A server.
    Server(http::Failure),
    /// The configuration asks for what is not there.
    Unusable(&'static str),
}

impl fmt::Display for Failure {
    /// What happened, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(reason) => write!(
                f,
                "the certificate authority gave a certificate that would not verify: {}: {reason}; use the trust root and the signing config of one instance",
                reason.code()
            ),
            Self::Identity { found, wanted } => write!(
                f,
                "the certificate authority answered for {} ({}) instead of {}; do not use it before you know why",
                printable(found.subject.name()),
                printable(&found.issuer),
                printable(wanted)
            ),
            Self::Key => f.write_str(
                "the certificate authority gave a certificate for another key; do not use it before you know why",
            ),
            Self::KeyMade(failure) => write!(f, "{failure}"),
            Self::Late(deadline) => {
                write!(f, "signing took more than {} s; try again later", deadline.as_secs_f32())
            }
            Self::Malformed(malformed) => write!(f, "{malformed}; please report this"),
            Self::Refused { check, by } => write!(
                f,
                "with the evidence of {by} our own signature does not verify, at step {} {}: {}; {}",
                check.step.number(),
                check.step.name(),
                printable(&check.detail),
                match check.step {
                    Step::Validity => "their clocks disagree, or they are not of one instance: ask who runs them",
                    _ => "use the trust root and the signing config of one instance, or ask who runs it",
                }
            ),
            Self::Server(failure) => write!(f, "{failure}"),
            Self::Unusable(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<http::Failure> for Failure {
    fn from(failure: http::Failure) -> Self {
        Self::Server(failure)
    }
}

impl From<KeyFailure> for Failure {
    fn from(failure: KeyFailure) -> Self {
        Self::KeyMade(failure)
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Nothing to stop for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// This machine's clock and the authority's are apart: the certificate is not valid by ours.
    Clock {
        /// Ours.
        now: Time,
        /// The certificate's dates.
        window: Window,
    },
    /// A private instance takes tokens that the public one takes too.
    SharedAudience {
        /// The audience.
        audience: String,
        /// The instance.
        instance: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock { now, window } => {
                write!(f, "this machine's clock says {now}, the certificate is valid {window}; set the clock")
            }
            Self::SharedAudience { audience, instance } => write!(
                f,
                "instance {} takes tokens for `{audience}`, as the public one does: who runs it could use yours there; give it an audience of its own",
                printable(instance)
            ),
        }
    }
}
