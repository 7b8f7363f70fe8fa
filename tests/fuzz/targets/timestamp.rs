//! Timestamp replies, tokens and what is in them.
#![no_main]

use git_keyless::format::cms::SignedData;
use git_keyless::format::timestamp::{TstInfo, reply_around, signing_certificate, token_of_reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let nonce = [7; 16];
    if let Ok(token) = token_of_reply(bytes, &nonce) {
        assert_eq!(token_of_reply(&reply_around(&token).unwrap(), &nonce), Ok(token));
    }
    let _ = TstInfo::parse(bytes);
    if let Ok(token) = SignedData::parse_unsorted(bytes) {
        let _ = TstInfo::of(&token);
        token.signer().iter().for_each(|signer| drop(signing_certificate(signer.signed())));
    }
});
