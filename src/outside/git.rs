//! git itself, asked and told by running it: its version, and its configuration files, which only it writes.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::format::printable;

/// The oldest git that is supported.
pub const OLDEST: (u32, u32) = (2, 34);

/// A git that cannot be run, or did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// git's own word for its version, if it is new enough. It reads no configuration for it: one that is broken is no
/// question of age.
pub fn version() -> Result<String, Failure> {
    const INSTALL: &str = "install it: apt-get install git, dnf install git, apk add git, brew install git";
    let mut git = Command::new("git");
    git.arg("version").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure(format!("git is missing; {INSTALL}")),
        _ => Failure(format!("git cannot be run: {error}")),
    })?;
    if !output.status.success() {
        return Err(Failure(format!("git version failed ({}): {}", output.status, complaint(&output.stderr))));
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let parts = said.trim_start_matches("git version ").split(['.', ' ']).map(|part| part.parse::<u32>().ok());
    match parts.take(2).collect::<Vec<_>>().as_slice() {
        [Some(major), Some(minor)] if (*major, *minor) >= OLDEST => Ok(said),
        _ => Err(Failure(format!(
            "{} is too old, {}.{} is the oldest that works; {INSTALL}",
            printable(&said),
            OLDEST.0,
            OLDEST.1
        ))),
    }
}

/// What `git` with `args` prints, if it succeeds; no stream of ours is inherited.
pub fn output(args: &[&str]) -> Result<Vec<u8>, Failure> {
    let mut git = Command::new("git");
    git.args(args).stdin(Stdio::null());
    let words = || args.join(" ");
    let output = git.output().map_err(|error| Failure(format!("git cannot be run: {error}")))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(Failure(format!(
            "git {} failed ({}): {}",
            printable(&words()),
            output.status,
            complaint(&output.stderr)
        ))),
    }
}

/// What git complains about, in one line.
pub fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// One of the files that `git config` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The machine's.
    System,
    /// The user's.
    Global,
    /// The repository's.
    Local,
}

impl Scope {
    /// As git's flag has it, and its `--show-scope`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Global => "global",
            Self::Local => "local",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::System => "--system",
            Self::Global => "--global",
            Self::Local => "--local",
        }
    }
}

/// Where its file is, or what it is named by: one place for all who write it.
pub fn folder(scope: Scope) -> Option<PathBuf> {
    match scope {
        Scope::System => Some(PathBuf::from("/etc")),
        Scope::Global => std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
        Scope::Local => {
            let printed = output(&["rev-parse", "--path-format=absolute", "--git-common-dir"]).ok()?;
            String::from_utf8(printed).ok().map(|path| PathBuf::from(path.trim_end_matches('\n')))
        }
    }
}

/// A key as git prints it (section and name in lower case) with its value, none for a key without `=`.
pub type Pair = (String, Option<String>);

/// All of one file, in its order, without what it includes. A file that is not there is empty.
pub fn read(scope: Scope) -> Result<Vec<Pair>, Failure> {
    let mut git = Command::new("git");
    let git = git.args(["config", scope.flag(), "--null", "--get-regexp", "."]).stdin(Stdio::null());
    let output = git.output().map_err(|error| Failure(format!("git cannot be run: {error}")))?;
    match output.status.code() {
        // 1 is git's word for: nothing matches.
        Some(0 | 1) => pairs(&output.stdout),
        _ => Err(Failure(format!("git cannot read its {} configuration: {}", scope.name(), complaint(&output.stderr)))),
    }
}

/// `key LF value NUL`, or `key NUL`.
fn pairs(printed: &[u8]) -> Result<Vec<Pair>, Failure> {
    let text = std::str::from_utf8(printed).map_err(|_| Failure("git's configuration is not UTF-8".to_owned()))?;
    let pair = |entry: &str| match entry.split_once('\n') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (entry.to_owned(), None),
    };
    Ok(text.split_terminator('\0').map(pair).collect())
}

/// One more value, behind those that are there.
pub fn add(scope: Scope, key: &str, value: &str) -> Result<(), Failure> {
    write(&["config", scope.flag(), "--add", key, value])
}

/// `value` in the place of what is exactly `was`.
pub fn replace(scope: Scope, key: &str, was: &str, value: &str) -> Result<(), Failure> {
    write(&["config", scope.flag(), "--replace-all", key, value, &literally(was)])
}

/// Takes away what is exactly `value`, however often it stands there. By a pattern: with `--fixed-value` git 2.39 crashes when another
/// value of the key has no `=`.
pub fn unset(scope: Scope, key: &str, value: &str) -> Result<(), Failure> {
    write(&["config", scope.flag(), "--unset-all", key, &literally(value)])
}

/// A file that cannot be written is named as such.
fn write(args: &[&str]) -> Result<(), Failure> {
    output(args).map(drop).map_err(|failure| {
        let locked = failure.0.split_once("could not lock config file ").and_then(|(_, rest)| rest.rsplit_once(": "));
        locked.map_or_else(|| failure.clone(), |(file, why)| Failure(format!("{file} cannot be written: {why}")))
    })
}

/// A POSIX extended regular expression for this very text.
fn literally(text: &str) -> String {
    let special = |c: char| ".[]()*+?{}|^$\\".contains(c);
    let escaped = text.chars().map(|c| if special(c) { format!("\\{c}") } else { c.to_string() });
    format!("^{}$", escaped.collect::<String>())
}

/// One value as git itself sees it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `system`, `global`, `local`, `worktree`, `command`.
    pub scope: String,
    /// The file, without git's `file:`; or what git calls it.
    pub origin: String,
    /// As git prints it.
    pub key: String,
    /// None for a key without `=`.
    pub value: Option<String>,
}

/// Everything that git sees here, in the order in which later ones win.
pub fn seen() -> Result<Vec<Seen>, Failure> {
    let printed = output(&["config", "--null", "--show-scope", "--show-origin", "--list"])?;
    let text = std::str::from_utf8(&printed).map_err(|_| Failure("git's configuration is not UTF-8".to_owned()))?;
    let words: Vec<_> = text.split_terminator('\0').collect();
    let seen = words.chunks_exact(3).filter_map(|chunk| {
        let [scope, origin, pair] = chunk else { return None };
        let (key, value) = pair.split_once('\n').map_or((*pair, None), |(key, value)| (key, Some(value.to_owned())));
        let origin = origin.strip_prefix("file:").unwrap_or(origin).trim_matches('"').to_owned();
        Some(Seen { scope: (*scope).to_owned(), origin, key: key.to_owned(), value })
    });
    Ok(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_lists() {
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(
            pairs(b"commit.gpgsign\0gpg.format\nssh\0a.B c.x\nq\n\"z\0").unwrap(),
            [pair("commit.gpgsign", None), pair("gpg.format", Some("ssh")), pair("a.B c.x", Some("q\n\"z"))]
        );
        assert_eq!(pairs(b"").unwrap(), []);
    }

    #[test]
    fn patterns_mean_themselves() {
        assert_eq!(literally("/a.b (c)/$x"), r"^/a\.b \(c\)/\$x$");
        assert_eq!(literally("!true"), "^!true$");
    }
}
