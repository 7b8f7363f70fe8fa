//! The one command that mends something, where there is one.

use super::calls::ours;
use super::last;
use crate::commands::{Stop, shell_word};
use crate::config::{ID_TOKEN_FILE, SETTINGS, SIGNING_CONFIG, TRUSTED_ROOT};
use crate::outside::git::Seen;

/// What sets this machine's clock.
pub(super) const CLOCK: &str = match () {
    () if cfg!(windows) => "w32tm /resync",
    () if cfg!(target_os = "macos") => "sudo sntp -sS time.apple.com",
    () => "sudo timedatectl set-ntp true",
};

/// Taking away the setting that `stop` begins with, else `otherwise`. A file that cannot be used is no reason to forget
/// that there should be one.
pub(super) fn of(stop: &Stop, seen: &[Seen], otherwise: impl Into<String>) -> String {
    const FILES: [&str; 3] = [ID_TOKEN_FILE, SIGNING_CONFIG, TRUSTED_ROOT];
    let text = stop.to_string();
    let named = SETTINGS.iter().find(|setting| text.starts_with(&format!("{} in ", setting.key)));
    let key = named.map(|setting| setting.key).filter(|key| !FILES.contains(key));
    key.and_then(|key| without(key, seen)).unwrap_or_else(|| otherwise.into())
}

/// Takes the value away that counts; none where there is none, or gitsign's.
pub(super) fn without(key: &str, seen: &[Seen]) -> Option<String> {
    let variable = SETTINGS.iter().find(|setting| setting.key == key).and_then(|setting| setting.variable);
    if let Some(variable) = variable.filter(|variable| std::env::var_os(variable).is_some()) {
        return Some(format!("unset {variable}"));
    }
    last(seen, key).map(taking)
}

/// The same, else an editor for where it should stand.
pub(super) fn taken(key: &str, seen: &[Seen]) -> String {
    without(key, seen).unwrap_or_else(|| edit(key, seen))
}

/// Takes this very value away, with those of its key in the same file.
pub(super) fn taking(found: &Seen) -> String {
    let known = SETTINGS.iter().find(|setting| setting.key.eq_ignore_ascii_case(&found.key));
    let key = known.map_or(found.key.as_str(), |setting| setting.key);
    match file(found) {
        Some(scope) => format!("git config --{scope} --unset-all {}", shell_word(key)),
        None => format!("take {key} out of git's command line, or out of GIT_CONFIG_COUNT and what belongs to it"),
    }
}

/// Opens the file that has the value that counts.
pub(super) fn edit(key: &str, seen: &[Seen]) -> String {
    let scope = last(seen, key).and_then(file).unwrap_or("global");
    format!("git config --{scope} --edit, at {key}")
}

/// What git or the settings cannot even be read for: an editor for the file that git names, or a variable less.
pub(super) fn unreadable(why: &str) -> String {
    let variable = why.split_once(" in ").and_then(|(_, rest)| rest.split_once(": ")).map(|(name, _)| name);
    let is_variable = |name: &&str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    match (why.rsplit_once(" in file "), variable.filter(is_variable)) {
        (Some((_, file)), _) => format!("\"${{EDITOR:-vi}}\" {}", shell_word(file.trim())),
        (None, Some(name)) => format!("unset {name}"),
        (None, None) => "git config --list --show-origin, and mend the file that it stops at".to_owned(),
    }
}

/// Another trust root, of whoever runs the instance.
pub(super) fn root() -> String {
    format!("{}, a current one from whoever runs the instance", ours("setup --trusted-root FILE"))
}

/// A scope that `git config` writes; others are variables or the command line.
pub(super) fn file(found: &Seen) -> Option<&str> {
    let scope = found.scope.as_str();
    ["system", "global", "local", "worktree"].contains(&scope).then_some(scope)
}
