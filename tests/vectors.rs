//! Signed objects as files, one defect each, in the folder of the reason that they are refused for; and good ones. See
//! `tests/vectors/README.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Accepted, Circumstance, Policy};
use git_keyless::report::{Check, Outcome, Report, Trust, Verdict};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;

use crate::cores::on_all_cores;

/// One case of a folder.
#[derive(Clone)]
pub(crate) struct Vector {
    /// `FOLDER/CASE`.
    pub(crate) name: String,
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) bytes: Bytes,
    pub(crate) root: TrustRoot,
}

/// As git stores it, or as it hands it over.
#[derive(Clone)]
pub(crate) enum Bytes {
    Object(Vec<u8>),
    Parts { payload: Vec<u8>, signature: Vec<u8> },
}

/// Verdict and reason.
pub(crate) type Expected = (String, Option<String>);

impl Vector {
    /// All of them, in the order of their names.
    pub(crate) fn all() -> Vec<Self> {
        folders().iter().flat_map(|folder| Self::of(folder)).collect()
    }

    /// Those of one folder.
    pub(crate) fn of(folder: &str) -> Vec<Self> {
        let files = std::fs::read_dir(vectors().join(folder)).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
            .map(|path| Self::read(folder, &path))
            .collect()
    }

    fn read(folder: &str, path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let line = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", path.display()));
            (key.to_owned(), value.to_owned())
        };
        let lines: Vec<_> = text.lines().map(line).collect();
        let read = |ending: &str| std::fs::read(path.with_extension(ending));
        let bytes = match read("object") {
            Ok(object) => Bytes::Object(object),
            Err(_) => Bytes::Parts { payload: read("payload").unwrap(), signature: read("signature").unwrap() },
        };
        let trust = &lines.iter().find(|(key, _)| key == "trust").unwrap().1;
        let json = std::fs::read(vectors().join(trust)).unwrap_or_else(|error| panic!("{trust}: {error}"));
        let root = TrustRoot::parse(&json, "custom").unwrap();
        Self { name: format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy()), lines, bytes, root }
    }

    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        self.lines.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn value(&self, key: &str) -> &str {
        self.values(key).first().unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    /// The first of `keys` that the vector has.
    pub(crate) fn expected(&self, keys: &[&str]) -> Expected {
        let found = keys.iter().find_map(|key| self.values(key).first().copied()).unwrap();
        match found.split_once(' ') {
            None => (found.to_owned(), None),
            Some((verdict, reason)) => (verdict.to_owned(), Some(reason.to_owned())),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time::parse(self.value("at")).unwrap()
    }

    /// What is judged: the object, or payload and signature where that is all there is.
    pub(crate) fn object(&self) -> Object {
        let Bytes::Object(raw) = &self.bytes else { return self.parts() };
        let kind = match self.value("type") {
            "commit" => Kind::Commit,
            "tag" => Kind::Tag,
            "push-certificate" => Kind::PushCertificate,
            other => panic!("{}: a {other}", self.name),
        };
        let asked = self.values("object").first().map(|id| (*id).to_owned());
        Object::split(raw.clone(), kind, ObjectFormat::guess(raw), asked)
    }

    /// What git would hand over.
    pub(crate) fn parts(&self) -> Object {
        match &self.bytes {
            Bytes::Parts { payload, signature } => Object::of(payload.clone(), signature.clone()),
            Bytes::Object(_) => {
                let object = self.object();
                Object::of(object.payload().to_vec(), object.signature().to_vec())
            }
        }
    }

    /// Whom the vector accepts: a good one its own identity.
    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        let own = || Accepted { subject: self.value("subject").to_owned(), issuer: self.value("issuer").to_owned() };
        match self.values("accepted").as_slice() {
            [] => vec![own()],
            ["nobody"] => Vec::new(),
            accepted => accepted.iter().map(|pair| Accepted::parse(pair).unwrap()).collect(),
        }
    }

    pub(crate) fn judge(&self, object: &Object, memo: &Memo) -> Report {
        self.judge_for(object, memo, self.now(), self.accepted())
    }

    pub(crate) fn judge_for(&self, object: &Object, memo: &Memo, now: Time, accepted: Vec<Accepted>) -> Report {
        let denied = self.values("denied").iter().map(|pair| Accepted::parse(pair).unwrap()).collect();
        let policy = Policy::new(accepted, !self.values("required").is_empty()).denying(denied);
        let circumstance = Circumstance { tag: self.values("tag").first().map(|tag| (*tag).to_owned()) };
        Verifier::new(&self.root, memo).verify(object, now).report(&policy, &circumstance)
    }

    /// By itself, with nothing remembered.
    pub(crate) fn report(&self) -> Report {
        self.judge(&self.object(), &Memo::new())
    }
}

/// `tests/vectors`.
pub(crate) fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Folders with vectors: all but the one with trust roots.
fn folders() -> Vec<String> {
    let mut folders: Vec<_> = std::fs::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir() && entry.file_name() != "trust")
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    folders
}

fn found(report: &Report) -> Expected {
    (report.verdict().name().to_owned(), report.reason().map(|reason| reason.code().to_owned()))
}

/// Every word that `Reason::code` gives, out of the source: an enum does not list its variants.
fn reasons() -> BTreeSet<String> {
    let source = include_str!("../src/report/reason.rs");
    let (_, body) = source.split_once("pub fn code(&self)").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let arm = |line: &str| Some(line.split_once("=> \"")?.1.split_once('"')?.0.to_owned());
    body.lines().filter_map(arm).collect()
}

