//! Bytes to values and back: codecs only, one file per standard. Nothing in here judges.
//!
//! A value that was parsed is a *claim*: somebody wrote it. What has been checked lives in
//! [`crate::verify`], in types of its own.

pub mod armor;
pub mod bundle;
pub mod cert;
pub mod checkpoint;
pub mod cms;
pub mod entry;
pub mod id_token;
pub mod object;
pub mod sct;
pub mod status;
pub mod time;
pub mod timestamp;

use std::fmt;

/// Bytes that are not what their standard says they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    what: &'static str,
    why: String,
}

impl Malformed {
    /// `what` names the structure in its standard's words, `why` the first thing that is wrong with it.
    pub fn new(what: &'static str, why: impl fmt::Display) -> Self {
        Self { what, why: why.to_string() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Malformed {}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Standard base64 with padding (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Standard base64, canonical padding demanded.
pub fn unbase64(text: &str) -> Result<Vec<u8>, Malformed> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| Malformed::new("base64", error))
}

/// `text` for a terminal: nothing in it can move the cursor, hide or turn around what follows.
pub fn printable(text: &str) -> String {
    let dangerous = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if dangerous(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}
