//! The outside of ID tokens; what is in them another library reads.
#![no_main]

use git_keyless::format::id_token::{IdToken, MAX_TOKEN_BYTES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(token) = IdToken::parse(text) else { return };
    assert!(token.reveal().len() <= MAX_TOKEN_BYTES && token.reveal().split('.').count() == 3);
    assert_eq!(format!("{token:?}"), "IdToken");
});
