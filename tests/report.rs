//! What a report says: its words, its JSON, whom it trusts, and what to do next.

use std::collections::{BTreeMap, BTreeSet};

use git_keyless::format::armor;
use git_keyless::format::cms::SignedData;
use git_keyless::format::{base64, hex, unbase64};
use git_keyless::key::{Memo, sha1_of, sha256};
use git_keyless::policy::Accepted;
use git_keyless::report::{Outcome, Report, Step, Trust, Verdict};
use git_keyless::verify::{self, Verifier};
use serde_json::{Value, json};

use crate::vectors::Vector;

pub(crate) fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../src/report.schema.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
pub(crate) fn check(schema: &jsonschema::Validator, line: &Value) {
    let errors: Vec<_> = schema.iter_errors(line).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{line:#}\n{}", errors.join("\n"));
}

fn stranger() -> Vec<Accepted> {
    vec![Accepted { subject: "stranger@example.test".into(), issuer: "https://issuer.test".into() }]
}

fn judged_for(vector: &Vector, accepted: Vec<Accepted>) -> Report {
    vector.judge_for(&vector.object(), &Memo::new(), vector.now(), accepted)
}

/// Identity, times and entries as the vector's header has them; every step passed, in order, each with a word of its own.
#[test]
fn a_good_object_in_json() {
    let schema = schema();
    for vector in Vector::of("good") {
        let report = vector.report();
        let found = report.to_json("REV");
        check(&schema, &found);
        let identity = json!({ "subject": vector.value("subject"), "subject_type": vector.value("subject-type"),
                               "issuer": vector.value("issuer") });
        assert_eq!((&found["rev"], &found["verdict"], &found["reason"]), (&json!("REV"), &json!("good"), &Value::Null));
        assert_eq!((&found["identity"], &found["trust"]), (&identity, &json!("fully")), "{}", vector.name);
        let said = found["message"].as_str().unwrap();
        assert!(said.contains(vector.value("subject")) && said.contains(vector.value("issuer")), "{said}");
        let list = |name: &str| found[name].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut times: Vec<_> =
            list("times").iter().map(|time| format!("{} {}", text(&time["source"]), text(&time["time"]))).collect();
        times.sort();
        assert_eq!(times, vector.values("time"), "{}", vector.name);
        let entries: Vec<_> = list("entries")
            .iter()
            .map(|entry| format!("{} {} {}", text(&entry["kind"]), text(&entry["index"]), text(&entry["log"])))
            .collect();
        assert_eq!(entries, vector.values("entry"), "{}", vector.name);
        let checks: Vec<_> = list("checks").iter().map(|check| (check["step"].clone(), text(&check["name"]))).collect();
        let names = ["object", "cms", "chain", "sct", "profile", "entry", "time", "validity", "policy"];
        let expected: Vec<_> = (1..).map(|step: u8| json!(step)).zip(names.map(str::to_owned)).collect();
        assert_eq!(checks, expected);
        check_details(&vector, &report);
        // Notes are there when there is something to note.
        assert_ne!(found.get("notes").map(|notes| notes.as_array().unwrap().is_empty()), Some(true), "{}", vector.name);
        let ignored = "1 timestamp token(s) of authorities that the trust root does not list were ignored";
        let strange = vector.name.ends_with("foreign-token");
        assert_eq!(found.get("notes") == Some(&json!([ignored])), strange, "{}: {:?}", vector.name, found.get("notes"));
        let labelled = json!(["the entry is labelled hashedrekord 0.0.1 and is hashedrekord/0.0.2"]);
        assert_eq!(found.get("notes") == Some(&labelled), vector.name.ends_with("v2-labelled-v1"), "{}", vector.name);
    }
}

/// Each step says what it has found.
fn check_details(vector: &Vector, report: &Report) {
    let entries = vector.values("entry").into_iter().map(|entry| {
        let words: Vec<_> = entry.split(' ').collect();
        format!("entry {} of {}", words[1], words[2])
    });
    let times = vector.values("time").into_iter().map(|time| time.split(' ').nth(1).unwrap().to_owned());
    let identity = [vector.value("subject").to_owned(), vector.value("issuer").to_owned()];
    let validity = match vector.values("time").len() {
        1 => "valid at the verified time".to_owned(),
        times => format!("valid at all {times} verified times"),
    };
    let pair = Accepted { subject: identity[0].clone(), issuer: identity[1].clone() };
    let words: [Vec<String>; 9] = [
        vec!["one native signature".into()],
        vec!["what was signed, with P256 and SHA-256".into()],
        vec!["issued by CN=".into(), "(http".into()],
        vec!["logged by http".into(), "at 2026-".into()],
        identity.to_vec(),
        entries.collect(),
        times.collect(),
        vec![validity],
        vec![format!("{pair} is accepted")],
    ];
    for (check, words) in report.checks().iter().zip(words) {
        // What is not required has another sentence.
        if check.outcome == Outcome::Passed {
            assert!(!words.is_empty(), "{}: step {}", vector.name, check.step.name());
            let missing: Vec<_> = words.iter().filter(|word| !check.detail.contains(*word)).collect();
            assert!(missing.is_empty(), "{}: {}: {missing:?}", vector.name, check.detail);
        }
    }
}

/// What is verified is known before anybody is asked whom to trust.
#[test]
fn facts_stand_before_any_list() {
    for vector in Vector::of("good") {
        let memo = Memo::new();
        let verified = Verifier::new(&vector.root, &memo).verify(&vector.object(), vector.now());
        assert_eq!(verified.facts(), vector.report().facts(), "{}", vector.name);
        let cms = SignedData::parse(&armor::dearmor(vector.parts().signature()).unwrap()).unwrap();
        let signer = cms.signer().unwrap();
        let leaf = cms.certificates().iter().find(|certificate| signer.is(certificate)).unwrap();
        assert_eq!(verified.facts().fingerprint, Some(hex(&sha1_of(&[leaf.der()]))), "{}", vector.name);
        assert!(verified.checks().iter().all(|check| check.holds()));
    }
}

/// Bundles of what verifies at least by itself, with the body that was judged; of nothing else.
#[test]
fn bundles() {
    for vector in Vector::of("good") {
        let bundle = verify::bundle(&vector.object()).unwrap().expect("no bundle");
        assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        let material = &bundle["verificationMaterial"];
        let cms = SignedData::parse(&armor::dearmor(vector.parts().signature()).unwrap()).unwrap();
        let signer = cms.signer().unwrap();
        let leaf = cms.certificates().iter().find(|certificate| signer.is(certificate)).unwrap();
        assert_eq!(material["certificate"]["rawBytes"], base64(leaf.der()), "{}", vector.name);
        assert_eq!(bundle["messageSignature"]["signature"], base64(signer.signature()), "{}", vector.name);
        let digest = sha256(signer.signed_attributes().unwrap());
        assert_eq!(bundle["messageSignature"]["messageDigest"]["digest"], base64(&digest), "{}", vector.name);
        let entries: Vec<_> = material["tlogEntries"].as_array().into_iter().flatten().collect();
        assert_eq!(entries.len(), vector.values("entry").len(), "{}", vector.name);
        for (entry, expected) in entries.iter().zip(vector.values("entry")) {
            let body = unbase64(entry["canonicalizedBody"].as_str().unwrap()).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let kind = format!("{}/{}", body["kind"].as_str().unwrap(), body["apiVersion"].as_str().unwrap());
            assert!(expected.starts_with(&format!("{kind} ")), "{}: {kind}", vector.name);
            let promised = entry.get("integratedTime").is_some();
            assert_eq!(promised, kind.ends_with("0.0.1") || vector.name.ends_with("with-a-time"), "{}", vector.name);
            assert_eq!(entry["kindVersion"]["version"], body["apiVersion"], "{}", vector.name);
            assert_eq!(entry.get("inclusionPromise").is_some(), kind.ends_with("0.0.1"), "{}", vector.name);
        }
        let tokens = material["timestampVerificationData"]["rfc3161Timestamps"].as_array().map_or(0, Vec::len);
        assert!(tokens >= vector.values("time").iter().filter(|time| time.starts_with("timestamp ")).count());
    }
    for vector in Vector::of("digest-mismatch").into_iter().chain(Vector::of("not-keyless")) {
        assert_eq!(verify::bundle(&vector.object()), Ok(None), "{}", vector.name);
    }
}

/// The five ways that a step can end, by their words.
#[test]
fn how_a_step_ended_in_words() {
    let mut seen = BTreeMap::<String, usize>::new();
    for vector in Vector::all() {
        for report in [vector.report(), judged_for(&vector, Vec::new())] {
            let json = report.to_json("x");
            for (check, said) in report.checks().iter().zip(json["checks"].as_array().unwrap()) {
                let (word, reason) = match &check.outcome {
                    Outcome::Passed => ("passed", None),
                    Outcome::Failed(reason) => ("failed", Some(reason.code())),
                    Outcome::Missing(reason) => ("missing", Some(reason.code())),
                    Outcome::NotReached => ("not-reached", None),
                    Outcome::NotRequired => ("not-required", None),
                };
                assert_eq!((&said["result"], &said["reason"]), (&json!(word), &json!(reason)), "{}", vector.name);
                *seen.entry(word.to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

/// Never trusted once a signature is false; a stranger's good signature is a stranger's; nobody's list decides nothing.
#[test]
fn whom_it_trusts() {
    let mut false_and_strange = 0;
    for vector in Vector::all() {
        let own = if vector.accepted().is_empty() { Trust::Undefined } else { Trust::Fully };
        let (accepted, strange, anybody) =
            (vector.report(), judged_for(&vector, stranger()), judged_for(&vector, Vec::new()));
        let expected = |report: &Report, good: Trust| match (report.verdict(), report.reason().map(|r| r.code())) {
            (Verdict::Good, _) => good,
            (Verdict::Unknown, _) | (_, Some("identity-not-accepted")) => Trust::Undefined,
            (Verdict::Bad, _) => Trust::Never,
        };
        assert_eq!(accepted.trust(), expected(&accepted, own), "{}", vector.name);
        assert_eq!(strange.trust(), expected(&strange, Trust::Fully), "{}", vector.name);
        let listless = expected(&anybody, Trust::Undefined);
        assert_eq!(anybody.trust(), listless, "{}", vector.name);
        let codes: BTreeSet<_> = strange.checks().iter().filter_map(|check| check.reason()).map(|r| r.code()).collect();
        let false_itself = strange
            .checks()
            .iter()
            .any(|check| check.step != Step::Policy && matches!(check.outcome, Outcome::Failed(_)));
        if codes.contains("identity-not-accepted") && false_itself {
            assert_eq!(strange.trust(), Trust::Never, "{}", vector.name);
            false_and_strange += 1;
        }
    }
    assert!(false_and_strange > 0, "no vector is false and of a stranger at once");
    let words = [Trust::Fully, Trust::Undefined, Trust::Never].map(Trust::name);
    assert_eq!(words, ["fully", "undefined", "never"]);
}

/// What to do about a reason, in the output and in the man page: the same words, and there perhaps more.
#[test]
fn what_to_do_about_each_reason() {
    let page = include_str!("../man/git-keyless-verification.7");
    let (_, reasons) = page.split_once(".SH REASONS").unwrap();
    let plain = |text: &str| text.replace("\\-", "-").replace("\\(aq", "'").replace("\n.B ", " ").replace('\n', " ");
    let written: BTreeMap<_, _> = reasons
        .split("\n.TP\n.BR ")
        .skip(1)
        .map(|entry| {
            let (code, entry) = entry.split_once(' ').unwrap();
            let (_, what_to_do) = entry.split_once("\n.br\n").unwrap();
            (plain(code), plain(what_to_do).to_lowercase())
        })
        .collect();
    let mut seen = BTreeSet::new();
    for vector in Vector::all() {
        let report = vector.report();
        let Some(reason) = report.reason() else { continue };
        let advice = reason.advice();
        let (begins, _) = advice.split_once(';').unwrap_or((advice, ""));
        let page = &written[reason.code()];
        assert!(page.starts_with(&begins.to_lowercase()), "{}: `{advice}`, in the man page `{page}`", reason.code());
        assert!(!advice.contains('\n') && !advice.ends_with('.'), "{advice}");
        seen.insert(reason.code());
    }
    assert_eq!(seen.len(), written.len(), "every reason has a vector");
}
