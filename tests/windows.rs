//! Windows of the trust root are closed intervals: a key counts at its first and at its last moment, and not a
//! millisecond outside.

use std::path::PathBuf;

use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::Report;
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;
use serde_json::{Value, json};

/// A vector under its own trust root with the window at `place` replaced.
fn judge(case: &str, place: &str, window: Option<Value>) -> Report {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let raw = std::fs::read(folder.join(case).with_extension("object")).unwrap();
    let mut root: Value = serde_json::from_slice(&std::fs::read(folder.join("trusted_root.json")).unwrap()).unwrap();
    if let Some(window) = window {
        *root.pointer_mut(place).unwrap() = window;
    }
    let root = TrustRoot::parse(&serde_json::to_vec(&root).unwrap(), "custom").unwrap();
    let object = Object::split(raw, Kind::Commit, ObjectFormat::Sha1, None);
    let now = Time::parse("2026-12-01T00:00:00Z").unwrap();
    let verified = Verifier::new(&root, &Memo::new()).verify(&object, now);
    verified.report(&Policy::default(), &Circumstance::default())
}

/// `time` moved by so many milliseconds.
fn moved(time: Time, millis: i64) -> String {
    let at = u64::try_from(time.seconds() * 1000 + millis).unwrap();
    Time::from_millis(at).unwrap().to_string()
}

/// Start and end at `time` hold; a start after it, or an end before it, gives `reason`.
fn check_edges(case: &str, place: &str, time: Time, reason: &str) {
    let early = "2020-01-01T00:00:00Z";
    let at = moved(time, 0);
    for window in [json!({ "start": at, "end": at }), json!({ "start": at }), json!({ "start": early, "end": at })] {
        let report = judge(case, place, Some(window.clone()));
        assert_eq!(report.verdict().name(), "good", "{case} {place} {window}: {}", report.message());
    }
    for outside in [1, 1000, 86_400_000] {
        let (later, before) = (moved(time, outside), moved(time, -outside));
        for window in [json!({ "start": later }), json!({ "start": early, "end": before })] {
            let report = judge(case, place, Some(window.clone()));
            let found = report.reason().map(|reason| reason.code());
            assert_eq!(found, Some(reason), "{case} {place} {window}: {}", report.message());
        }
    }
}

/// The one verified time of a vector.
fn verified_time(case: &str) -> Time {
    let report = judge(case, "", None);
    let [(_, time)] = report.facts().times.as_slice() else { panic!("{case}: {:?}", report.facts().times) };
    *time
}

#[test]
fn a_log_counts_at_every_verified_time() {
    check_edges("v1", "/tlogs/0/publicKey/validFor", verified_time("v1"), "log-outside-window");
    check_edges("v2-token", "/tlogs/1/publicKey/validFor", verified_time("v2-token"), "log-outside-window");
}

#[test]
fn a_timestamp_authority_counts_at_its_own_time() {
    let time = verified_time("v2-token");
    check_edges("v2-token", "/timestampAuthorities/0/validFor", time, "authority-outside-window");
}

#[test]
fn a_certificate_authority_counts_when_it_issues_and_at_every_verified_time() {
    let place = "/certificateAuthorities/0/validFor";
    for case in ["v1", "v2-token"] {
        let issued = judge(case, "", None).facts().certificate.as_ref().unwrap().validity.start;
        let time = verified_time(case);
        let good = judge(case, place, Some(json!({ "start": moved(issued, 0), "end": moved(time, 0) })));
        assert_eq!(good.verdict().name(), "good", "{}", good.message());
        for window in [
            json!({ "start": moved(issued, 1) }),
            json!({ "start": moved(issued, -1000), "end": moved(issued, -1) }),
            json!({ "start": moved(issued, 0), "end": moved(time, -1) }),
        ] {
            let report = judge(case, place, Some(window.clone()));
            let found = report.reason().map(|reason| reason.code());
            assert_eq!(found, Some("authority-outside-window"), "{case} {window}: {}", report.message());
        }
    }
}

#[test]
fn a_certificate_log_counts_when_it_signs() {
    let place = "/ctlogs/0/publicKey/validFor";
    let report = judge("v1", "", None);
    // The step says when, to the millisecond.
    let (_, signed) = report.checks()[3].detail.rsplit_once(" at ").unwrap();
    let signed = Time::parse(signed).unwrap();
    let exactly = signed.to_string();
    let judged = |window| judge("v1", place, Some(window));
    assert_eq!(judged(json!({ "start": exactly, "end": exactly })).verdict().name(), "good");
    // A second around it is outside on either side, whatever its fraction.
    for window in
        [json!({ "start": moved(signed, 1000) }), json!({ "start": "2020-01-01T00:00:00Z", "end": moved(signed, -1) })]
    {
        let report = judged(window);
        assert_eq!(report.reason().map(|reason| reason.code()), Some("sct-outside-window"), "{}", report.message());
    }
}

#[test]
fn a_key_that_is_listed_twice_counts_in_both_windows() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let mut root: Value = serde_json::from_slice(&std::fs::read(folder.join("trusted_root.json")).unwrap()).unwrap();
    let mut twin = root["tlogs"][0].clone();
    twin["publicKey"]["validFor"] = json!({ "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z" });
    root["tlogs"].as_array_mut().unwrap().insert(0, twin);
    let root = TrustRoot::parse(&serde_json::to_vec(&root).unwrap(), "custom").unwrap();
    let raw = std::fs::read(folder.join("v1.object")).unwrap();
    let object = Object::split(raw, Kind::Commit, ObjectFormat::Sha1, None);
    let verified = Verifier::new(&root, &Memo::new()).verify(&object, Time::parse("2026-12-01T00:00:00Z").unwrap());
    assert!(verified.checks().iter().all(|check| check.holds()), "{:?}", verified.checks());
}

#[test]
fn a_window_has_a_start_and_dates_that_are_dates() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let root: Value = serde_json::from_slice(&std::fs::read(folder.join("trusted_root.json")).unwrap()).unwrap();
    for place in [
        "/tlogs/0/publicKey/validFor",
        "/ctlogs/0/publicKey/validFor",
        "/certificateAuthorities/0/validFor",
        "/timestampAuthorities/0/validFor",
    ] {
        for window in [
            json!(null),
            json!({}),
            json!({ "end": "2030-01-01T00:00:00Z" }),
            json!({ "start": "" }),
            json!({ "start": "yesterday" }),
            json!({ "start": "2026-02-30T00:00:00Z" }),
            json!({ "start": "2020-01-01T00:00:00Z", "end": "never" }),
            json!({ "start": 1_577_836_800 }),
        ] {
            let mut root = root.clone();
            *root.pointer_mut(place).unwrap() = window.clone();
            let parsed = TrustRoot::parse(&serde_json::to_vec(&root).unwrap(), "custom");
            assert!(parsed.is_err(), "{place} {window}");
        }
    }
}
