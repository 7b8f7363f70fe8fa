//! Checkpoints: signed notes of a transparency log (C2SP signed-note and tlog-checkpoint).

use super::{Malformed, unbase64};

/// Most bytes of a checkpoint; a log with sixteen witnesses stays below 4 kB.
pub const MAX_CHECKPOINT_BYTES: usize = 64 << 10;
/// Most signature lines; C2SP demands that at least 16 are accepted.
pub const MAX_SIGNATURES: usize = 64;

/// A checkpoint as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// First line: which log, and for Rekor v1 which tree.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Root of the tree.
    pub root: [u8; 32],
    /// Text with its final LF: what is signed.
    pub text: String,
    /// Signature lines, in their order.
    pub signatures: Vec<NoteSignature>,
}

/// One line `— name base64(hint | signature)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Who, as the line says.
    pub name: String,
    /// First four bytes of the key id.
    pub hint: [u8; 4],
    /// The signature.
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// Strict: LF only, no empty lines in the text, size without leading zeros, root of 32 bytes.
    pub fn parse(note: &str) -> Result<Self, Malformed> {
        let malformed = |why: &str| Malformed::new("checkpoint", why);
        if note.len() > MAX_CHECKPOINT_BYTES {
            return Err(malformed("longer than any log's"));
        }
        // Control characters other than LF have no place in a note (C2SP signed-note).
        if note.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(malformed("control characters"));
        }
        // The last empty line separates text and signatures.
        let at = note.rfind("\n\n").ok_or_else(|| malformed("no empty line before the signatures"))?;
        let (text, rest) = note.split_at(at + 1);
        let signatures = rest.strip_prefix('\n').unwrap_or_default();
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or_else(|| malformed("no origin"))?;
        let size = lines.next().and_then(decimal).ok_or_else(|| malformed("no size"))?;
        let root = lines.next().ok_or_else(|| malformed("no root hash")).and_then(unbase64)?;
        if lines.any(str::is_empty) {
            return Err(malformed("an empty line inside its text"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root: root.try_into().map_err(|_| malformed("root hash is not 32 bytes"))?,
            text: text.to_owned(),
            signatures: parse_signatures(signatures)?,
        })
    }
}

fn parse_signatures(block: &str) -> Result<Vec<NoteSignature>, Malformed> {
    let malformed = |why: &str| Malformed::new("checkpoint", why);
    let block = block.strip_suffix('\n').ok_or_else(|| malformed("no LF at its end"))?;
    let lines: Vec<_> = block.split('\n').collect();
    if lines.len() > MAX_SIGNATURES {
        return Err(malformed("more signature lines than any log has"));
    }
    lines.into_iter().map(signature_line).collect()
}

fn signature_line(line: &str) -> Result<NoteSignature, Malformed> {
    let malformed = |why: &str| Malformed::new("checkpoint", why);
    let (name, blob) = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or_else(|| malformed("a line that is no signature line"))?;
    let blob = unbase64(blob)?;
    let (hint, signature) = blob.split_first_chunk::<4>().ok_or_else(|| malformed("a signature without key hint"))?;
    if name.is_empty() || name.contains('+') || signature.is_empty() {
        return Err(malformed("a signature line without name or signature"));
    }
    Ok(NoteSignature { name: name.to_owned(), hint: *hint, signature: signature.to_vec() })
}

fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}
