//! Checkpoints: the text that is signed stands in the note as it is.
#![no_main]

use git_keyless::format::checkpoint::{Checkpoint, MAX_SIGNATURES};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|note: &str| {
    let Ok(checkpoint) = Checkpoint::parse(note) else { return };
    assert!(note.starts_with(&checkpoint.text) && checkpoint.text.ends_with('\n'));
    assert!(checkpoint.text.starts_with(&format!("{}\n{}\n", checkpoint.origin, checkpoint.size)));
    assert!((1..=MAX_SIGNATURES).contains(&checkpoint.signatures.len()));
});
