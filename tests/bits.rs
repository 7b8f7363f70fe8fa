//! Every byte of a good signature holds something: with any one of them changed it is not good, or says less.

use git_keyless::format::armor;
use git_keyless::format::object::Object;
use git_keyless::key::Memo;
use git_keyless::report::{Facts, Verdict};

use crate::cores::on_all_cores;
use crate::vectors::Vector;

/// Bytes of `case` of which a bit was turned over and the signature stayed good for all that it was good for. `bits` says
/// which bits of the byte at that place are turned.
fn still_good(case: &str, bits: impl Fn(usize) -> std::ops::Range<u32>) -> Vec<(usize, u8)> {
    let vector = Vector::of("good").into_iter().find(|vector| vector.name == format!("good/{case}")).unwrap();
    let (memo, parts) = (Memo::new(), vector.parts());
    let facts_if_good = |der: &[u8]| {
        let object = Object::of(parts.payload().to_vec(), armor::armor(der).unwrap().into_bytes());
        let report = vector.judge(&object, &memo);
        (report.verdict() == Verdict::Good).then(|| report.facts().clone())
    };
    let der = armor::dearmor(parts.signature()).unwrap();
    let facts = facts_if_good(&der);
    assert!(facts.is_some());
    let turns: Vec<_> = (0..der.len()).flat_map(|at| bits(at).map(move |bit| (at, bit))).collect();
    println!("{case}: {} bits turned over", turns.len());
    let mut found = on_all_cores(&turns, |&(at, bit)| {
        let mut turned = der.clone();
        turned[at] ^= 1 << bit;
        let found = facts_if_good(&turned);
        assert!(found.is_none() || only_lost(found.as_ref(), facts.as_ref()), "byte {at} bit {bit} added something");
        (found == facts).then_some((at, der[at]))
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

fn all(_: usize) -> std::ops::Range<u32> {
    0..8
}

/// One bit of each byte, another one each time.
fn one(at: usize) -> std::ops::Range<u32> {
    let bit = u32::try_from(at % 8).unwrap();
    bit..bit + 1
}

#[test]
fn no_bit_of_a_signature_with_promise_and_token_can_be_turned_over() {
    assert_eq!(still_good("v1-token", all), []);
}

#[test]
fn no_bit_of_a_signature_of_rekor_v2_can_be_turned_over() {
    assert_eq!(still_good("v2-token", all), []);
}

#[test]
fn no_byte_of_any_kind_of_signature_can_be_changed() {
    for case in [
        "identity-dex",
        "identity-github",
        "identity-spiffe",
        "identity-uri",
        "made-signer-by-key-id",
        "made-sct-with-extensions",
        "no-ct-v1",
        "no-ct-v2-tag",
        "push-certificate-v2",
        "sha256-v1-tag",
        "sha256-v2",
        "v1",
        "v1-tag",
    ] {
        assert_eq!(still_good(case, one), [], "{case}");
    }
}
