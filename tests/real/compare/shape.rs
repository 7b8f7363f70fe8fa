//! What two answers have in common, whoever's keys, ports, numbers and times are in them.

use git_keyless::format::{hex, unbase64};
use serde_json::Value;

use crate::http::Message;

/// Headers that clients read.
const HEADERS: [&str; 6] = ["content-type", "location", "x-log-index", "etag", "allow", "retry-after"];

/// Fields whose value is the same everywhere.
const FIXED: [&str; 18] = [
    "algorithm",
    "alg",
    "apiVersion",
    "audience",
    "challengeClaim",
    "code",
    "error",
    "expires_in",
    "interval",
    "issuerType",
    "keyDetails",
    "kind",
    "skipEmailVerification",
    "spiffeTrustDomain",
    "status",
    "subjectDomain",
    "token_type",
    "version",
];

/// Where they differ: a place and, with a stroke between them, what stands there.
pub(super) fn differences(ours: &Message, theirs: &Message) -> Vec<String> {
    let mut found = Found::default();
    found.compare("status", ours.status, theirs.status);
    for name in HEADERS {
        let value = |message: &Message| message.header(name).map_or("none".to_owned(), plain);
        found.compare(name, value(ours), value(theirs));
    }
    let json = |message: &Message| serde_json::from_slice::<Value>(&message.body).ok();
    match (json(ours), json(theirs)) {
        (Some(ours), Some(theirs)) => found.values("", "", &ours, &theirs),
        (None, None) if theirs.body.starts_with(&[0x30]) => found.der("body", &ours.body, &theirs.body),
        (None, None) => found.compare("body", text(&ours.body), text(&theirs.body)),
        (ours, theirs) => found.compare("body", is_json(ours), is_json(theirs)),
    }
    found.0
}

fn is_json(value: Option<Value>) -> &'static str {
    if value.is_some() { "JSON" } else { "no JSON" }
}

#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn compare<T: PartialEq + std::fmt::Display>(&mut self, at: &str, ours: T, theirs: T) {
        if ours != theirs {
            self.0.push(format!("{at}: {ours} | {theirs}"));
        }
    }

    fn values(&mut self, at: &str, name: &str, ours: &Value, theirs: &Value) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let named = |map: &serde_json::Map<String, Value>| -> Vec<(String, Value)> {
                    map.iter().map(|(key, value)| (plain(key), value.clone())).collect()
                };
                let (ours, theirs) = (named(ours), named(theirs));
                for (key, value) in &ours {
                    match theirs.iter().find(|(other, _)| other == key) {
                        Some((_, other)) => self.values(&format!("{at}/{key}"), key, value, other),
                        None => self.0.push(format!("{at}/{key}: there | missing")),
                    }
                }
                let missing = theirs.iter().filter(|(key, _)| !ours.iter().any(|(other, _)| other == key));
                self.0.extend(missing.map(|(key, _)| format!("{at}/{key}: missing | there")));
            }
            (Value::Array(ours), Value::Array(theirs)) => match (ours.first(), theirs.first()) {
                (Some(ours), Some(theirs)) => self.values(&format!("{at}/0"), name, ours, theirs),
                (ours, theirs) => self.compare(at, ours.is_none(), theirs.is_none()),
            },
            (Value::String(ours), Value::String(theirs)) => self.strings(at, name, ours, theirs),
            _ if FIXED.contains(&name) => self.compare(at, ours, theirs),
            _ => self.compare(at, kind(ours), kind(theirs)),
        }
    }

    fn strings(&mut self, at: &str, name: &str, ours: &str, theirs: &str) {
        let inner = |text: &str| serde_json::from_slice::<Value>(&unbase64(text).ok()?).ok();
        match name {
            _ if FIXED.contains(&name) => self.compare(at, ours, theirs),
            "message" => self.compare(at, plain(ours), plain(theirs)),
            "body" | "canonicalizedBody" => {
                self.values(at, "", &inner(ours).unwrap_or_default(), &inner(theirs).unwrap_or_default());
            }
            "checkpoint" | "envelope" | "signedTreeHead" => self.compare(at, lines(ours), lines(theirs)),
            "certificates" => self.der(at, &unpem(ours), &unpem(theirs)),
            _ => self.compare(at, ours.is_empty(), theirs.is_empty()),
        }
    }

    /// The first place where two encodings part.
    fn der(&mut self, at: &str, ours: &[u8], theirs: &[u8]) {
        let bones = |bytes| {
            let mut bones = Vec::new();
            let whole = skeleton(bytes, 0, &mut bones).is_some();
            bones.push(if whole { "end" } else { "no DER" }.to_owned());
            bones
        };
        let (ours, theirs) = (bones(ours), bones(theirs));
        if let Some((line, (ours, theirs))) =
            (1..).zip(ours.iter().zip(&theirs)).find(|(_, (ours, theirs))| ours != theirs)
        {
            self.0.push(format!("{at}: element {line}: {ours} | {theirs}"));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn text(bytes: &[u8]) -> String {
    plain(&String::from_utf8_lossy(bytes))
}

fn lines(note: &str) -> usize {
    note.lines().count()
}

fn unpem(pem: &str) -> Vec<u8> {
    der::pem::decode_vec(pem.as_bytes()).map(|(_, der)| der).unwrap_or_default()
}

/// Without what is different each time: ports, numbers, digests, base64.
fn plain(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let (bare, end) = match word.char_indices().last() {
                Some((at, c)) if !c.is_ascii_alphanumeric() => word.split_at(at),
                _ => (word, ""),
            };
            let digits = bare.bytes().all(|byte| byte.is_ascii_digit());
            match bare {
                "" => end.to_owned(),
                _ if digits && bare.len() > 3 => format!("#{end}"),
                _ if bare.len() >= 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) => format!("HEX{end}"),
                _ => word.to_owned(),
            }
        })
        .collect()
}

/// Tags in their order with their depth; of identifiers and booleans, the value. Strings of octets are opened where
/// there is a SEQUENCE in them.
fn skeleton(mut bytes: &[u8], depth: usize, bones: &mut Vec<String>) -> Option<()> {
    while let [tag, length, rest @ ..] = bytes {
        let (length, rest) = match usize::from(*length) {
            short @ ..0x80 => (short, rest),
            long => {
                let (length, rest) = rest.split_at_checked(long - 0x80)?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let value = if [1, 6].contains(tag) { hex(content) } else { String::new() };
        bones.push(format!("{depth}.{tag:02x} {value}").trim_end().to_owned());
        if tag & 0x20 != 0 {
            skeleton(content, depth + 1, bones)?;
        } else if *tag == 4 && content.first() == Some(&0x30) {
            let mut inner = Vec::new();
            if skeleton(content, depth + 1, &mut inner).is_some() {
                bones.extend(inner);
            }
        }
        bytes = rest;
    }
    bytes.is_empty().then_some(())
}
