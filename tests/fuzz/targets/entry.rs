//! Log entries: what is read is written and read again.
#![no_main]

use git_keyless::format::bundle::entry_json;
use git_keyless::format::entry::{Entry, MAX_PROOF_HASHES, promised};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(entry) = Entry::parse(bytes) else { return };
    assert!(entry.proof.as_ref().is_none_or(|proof| proof.hashes.len() <= MAX_PROOF_HASHES));
    assert_eq!(Entry::parse(&entry.to_bytes()).as_ref(), Ok(&entry));
    promised(&entry.body, entry.integrated_time, &entry.log_id, entry.log_index).unwrap();
    entry_json(&entry);
});
