//! What two answers have in common, whoever's keys, ports, numbers and times are in them.

use git_keyless::format::{hex, unbase64};
use serde_json::Value;

use crate::suite::http::Message;

/// Headers that clients read.
const HEADERS: [&str; 5] = ["content-type", "location", "x-log-index", "etag", "retry-after"];

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
        let text = if name == "content-type" { str::to_owned } else { plain };
        let value = |message: &Message| message.header(name).map_or("none".to_owned(), text);
        found.compare(name, value(ours), value(theirs));
    }
    if ours.status != theirs.status {
        return found.0;
    }
    let json = |message: &Message| serde_json::from_slice::<Value>(&message.body).ok();
    match (json(ours), json(theirs)) {
        (Some(ours), Some(theirs)) => found.values("", "", &ours, &theirs),
        (None, None) if theirs.body.starts_with(&[0x30]) => found.der("body", &ours.body, &theirs.body),
        (None, None) => found.texts("body", &text(&ours.body), &text(&theirs.body)),
        (ours, theirs) => found.compare("body", is_json(ours), is_json(theirs)),
    }
    found.0
}

fn is_json(value: Option<Value>) -> &'static str {
    if value.is_some() { "JSON" } else { "no JSON" }
}

/// How PEM begins.
const PEM: &str = "-----BEGIN ";
/// How a signature under a checkpoint begins.
const SIGNER: &str = "\n\u{2014} ";

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
                // As many as the log has levels.
                _ if name == "hashes" => {}
                (Some(ours), Some(_)) => self.one_of(&format!("{at}/0"), name, ours, theirs),
                (ours, theirs) => self.compare(at, ours.is_none(), theirs.is_none()),
            },
            (Value::String(ours), Value::String(theirs)) => self.strings(at, name, ours, theirs),
            _ if FIXED.contains(&name) => self.compare(at, ours, theirs),
            _ => self.compare(at, kind(ours), kind(theirs)),
        }
    }

    /// Like one of theirs; lists may be in any order.
    fn one_of(&mut self, at: &str, name: &str, ours: &Value, theirs: &[Value]) {
        let differences = theirs.iter().map(|theirs| {
            let mut found = Self::default();
            found.values(at, name, ours, theirs);
            found.0
        });
        self.0.extend(differences.min_by_key(Vec::len).unwrap_or_default());
    }

    fn strings(&mut self, at: &str, name: &str, ours: &str, theirs: &str) {
        let inner = |text: &str| serde_json::from_slice::<Value>(&unbase64(text).ok()?).ok();
        match name {
            _ if FIXED.contains(&name) => self.compare(at, ours, theirs),
            "message" if words(ours) != words(theirs) => self.0.push(format!("{at}: other words")),
            "message" => {}
            "body" | "canonicalizedBody" => {
                self.values(at, "", &inner(ours).unwrap_or_default(), &inner(theirs).unwrap_or_default());
            }
            _ if ours.contains(PEM) || ours.contains(SIGNER) => self.texts(at, ours, theirs),
            _ => self.compare(at, ours.is_empty(), theirs.is_empty()),
        }
    }

    fn texts(&mut self, at: &str, ours: &str, theirs: &str) {
        if ours.contains(SIGNER) {
            return self.compare(at, ours.lines().count(), theirs.lines().count());
        }
        if !ours.contains(PEM) {
            return self.compare(at, plain(ours), plain(theirs));
        }
        let pems = |text: &str| -> Vec<_> { text.split(PEM).skip(1).map(str::to_owned).collect() };
        let (all, others) = (pems(ours), pems(theirs));
        let ends = |text: &str| if text.ends_with('\n') { "a last line" } else { "no last line" };
        self.compare(
            at,
            format!("{} PEM, {}", all.len(), ends(ours)),
            format!("{} PEM, {}", others.len(), ends(theirs)),
        );
        for (ours, theirs) in all.iter().zip(&others) {
            self.der(at, &unpem(ours), &unpem(theirs));
        }
    }

    /// The first place where two encodings part.
    fn der(&mut self, at: &str, ours: &[u8], theirs: &[u8]) {
        let bones = |bytes| {
            let mut bones = skeleton(bytes, 0, &[]).unwrap_or_else(|| vec!["no DER".to_owned()]);
            bones.push("end".to_owned());
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
    String::from_utf8_lossy(bytes).into_owned()
}

/// In any order: Go's servers list what they allow in another one each time.
fn words(message: &str) -> Vec<String> {
    let mut words: Vec<_> = plain(message).split([' ', '[', ']']).map(str::to_owned).collect();
    words.sort();
    words
}

/// From behind its first word.
fn unpem(rest: &str) -> Vec<u8> {
    let whole = format!("{PEM}{}", rest);
    der::pem::decode_vec(whole.as_bytes()).map(|(_, der)| der).unwrap_or_default()
}

/// Without what is different each time: ports, numbers, digests, and the kind of space that Go's library for protobuf
/// draws for each build.
fn plain(text: &str) -> String {
    let text = text.replace('\u{a0}', " ");
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
                _ if digits => format!("#{end}"),
                _ if bare.len() >= 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) => format!("HEX{end}"),
                _ => word.to_owned(),
            }
        })
        .collect()
}

