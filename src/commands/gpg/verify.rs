//! `--verify`: one payload, one signature, one answer in git's words.
//!
//! git has split the object already, so step 1 means one armor with nothing around it; what git dropped on the way, and
//! under which name a tag was asked for, only `git keyless verify` can refuse.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use super::{VerifyCall, complain, fallback};
use crate::commands::{Stop, now, policy, settings, trust_root, trusted_identities};
use crate::config::REQUIRE_TRUSTED;
use crate::format::armor::MAX_ARMOR_BYTES;
use crate::format::object::{MAX_OBJECT_BYTES, Object};
use crate::format::status::Answer;
use crate::key::Memo;
use crate::outside::files;
use crate::policy::Circumstance;
use crate::report::{Check, Reason, Report, Trust, Verdict};
use crate::verify::Verifier;

/// Exit code 0 and GOODSIG go together, and every other way out says ERRSIG, BADSIG or REVKEYSIG and 1.
pub(super) fn run(call: &VerifyCall) -> ExitCode {
    // git takes silence for an unsigned commit, so not even a bug of ours may end in silence.
    let judged = catch_unwind(AssertUnwindSafe(|| judge(call)))
        .unwrap_or_else(|_| Err(Stop::new("this is a bug in git-keyless; please report it")));
    let answer = judged.unwrap_or_else(|stop| {
        complain(&stop.to_string());
        Answer::Unknown { fingerprint: None }
    });
    let written = call.status.write(&answer.lines());
    if written && matches!(answer, Answer::Good { .. } | Answer::Foreign { .. }) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn judge(call: &VerifyCall) -> Result<Answer, Stop> {
    // Standard input is read to its end before anything is written: some callers write all of it first.
    let object = read(call)?;
    let settings = settings(Path::new("."))?;
    let (root, memo) = (trust_root(None, &settings)?, Memo::new());
    let policy = policy(&settings, trusted_identities(&settings)?, false)?;
    let require_trusted = settings.flag(REQUIRE_TRUSTED).map_err(Stop::new)?;
    let report = Verifier::new(&root, &memo).verify(&object, now()?).report(&policy, &Circumstance::default());
    if matches!((report.verdict(), report.reason()), (Verdict::Unknown, Some(Reason::NotKeyless)))
        && let Some(answer) = fallback::ask(&object, &settings, require_trusted)?
    {
        return Ok(answer);
    }
    let answer = answer(&report, require_trusted);
    explain(&report, &answer);
    Ok(answer)
}

fn read(call: &VerifyCall) -> Result<Object, Stop> {
    let payload = match call.data.to_str() {
        Some("-") => files::read_limited(io::stdin().lock(), MAX_OBJECT_BYTES, "standard input"),
        _ => read_file(&call.data, MAX_OBJECT_BYTES),
    };
    let signature = read_file(&call.signature, MAX_ARMOR_BYTES);
    Ok(Object::of(payload.map_err(Stop::new)?, signature.map_err(Stop::new)?))
}

fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    let what = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| format!("{what} cannot be read: {error}"))?;
    files::read_limited(file, limit, &what)
}

/// The table of what git hears.
fn answer(report: &Report, require_trusted: bool) -> Answer {
    let fingerprint = report.facts().fingerprint.clone();
    let good = good(report).filter(|(_, trusted)| *trusted || !require_trusted);
    match (good, report.verdict(), report.reason()) {
        (Some((good, _)), ..) => good,
        (None, Verdict::Bad, Some(Reason::IdentityDenied { .. })) => match (&report.facts().identity, fingerprint) {
            (Some(identity), Some(fingerprint)) => {
                Answer::Denied { fingerprint, name: (identity.subject.name().to_owned(), identity.issuer.clone()) }
            }
            (_, fingerprint) => Answer::Bad { fingerprint },
        },
        (None, Verdict::Bad, reason) if !matches!(reason, Some(Reason::IdentityNotAccepted { .. })) => {
            Answer::Bad { fingerprint }
        }
        _ => Answer::Unknown { fingerprint },
    }
}

/// Steps 1 to 8 hold, and step 9 at most does not find the identity in the list: only this door is that soft, because
/// git says it as U.
fn good(report: &Report) -> Option<(Answer, bool)> {
    let [steps @ .., policy] = report.checks();
    let soft = matches!(policy.reason(), Some(Reason::IdentityNotAccepted { .. }));
    if !steps.iter().all(Check::holds) || !(policy.holds() || soft) {
        return None;
    }
    let facts = report.facts();
    let identity = facts.identity.as_ref()?;
    let trusted = report.trust() == Trust::Fully;
    let answer = Answer::Good {
        fingerprint: facts.fingerprint.clone()?,
        name: (identity.subject.name().to_owned(), identity.issuer.clone()),
        time: facts.times.iter().map(|(_, time)| *time).min()?,
        trusted,
    };
    Some((answer, trusted))
}

/// A line or two for people: git shows them, and copies them into merge messages, so they are short and stable.
fn explain(report: &Report, answer: &Answer) {
    let facts = report.facts();
    let sandbox = if facts.instance == "sandbox" { ", in a sandbox" } else { "" };
    match (answer, &facts.identity, report.reason()) {
        (Answer::Good { time, trusted, .. }, Some(identity), _) => {
            complain(&format!(
                "good signature by {} ({}) at {time}{sandbox}",
                identity.subject.name(),
                identity.issuer
            ));
            if !trusted {
                complain("nobody has said that this identity is accepted (keyless.trustedIdentity)");
            }
        }
        (_, Some(identity), None) => complain(&format!(
            "{} ({}) is not accepted (keyless.requireTrusted){sandbox}",
            identity.subject.name(),
            identity.issuer
        )),
        (_, _, Some(reason)) => {
            complain(&format!("{} signature{sandbox}: {reason}", report.verdict().name()));
            complain(reason.advice());
        }
        (_, None, None) => complain(&report.message()),
    }
}
