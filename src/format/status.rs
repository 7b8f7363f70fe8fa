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
