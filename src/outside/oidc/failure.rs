//! Why nobody logged in: what happened, then what to do.

use std::fmt;
use std::time::Duration;

use crate::format::printable;
use crate::outside::http::Failure;

/// How to sign without logging in here and now.
pub const WAYS_OUT: &str = "set SIGSTORE_ID_TOKEN, keyless.idTokenFile or keyless.tokenCommand, or run \
                            `git keyless login` in a terminal";

/// A login without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// The person, or the provider, said no.
    Denied {
        /// The provider.
        issuer: String,
        /// In its own words, already fit to be quoted.
        said: String,
    },
    /// Nobody can be asked.
    Nobody {
        /// Why not.
        why: String,
    },
    /// The browser did not come back.
    NotBack {
        /// For so long.
        limit: Duration,
    },
    /// What came back does not belong to this login.
    NotThisLogin {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The code on the terminal was not used in time.
    NotEntered,
    /// A browser cannot be sent anywhere from here.
    NoBrowser {
        /// Why not.
        why: String,
    },
    /// The provider lets no device in.
    NoDevices {
        /// The provider.
        issuer: String,
    },
    /// The provider did not accept what it was told.
    Refused {
        /// The provider.
        issuer: String,
        /// In its own words, already fit to be quoted.
        said: String,
    },
    /// No exchange with the provider.
    Server(Failure),
    /// The provider renews this login no longer.
    NotRenewed {
        /// The provider.
        issuer: String,
        /// In its own words, already fit to be quoted.
        said: String,
    },
    /// What the provider says about itself, or how it answers, is of no use.
    Unusable {
        /// The provider.
        issuer: String,
        /// Why not.
        why: String,
    },
    /// The token is not this provider's for this login.
    WrongToken {
        /// The provider.
        issuer: String,
        /// Why not, already fit to be quoted.
        why: String,
    },
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { issuer, said } => {
                write!(f, "the login at {} was denied ({said}); log in again, and allow it", printable(issuer))
            }
            Self::Nobody { why } => write!(f, "nobody can be asked to log in ({}); {WAYS_OUT}", printable(why)),
            Self::NotBack { limit } => write!(
                f,
                "nobody came back from the browser within {} s; try again, and leave its window open until it says \
                 that you are logged in",
                limit.as_secs()
            ),
            Self::NotThisLogin { why } => {
                write!(f, "what the browser brought does not belong to this login ({why}); try again, in a new window")
            }
            Self::NotEntered => f.write_str("the code was not used before it expired; try again"),
            Self::NoBrowser { why } => {
                write!(f, "no browser can be opened ({}); set keyless.browser, or {WAYS_OUT}", printable(why))
            }
            Self::NoDevices { issuer } => write!(
                f,
                "no browser can be opened here, and {} lets nobody log in with a code; {WAYS_OUT}",
                printable(issuer)
            ),
            Self::Refused { issuer, said } => write!(
                f,
                "the identity provider {} refused ({said}); try again, and check keyless.clientId and \
                 keyless.connectorId",
                printable(issuer)
            ),
            Self::NotRenewed { issuer, said } => {
                write!(
                    f,
                    "the identity provider {} renews this login no longer ({said}); log in again",
                    printable(issuer)
                )
            }
            Self::Server(failure) => write!(f, "{failure}"),
            Self::Unusable { issuer, why } => write!(
                f,
                "the identity provider {} cannot be used ({}); check that the URL is an OpenID provider's, or ask \
                 who runs it",
                printable(issuer),
                printable(why)
            ),
            Self::WrongToken { issuer, why } => write!(
                f,
                "the identity provider {} gave an ID token that does not hold ({why}); try again, and ask who runs it",
                printable(issuer)
            ),
        }
    }
}

impl std::error::Error for LoginFailure {}
