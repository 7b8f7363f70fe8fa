//! Lines of GnuPG's status protocol, letter by letter (doc/DETAILS of GnuPG, and what git's parser makes of them).

use git_keyless::format::status::{Answer, ForeignTrust, NO_FINGERPRINT, Said, signed};
use git_keyless::format::time::Time;

const FP: &str = "0123456789abcdef0123456789abcdef01234567";

fn name() -> (String, String) {
    ("alice@example.com".into(), "https://accounts.example.com/a b".into())
}

#[test]
fn what_git_hears() {
    let time = Time::parse("2026-11-10T12:00:01.5Z").unwrap();
    let good = |trusted| Answer::Good { fingerprint: FP.into(), name: name(), time, trusted };
    let foreign = Answer::Foreign {
        fingerprint: FP.into(),
        name: "/CN=Alice/O=A company".into(),
        valid: "2026-11-21 20261121T120000 0 0 0 1 8 00".into(),
        trust: ForeignTrust::Marginal,
    };
    let whose = "alice@example.com https://accounts.example.com/a%20b";
    let validity = "2026-11-10 1794312001 0 0 0 19 8 00";
    for (answer, lines) in [
        (
            good(true),
            vec![format!("GOODSIG {FP} {whose}"), format!("VALIDSIG {FP} {validity}"), "TRUST_FULLY 0 shell".into()],
        ),
        (
            good(false),
            vec![
                format!("GOODSIG {FP} {whose}"),
                format!("VALIDSIG {FP} {validity}"),
                "TRUST_UNDEFINED 0 shell".into(),
            ],
        ),
        (
            foreign,
            vec![
                format!("GOODSIG {FP} /CN=Alice/O=A%20company"),
                format!("VALIDSIG {FP} 2026-11-21 20261121T120000 0 0 0 1 8 00"),
                "TRUST_MARGINAL 0 shell".into(),
            ],
        ),
        (
            Answer::Denied { fingerprint: FP.into(), name: name() },
            vec![format!("REVKEYSIG {FP} {whose}"), format!("NO_PUBKEY {FP}"), "TRUST_NEVER 0 shell".into()],
        ),
        (
            Answer::Bad { fingerprint: Some(FP.into()) },
            vec![format!("BADSIG {FP} unverified"), "TRUST_NEVER 0 shell".into()],
        ),
        (
            Answer::Unknown { fingerprint: None },
            vec![
                format!("ERRSIG {NO_FINGERPRINT} 0 0 00 0 9 -"),
                format!("NO_PUBKEY {NO_FINGERPRINT}"),
                "TRUST_UNDEFINED 0 shell".into(),
            ],
        ),
    ] {
        let expected: String =
            ["NEWSIG".to_owned()].into_iter().chain(lines).map(|line| format!("[GNUPG:] {line}\n")).collect();
        assert_eq!(answer.lines(), expected);
    }
    // A name without letters would swallow the next line.
    let nameless = Answer::Denied { fingerprint: FP.into(), name: (String::new(), String::new()) };
    assert!(nameless.lines().contains(&format!("REVKEYSIG {FP} - -\n")), "{}", nameless.lines());
}

/// SIG_CREATED: detached, ECDSA (19), SHA-256 (8), class 00; an LF before it, for git before 2.36.
#[test]
fn what_git_hears_of_a_new_signature() {
    let lines = signed(FP, Time::parse("2026-11-10T12:00:01Z").unwrap());
    assert_eq!(lines, format!("[GNUPG:] BEGIN_SIGNING H8\n[GNUPG:] SIG_CREATED D 19 8 00 1794312001 {FP}\n"));
}

#[test]
fn what_another_program_says() {
    let said = |lines: &[&str]| {
        let text: String = lines.iter().map(|line| format!("[GNUPG:] {}\n", line.replace("FP", FP))).collect();
        Said::parse(text.as_bytes())
    };
    let unclear = |why| Said::Unclear(why);
    assert_eq!(said(&["NEWSIG"]), unclear("it says nothing of it"));
    for verdict in ["ERRSIG FP 1 8 00 0 9", "EXPSIG FP Alice", "EXPKEYSIG FP Alice"] {
        assert_eq!(said(&["NEWSIG", verdict]), unclear("it does not call it good"), "{verdict}");
    }
    assert_eq!(said(&["BADSIG FP Alice", "GOODSIG FP Alice"]), unclear("it says several things at once"));
    assert_eq!((said(&["BADSIG FP Alice"]), said(&["REVKEYSIG FP Alice"])), (Said::Bad, Said::Revoked));
    const VALID: &str = "2026-11-21 20261121T120000 0 0 0 1 8 00";
    let good = |fields: &str| said(&["GOODSIG FP Alice", &format!("VALIDSIG FP {fields}"), "TRUST_FULLY 0 shell"]);
    let expected = Said::Good {
        fingerprint: FP.into(),
        name: "Alice".into(),
        valid: VALID.into(),
        trust: Some(ForeignTrust::Fully),
    };
    assert_eq!(good(VALID), expected);
    for wrong in [FP.replace('0', "z"), FP[1..].to_owned(), format!("{FP}0")] {
        let lines = [format!("GOODSIG {wrong} Alice"), format!("VALIDSIG {wrong} {VALID}")];
        assert_eq!(said(&lines.each_ref().map(String::as_str)), unclear("what it says is not well-formed"), "{wrong}");
    }
    // A field with anything but letters, digits and dashes, an empty one, one too few, and one too long.
    for wrong in [
        VALID.replace("19 8", "x").replace("2026-11-21 ", "2026_11_21 "),
        VALID.replace(" 0 0 0 ", "  0 0 "),
        VALID.replace(" 00", ""),
        VALID.replace(" 8 ", &format!(" {} ", "8".repeat(33))),
    ] {
        assert_eq!(good(&wrong), unclear("what it says is not well-formed"), "{wrong}");
    }
}