#[test]
fn every_reason_has_a_folder_and_every_folder_a_reason() {
    let folders: BTreeSet<_> = folders().into_iter().filter(|folder| folder != "good").collect();
    let reasons = reasons();
    assert!(reasons.len() > 50, "{reasons:?}");
    let without: Vec<_> = reasons.difference(&folders).collect();
    let nameless: Vec<_> = folders.difference(&reasons).collect();
    assert!(without.is_empty() && nameless.is_empty(), "no vectors: {without:?}; no reason: {nameless:?}");
    assert!(folders.iter().all(|folder| !Vector::of(folder).is_empty()));
}

#[test]
fn every_vector_is_judged_as_it_says() {
    let (vectors, shared) = (Vector::all(), Memo::new());
    let wrong: Vec<_> = on_all_cores(&vectors, |vector| {
        let object = vector.object();
        let report = vector.judge(&object, &Memo::new());
        let (expected, mut wrong) = (vector.expected(&["expect"]), Vec::new());
        if found(&report) != expected {
            wrong.push(format!("{}: {}", vector.name, report.message()));
        }
        let reason = expected.1.unwrap_or_else(|| "good".to_owned());
        if vector.name.split_once('/').unwrap().0 != reason {
            wrong.push(format!("{}: not the folder of {reason}", vector.name));
        }
        let step = report.checks().iter().find(|check| check.reason() == report.reason() && check.reason().is_some());
        if step.map(|check| check.step.number().to_string()).as_deref() != vector.values("step").first().copied() {
            wrong.push(format!("{}: refused by step {step:?}", vector.name));
        }
        if vector.judge(&object, &shared) != report || vector.judge(&object, &shared) != report {
            wrong.push(format!("{}: another report with what was remembered", vector.name));
        }
        let parts = vector.judge(&vector.parts(), &shared);
        if found(&parts) != vector.expected(&["parts", "expect"]) {
            wrong.push(format!("{}: payload and signature: {}", vector.name, parts.message()));
        }
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    });
    println!("{} vectors judged", vectors.len());
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_step_alone_refuses_something() {
    let vectors: Vec<_> = Vector::all().into_iter().filter(|vector| !vector.values("sole").is_empty()).collect();
    let mut steps = BTreeSet::new();
    for vector in &vectors {
        let report = vector.report();
        let refuses = |check: &&Check| matches!(check.outcome, Outcome::Failed(_) | Outcome::Missing(_));
        let refused: Vec<_> = report.checks().iter().filter(refuses).map(|check| check.step.number()).collect();
        let sole: u8 = vector.value("sole").parse().unwrap();
        assert_eq!(refused, [sole], "{}: {:?}", vector.name, report.checks());
        steps.insert(sole);
    }
    assert_eq!(steps, (1..=9).collect());
}

#[test]
fn good_vectors_say_what_they_must() {
    let vectors = Vector::of("good");
    assert!(vectors.len() >= 20, "{} vectors", vectors.len());
    for vector in &vectors {
        let report = vector.report();
        let found = (report.verdict().name(), report.trust());
        assert_eq!(found, (vector.value("expect"), Trust::Fully), "{}: {}", vector.name, report.message());
        let facts = report.facts();
        let identity = facts.identity.as_ref().unwrap();
        assert_eq!(
            (identity.subject.name(), identity.subject.kind(), identity.issuer.as_str()),
            (vector.value("subject"), vector.value("subject-type"), vector.value("issuer")),
            "{}",
            vector.name
        );
        let mut times: Vec<_> = facts.times.iter().map(|(source, time)| format!("{} {time}", source.name())).collect();
        // The promise's is the first; tokens stand in the order of their bytes.
        times.sort();
        assert_eq!(times, vector.values("time"), "{}", vector.name);
        assert!(!times.is_empty(), "{}", vector.name);
        let entries: Vec<_> =
            facts.entries.iter().map(|entry| format!("{} {} {}", entry.kind, entry.index, entry.log)).collect();
        assert_eq!(entries, vector.values("entry"), "{}", vector.name);
        assert_eq!(facts.kind.map(Kind::name), Some(vector.value("type")), "{}", vector.name);
    }
}

/// The same object is somebody else's for whoever expects somebody else, unknown before its day, and bad once a byte
/// of its payload is another.
#[test]
fn good_vectors_are_good_for_nothing_else() {
    for vector in Vector::of("good") {
        let (object, memo) = (vector.object(), Memo::new());
        let code = |report: Report| report.reason().map(|reason| reason.code());
        let other = |subject: &str, issuer: &str| {
            let accepted = vec![Accepted { subject: subject.to_owned(), issuer: issuer.to_owned() }];
            code(vector.judge_for(&object, &memo, vector.now(), accepted))
        };
        let (subject, issuer) = (vector.value("subject"), vector.value("issuer"));
        assert_eq!(other(subject, "https://issuer.test"), Some("identity-not-accepted"), "{}", vector.name);
        assert_eq!(other("x@example.test", issuer), Some("identity-not-accepted"), "{}", vector.name);

        let early = Time::parse("2026-01-01T00:00:00Z").unwrap();
        let early = vector.judge_for(&object, &memo, early, vector.accepted());
        assert_eq!(code(early), Some("time-in-future"), "{}", vector.name);

        let Bytes::Object(mut raw) = vector.bytes.clone() else { panic!("{}: no object", vector.name) };
        raw[5] ^= 1;
        let changed = Object::split(raw.clone(), object.kind(), ObjectFormat::guess(&raw), None);
        let changed = vector.judge(&changed, &memo);
        assert_eq!((changed.verdict(), code(changed)), (Verdict::Bad, Some("digest-mismatch")), "{}", vector.name);
    }
}
