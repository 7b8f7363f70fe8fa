//! PEM armor of a signature: what is read once is read again.
#![no_main]

use git_keyless::format::armor::{armor, dearmor, dearmor_leniently};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lenient = dearmor_leniently(bytes);
    if let Ok(der) = dearmor(bytes) {
        assert_eq!(lenient.as_ref(), Some(&der));
        assert_eq!(dearmor(armor(&der).unwrap().as_bytes()), Ok(der));
    }
});
