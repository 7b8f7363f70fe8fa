//! Every bit of a good signature holds something: with any one of them turned over it is not good.

use git_keyless::format::cms;
use git_keyless::format::object::Object;
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::Verdict;
use git_keyless::trust::TrustRoot;
use git_keyless::verify::Verifier;

use crate::corpus::{now, on_all_cores, rows};

#[test]
fn no_bit_of_a_good_signature_can_be_turned_over() {
    let Some(rows) = rows() else { return };
    let (root, memo) = (TrustRoot::public_good().unwrap(), Memo::new());
    let is_good = |payload: &[u8], der: &[u8]| {
        let object = Object::of(payload.to_vec(), cms::armor(der).unwrap().into_bytes());
        let verified = Verifier::new(&root, &memo).verify(&object, now());
        verified.report(&Policy::default(), &Circumstance::default()).verdict() == Verdict::Good
    };
    let row = rows.iter().filter(|row| row.column("tle_set_ok") == "True").min_by_key(|row| row.column("oid")).unwrap();
    let (payload, der) = (row.object.payload(), cms::dearmor(row.object.signature()).unwrap());
    assert!(is_good(payload, &der));
    let bits: Vec<_> = (0..der.len() * 8).collect();
    let still_good = on_all_cores(&bits, |bit| {
        let mut turned = der.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        is_good(payload, &turned).then_some(*bit)
    });
    println!("{} bits turned over", bits.len());
    assert!(still_good.is_empty(), "still good with these turned over: {still_good:?}");
}
