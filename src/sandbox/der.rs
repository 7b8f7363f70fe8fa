//! DER (X.690) and the texts of times, written by hand: what the reader knows about them is not used here.

use super::Failure;
use crate::format::time::Time;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag `[number]`, constructed.
pub(super) fn context(number: u8) -> u8 {
    0xa0 | number
}

/// One element: its tag, its length, its parts one after the other.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=127) => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(u8::MAX));
            out.extend(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A non-negative INTEGER of big-endian bytes.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|byte| *byte >= 0x80) {
        digits.insert(0, 0);
    }
    element(INTEGER, &[&digits])
}

/// A SET OF: its elements in the order of their bytes (X.690 section 11.6).
pub(super) fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    element(tag, &elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Tag, content, and the whole element.
pub(super) type Element<'a> = (u8, &'a [u8], &'a [u8]);

/// The first element of `bytes`, as (tag, content, the whole element, what follows).
#[expect(clippy::type_complexity, reason = "four slices of one")]
pub(super) fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8], &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, head) = match first {
        0..=0x7f => (usize::from(*first), 2),
        0x81..=0x84 => {
            let count = usize::from(first & 0x0f);
            let length = rest.get(..count)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, 2 + count)
        }
        _ => return None,
    };
    let end = head.checked_add(length)?;
    Some((*tag, bytes.get(head..end)?, bytes.get(..end)?, bytes.get(end..)?))
}

/// The elements inside one element of `tag`, which must be all of `bytes`.
pub(super) fn inside(tag: u8, bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let (found, content, _, rest) = split(bytes)?;
    if found != tag || !rest.is_empty() {
        return None;
    }
    elements(content)
}

/// The elements that stand one after the other, each as (tag, content, the whole element).
pub(super) fn elements(mut content: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let (tag, value, whole, rest) = split(content)?;
        found.push((tag, value, whole));
        content = rest;
    }
    Some(found)
}

/// PEM with 64 columns.
pub(super) fn pem(label: &str, der: &[u8]) -> Result<String, Failure> {
    ::der::pem::encode_string(label, ::der::pem::LineEnding::LF, der).map_err(Failure::new)
}

/// Label and content of the first block of PEM, whatever its columns, as Go's library reads it.
pub(super) fn unpem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (label, rest) = text.split_once("-----BEGIN ")?.1.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_ascii_whitespace().collect();
    Some((label.to_owned(), crate::format::unbase64(&body).ok()?))
}

/// `YYYYMMDDHHMMSSZ`.
pub(super) fn generalized_time(seconds: i64) -> Result<Vec<u8>, Failure> {
    let text: String = rfc3339(seconds)?.chars().filter(char::is_ascii_digit).chain(['Z']).collect();
    Ok(element(GENERALIZED_TIME, &[text.as_bytes()]))
}

/// `YYMMDDHHMMSSZ`; before 2050.
pub(super) fn utc_time(seconds: i64) -> Result<Vec<u8>, Failure> {
    let text: String = rfc3339(seconds)?.chars().filter(char::is_ascii_digit).skip(2).chain(['Z']).collect();
    Ok(element(UTC_TIME, &[text.as_bytes()]))
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
pub(super) fn rfc3339(seconds: i64) -> Result<String, Failure> {
    Time::from_seconds(seconds).map(|time| time.to_string()).map_err(Failure::new)
}

/// The two halves of an ECDSA signature for JOSE (RFC 7518 section 3.4) out of its DER.
pub(super) fn ecdsa_to_fixed(der: &[u8]) -> Option<[u8; 64]> {
    let mut fixed = [0; 64];
    let halves = inside(SEQUENCE, der)?;
    let [(INTEGER, r, _), (INTEGER, s, _)] = halves.as_slice() else { return None };
    for (half, out) in [r, s].into_iter().zip(fixed.chunks_mut(32)) {
        let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let start = out.len().checked_sub(digits.len())?;
        out.get_mut(start..)?.copy_from_slice(&digits);
    }
    Some(fixed)
}

/// And back.
pub(super) fn ecdsa_from_fixed(fixed: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at_checked(32).filter(|(_, s)| s.len() == 32)?;
    Some(element(SEQUENCE, &[&unsigned(r), &unsigned(s)]))
}
