//! GnuPG's status protocol (doc/DETAILS of GnuPG), as far as git reads it, and the escaping that keeps an identity
//! inside its field.
//!
//! git's parser has traps: a GOODSIG without a name swallows the next line, a second exclusive line turns everything
//! into an error, a GOODSIG at the very start is not seen. So a whole answer is one value and is written at once.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::time::Time;

/// Forty zeros: the fingerprint of no certificate.
pub const NO_FINGERPRINT: &str = "0000000000000000000000000000000000000000";

/// What may not stand in a field: blanks and controls end it, `%` would be read twice, and everything beyond ASCII
/// could be told apart by the eye alone.
const FIELD: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"').add(b'\\');

/// `text` as one word of a status line, or of a setting.
pub fn escape(text: &str) -> String {
    percent_encode(text.as_bytes(), FIELD).to_string()
}

/// The reverse of [`escape`]; none when it is not UTF-8.
pub fn unescape(word: &str) -> Option<String> {
    percent_encoding::percent_decode_str(word).decode_utf8().ok().map(|text| text.into_owned())
}

/// One answer to `--verify`. The variants are the rows of what git hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Everything holds; whether the identity is one that somebody named.
    Good {
        /// SHA-1 of the certificate in hexadecimal.
        fingerprint: String,
        /// Subject and issuer.
        name: (String, String),
        /// The earliest verified time.
        time: Time,
        /// Whether the identity is accepted.
        trusted: bool,
    },
    /// Everything holds, and the policy denies this identity.
    Denied {
        /// SHA-1 of the certificate in hexadecimal.
        fingerprint: String,
        /// Subject and issuer.
        name: (String, String),
    },
    /// Somebody else's program vouches for a signature that is not ours.
    Foreign {
        /// SHA-1 of the certificate in hexadecimal, as that program has it.
        fingerprint: String,
        /// Whom it names; one word here, where an identity of ours has two.
        name: String,
        /// The eight fields behind the fingerprint of its VALIDSIG.
        valid: String,
        /// How far it trusts that name.
        trust: ForeignTrust,
    },
    /// Something is there and is false.
    Bad {
        /// SHA-1 of the certificate in hexadecimal, if there is one.
        fingerprint: Option<String>,
    },
    /// Something is missing or not known.
    Unknown {
        /// SHA-1 of the certificate in hexadecimal, if there is one.
        fingerprint: Option<String>,
    },
}

impl Answer {
    /// All status lines, LF at the end of each.
    pub fn lines(&self) -> String {
        let or_zeros = |fingerprint: &Option<String>| fingerprint.clone().unwrap_or_else(|| NO_FINGERPRINT.to_owned());
        let body = match self {
            Self::Good { fingerprint, name, time, trusted } => {
                let trust = if *trusted { "TRUST_FULLY 0 shell" } else { "TRUST_UNDEFINED 0 shell" };
                // VALIDSIG: date, seconds, no expiry, version and reserved 0, ECDSA (19), SHA-256 (8), class 00.
                let (date, seconds) = (time.date(), time.seconds());
                format!(
                    "GOODSIG {fingerprint} {}\nVALIDSIG {fingerprint} {date} {seconds} 0 0 0 19 8 00\n{trust}\n",
                    joined(name)
                )
            }
            Self::Foreign { fingerprint, name, valid, trust } => format!(
                "GOODSIG {fingerprint} {}\nVALIDSIG {fingerprint} {}\nTRUST_{} 0 shell\n",
                escape(name),
                valid,
                trust.word()
            ),
            Self::Denied { fingerprint, name } => {
                format!("REVKEYSIG {fingerprint} {}\nNO_PUBKEY {fingerprint}\nTRUST_NEVER 0 shell\n", joined(name))
            }
            Self::Bad { fingerprint } => format!("BADSIG {} unverified\nTRUST_NEVER 0 shell\n", or_zeros(fingerprint)),
            Self::Unknown { fingerprint } => {
                let fingerprint = or_zeros(fingerprint);
                format!("ERRSIG {fingerprint} 0 0 00 0 9 -\nNO_PUBKEY {fingerprint}\nTRUST_UNDEFINED 0 shell\n")
            }
        };
        format!("NEWSIG\n{body}").lines().fold(String::new(), |out, line| out + PREFIX + line + "\n")
    }
}

