//! Signing configs: services are chosen or the config is refused.
#![no_main]

use git_keyless::format::time::Time;
use git_keyless::trust::SigningConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(config) = SigningConfig::parse(json) else { return };
    for seconds in [0, 1_800_000_000] {
        let _ = config.services(Time::from_seconds(seconds).unwrap());
    }
});
