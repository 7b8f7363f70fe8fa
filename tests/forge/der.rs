//! DER (X.690), written by hand, so that nothing the reader knows decides what is written.

use der::Encode as _;
use der::asn1::ObjectIdentifier;
use git_keyless::format::time::Time;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag `[number]`, constructed.
pub(crate) fn context(number: u8) -> u8 {
    0xa0 | number
}

/// One element around its parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let digits: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match content.len() {
        0 => out.push(0),
        1..=127 => out.extend(digits),
        _ => {
            out.push(0x80 | u8::try_from(digits.len()).unwrap());
            out.extend(digits);
        }
    }
    out.extend(content);
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, &[content])
}

pub(crate) fn integer(value: u8) -> Vec<u8> {
    element(INTEGER, &[&[value]])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], content])
}

pub(crate) fn text(content: &str) -> Vec<u8> {
    element(UTF8_STRING, &[content.as_bytes()])
}

/// An OBJECT IDENTIFIER from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    ObjectIdentifier::new(dotted).unwrap().to_der().unwrap()
}

/// An AlgorithmIdentifier without parameters.
pub(crate) fn algorithm(dotted: &str) -> Vec<u8> {
    sequence(&[&oid(dotted)])
}

/// A SET OF, or what stands for one, in the order of DER.
pub(crate) fn set_of(tag: u8, elements: &[Vec<u8>]) -> Vec<u8> {
    let mut sorted = elements.to_vec();
    sorted.sort();
    element(tag, &sorted.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// `YYMMDDHHMMSSZ`, or with four digits of the year from 2050 on (RFC 5280 section 4.1.2.5).
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let digits = generalized(seconds);
    match digits.as_str() {
        late if late >= "2050" => element(GENERALIZED_TIME, &[late.as_bytes()]),
        _ => element(UTC_TIME, &[&digits.as_bytes()[2..]]),
    }
}

/// `YYYYMMDDHHMMSSZ`.
pub(crate) fn generalized(seconds: i64) -> String {
    let text = Time::from_seconds(seconds).unwrap().to_string();
    text.chars().filter(char::is_ascii_digit).chain(['Z']).collect()
}

/// The elements inside the one element that `bytes` is, each whole.
pub(crate) fn inside(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (content(bytes), Vec::new());
    while !rest.is_empty() {
        let length = whole(rest);
        found.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    found
}

/// What stands inside an element.
pub(crate) fn content(bytes: &[u8]) -> &[u8] {
    let head = if bytes[1] < 0x80 { 2 } else { 2 + usize::from(bytes[1] & 0x7f) };
    &bytes[head..whole(bytes)]
}

fn whole(bytes: &[u8]) -> usize {
    match bytes[1] {
        short @ 0..=0x7f => 2 + usize::from(short),
        long => {
            let count = usize::from(long & 0x7f);
            2 + count + bytes[2..2 + count].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
    }
}