/// How far another program trusts a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignTrust {
    /// Nobody said.
    Undefined,
    /// A little.
    Marginal,
    /// Fully.
    Fully,
    /// As itself.
    Ultimate,
}

impl ForeignTrust {
    fn word(self) -> &'static str {
        match self {
            Self::Undefined => "UNDEFINED",
            Self::Marginal => "MARGINAL",
            Self::Fully => "FULLY",
            Self::Ultimate => "ULTIMATE",
        }
    }
}

/// What another program says of one signature. Nothing of it is handed on as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// GOODSIG with its VALIDSIG: never another verdict beside it.
    Good {
        /// SHA-1 of the certificate in hexadecimal.
        fingerprint: String,
        /// Whom it names.
        name: String,
        /// The eight fields behind the fingerprint of VALIDSIG.
        valid: String,
        /// None for TRUST_NEVER.
        trust: Option<ForeignTrust>,
    },
    /// BADSIG.
    Bad,
    /// REVKEYSIG.
    Revoked,
    /// Another verdict that is not good, or several, or none, or one that is not well-formed; why.
    Unclear(&'static str),
}

impl Said {
    /// From everything that the program printed on its status descriptor; as git does, other lines are skipped.
    pub fn parse(printed: &[u8]) -> Self {
        let text = String::from_utf8_lossy(printed);
        let lines: Vec<_> = text
            .split('\n')
            .filter_map(|line| line.trim_end_matches('\r').strip_prefix(PREFIX))
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .collect();
        let verdicts: Vec<_> = lines.iter().filter(|(word, _)| EXCLUSIVE.contains(word)).collect();
        match verdicts.as_slice() {
            [("GOODSIG", rest)] => Self::good(rest, &lines).unwrap_or(Self::Unclear("what it says is not well-formed")),
            [("BADSIG", _)] => Self::Bad,
            [("REVKEYSIG", _)] => Self::Revoked,
            [] => Self::Unclear("it says nothing of it"),
            [_] => Self::Unclear("it does not call it good"),
            _ => Self::Unclear("it says several things at once"),
        }
    }

