//! What another program says of a signature: whatever that is, git hears four lines of ours, and good only where it was
//! said, once and of nothing else.
#![no_main]

use git_keyless::format::status::{Answer, ForeignTrust, Said};
use libfuzzer_sys::fuzz_target;

const PREFIX: &str = "[GNUPG:] ";
const VERDICTS: [&str; 6] = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"];

fn verdicts(text: &str) -> Vec<&str> {
    let lines = text.split('\n').filter_map(|line| line.strip_prefix(PREFIX));
    lines
        .filter_map(|line| line.trim_end_matches('\r').split(' ').next())
        .filter(|word| VERDICTS.contains(word))
        .collect()
}

fuzz_target!(|printed: &[u8]| {
    let text = String::from_utf8_lossy(printed);
    match Said::parse(printed) {
        Said::Good { fingerprint, name, valid, trust } => {
            assert_eq!(verdicts(&text), ["GOODSIG"]);
            let trust = trust.unwrap_or(ForeignTrust::Undefined);
            let answer = Answer::Foreign { fingerprint, name, valid, trust };
            let lines = answer.lines();
            assert!(lines.is_ascii() && lines.lines().count() == 4, "{lines:?}");
            assert!(lines.lines().all(|line| line.starts_with(PREFIX)));
            assert_eq!(verdicts(&lines), ["GOODSIG"]);
            let words: Vec<_> = lines.lines().map(|line| line.split(' ').count()).collect();
            assert_eq!(words, [2, 4, 11, 4], "{lines:?}");
            // What git hears is what was said; escaped, a name may be longer than what is taken from others.
            match Said::parse(lines.as_bytes()) {
                Said::Good { trust: again, .. } => assert_eq!(again, Some(trust)),
                _ => assert!(lines.len() > 4096, "{lines:?}"),
            }
        }
        Said::Bad => assert_eq!(verdicts(&text), ["BADSIG"]),
        Said::Revoked => assert_eq!(verdicts(&text), ["REVKEYSIG"]),
        Said::Unclear(_) => {}
    }
});
