//! 10,384 signatures of public repositories, each judged and compared with what an independent reader found.
//!
//! The corpus is not part of the project (it holds real names): it is looked for in `$GIT_KEYLESS_CORPUS` and in
//! `../shared/corpus`, and the test says so when it is in neither.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Mutex;

use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::{Outcome, Report, TimeSource, Verdict};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;

use crate::cores::on_all_cores;

/// One row of `index.csv.gz` with its object.
pub(crate) struct Row {
    pub(crate) columns: HashMap<String, String>,
    pub(crate) object: Object,
}

impl Row {
    pub(crate) fn column(&self, name: &str) -> &str {
        self.columns.get(name).map_or("", String::as_str)
    }

    /// What this row must give, and why. The classes are the index's own.
    fn expected(&self) -> Expected {
        let class = self.column("cls");
        let has = |part: &str| class.contains(part);
        let unknown = |reason| Expected { verdict: Verdict::Unknown, reason: Some(reason), passed: 0 };
        match self.column("baseline") {
            // No CMS: not signed at all, or help text or debug output under the header.
            "ERR" if self.object.signature().is_empty() => unknown("signature-missing"),
            "ERR" => Expected { verdict: Verdict::Bad, reason: Some("armor-malformed"), passed: 0 },
            // A CMS without certificate cannot be keyless: a keyless signer's only name is its certificate.
            "NOLEAF" => unknown("not-keyless"),
            // The one that does not verify is S/MIME.
            "FAIL-SIG" => unknown("not-keyless"),
            "PASS" if has("smime-ca") || has("self-signed") => unknown("not-keyless"),
            // Another instance's authority, whatever it calls itself.
            "PASS" if has("private-fulcio") => unknown("issuer-unknown"),
            // The authority of 2021 issued without SCT, and this trust root lists logs.
            "PASS" if has("pg-root2021") => Expected { passed: 3, ..unknown("sct-missing") },
            // "Online" signatures of gitsign: everything that needs no log holds. The prototype of 2023
            // stored attributes that prove nothing.
            "PASS" if has("pg-int") && (has("no-tle") || has("legacy-rekor-attrs")) => {
                Expected { passed: 5, ..unknown("entry-missing") }
            }
            "PASS" if has("pg-int") && has("TLE:") => Expected { verdict: Verdict::Good, reason: None, passed: 8 },
            other => panic!("a class that nobody has thought about: {other} {class}"),
        }
    }
}

struct Expected {
    verdict: Verdict,
    reason: Option<&'static str>,
    /// The first so many steps must have passed.
    passed: usize,
}

/// The folder, or none with a notice.
fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let found = std::env::var_os("GIT_KEYLESS_CORPUS")
        .map(PathBuf::from)
        .into_iter()
        .chain([beside])
        .find(|path| path.join("index.csv.gz").is_file());
    if found.is_none() {
        crate::support::skipped("no corpus in $GIT_KEYLESS_CORPUS or ../shared/corpus");
    }
    found
}

/// All rows, or none with a notice.
pub(crate) fn rows() -> Option<Vec<Row>> {
    let folder = folder()?;
    let open = |name: &str| flate2::read::GzDecoder::new(std::fs::File::open(folder.join(name)).unwrap());
    let mut objects = HashMap::new();
    for file in tar::Archive::new(open("objects.tar.gz")).entries().unwrap() {
        let mut file = file.unwrap();
        let path = file.path().unwrap().into_owned();
        let (Some(id), Some(ending)) = (path.file_stem(), path.extension()) else { continue };
        let key = (id.to_string_lossy().into_owned(), ending.to_string_lossy().into_owned());
        let mut raw = Vec::new();
        file.read_to_end(&mut raw).unwrap();
        objects.insert(key, raw);
    }
    let mut table = csv::Reader::from_reader(open("index.csv.gz"));
    let names: Vec<_> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = table.records().map(|record| {
        let columns: HashMap<_, _> = names.iter().cloned().zip(record.unwrap().iter().map(str::to_owned)).collect();
        let id = columns["oid"].clone();
        let ending = match columns["type"].as_str() {
            "mergetag" => "mergetag",
            "tag" => "tag",
            _ => "commit",
        };
        let raw =
            objects.get(&(id.clone(), ending.to_owned())).unwrap_or_else(|| panic!("no object {id}.{ending}")).clone();
        let kind = if ending == "commit" { Kind::Commit } else { Kind::Tag };
        // A tag inside a mergetag header has lost the LF at its end, and its id with it.
        let asked = (ending != "mergetag").then_some(id);
        Row { columns, object: Object::split(raw, kind, ObjectFormat::Sha1, asked) }
    });
    Some(rows.collect())
}

