//! `git keyless show`: everything in one signature, step by step; what was verified and what is only claimed, apart.

use std::path::Path;
use std::process::ExitCode;

use super::{Stop, now, policy, print, settings, stopped, trust_root, trusted_identities};
use crate::cli;
use crate::format::armor;
use crate::format::cms::{self, SignedData};
use crate::format::entry::Entry;
use crate::format::hex;
use crate::format::object::Object;
use crate::key::Memo;
use crate::outside::repo::Repository;
use crate::policy::Circumstance;
use crate::report::{Outcome, Report, Verdict, printable};
use crate::verify::{self, Verifier};

/// Runs it. 0 when the verdict is good, 1 when it is not, 2 without one.
pub fn run(args: &cli::Show) -> ExitCode {
    match show(args) {
        Ok(code) => ExitCode::from(code),
        Err(stop) => stopped(&stop),
    }
}

fn show(args: &cli::Show) -> Result<u8, Stop> {
    let here = Path::new(".");
    let repository = Repository::discover(here).map_err(Stop::new)?;
    let named = repository.resolve(&args.rev).map_err(Stop::new)?;
    let found = repository.read(&named.id).map_err(|error| Stop::new(error.asked_as(&args.rev)))?;
    let object = Object::split(found.raw, found.kind, found.format, Some(named.id));
    if args.bundle {
        return bundle(&object);
    }
    let settings = settings(here)?;
    let (root, memo) = (trust_root(args.trust.trusted_root.as_deref(), &settings)?, Memo::new());
    let policy = policy(&settings, trusted_identities(&settings)?, false)?;
    let report = Verifier::new(&root, &memo).verify(&object, now()?).report(&policy, &Circumstance { tag: named.tag });
    print(&text(&args.rev, &object, &report))?;
    Ok(u8::from(report.verdict() != Verdict::Good))
}

fn bundle(object: &Object) -> Result<u8, Stop> {
    let bundle = verify::bundle(object).map_err(Stop::new)?;
    let bundle = bundle
        .ok_or_else(|| Stop::new("no bundle: this object's signature does not verify (git keyless show says why)"))?;
    print(&serde_json::to_string_pretty(&bundle).map_err(Stop::new)?)?;
    Ok(0)
}

fn text(rev: &str, object: &Object, report: &Report) -> String {
    let facts = report.facts();
    let mut lines = vec![
        format!("{} {} ({})", object.kind().name(), facts.object.as_deref().unwrap_or_default(), printable(rev)),
        printable(&report.message()),
        String::new(),
        "Steps".to_owned(),
    ];
    lines.extend(report.checks().iter().map(|check| {
        let result = match &check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "FAILED",
            Outcome::Missing(_) => "missing",
            Outcome::NotReached => "not reached",
            Outcome::NotRequired => "not required",
        };
        format!("  {} {:<9} {:<13} {}", check.step.number(), check.step.name(), result, printable(&check.detail))
    }));
    if let Some(reason) = report.reason() {
        lines.push(format!("  {}: {}", reason.code(), reason.advice()));
    }
    section(&mut lines, "Verified", verified(report));
    section(&mut lines, "Claimed, and evidence of nothing by itself", claimed(object));
    lines.join("\n")
}

fn section(lines: &mut Vec<String>, title: &str, rows: Vec<(String, String)>) {
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.extend([String::new(), title.to_owned()]);
    lines.extend(rows.iter().map(|(name, value)| format!("  {name:<width$}  {}", printable(value))));
}

fn verified(report: &Report) -> Vec<(String, String)> {
    let facts = report.facts();
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(identity) = &facts.identity {
        row("subject", format!("{} ({})", identity.subject.name(), identity.subject.kind()));
        row("issuer", identity.issuer.clone());
    }
    facts.times.iter().for_each(|(source, time)| row(source.name(), time.to_string()));
    facts.entries.iter().for_each(|entry| row("entry", format!("{} of {}, {}", entry.index, entry.log, entry.kind)));
    if let Some(certificate) = &facts.certificate {
        row("certificate", format!("sha256:{}", hex(&certificate.sha256)));
        row("serial", hex(&certificate.serial));
        row("valid", certificate.validity.to_string());
    }
    if let Some(tag) = &facts.tag {
        row("tag", format!("{} of {}", tag.name, tag.target));
    }
    row("instance", facts.instance.clone());
    row("trust root", format!("sha256:{}", hex(&facts.trust_root)));
    row("identity", report.trust().name().to_owned());
    facts.notes.iter().for_each(|note| row("note", note.clone()));
    rows
}

/// What the signature says, read without judging it.
fn claimed(object: &Object) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let Ok(signed) =
        armor::dearmor(object.signature()).map_err(drop).and_then(|der| SignedData::parse(&der).map_err(drop))
    else {
        return rows;
    };
    let Some(signer) = signed.signer() else { return rows };
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(time) = cms::signing_time(signer.signed()) {
        row("signing time", time.to_string());
    }
    for certificate in signed.certificates() {
        let role = if signer.is(certificate) { "signer's" } else { "another" };
        row(
            "certificate",
            format!("{role}, issued by {}, {} bytes", certificate.issuer_name(), certificate.der().len()),
        );
        for (name, value) in certificate.fulcio_extensions().into_iter().filter(|_| signer.is(certificate)) {
            row(&format!("  {name}"), value);
        }
    }
    for attribute in signer.unsigned() {
        let values = attribute.values.iter().map(|value| value.value().len());
        row("unsigned attribute", format!("{} with values of {:?} bytes", attribute.oid, values.collect::<Vec<_>>()));
    }
    let entry =
        cms::sole_value(signer.unsigned(), cms::LOG_ENTRY, "log entry").and_then(cms::octets).and_then(Entry::parse);
    if let Ok(entry) = entry {
        row(
            "log entry",
            format!("{} {}, index {}, log {}", entry.kind, entry.version, entry.log_index, hex(&entry.log_id)),
        );
        if let Some(proof) = &entry.proof {
            let hashes = match proof.hashes.len() {
                1 => "1 hash".to_owned(),
                more => format!("{more} hashes"),
            };
            row("  proof", format!("index {} of {}, {hashes}", proof.index, proof.size));
            let note = proof.checkpoint.clone().unwrap_or_default();
            note.lines().for_each(|line| row("  checkpoint", line.to_owned()));
        }
    }
    rows
}
