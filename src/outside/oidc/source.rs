//! Where an ID token comes from.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::ambient::Ambient;
use super::failure::LoginFailure;
use super::person::Person;
use crate::format::Malformed;
use crate::format::id_token::{IdToken, MAX_TOKEN_BYTES};
use crate::format::printable;
use crate::outside::http::{Failure, Http};
use crate::outside::{files, process};

/// One way to a token.
#[derive(Clone)]
pub enum Source {
    /// A workload's identity, which must be asked for.
    Ambient(Ambient),
    /// It is there already, in a variable of the environment.
    Value {
        /// The variable's name.
        variable: String,
        /// What it holds.
        token: Zeroizing<String>,
    },
    /// A file that somebody keeps fresh.
    File(PathBuf),
    /// A command that prints one: `keyless.tokenCommand`.
    Command(String),
    /// Somebody logs in.
    Person(Box<Person>),
}

/// What every source needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// What speaks to servers.
    pub http: &'a Http,
    /// For whom the token is to be.
    pub audience: &'a str,
    /// For each exchange with a server, and for a command.
    pub deadline: Duration,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl fmt::Display for Source {
    /// Never the token; a command could have a secret in it too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambient(ambient) => write!(f, "{ambient}"),
            Self::Value { variable, .. } => write!(f, "the variable {variable}"),
            Self::File(path) => write!(f, "the file {}", printable(&path.display().to_string())),
            Self::Command(_) => f.write_str("the command of keyless.tokenCommand"),
            Self::Person(person) => write!(f, "the login at {}", printable(&person.login.issuer)),
        }
    }
}

/// A source that gave no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceFailure {
    /// Nobody logged in.
    Login(LoginFailure),
    /// What it gave is no token.
    NoToken {
        /// The source.
        source: String,
        /// What is wrong.
        why: String,
    },
    /// A server gave none.
    Server(Failure),
}

impl fmt::Display for SourceFailure {
    /// What happened, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(failure) => write!(f, "{failure}"),
            Self::Server(failure) => write!(f, "{failure}"),
            Self::NoToken { source, why } => {
                write!(f, "{source} gave no ID token ({why}); it must give one JWT and nothing else")
            }
        }
    }
}

impl std::error::Error for SourceFailure {}

/// A token from `source`, unchecked, except that a login's is known to be its provider's.
pub async fn request(source: &Source, asking: Asking<'_>) -> Result<IdToken, SourceFailure> {
    let failure = |why: &dyn fmt::Display| SourceFailure::NoToken { source: source.to_string(), why: why.to_string() };
    let malformed = |why: Malformed| failure(&why);
    match source {
        Source::Ambient(ambient) => ambient.request(asking).await,
        Source::Value { token, .. } => IdToken::parse(token).map_err(malformed),
        Source::File(path) => {
            read(path).map_err(|error| failure(&error)).and_then(|bytes| token(&bytes).map_err(malformed))
        }
        Source::Command(command) => {
            let (command, deadline) = (command.clone(), asking.deadline);
            // Bounded by its own deadline, so that no runtime ever waits for this thread.
            tokio::task::spawn_blocking(move || process::output(&command, MAX_TOKEN_BYTES, deadline))
                .await
                .map_err(|error| failure(&error))?
                .map_err(|error| failure(&error))
                .and_then(|bytes| token(&bytes).map_err(malformed))
        }
        Source::Person(person) => {
            person.log_in(asking, false).await.map(|found| found.token).map_err(SourceFailure::Login)
        }
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN_BYTES + 64));
    files::open(path)?.take(MAX_TOKEN_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn token(bytes: &[u8]) -> Result<IdToken, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::new("ID token", "not text")).and_then(IdToken::parse)
}
