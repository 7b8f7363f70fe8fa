//! An exchange that gave nothing, and what may be quoted of it.

use std::fmt;
use std::time::Duration;

use super::endpoint::Server;
use crate::format::printable;

/// Most characters of an answer that an error quotes.
pub const MAX_EXCERPT_CHARS: usize = 300;

/// An exchange that gave nothing: with whom, what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) server: Server,
    pub(super) url: String,
    pub(super) fault: Fault,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection broke within the answer.
    Broken {
        /// As the library says it.
        why: String,
    },
    /// The deadline passed.
    Late {
        /// The deadline.
        deadline: Duration,
    },
    /// A URL that is not spoken to.
    NotAnEndpoint {
        /// Why not.
        why: String,
    },
    /// An answer with another status than success.
    Status {
        /// The status.
        status: u16,
        /// What the server said.
        said: String,
    },
    /// An answer of more bytes than allowed.
    TooLarge {
        /// How many are allowed.
        limit: usize,
    },
    /// No connection, or none that could be trusted.
    Unreachable {
        /// As the library says it.
        why: String,
    },
    /// An answer that is not what the interface promises.
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
}

impl Failure {
    /// With whom.
    pub fn server(&self) -> Server {
        self.server
    }

    /// What happened.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether the same request may well succeed in a moment. Who did not answer in a whole deadline will not.
    pub fn may_pass(&self) -> bool {
        match &self.fault {
            Fault::Unreachable { .. } => true,
            Fault::Status { status, .. } => matches!(status, 429 | 500..=599),
            _ => false,
        }
    }

    fn advice(&self) -> &'static str {
        match (&self.fault, self.server) {
            (Fault::NotAnEndpoint { .. }, _) => "correct the URL in the configuration",
            (Fault::Unreachable { .. } | Fault::Broken { .. }, _) => "check the network, the proxy and the URL",
            (Fault::Late { .. }, _) => "try again later",
            (Fault::TooLarge { .. } | Fault::Unreadable { .. }, _) => "check that the URL is that server's",
            (Fault::Status { status: 300..=399, .. }, _) => {
                "redirects are not followed: put the address it moved to into the signing config"
            }
            (Fault::Status { status: 429 | 500..=599, .. }, _) => "try again later, or ask who runs it",
            (Fault::Status { status: 404, .. }, _) => "check the URL in the signing config",
            (Fault::Status { status: 405, .. }, Server::TransparencyLog) => {
                "this log takes no more entries: get a newer signing config"
            }
            (Fault::Status { .. }, Server::CertificateAuthority) => {
                "get a new ID token, from an issuer and for an audience that this authority accepts"
            }
            (Fault::Status { .. }, Server::IdentityProvider | Server::MetadataServer) => {
                "check that this is the identity provider that you mean, and that it knows this client"
            }
            (Fault::Status { .. }, _) => "check that the signing config fits this server",
        }
    }
}

impl fmt::Display for Failure {
    /// What happened, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, url, fault } = self;
        match fault {
            Fault::Broken { why } => write!(f, "the {server} {url} broke off its answer ({why})"),
            Fault::Late { deadline, .. } => {
                write!(f, "the {server} {url} did not answer within {} s", deadline.as_secs_f32())
            }
            Fault::NotAnEndpoint { why } => write!(f, "the {server} {url} is not spoken to ({why})"),
            Fault::Status { status, said } if said.is_empty() => write!(f, "the {server} {url} answered {status}"),
            Fault::Status { status, said } => write!(f, "the {server} {url} answered {status}: {said}"),
            Fault::TooLarge { limit } => write!(f, "the {server} {url} answered with more than {limit} bytes"),
            Fault::Unreachable { why } => write!(f, "the {server} {url} cannot be reached ({why})"),
            Fault::Unreadable { why } => write!(f, "the {server} {url} gave an answer that cannot be used ({why})"),
        }?;
        write!(f, "; {}", self.advice())
    }
}

impl std::error::Error for Failure {}

/// What may be quoted of words that somebody else wrote: short, on one line, nothing that steers a terminal, and no word
/// that could be a token or a part of one.
pub fn excerpt(text: &str) -> String {
    let mut quoted = String::new();
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    for word in text.split_inclusive(|c| !of_token(c)) {
        let stem = word.trim_end_matches(|c| !of_token(c));
        let secret = stem.split('.').any(|part| part.len() >= 32);
        quoted.push_str(if secret { "(withheld)" } else { stem });
        quoted.push_str(word.strip_prefix(stem).unwrap_or_default());
        if quoted.chars().count() > MAX_EXCERPT_CHARS {
            quoted = quoted.chars().take(MAX_EXCERPT_CHARS).chain(['.', '.', '.']).collect();
            break;
        }
    }
    printable(quoted.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted() {
        let token = format!("{}.{}.{}", "eyJhbGciOi".repeat(5), "eyJpc3MiOi".repeat(9), "c2lnbmF0".repeat(9));
        for around in [format!("bad token {token}"), format!("{{\"t\":\"{token}\"}}"), format!("a={token}&b"), token] {
            assert!(!excerpt(&around).contains("eyJhbGciOi"), "{}", excerpt(&around));
            assert!(!excerpt(&around).contains("c2lnbmF0"), "{}", excerpt(&around));
        }
        assert_eq!(excerpt(" a\nb\u{202e}c "), "a\\u{a}b\\u{202e}c");
        assert_eq!(excerpt(&"ab ".repeat(500)).len(), MAX_EXCERPT_CHARS + 3);
        assert_eq!(excerpt("https://fulcio.corp.example.test/x"), "https://fulcio.corp.example.test/x");
    }
}
