//! Doors: read inputs, call one road, print, exit.

pub mod completions;
mod credential;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod doctor;
pub mod gpg;
mod identity;
mod instance;
mod kept;
mod publicity;
mod renewal;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod session;
pub mod setup;
pub mod show;
pub mod verify;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::config::{self, Foreign, Settings};
use crate::format::time::Time;
use crate::outside::{files, repo};
use crate::policy::{Accepted, Policy};
use crate::trust::{MAX_TRUST_BYTES, TrustRoot};

/// No verdict: usage, input or output.
pub(crate) const NO_VERDICT: u8 = 2;

/// What a shell says of a program that SIGPIPE ended.
const NOBODY_READS: u8 = 141;

/// Why a command stops without an answer: what happened, then what to do.
#[derive(Debug)]
pub(crate) struct Stop {
    what: String,
    /// Whoever read the output went away, as `head` does: nothing to complain about.
    unread: bool,
}

impl Stop {
    pub(crate) fn new(what: impl std::fmt::Display) -> Self {
        Self { what: what.to_string(), unread: false }
    }

    /// Standard output that cannot be written.
    fn unwritten(error: &io::Error) -> Self {
        let what = format!("cannot write to standard output: {error}");
        Self { what, unread: error.kind() == io::ErrorKind::BrokenPipe }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.what.fmt(f)
    }
}

/// One line on standard error, in which nothing can begin another. Nobody may be there to read it, and then the answer
/// still counts: `eprintln!` would end the program instead.
pub(crate) fn complain(line: &str) {
    let _ = io::stderr().write_all(format!("git-keyless: {}\n", crate::report::printable(line)).as_bytes());
}

/// Text and an LF on standard output, at once: a reader never waits for what is already known. A reader who is gone ends
/// the command.
pub(crate) fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Stop::unwritten(&error))
}

/// `text` as one word of a shell, for commands that people copy.
pub(crate) fn shell_word(text: &str) -> String {
    // What holds a zero byte is no word of any shell.
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

/// Prints why and gives the exit code.
pub(crate) fn stopped(stop: &Stop) -> ExitCode {
    if stop.unread {
        return ExitCode::from(NOBODY_READS);
    }
    complain(&stop.what);
    ExitCode::from(NO_VERDICT)
}

/// The one place where asynchronous code is entered.
pub(crate) fn wait_for<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Stop::new)?;
    let done = runtime.block_on(work);
    // A command that ignores its deadline must not keep git waiting.
    runtime.shutdown_background();
    done
}

/// Settings as git in `directory` would see them.
pub(crate) fn settings(directory: &Path) -> Result<Settings, Stop> {
    let mut configuration = repo::config(directory, &["keyless", "gitsign"]).map_err(Stop::new)?;
    let gitsigns = configuration.values.extract_if(.., |value| value.key.starts_with("gitsign.")).collect::<Vec<_>>();
    let environment = |name: &str| std::env::var_os(name);
    let foreign = Foreign::new(&gitsigns, environment).map_err(Stop::new)?;
    let settings = Settings::new(configuration, environment).map_err(Stop::new)?.above(foreign);
    settings.notes().iter().for_each(|note| complain(note));
    Ok(settings)
}

/// The trust root: flag, variable, setting, built-in.
pub(crate) fn trust_root(flag: Option<&Path>, settings: &Settings) -> Result<TrustRoot, Stop> {
    let setting = settings.text(config::TRUSTED_ROOT).map_err(Stop::new)?;
    let (path, place) = match (flag, setting) {
        (Some(path), _) => (path.to_path_buf(), "--trusted-root".to_owned()),
        (None, Some((path, value))) => {
            (files::absolute(path).map_err(Stop::new)?, format!("{} in {}", config::TRUSTED_ROOT, value.place))
        }
        (None, None) => return foreign_root(settings)?.map_or_else(|| TrustRoot::public_good().map_err(Stop::new), Ok),
    };
    let refused = |why: &dyn std::fmt::Display| Stop::new(format!("{place}: {why}"));
    let bytes = files::read_trusted(&path, MAX_TRUST_BYTES, settings.git_dir()).map_err(|why| refused(&why))?;
    TrustRoot::parse(&bytes, "custom").map_err(|why| refused(&format!("{}: {why}", path.display())))
}

/// What gitsign would judge under, where nothing of ours says anything about trust.
fn foreign_root(settings: &Settings) -> Result<Option<TrustRoot>, Stop> {
    let Some(foreign) = settings.foreign_trust() else { return Ok(None) };
    let Some(json) = foreign.trusted_root(settings.git_dir()).map_err(Stop::new)? else { return Ok(None) };
    TrustRoot::parse(json.as_bytes(), "gitsign").map(Some).map_err(Stop::new)
}

/// Who is accepted, by the settings.
pub(crate) fn trusted_identities(settings: &Settings) -> Result<Vec<Accepted>, Stop> {
    identities(settings, config::TRUSTED_IDENTITY)
}

/// Who is accepted, and who is not whoever accepts them: that is the settings' alone to say.
pub(crate) fn policy(settings: &Settings, accepted: Vec<Accepted>, required: bool) -> Result<Policy, Stop> {
    Ok(Policy::new(accepted, required).denying(identities(settings, config::DENIED_IDENTITY)?))
}

fn identities(settings: &Settings, key: &'static str) -> Result<Vec<Accepted>, Stop> {
    let list = settings.list(key).map_err(Stop::new)?.into_iter();
    let parsed = list.map(|(text, value)| Accepted::parse(text).map_err(|why| settings.unusable(key, value, why)));
    parsed.collect::<Result<_, _>>().map_err(Stop::new)
}

/// The machine's clock.
pub(crate) fn now() -> Result<Time, Stop> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_unix(since).map_err(Stop::new)
}
