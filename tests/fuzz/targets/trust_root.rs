//! Trust roots: one that is read lists an authority, and every key it lists is kept or named.
#![no_main]

use git_keyless::format::time::Time;
use git_keyless::trust::TrustRoot;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(root) = TrustRoot::parse(json, "custom") else { return };
    assert!(!root.authorities.is_empty());
    let now = Time::from_seconds(1_800_000_000).unwrap();
    for log in root.logs.iter().chain(&root.ct_logs) {
        let _ = (log.host(), log.check_covers(now));
        assert!(!log.windows.is_empty());
    }
});
