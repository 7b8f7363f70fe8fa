//! Where an ID token comes from.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::format::Malformed;
use crate::format::id_token::{IdToken, MAX_TOKEN_BYTES};
use crate::format::printable;
use crate::outside::process;

/// One way to a token. Interactive login will be another, with the network and a person in it: hence [`request`] is
/// async and has a deadline.
#[derive(Clone)]
pub enum Source {
    /// It is there already: `SIGSTORE_ID_TOKEN`.
    Value(Zeroizing<String>),
    /// A file that somebody keeps fresh: `keyless.idTokenFile`.
    File(PathBuf),
    /// A command that prints one: `keyless.tokenCommand`.
    Command(String),
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
            Self::Value(_) => f.write_str("the environment"),
            Self::File(path) => write!(f, "the file {}", printable(&path.display().to_string())),
            Self::Command(_) => f.write_str("the command of keyless.tokenCommand"),
        }
    }
}

/// A source that gave no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    source: String,
    why: String,
}

impl fmt::Display for SourceFailure {
    /// What happened, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gave no ID token ({}); it must give one JWT and nothing else", self.source, self.why)
    }
}

impl std::error::Error for SourceFailure {}

/// A token from `source`, unchecked.
pub async fn request(source: &Source, deadline: Duration) -> Result<IdToken, SourceFailure> {
    let failure = |why: &dyn fmt::Display| SourceFailure { source: source.to_string(), why: why.to_string() };
    let malformed = |why: Malformed| failure(&why);
    match source {
        Source::Value(text) => IdToken::parse(text).map_err(malformed),
        Source::File(path) => {
            read(path).map_err(|error| failure(&error)).and_then(|bytes| token(&bytes).map_err(malformed))
        }
        Source::Command(command) => {
            let command = command.clone();
            // Bounded by its own deadline, so that no runtime ever waits for this thread.
            tokio::task::spawn_blocking(move || process::output(&command, MAX_TOKEN_BYTES, deadline))
                .await
                .map_err(|error| failure(&error))?
                .map_err(|error| failure(&error))
                .and_then(|bytes| token(&bytes).map_err(malformed))
        }
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_TOKEN_BYTES + 64));
    File::open(path)?.take(MAX_TOKEN_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn token(bytes: &[u8]) -> Result<IdToken, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::new("ID token", "not text")).and_then(IdToken::parse)
}
