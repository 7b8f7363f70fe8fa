//! `git keyless verify`: judges commits and tags, each for itself.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::{NO_VERDICT, Stop, complain, now, print, settings, stopped, trust_root, trusted_identities};
use crate::audit;
use crate::cli;
use crate::config::Settings;
use crate::format::object::{Kind, MAX_OBJECT_BYTES, Object, ObjectFormat};
use crate::format::time::Time;
use crate::key::Memo;
use crate::outside::files;
use crate::outside::repo::{Repository, Unreadable};
use crate::policy::{Accepted, Circumstance, Policy};
use crate::report::{Report, Trust, Verdict, printable};
use crate::verify::Verifier;

/// Runs it. 0 when every verdict is good, 1 when one is not, 2 without a verdict; of several the largest.
pub fn run(args: &cli::Verify) -> ExitCode {
    match verify(args) {
        Ok(code) => ExitCode::from(code),
        Err(stop) => stopped(&stop),
    }
}

fn verify(args: &cli::Verify) -> Result<u8, Stop> {
    let here = Path::new(".");
    let settings = settings(here)?;
    let (root, memo) = (trust_root(args.trust.trusted_root.as_deref(), &settings)?, Memo::new());
    let policy = policy(args, &settings)?;
    let verifier = Verifier::new(&root, &memo);
    if !policy.names_anybody() && !args.require_identity {
        complain("who signed is not checked: name who may, with --identity and --issuer or keyless.trustedIdentity");
    }
    let mut printer = Printer { json: args.json, worst: 0 };
    match &args.object {
        Some(path) => {
            let object = read_object(path)?;
            let report = verifier.verify(&object, now()?).report(&policy, &Circumstance::default());
            printer.report(&path.display().to_string(), &report)?;
        }
        None => verify_revs(&revs(args)?, here, &verifier, &policy, now()?, &mut printer)?,
    }
    Ok(printer.worst)
}

fn verify_revs(
    revs: &[String],
    here: &Path,
    verifier: &Verifier<'_>,
    policy: &Policy,
    now: Time,
    printer: &mut Printer,
) -> Result<(), Stop> {
    let repository = Repository::discover(here).map_err(Stop::new)?;
    audit::judge_each(&repository, revs, verifier, policy, now, |rev, judged| match judged {
        Ok(report) => printer.report(rev, &report),
        Err(error) => printer.unreadable(rev, &error),
    })
}

fn revs(args: &cli::Verify) -> Result<Vec<String>, Stop> {
    if args.revs.is_empty() {
        return Ok(vec!["HEAD".to_owned()]);
    }
    match args.revs.iter().find(|rev| rev.starts_with('^') || rev.contains("..")) {
        Some(range) => Err(Stop::new(format!(
            "`{range}` is a range; name single commits and tags, as in: git rev-list {range} | xargs git keyless verify"
        ))),
        None => Ok(args.revs.clone()),
    }
}

fn policy(args: &cli::Verify, settings: &Settings) -> Result<Policy, Stop> {
    if args.identities.len() != args.issuers.len() {
        return Err(Stop::new(format!(
            "{} --identity and {} --issuer: they go in pairs",
            args.identities.len(),
            args.issuers.len()
        )));
    }
    let pairs = args.identities.iter().zip(&args.issuers);
    let named: Vec<_> =
        pairs.map(|(subject, issuer)| Accepted { subject: subject.clone(), issuer: issuer.clone() }).collect();
    let accepted = if named.is_empty() { trusted_identities(settings)? } else { named };
    super::policy(settings, accepted, args.require_identity)
}

fn read_object(path: &Path) -> Result<Object, Stop> {
    let raw = match path.to_str() {
        Some("-") => files::read_limited(io::stdin().lock(), MAX_OBJECT_BYTES, "standard input"),
        _ => std::fs::File::open(path)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()))
            .and_then(|file| files::read_limited(file, MAX_OBJECT_BYTES, &path.display().to_string())),
    };
    let raw = raw.map_err(Stop::new)?;
    if raw.is_empty() {
        return Err(Stop::new(format!("{} is empty: there is nothing to judge", path.display())));
    }
    let (kind, format) = (Kind::guess(&raw), ObjectFormat::guess(&raw));
    Ok(Object::split(raw, kind, format, None))
}

struct Printer {
    json: bool,
    worst: u8,
}

impl Printer {
    fn report(&mut self, rev: &str, report: &Report) -> Result<(), Stop> {
        self.worst = self.worst.max(u8::from(report.verdict() != Verdict::Good));
        if self.json { print(&report.to_json(rev).to_string()) } else { print(&text(rev, report)) }
    }

    fn unreadable(&mut self, rev: &str, error: &Unreadable) -> Result<(), Stop> {
        self.worst = NO_VERDICT;
        if !self.json {
            complain(&error.to_string());
            return Ok(());
        }
        print(
            &json!({ "schema": 1, "rev": rev, "error": { "code": error.code(), "message": error.to_string() } })
                .to_string(),
        )
    }
}

/// For people: the verdict and what was judged, then why or who and when.
fn text(rev: &str, report: &Report) -> String {
    let facts = report.facts();
    let what = facts.kind.map_or("object", Kind::name);
    let id = facts.object.as_deref().unwrap_or_default();
    let asked = if rev == id { String::new() } else { format!(" ({})", printable(rev)) };
    let mut lines = vec![format!("{:<7} {what} {}{asked}", report.verdict().name(), id.get(..12).unwrap_or(id))];
    match report.refused().and_then(|check| Some((check.step, check.reason()?))) {
        Some((step, reason)) => {
            lines.push(format!("  step {} {}: {reason}", step.number(), reason.code()));
            lines.push(format!("  {}", reason.advice()));
        }
        None => lines.extend(good_lines(report)),
    }
    if facts.instance == "sandbox" {
        lines.push("  under a sandbox: for trial, training and tests only".to_owned());
    }
    lines.extend(facts.notes.iter().map(|note| format!("  note: {}", printable(note))));
    lines.join("\n")
}

fn good_lines(report: &Report) -> Vec<String> {
    let facts = report.facts();
    let mut lines = Vec::new();
    if let Some(identity) = &facts.identity {
        let accepted = if report.trust() == Trust::Fully { "accepted" } else { "not checked against any list" };
        lines.push(format!(
            "  by {} ({}), {accepted}",
            printable(identity.subject.name()),
            printable(&identity.issuer)
        ));
    }
    lines.extend(facts.times.iter().map(|(source, time)| format!("  at {time} ({})", source.name())));
    lines.extend(
        facts.entries.iter().map(|entry| format!("  entry {} in the log {}", entry.index, printable(&entry.log))),
    );
    lines
}
