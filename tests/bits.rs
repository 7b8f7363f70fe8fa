//! Every bit of a good signature holds something: with any one of them turned over it is not good, or says less.

use std::path::PathBuf;

use git_keyless::format::cms;
use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::{Facts, Verdict};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;

use crate::corpus::on_all_cores;

/// Bytes of `case` in which a bit was turned over and the signature stayed good for all that it was good for.
fn still_good(case: &str) -> Vec<(usize, u8)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let raw = std::fs::read(folder.join(case).with_extension("object")).unwrap();
    let root = TrustRoot::parse(&std::fs::read(folder.join("trusted_root.json")).unwrap(), "custom").unwrap();
    let (memo, now) = (Memo::new(), Time::parse("2026-12-01T00:00:00Z").unwrap());
    let object = Object::split(raw, Kind::Commit, ObjectFormat::Sha1, None);
    let facts_if_good = |payload: &[u8], der: &[u8]| {
        let object = Object::of(payload.to_vec(), cms::armor(der).unwrap().into_bytes());
        let verified = Verifier::new(&root, &memo).verify(&object, now);
        let report = verified.report(&Policy::default(), &Circumstance::default());
        (report.verdict() == Verdict::Good).then(|| report.facts().clone())
    };
    let (payload, der) = (object.payload(), cms::dearmor(object.signature()).unwrap());
    let facts = facts_if_good(payload, &der);
    assert!(facts.is_some());
    let bits: Vec<_> = (0..der.len() * 8).collect();
    println!("{case}: {} bits turned over", bits.len());
    let mut found = on_all_cores(&bits, |bit| {
        let mut turned = der.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        let found = facts_if_good(payload, &turned);
        assert!(found.is_none() || only_lost(found.as_ref(), facts.as_ref()), "bit {bit} added something");
        (found == facts).then_some((bit / 8, der[bit / 8]))
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// Where promise and token each give a time, either may turn into something that nobody knows: one time is lost, and
/// nothing else changes but what is said of it.
fn only_lost(found: Option<&Facts>, facts: Option<&Facts>) -> bool {
    let (Some(found), Some(facts)) = (found, facts) else { return false };
    let kept = found.times.iter().all(|time| facts.times.contains(time));
    kept && (&found.identity, &found.certificate) == (&facts.identity, &facts.certificate)
}

#[test]
fn no_bit_of_a_signature_with_a_promise_can_be_turned_over() {
    assert_eq!(still_good("v1"), []);
}

#[test]
fn no_bit_of_a_signature_with_promise_and_token_can_be_turned_over() {
    assert_eq!(still_good("v1-token"), []);
}

#[test]
fn no_bit_of_a_signature_of_rekor_v2_can_be_turned_over() {
    assert_eq!(still_good("v2-token"), []);
}