/// Tags in their order with their depth; of identifiers, booleans and an extension's texts, the value. Strings of octets
/// are opened where there is a SEQUENCE or a text in them; extensions are in alphabetical order.
fn skeleton(mut bytes: &[u8], depth: usize, above: &[u8]) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    while let [tag, length, rest @ ..] = bytes {
        let (length, rest) = match usize::from(*length) {
            short @ ..0x80 => (short, rest),
            long => {
                let (length, rest) = rest.split_at_checked(long - 0x80)?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let value = match tag {
            1 | 6 => hex(content),
            4 | 0x0c | 0x81 | 0x86 if above.contains(&0xa3) && content.is_ascii() => plain(&text(content)),
            _ => String::new(),
        };
        let mut element = vec![format!("{depth}.{tag:02x} {value}").trim_end().to_owned()];
        let inner = || skeleton(content, depth + 1, &[above, &[*tag]].concat());
        match tag {
            _ if tag & 0x20 != 0 => element.extend(inner()?),
            4 if [Some(&0x30), Some(&0x0c)].contains(&content.first()) => element.extend(inner().unwrap_or_default()),
            _ => {}
        }
        elements.push(element);
        bytes = rest;
    }
    if above.ends_with(&[0xa3, 0x30]) {
        elements.sort();
    }
    bytes.is_empty().then(|| elements.concat())
}

#[test]
fn what_differs_is_seen() {
    let message = |status, content_type, body: &str| Message::reply(status, &[("Content-Type", content_type)], body);
    let good = message(200, "application/json", r#"{"kind":"a","index":7,"list":[{"x":""}],"body":"eyJiIjoxfQ=="}"#);
    let seen = |status, content_type, body| differences(&good, &message(status, content_type, body));
    let json = "application/json";
    assert!(seen(200, json, r#"{"kind":"a","index":9,"list":[{"x":""},{}],"body":"eyJiIjoyfQ=="}"#).is_empty());
    assert_eq!(seen(404, json, ""), ["status: 200 | 404"]);
    assert_eq!(seen(200, "text/plain", "x"), ["content-type: application/json | text/plain", "body: JSON | no JSON"]);
    let other = r#"{"kind":"b","index":"7","list":[{"x":"y"}],"body":"eyJjIjoxfQ==","more":1}"#;
    let places: Vec<_> = seen(200, json, other).iter().map(|it| it.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(places, ["/body/b", "/body/c", "/index", "/kind", "/list/0/x", "/more"]);
    let der = |bytes: &[u8]| Message::reply(200, &[], bytes);
    let sequence = der(&[0x30, 3, 1, 1, 0xff]);
    assert!(differences(&sequence, &sequence).is_empty());
    assert_eq!(differences(&sequence, &der(&[0x30, 3, 1, 1, 0])), ["body: element 2: 1.01 ff | 1.01 00"]);
    assert_eq!(differences(&sequence, &der(&[0x30, 4, 1, 1])), ["body: element 1: 0.30 | no DER"]);
    let extension = |text: u8| der(&[0x30, 12, 0xa3, 10, 0x30, 8, 6, 1, 0x2a, 4, 3, 0x0c, 1, text]);
    assert!(differences(&extension(b'a'), &extension(b'a')).is_empty());
    assert_eq!(differences(&extension(b'a'), &extension(b'b')).len(), 1);
}
