//! An instance from the settings of older clients: PEM and URLs. What is made of them is read again, or they are refused.
#![no_main]

use git_keyless::trust::parts::{self, Pems, Urls};
use git_keyless::trust::{SigningConfig, TrustRoot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut pieces = text.split('\0');
    let mut piece = || pieces.next().unwrap_or_default();
    let (authority, log, ct_log, stamps, url) = (piece(), piece(), piece(), piece(), piece());
    let urls = Urls {
        authority: url,
        log: (url, 1 + u32::from(text.len() % 2 == 0)),
        identity_provider: Some(url),
        timestamp_authority: (!stamps.is_empty()).then_some(url),
    };
    let config = parts::signing_config(&urls).to_string();
    assert!(SigningConfig::parse(config.as_bytes()).is_ok(), "{config}");
    let timestamp_authority = (!stamps.is_empty()).then_some(stamps);
    if let Ok(root) = parts::trusted_root(&urls, &Pems { authority, log, ct_log, timestamp_authority }) {
        let root = root.to_string();
        let read = TrustRoot::parse(root.as_bytes(), "custom").unwrap();
        assert!(!read.authorities.is_empty() && !read.logs.is_empty() && !read.ct_logs.is_empty());
        assert!(read.authorities.iter().all(|authority| authority.chain.is_ok()), "{root}");
        assert!(read.logs.iter().chain(&read.ct_logs).all(|log| log.key.is_ok()), "{root}");
    }
});
