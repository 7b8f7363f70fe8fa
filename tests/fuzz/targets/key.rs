//! Public keys and signatures over them: nothing verifies but what its key has signed, so here nothing does.
#![no_main]

use git_keyless::key::{Hash, Memo, PublicKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let (spki, message, signature) = input;
    let Ok(key) = PublicKey::from_spki(spki) else { return };
    let memo = Memo::new();
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let held = memo.check_signature(&key, hash, message, signature);
        assert_eq!(memo.check_signature(&key, hash, message, signature), held);
        let _ = key.check_digest(hash, &hash.digest(message), signature);
    }
});
