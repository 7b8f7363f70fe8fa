//! SCT lists.
#![no_main]

use git_keyless::format::sct::{MAX_SCTS, parse_list, signed_struct};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|extension: &[u8]| {
    let Ok(list) = parse_list(extension) else { return };
    assert!((1..=MAX_SCTS).contains(&list.len()));
    list.iter().for_each(|sct| drop(signed_struct(sct, &[0; 32], extension).unwrap()));
});
