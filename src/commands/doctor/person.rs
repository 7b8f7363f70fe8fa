//! Who is trusted, and who commits; what verifying reads.

use super::{Finding, last, mend};
use crate::commands::{gpg, policy, session, trusted_identities};
use crate::config::{DENIED_IDENTITY, FALLBACK_PROGRAM, FALLBACK_TRUST, REQUIRE_TRUSTED, Settings, TRUSTED_IDENTITY};
use crate::outside::git::{self, Seen};
use crate::outside::process;

pub(super) fn examine(settings: &Settings, seen: &[Seen]) -> Vec<Finding> {
    let mut findings: Vec<_> = settings.notes().iter().map(|note| untrusted(note)).collect();
    findings.extend(committer(seen));
    findings.push(trusted(settings, seen));
    findings.extend(required(settings, seen));
    findings.extend(fallback(settings, seen));
    findings.extend(fallback_trust(settings, seen));
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
    const TRUST: &str = "git config --global --add safe.directory ";
    // git's own complaint ends with the command for this very folder.
    let complaint = git::output(&["rev-parse", "--git-dir"]).err().map(|failure| failure.to_string());
    let folder =
        complaint.as_deref().and_then(|text| text.split_once(TRUST)).map_or("DIR", |(_, folder)| folder.trim());
    Finding::warning("untrusted-repository", &note, format!("{TRUST}{folder}, if you trust it"))
}

fn trusted(settings: &Settings, seen: &[Seen]) -> Finding {
    const CHECK: &str = "trusted-identities";
    if let Err(stop) = policy(settings, Vec::new(), false) {
        return Finding::fault("denied-identities", &stop, mend::edit(DENIED_IDENTITY, seen));
    }
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
        Err(stop) => Finding::fault(CHECK, &stop, mend::edit(TRUSTED_IDENTITY, seen)),
    }
}

/// Verifying stops at what is neither true nor false.
fn required(settings: &Settings, seen: &[Seen]) -> Option<Finding> {
    let why = settings.flag(REQUIRE_TRUSTED).err()?;
    Some(Finding::fault("require-trusted", &why, mend::taken(REQUIRE_TRUSTED, seen)))
}

fn fallback(settings: &Settings, seen: &[Seen]) -> Option<Finding> {
    const CHECK: &str = "fallback";
    let mend = || match process::find("gpgsm") {
        Some(_) => format!("git config --global {FALLBACK_PROGRAM} gpgsm"),
        None => mend::taken(FALLBACK_PROGRAM, seen),
    };
    let (name, value) = match settings.text(FALLBACK_PROGRAM) {
        Ok(found) => found?,
        Err(why) => return Some(Finding::warning(CHECK, &why, mend())),
    };
    Some(match gpg::find(name) {
        Ok(path) => Finding::good(CHECK, &format!("{} is asked about other signatures", path.display())),
        Err(why) => Finding::warning(CHECK, &settings.unusable(FALLBACK_PROGRAM, value, why), mend()),
    })
}

/// Verifying stops at another word, where there is a program to ask.
fn fallback_trust(settings: &Settings, seen: &[Seen]) -> Option<Finding> {
    let why = gpg::passes(settings).err()?;
    let asks = settings.text(FALLBACK_PROGRAM).is_ok_and(|program| program.is_some());
    let level = if asks { Finding::fault } else { Finding::warning };
    Some(level("fallback-trust", &why, mend::taken(FALLBACK_TRUST, seen)))
}