    fn good(rest: &str, lines: &[(&str, &str)]) -> Option<Self> {
        let (fingerprint, name) = rest.split_once(' ')?;
        let mut validities = lines.iter().filter(|(word, _)| *word == "VALIDSIG");
        let (Some((_, fields)), None) = (validities.next(), validities.next()) else { return None };
        let mut fields = fields.split(' ');
        let same = fields.next()?.eq_ignore_ascii_case(fingerprint);
        let is_field = |field: &&str| {
            (1..=32).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        // What is behind the ninth field is OpenPGP's.
        let valid: Vec<_> = fields.take(8).filter(is_field).collect();
        let trust = match lines.iter().rev().find_map(|(word, _)| word.strip_prefix("TRUST_")) {
            None | Some("UNDEFINED") => Some(ForeignTrust::Undefined),
            Some("NEVER") => None,
            Some("MARGINAL") => Some(ForeignTrust::Marginal),
            Some("FULLY") => Some(ForeignTrust::Fully),
            Some("ULTIMATE") => Some(ForeignTrust::Ultimate),
            Some(_) => return None,
        };
        let hexadecimal =
            fingerprint.len() == NO_FINGERPRINT.len() && fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
        let named = (1..=MAX_NAME_BYTES).contains(&name.trim().len());
        (valid.len() == 8 && same && hexadecimal && named).then(|| Self::Good {
            fingerprint: fingerprint.to_owned(),
            name: name.to_owned(),
            valid: valid.join(" "),
            trust,
        })
    }
}

/// Verdicts, of which git wants exactly one.
const EXCLUSIVE: [&str; 6] = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"];
/// Most bytes of another program's name for somebody; distinguished names have a hundred.
const MAX_NAME_BYTES: usize = 4096;

/// What signing says on its status descriptor. The first line is there because git before 2.36 wants an LF in front
/// of SIG_CREATED.
pub fn signed(fingerprint: &str, time: Time) -> String {
    format!("{PREFIX}BEGIN_SIGNING H8\n{PREFIX}SIG_CREATED D 19 8 00 {} {fingerprint}\n", time.seconds())
}

const PREFIX: &str = "[GNUPG:] ";

fn joined((subject, issuer): &(String, String)) -> String {
    // Never empty: git would take the next line for the name.
    let word = |text: &str| if text.is_empty() { "-".to_owned() } else { escape(text) };
    format!("{} {}", word(subject), word(issuer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FP: &str = "0123456789ABCDEF0123456789abcdef01234567";

    fn said(lines: &[&str]) -> Said {
        let text: String = lines.iter().map(|line| format!("[GNUPG:] {}\n", line.replace("FP", FP))).collect();
        Said::parse(text.as_bytes())
    }

    const GOOD: &str = "GOODSIG FP /CN=Alice/O=A company";
    const VALID: &str = "VALIDSIG FP 2026-11-21 20261121T120000 20270101T000000 0 0 1 8 00";

    #[test]
    fn what_gpgsm_says_of_a_good_one() {
        let Said::Good { fingerprint, name, valid, trust } =
            said(&["NEWSIG", GOOD, VALID, "TRUST_FULLY 0 shell", "PROGRESS starting_agent ? 0 0"])
        else {
            panic!()
        };
        assert_eq!(
            (fingerprint.as_str(), name.as_str(), trust),
            (FP, "/CN=Alice/O=A company", Some(ForeignTrust::Fully))
        );
        let lines = Answer::Foreign { fingerprint, name, valid, trust: ForeignTrust::Undefined }.lines();
        assert_eq!(
            lines,
            format!(
                "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {FP} /CN=Alice/O=A%20company\n[GNUPG:] VALIDSIG {FP} 2026-11-21 \
                 20261121T120000 20270101T000000 0 0 1 8 00\n[GNUPG:] TRUST_UNDEFINED 0 shell\n"
            )
        );
    }

    #[test]
    fn trust_is_the_last_word_and_never_is_none() {
        let trust = |lines: &[&str]| match said(&[&[GOOD, VALID], lines].concat()) {
            Said::Good { trust, .. } => Some(trust),
            _ => None,
        };
        assert_eq!(trust(&[]), Some(Some(ForeignTrust::Undefined)));
        assert_eq!(trust(&["TRUST_FULLY", "TRUST_UNDEFINED"]), Some(Some(ForeignTrust::Undefined)));
        assert_eq!(trust(&["TRUST_NEVER"]), Some(None));
        assert_eq!(trust(&["TRUST_UTTERLY"]), None);
    }

    #[test]
    fn lies_and_tricks_are_unclear() {
        for lines in [
            &[][..],
            &[GOOD],
            &[GOOD, VALID, GOOD],
            &[GOOD, VALID, "BADSIG FP x"],
            &[GOOD, VALID, VALID],
            &["GOODSIG FP", VALID],
            &["GOODSIG FP ", VALID],
            &["GOODSIG FP    ", VALID],
            &["GOODSIG", VALID],
            &["GOODSIG 00\nTRUST_ULTIMATE x", VALID],
            &["GOODSIG \u{1b}[2J x", VALID],
            &[GOOD, "VALIDSIG FP 2026-11-21 1 0 0 0 1 8"],
            &[GOOD, "VALIDSIG FP 2026-11-21 1 0 0 0 1 8 \u{1b}"],
            &[GOOD, "VALIDSIG 0000000000000000000000000000000000000000 2026-11-21 1 0 0 0 1 8 00"],
            &["EXPKEYSIG FP x", VALID],
            &["ERRSIG FP 1 8 00 1 9"],
            &["goodsig FP x", VALID],
        ] {
            assert!(matches!(said(lines), Said::Unclear(_)), "{lines:?}: {:?}", said(lines));
        }
        let named = |length: usize| said(&[&format!("GOODSIG FP {}", "x".repeat(length)), VALID]);
        assert!(matches!(named(MAX_NAME_BYTES), Said::Good { name, .. } if name.len() == MAX_NAME_BYTES));
        assert!(matches!(named(MAX_NAME_BYTES + 1), Said::Unclear(_)));
        assert_eq!((said(&["NEWSIG", "BADSIG FP x"]), said(&["REVKEYSIG FP x"])), (Said::Bad, Said::Revoked));
        let elsewhere = format!(" [GNUPG:] {GOOD}\n[gnupg:] {GOOD}\n\0\u{ff}");
        assert!(matches!(Said::parse(elsewhere.as_bytes()), Said::Unclear(_)));
    }
}
