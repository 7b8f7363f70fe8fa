//! Objects of real servers, judged without them: see `tests/vectors/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Accepted, Circumstance, Policy};
use git_keyless::report::{Report, Trust};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;

/// One case of a folder.
struct Vector {
    name: String,
    lines: Vec<(String, String)>,
    raw: Vec<u8>,
}

impl Vector {
    fn all(folder: &Path) -> Vec<Self> {
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "object"))
            .map(Self::read)
            .collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        let line = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", path.display()));
            (key.to_owned(), value.to_owned())
        };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, lines: text.lines().map(line).collect(), raw: std::fs::read(&path).unwrap() }
    }

    fn values(&self, key: &str) -> Vec<&str> {
        self.lines.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    fn value(&self, key: &str) -> &str {
        self.values(key).first().unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    fn judge(&self, folder: &Path, accepted: Vec<Accepted>) -> Report {
        let json = std::fs::read(folder.join(self.value("trust"))).unwrap();
        let root = TrustRoot::parse(&json, "custom").unwrap();
        let kind = match self.value("type") {
            "commit" => Kind::Commit,
            "tag" => Kind::Tag,
            "push-certificate" => Kind::PushCertificate,
            other => panic!("{}: a {other}", self.name),
        };
        let asked = self.values("object").first().map(|id| (*id).to_owned());
        let object = Object::split(self.raw.clone(), kind, ObjectFormat::guess(&self.raw), asked);
        let now = Time::parse(self.value("at")).unwrap();
        let memo = Memo::new();
        let verified = Verifier::new(&root, &memo).verify(&object, now);
        verified.report(&Policy::new(accepted, true), &Circumstance::default())
    }

    fn identity(&self) -> Accepted {
        Accepted { subject: self.value("subject").to_owned(), issuer: self.value("issuer").to_owned() }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good")
}

#[test]
fn good_vectors_are_good_and_say_what_they_must() {
    let vectors = Vector::all(&folder());
    assert!(vectors.len() >= 20, "{} vectors", vectors.len());
    for vector in &vectors {
        let report = vector.judge(&folder(), vec![vector.identity()]);
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
        let times: Vec<_> = facts.times.iter().map(|(source, time)| format!("{} {time}", source.name())).collect();
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
    for vector in Vector::all(&folder()) {
        let other =
            |subject: &str, issuer: &str| vec![Accepted { subject: subject.to_owned(), issuer: issuer.to_owned() }];
        let judge = |accepted| vector.judge(&folder(), accepted).reason().map(|reason| reason.code());
        let (subject, issuer) = (vector.value("subject"), vector.value("issuer"));
        assert_eq!(judge(other(subject, "https://issuer.test")), Some("identity-not-accepted"), "{}", vector.name);
        assert_eq!(judge(other("x@example.test", issuer)), Some("identity-not-accepted"), "{}", vector.name);

        let mut lines: BTreeMap<_, _> = vector.lines.iter().cloned().collect();
        lines.insert("at".to_owned(), "2026-01-01T00:00:00Z".to_owned());
        let early = Vector { name: vector.name.clone(), lines: lines.into_iter().collect(), raw: vector.raw.clone() };
        let reason = early.judge(&folder(), vec![vector.identity()]);
        assert_eq!(reason.reason().map(|reason| reason.code()), Some("time-in-future"), "{}", vector.name);

        let mut raw = vector.raw.clone();
        raw[5] ^= 1;
        let lines = vector.lines.iter().filter(|(key, _)| key != "object").cloned().collect();
        let changed = Vector { name: vector.name.clone(), lines, raw };
        let reason = changed.judge(&folder(), vec![vector.identity()]);
        assert_eq!(reason.reason().map(|reason| reason.code()), Some("digest-mismatch"), "{}", vector.name);
    }
}
