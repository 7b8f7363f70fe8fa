//! `git keyless doctor`: will git sign and verify here, and if not, what mends it.
//!
//! It looks and changes nothing, and what it looks at is read by the code that signs and verifies. Each finding has a stable name, what was found, and the one command that mends it.
//! Secrets are not shown: no token, no command that could hold one, no user and password of a URL.

mod around;
mod calls;
mod instance;
mod keys;
mod login;
mod mend;
mod person;
mod public;

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Stop, print, settings, stopped};
use crate::cli;
use crate::format::printable;
use crate::outside::git::{self, Seen};

/// Runs it. 0 when nothing would stop signing or verifying, 1 when something does, 2 when that cannot be said.
pub fn run(args: &cli::Doctor) -> ExitCode {
    match examine(args) {
        Ok(findings) => answer(&findings, args.json).unwrap_or_else(|stop| stopped(&stop)),
        Err(stop) => stopped(&stop),
    }
}

fn examine(args: &cli::Doctor) -> Result<Vec<Finding>, Stop> {
    let mut findings = vec![version()];
    findings.extend(home());
    findings.extend(calls::reachable());
    let seen = match git::seen() {
        Ok(seen) => seen,
        Err(failure) => {
            findings.push(Finding::fault("git-config", &failure, mend::unreadable(&failure.to_string())));
            return Ok(findings);
        }
    };
    findings.extend(calls::examine(&seen));
    findings.extend(around::examine(&seen));
    match settings(Path::new(".")) {
        Err(stop) => {
            let unreadable = mend::unreadable(&stop.to_string());
            findings.push(Finding::fault("settings", &stop, mend::of(&stop, &seen, unreadable)));
        }
        Ok(settings) => {
            findings.extend(person::examine(&settings, &seen));
            findings.extend(instance::examine(&settings, &seen, args.offline));
        }
    }
    Ok(findings)
}

fn version() -> Finding {
    match git::version() {
        Ok(version) => Finding::good("git", &format!("{version}; this is git-keyless {}", env!("CARGO_PKG_VERSION"))),
        Err(failure) => Finding::fault("git", &failure, "install a newer git"),
    }
}

/// git and this program read the user's files there.
fn home() -> Option<Finding> {
    let unset = std::env::var_os("HOME").is_none_or(|home| home.is_empty());
    (unset && !cfg!(windows)).then(|| {
        Finding::warning(
            "home",
            &"HOME is not set: git finds none of your own settings",
            "export HOME=YOUR_HOME_FOLDER",
        )
    })
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Good,
    /// Good to know.
    Note,
    /// It works, and probably not as intended.
    Warning,
    /// Signing, or verifying, will not work.
    Fault,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    mend: Option<String>,
}

impl Finding {
    fn good(check: &'static str, found: &dyn std::fmt::Display) -> Self {
        Self { check, level: Level::Good, found: found.to_string(), mend: None }
    }

    fn note(check: &'static str, found: &dyn std::fmt::Display) -> Self {
        Self { check, level: Level::Note, found: found.to_string(), mend: None }
    }

    fn warning(check: &'static str, found: &dyn std::fmt::Display, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, found: found.to_string(), mend: Some(mend.into()) }
    }

    fn fault(check: &'static str, found: &dyn std::fmt::Display, mend: impl Into<String>) -> Self {
        Self { check, level: Level::Fault, found: found.to_string(), mend: Some(mend.into()) }
    }

    fn to_json(&self) -> Value {
        json!({ "check": self.check, "level": self.level.word(), "found": self.found, "mend": self.mend })
    }
}

fn answer(findings: &[Finding], as_json: bool) -> Result<ExitCode, Stop> {
    let signs = findings.iter().all(|finding| finding.level != Level::Fault);
    let text = match as_json {
        true => {
            let findings: Vec<_> = findings.iter().map(Finding::to_json).collect();
            let version = env!("CARGO_PKG_VERSION");
            format!("{}\n", json!({ "schema": 1, "version": version, "signs": signs, "findings": findings }))
        }
        false => {
            let lines: String = findings.iter().map(line).collect();
            let last =
                if signs { "Nothing found that would stop signing." } else { "Signing or verifying will not work." };
            format!("{lines}{last}\n")
        }
    };
    print(text.trim_end())?;
    Ok(if signs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(finding: &Finding) -> String {
    let mend = finding.mend.as_ref().map(|mend| format!("\n         mend it: {}", printable(mend))).unwrap_or_default();
    format!("{:<8} {}: {}{mend}\n", finding.level.word(), finding.check, printable(&finding.found))
}

/// The value that counts, as git reads it.
fn last<'a>(seen: &'a [Seen], key: &str) -> Option<&'a Seen> {
    seen.iter().rev().find(|seen| seen.key.eq_ignore_ascii_case(key))
}

/// Where a value is, for people.
fn place(seen: &Seen) -> String {
    format!("{} ({})", seen.origin, seen.scope)
}

/// A proxy, whose user and password hold whatever they like and need no scheme before them.
fn redacted_proxy(text: &str) -> String {
    text.rsplit_once('@').map_or(text.to_owned(), |(_, host)| format!("...@{host}"))
}

/// `text` without user and password of any URL in it; without a scheme all of it may be one.
fn redacted(text: &str) -> String {
    if !text.contains("://") {
        return redacted_proxy(text);
    }
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, rest| {
        let end = rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("...@{host}"));
        format!("{before}://{host}{behind}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_password_is_shown() {
        for (text, shown) in [
            ("https://user:secret@proxy.test:8080/x?y", "https://...@proxy.test:8080/x?y"),
            ("http://token@a https://b/@c", "http://...@a https://b/@c"),
            ("plain", "plain"),
            ("socks5h://a:b@c@d", "socks5h://...@d"),
            ("user:secret@proxy.test:8080", "...@proxy.test:8080"),
        ] {
            assert_eq!(redacted(text), shown);
        }
        for (text, shown) in [
            ("user:sec@ret@proxy.test:8080", "...@proxy.test:8080"),
            ("http://user:sec/ret@proxy.test", "...@proxy.test"),
            ("user:se://cret@proxy.test", "...@proxy.test"),
            ("http://proxy.test:3128", "http://proxy.test:3128"),
            ("localhost,.example.test", "localhost,.example.test"),
        ] {
            assert_eq!(redacted_proxy(text), shown);
        }
    }
}
