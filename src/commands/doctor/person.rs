//! Who is trusted, and what becomes public; the terminal.

use super::{Finding, last};
use crate::commands::instance::{Instance, instance};
use crate::commands::{gpg, now, session, trusted_identities};
use crate::config::{FALLBACK_PROGRAM, Settings, TRUSTED_IDENTITY};
use crate::outside::git::Seen;
use crate::outside::terminal;

pub(super) fn examine(settings: &Settings, seen: &[Seen]) -> Vec<Finding> {
    let mut findings: Vec<_> = settings.notes().iter().map(|note| untrusted(note)).collect();
    findings.push(match terminal::device() {
        Some(_) => Finding::good("terminal", &"there is one: people are spoken to there"),
        None => Finding::note("terminal", &"there is none: nobody can be asked to log in"),
    });
    findings.extend(committer(seen));
    findings.push(trusted(settings));
    findings.extend(publicity(settings, seen));
    findings.extend(fallback(settings));
    findings.extend(settings.foreign().mapped(settings.foreign_instance().is_none()).into_iter().filter_map(
        |mapped| {
            let why = mapped.ours.err()?;
            Some(Finding::note("gitsign", &format!("{} in {} means nothing here: {why}", mapped.name, mapped.place)))
        },
    ));
    findings
}

/// Without one git makes no commit at all.
fn committer(seen: &[Seen]) -> Option<Finding> {
    session::committer().err()?;
    let mend = match last(seen, "user.email") {
        None => "git config --global user.email YOU@EXAMPLE.COM",
        Some(_) => "git config --global user.name 'YOUR NAME'",
    };
    Some(Finding::fault("committer", &"git does not know who commits here", mend))
}

fn untrusted(note: &str) -> Finding {
    Finding::warning("untrusted-repository", &note, "git config --global --add safe.directory DIR, if you trust it")
}

fn trusted(settings: &Settings) -> Finding {
    const CHECK: &str = "trusted-identities";
    match trusted_identities(settings) {
        Ok(list) if list.is_empty() => Finding::warning(
            CHECK,
            &"nobody is named: git shows every good signature as U",
            format!("git config --global --add {TRUSTED_IDENTITY} '<subject> <issuer>'"),
        ),
        Ok(list) => {
            let names: Vec<_> = list.iter().map(ToString::to_string).collect();
            Finding::good(CHECK, &names.join(", "))
        }
        // Verifying stops at it too.
        Err(stop) => Finding::fault(CHECK, &stop, format!("git config --edit, at {TRUSTED_IDENTITY}")),
    }
}

/// Whoever hides their address in commits does not want it in a public log.
fn publicity(settings: &Settings, seen: &[Seen]) -> Option<Finding> {
    now().and_then(|now| instance(settings, now)).ok().filter(Instance::is_public)?;
    let email = last(seen, "user.email").and_then(|seen| seen.value.clone()).unwrap_or_default();
    Some(match email.to_lowercase().contains("noreply") {
        true => Finding::warning(
            "publicity",
            &format!(
                "user.email is {email}, and each signature of the public instance publishes the address of your login"
            ),
            "use a private instance, or log in with an address that may be public",
        ),
        false => Finding::note("publicity", &"each signature publishes who you are, in a log that anybody can read"),
    })
}

fn fallback(settings: &Settings) -> Option<Finding> {
    let (name, value) = match settings.text(FALLBACK_PROGRAM) {
        Ok(found) => found?,
        Err(why) => {
            return Some(Finding::warning("fallback", &why, format!("git config --edit, at {FALLBACK_PROGRAM}")));
        }
    };
    Some(match gpg::find(name) {
        Ok(path) => Finding::good("fallback", &format!("{} is asked about other signatures", path.display())),
        Err(why) => Finding::warning(
            "fallback",
            &settings.unusable(FALLBACK_PROGRAM, value, why),
            "name a program that is there",
        ),
    })
}
