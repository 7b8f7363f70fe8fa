//! Whether git calls this program: format, program, switches, and what outranks what.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Finding, last, mend, place, redacted};
use crate::commands::shell_word;
use crate::config::{SETTINGS, TOKEN_COMMAND};
use crate::outside::git::Seen;
use crate::outside::process;

const OWN_NAME: &str = if cfg!(windows) { "git-keyless.exe" } else { "git-keyless" };
/// What programs that are not started from a shell have as PATH.
const BARE_PATH: [&str; 4] = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin"];
const VERSION_DEADLINE: Duration = Duration::from_secs(5);

pub(super) fn examine(seen: &[Seen]) -> Vec<Finding> {
    let mut findings = vec![format(seen), program(seen)];
    findings.extend([switch(seen, "commit.gpgSign", "commit-signing"), switch(seen, "tag.gpgSign", "tag-signing")]);
    findings.extend(shadowed(seen));
    findings.extend(listed(seen));
    findings
}

fn format(seen: &[Seen]) -> Finding {
    match last(seen, "gpg.format") {
        Some(found) if found.value.as_deref() == Some("x509") => {
            Finding::good("gpg-format", &format!("x509, from {}", place(found)))
        }
        Some(found) => {
            let value = found.value.as_deref().unwrap_or("nothing");
            let mend = match mend::file(found) {
                Some(scope) => format!("git config --{scope} gpg.format x509"),
                None => mend::taking(found),
            };
            Finding::fault(
                "gpg-format",
                &format!("{value}, from {}: git asks another program to sign", place(found)),
                mend,
            )
        }
        None => Finding::fault("gpg-format", &"not set: git asks gpg to sign", ours("setup")),
    }
}

/// A command of ours that can be typed here: by the path that was run where `git keyless` is not there.
pub(super) fn ours(words: &str) -> String {
    match (std::env::current_exe(), on_path(OWN_NAME, path_folders())) {
        (Ok(program), None) => {
            format!("{} {words}", shell_word(&program.to_string_lossy()))
        }
        _ => format!("git keyless {words}"),
    }
}

/// `git keyless` is `git-keyless` on PATH.
pub(super) fn reachable() -> Option<Finding> {
    let own = std::env::current_exe().ok().filter(|_| on_path(OWN_NAME, path_folders()).is_none())?;
    let found = "git-keyless is not on PATH: there is no `git keyless` here";
    Some(Finding::warning("path", &found, format!("put {} on PATH", own.parent()?.display())))
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// What mends a wrong `gpg.x509.program`: set-up writes the user's file, which others outrank.
fn another_program(found: &Seen) -> String {
    match mend::file(found) {
        Some("system" | "global") => ours("setup"),
        Some(scope) => format!("git config --{scope} --unset gpg.x509.program"),
        None => mend::taking(found),
    }
}

fn program(seen: &[Seen]) -> Finding {
    const CHECK: &str = "gpg-program";
    let Some(found) = last(seen, "gpg.x509.program") else {
        return Finding::fault(CHECK, &"gpg.x509.program is not set: git asks gpgsm", ours("setup"));
    };
    let name = found.value.as_deref().unwrap_or_default();
    let place = place(found);
    let path = match located(name) {
        Ok(path) => path,
        Err(why) => return Finding::fault(CHECK, &format!("{name}, from {place}: {why}"), another_program(found)),
    };
    let said = version_of(&path);
    let ours = format!("git-keyless {}", env!("CARGO_PKG_VERSION"));
    match said {
        Err(why) => Finding::fault(CHECK, &format!("{}, from {place}: {why}", path.display()), another_program(found)),
        Ok(said) if said != ours && said.starts_with("git-keyless ") => {
            Finding::warning(CHECK, &format!("{} is {said}, this is {ours}", path.display()), another_program(found))
        }
        Ok(said) if said != ours => Finding::fault(
            CHECK,
            &format!("{}, from {place}, is not git-keyless", path.display()),
            another_program(found),
        ),
        Ok(_) if !Path::new(name).is_absolute() && on_path(name, BARE_PATH.iter().map(PathBuf::from)).is_none() => {
            Finding::warning(
                CHECK,
                &format!("{name}, from {place}, is on this shell's PATH; a git that no shell started will not find it"),
                another_program(found),
            )
        }
        Ok(said) => Finding::good(CHECK, &format!("{}, from {place}, is {said}", path.display())),
    }
}

/// As git finds it: a name on PATH, or a path.
fn located(name: &str) -> Result<PathBuf, String> {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => on_path(name, path_folders()).ok_or("it is not on PATH")?,
    };
    match path.metadata() {
        Err(error) => Err(error.to_string()),
        Ok(meta) if !meta.is_file() => Err("it is no file".to_owned()),
        Ok(_) => Ok(path),
    }
}

fn on_path(name: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn version_of(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command.arg("--version");
    let (printed, status) = process::answer(command, 4096, VERSION_DEADLINE).map_err(|failure| failure.to_string())?;
    match status.success() {
        true => Ok(String::from_utf8_lossy(&printed).trim().to_owned()),
        false => Ok(format!("something that ends with {status}")),
    }
}

fn switch(seen: &[Seen], key: &str, check: &'static str) -> Finding {
    let on = |value: &str| matches!(value.to_lowercase().as_str(), "true" | "yes" | "on" | "1");
    match last(seen, key) {
        Some(found) if found.value.as_deref().is_none_or(on) => {
            Finding::good(check, &format!("{key} is on, from {}", place(found)))
        }
        Some(found) => Finding::note(check, &format!("{key} is off, from {}: only -S and -s sign", place(found))),
        None => Finding::note(check, &format!("{key} is not set: only -S and -s sign")),
    }
}

/// Values that stand in one place and do not count because of another.
fn shadowed(seen: &[Seen]) -> Vec<Finding> {
    let single = |seen: &&Seen| is_one_value(&seen.key);
    let mut findings = Vec::new();
    for (at, lower) in seen.iter().enumerate().filter(|(_, lower)| single(lower)) {
        let later = seen.iter().skip(at + 1).rev().find(|later| later.key == lower.key && later.value != lower.value);
        if let Some(winner) = later
            && last(seen, &lower.key) == Some(winner)
        {
            let found = format!("{} from {} does not count: {} outranks it", lower.key, place(lower), place(winner));
            findings.push(Finding::note("shadowed", &found));
        }
    }
    findings
}

fn is_one_value(key: &str) -> bool {
    let lists = ["keyless.trustedidentity", "keyless.publicidentity"];
    let names = ["gpg.format", "gpg.x509.program", "commit.gpgsign", "tag.gpgsign"];
    names.contains(&key) || key.starts_with("keyless.") && !lists.contains(&key)
}

/// Every setting of ours with its place, and those that nobody knows.
fn listed(seen: &[Seen]) -> Vec<Finding> {
    let ours = seen.iter().filter(|seen| seen.key.starts_with("keyless."));
    ours.map(|found| {
        let known = SETTINGS.iter().find(|setting| setting.key.eq_ignore_ascii_case(&found.key));
        let value = match (known, &found.value) {
            // A command could hold a secret.
            (Some(setting), _) if setting.key == TOKEN_COMMAND => "a command".to_owned(),
            (_, Some(value)) => redacted(value),
            (_, None) => "without a value".to_owned(),
        };
        match known {
            Some(setting) => Finding::note("setting", &format!("{} = {value}, from {}", setting.key, place(found))),
            None => Finding::warning(
                "setting",
                &format!("{} from {}: there is no such setting", found.key, place(found)),
                mend::taking(found),
            ),
        }
    })
    .collect()
}
