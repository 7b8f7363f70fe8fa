//! Git objects as they are stored: raw bytes split into payload and signature, bit by bit as git does it.
//!
//! The source is git's own `parse_buffer_signed_by_header` (commits) and `parse_signature` (tags, push
//! certificates). Where git is lenient and two readers could see two things, the object says so in
//! [`Object::fault`], and step 1 refuses it.

use std::fmt;

/// Most bytes that one object may have; git itself warns from 100 MB on.
pub const MAX_OBJECT_BYTES: usize = 128 << 20;

/// Most bytes of a header's name that a fault quotes; git's own have up to 13.
pub const MAX_QUOTED_NAME_BYTES: usize = 64;

/// The lines that begin a signature for git (gpg-interface.c); the last one in a tag decides.
const MARKERS: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
];

/// Which object this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
    /// What `git push --signed` sends.
    PushCertificate,
    /// Signed bytes that are none of these.
    Other,
}

impl Kind {
    /// As git and our JSON say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
            Self::PushCertificate => "push-certificate",
            Self::Other => "other",
        }
    }

    /// By the first header, which is fixed for each kind.
    pub fn guess(raw: &[u8]) -> Self {
        match raw {
            [b't', b'r', b'e', b'e', b' ', ..] => Self::Commit,
            [b'o', b'b', b'j', b'e', b'c', b't', b' ', ..] => Self::Tag,
            _ if raw.starts_with(b"certificate version ") => Self::PushCertificate,
            _ => Self::Other,
        }
    }
}

/// The hash of the repository that an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    /// 40 hexadecimal digits.
    Sha1,
    /// 64 hexadecimal digits.
    Sha256,
}

impl ObjectFormat {
    /// By the length of the id in the first header (`tree` or `object`).
    pub fn guess(raw: &[u8]) -> Self {
        let line = raw.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let id = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
        if id.len() == 64 { Self::Sha256 } else { Self::Sha1 }
    }

    /// The header in which a commit of this format carries its own signature.
    fn signature_header(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"gpgsig",
            Self::Sha256 => b"gpgsig-sha256",
        }
    }

    /// The header of the other format, which compatible repositories write too.
    fn foreign_header(self) -> &'static [u8] {
        match self {
            Self::Sha1 => b"gpgsig-sha256",
            Self::Sha256 => b"gpgsig",
        }
    }
}

/// What makes an object's signature ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// More than one signature header of the object's own format.
    SeveralSignatures,
    /// A header that git drops from the payload although nobody signs in it, by the beginning of its name.
    UnknownHeader(String),
    /// More bytes than [`MAX_OBJECT_BYTES`].
    TooLarge(usize),
}

/// A signed thing: the payload, the signature, and the bytes they were taken from.
#[derive(Clone)]
pub struct Object {
    kind: Kind,
    stored: Option<Stored>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    fault: Option<Fault>,
}

/// The whole object as git stores it, without the `commit N\0` in front.
#[derive(Clone)]
pub struct Stored {
    /// The bytes.
    pub raw: Vec<u8>,
    /// The hash they are named by.
    pub format: ObjectFormat,
    /// The id they were asked for by, in hexadecimal, when they were.
    pub asked: Option<String>,
}

impl Object {
    /// Splits stored bytes. `asked` is the id under which they were read; none for bytes from a file.
    pub fn split(raw: Vec<u8>, kind: Kind, format: ObjectFormat, asked: Option<String>) -> Self {
        let split = match kind {
            _ if raw.len() > MAX_OBJECT_BYTES => Split { fault: Some(Fault::TooLarge(raw.len())), ..Split::default() },
            Kind::Commit => split_commit(&raw, format),
            Kind::Tag => split_tag(&raw, format),
            Kind::PushCertificate | Kind::Other => split_at_marker(&raw),
        };
        Self {
            kind,
            stored: Some(Stored { raw, format, asked }),
            payload: split.payload,
            signature: split.signature,
            fault: split.fault,
        }
    }

    /// What git hands to a verifier: it has split already.
    pub fn of(payload: Vec<u8>, signature: Vec<u8>) -> Self {
        let fault = (payload.len() > MAX_OBJECT_BYTES).then_some(Fault::TooLarge(payload.len()));
        Self { kind: Kind::guess(&payload), stored: None, payload, signature, fault }
    }