/// Far enough in the future that history is history.
pub(crate) fn now() -> Time {
    Time::parse("2026-11-20T00:00:00Z").unwrap()
}

#[test]
fn every_real_signature_gets_its_verdict_reason_and_facts() {
    let Some(rows) = rows() else { return };
    let (root, memo) = (TrustRoot::public_good().unwrap(), Memo::new());
    let counts = Mutex::new(BTreeMap::<String, usize>::new());
    let wrong = on_all_cores(&rows, |row| {
        let report =
            Verifier::new(&root, &memo).verify(&row.object, now()).report(&Policy::default(), &Circumstance::default());
        let answer = format!("{} {}", report.verdict().name(), report.reason().map_or("", |reason| reason.code()));
        *counts.lock().unwrap().entry(format!("{answer:<26} {}", row.column("cls"))).or_default() += 1;
        differences(row, &report)
            .map(|why| format!("{} {} [{}]: {why}", row.column("repo"), row.column("oid"), row.column("cls")))
    });
    for (class, count) in counts.into_inner().unwrap() {
        println!("{count:6} {class}");
    }
    println!("{} objects judged, {} wrong", rows.len(), wrong.len());
    assert_eq!(rows.len(), 10_384);
    assert!(wrong.is_empty(), "{} wrong, the first:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

fn differences(row: &Row, report: &Report) -> Option<String> {
    let expected = row.expected();
    let reason = report.reason().map(|reason| reason.code());
    if (report.verdict(), reason) != (expected.verdict, expected.reason) {
        return Some(format!("{:?} {reason:?}: {}", report.verdict(), report.message()));
    }
    if let Some(check) = report.checks().iter().take(expected.passed).find(|check| check.outcome != Outcome::Passed) {
        return Some(format!("step {} did not pass: {}", check.step.name(), check.detail));
    }
    if expected.passed >= 5 { facts(row, report) } else { None }
}

/// SCT, promise, proof and checkpoint results, identity, times: as the index has them.
fn facts(row: &Row, report: &Report) -> Option<String> {
    let facts = report.facts();
    let identity = facts
        .identity
        .as_ref()
        .map(|identity| (identity.subject.kind(), identity.subject.name(), identity.issuer.as_str()));
    let kind = if row.column("san_kind") == "email" { "email" } else { "uri" };
    let indexed = Some((kind, row.column("san"), row.column("oidc_v1")));
    if identity != indexed {
        return Some(format!("identity {identity:?}, not {indexed:?}"));
    }
    let certificate = facts.certificate.as_ref()?;
    let dates = (
        certificate.validity.start.to_string(),
        certificate.validity.end.map(|end| end.to_string()).unwrap_or_default(),
    );
    if dates != (row.column("not_before").to_owned(), row.column("not_after").to_owned()) {
        return Some(format!("dates {dates:?}"));
    }
    let flag = |name: &str| row.column(name) == "True";
    let entry = report.verdict() == Verdict::Good;
    let indexed = [flag("sct_ok"), flag("tle_set_ok"), flag("tle_proof_ok"), flag("tle_checkpoint_ok")];
    let passed = |step: usize| report.checks()[step - 1].outcome == Outcome::Passed;
    let ours = [passed(4), passed(6), passed(6), passed(6)];
    if ours != indexed {
        return Some(format!("sct, promise, proof, checkpoint are {ours:?}, not {indexed:?}"));
    }
    if entry {
        let time =
            facts.times.iter().find(|(source, _)| *source == TimeSource::Promise).map(|(_, time)| time.to_string());
        if time.as_deref() != Some(row.column("tle_integrated_time")) {
            return Some(format!("promised at {time:?}, not {}", row.column("tle_integrated_time")));
        }
        let kinds: Vec<_> = facts.entries.iter().map(|entry| entry.kind.as_str()).collect();
        if kinds != [row.column("tle_kind")] {
            return Some(format!("kinds {kinds:?}, not {}", row.column("tle_kind")));
        }
    }
    None
}
