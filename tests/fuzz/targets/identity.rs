//! Identities as people write them, and as git's status lines carry them: no byte ends a field or a line.
#![no_main]

use git_keyless::format::printable;
use git_keyless::format::status::{Answer, escape, unescape};
use git_keyless::format::time::Time;
use git_keyless::policy::Accepted;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
    assert!(!printable(text).chars().any(char::is_control));
    if let Ok(accepted) = Accepted::parse(text) {
        let said = accepted.to_string();
        // A subject of no letters at all cannot be written; nothing ever has one.
        if !accepted.subject.is_empty() && !accepted.issuer.is_empty() {
            assert_eq!(Accepted::parse(&said), Ok(accepted));
        }
    }
    let (subject, issuer) = text.split_once('\n').unwrap_or((text, ""));
    let answer = Answer::Good {
        fingerprint: "0".repeat(40),
        name: (subject.to_owned(), issuer.to_owned()),
        time: Time::from_seconds(0).unwrap(),
        trusted: false,
    };
    let lines = answer.lines();
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.lines().all(|line| line.starts_with("[GNUPG:] ")));
    assert!(lines.lines().nth(1).unwrap().split(' ').count() == 5 && lines.is_ascii());
});