    /// Which object this is; of a payload alone, by its first header.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The bytes that were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The armored signature; empty for an unsigned object.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The bytes it was read from, unless git split them.
    pub fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    /// Why two readers could see two things.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Of a tag: its own name and what it points to, as the payload has them.
    pub fn tag(&self) -> Option<TagHeader> {
        (self.kind == Kind::Tag).then(|| TagHeader {
            name: header(&self.payload, b"tag").unwrap_or_default(),
            target: header(&self.payload, b"object").unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Object({}, payload {} bytes, signature {} bytes)",
            self.kind.name(),
            self.payload.len(),
            self.signature.len()
        )
    }
}

/// What a tag says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagHeader {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The id it points to.
    pub target: String,
}

#[derive(Default)]
struct Split {
    payload: Vec<u8>,
    signature: Vec<u8>,
    fault: Option<Fault>,
}

/// git's `parse_buffer_signed_by_header`: the values of all native headers make the signature, and every other
/// header whose name begins with `gpgsig` falls out of the payload with its continuation lines.
fn split_commit(raw: &[u8], format: ObjectFormat) -> Split {
    let mut split = Split { payload: Vec::with_capacity(raw.len()), ..Split::default() };
    let (mut in_signature, mut in_dropped, mut native, mut foreign) = (false, false, 0_u32, 0_u32);
    let mut rest = raw;
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        if line == b"\n" {
            split.payload.extend_from_slice(rest);
            break;
        }
        if (in_signature || in_dropped) && line.first() == Some(&b' ') {
            if in_signature {
                split.signature.extend_from_slice(line.get(1..).unwrap_or_default());
            }
        } else if let Some(value) = header_value(line, format.signature_header()) {
            native += 1;
            split.signature.extend_from_slice(value);
            (in_signature, in_dropped) = (true, false);
        } else if line.starts_with(b"gpgsig") {
            foreign += 1;
            if header_value(line, format.foreign_header()).is_none() || foreign > 1 {
                split.fault = Some(Fault::UnknownHeader(header_name(line)));
            }
            (in_signature, in_dropped) = (false, true);
        } else {
            split.payload.extend_from_slice(line);
            (in_signature, in_dropped) = (false, false);
        }
        rest = after;
    }
    if native > 1 {
        split.fault = Some(Fault::SeveralSignatures);
    }
    split
}

/// git's `parse_signature`: the last marker line begins the signature; one header of the other format falls out.
fn split_tag(raw: &[u8], format: ObjectFormat) -> Split {
    let Split { payload: signed, signature, .. } = split_at_marker(raw);
    let mut split = Split { payload: Vec::with_capacity(signed.len()), signature, fault: None };
    let (mut in_dropped, mut dropped) = (false, 0_u32);
    let mut rest = signed.as_slice();
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        if line == b"\n" {
            split.payload.extend_from_slice(rest);
            break;
        }
        if line.starts_with(b"gpgsig") {
            dropped += 1;
            // Of two adjacent ones git drops only the second: nobody should have to know that.
            if header_value(line, format.foreign_header()).is_none() || dropped > 1 {
                split.fault = Some(Fault::UnknownHeader(header_name(line)));
            }
            in_dropped = true;
        } else if !(in_dropped && line.first() == Some(&b' ')) {
            in_dropped = false;
            split.payload.extend_from_slice(line);
        }
        rest = after;
    }
    split
}

fn split_at_marker(raw: &[u8]) -> Split {
    let (mut rest, mut at, mut marker) = (raw, 0, None);
    while !rest.is_empty() {
        if MARKERS.iter().any(|begin| rest.starts_with(begin)) {
            marker = Some(at);
        }
        let (line, after) = next_line(rest);
        at += line.len();
        rest = after;
    }
    let (payload, signature) = raw.split_at(marker.unwrap_or(raw.len()));
    Split { payload: payload.to_vec(), signature: signature.to_vec(), fault: None }
}

/// The first line with its LF, and the rest.
fn next_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

fn header_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(name)?.strip_prefix(b" ")
}

fn header_name(line: &[u8]) -> String {
    let name = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    String::from_utf8_lossy(name.get(..MAX_QUOTED_NAME_BYTES).unwrap_or(name)).into_owned()
}

/// The e-mail address of whom git says that this commit, tag or push is by; it is a claim.
pub fn committer_email(payload: &[u8]) -> Option<String> {
    let person = ["committer", "tagger", "pusher"].iter().find_map(|name| header(payload, name.as_bytes()))?;
    let (_, address) = person.rsplit_once('<')?;
    address.split_once('>').map(|(address, _)| address.to_owned())
}

/// The first value of a header, before the blank line.
fn header(payload: &[u8], name: &[u8]) -> Option<String> {
    payload
        .split(|&byte| byte == b'\n')
        .take_while(|line| !line.is_empty())
        .find_map(|line| header_value(line, name))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}
