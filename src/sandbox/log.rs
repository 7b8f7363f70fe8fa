//! A log that both versions of Rekor keep theirs in: entries in a file, their tree in memory, notes over its head.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::Failure;
use super::der::{self, SEQUENCE};
use super::state::Directory;
use super::tree::{Hash, Tree, leaf_hash};
use crate::format::{base64, unbase64};
use crate::key::PublicKey;

/// An entry as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Seconds since 1970 when it came.
    pub(super) time: i64,
    /// Its canonical body.
    pub(super) body: Vec<u8>,
}

/// That an entry is in the tree.
pub(super) struct Proof {
    pub(super) index: usize,
    pub(super) size: usize,
    pub(super) root: Hash,
    pub(super) hashes: Vec<Hash>,
}

impl Proof {
    /// Makes it lead elsewhere.
    pub(super) fn falsify(&mut self) {
        match self.hashes.first_mut() {
            Some(hash) => hash[0] ^= 1,
            None => self.hashes.push([0; 32]),
        }
    }
}

/// Where an entry is.
pub(super) enum Place {
    New(usize),
    Known(usize),
}

pub(super) struct Log(Mutex<Inner>);

pub(super) struct Inner {
    pub(super) tree: Tree,
    entries: Vec<Entry>,
    places: HashMap<Hash, usize>,
    file: File,
}

/// One line of the file.
#[derive(Deserialize, Serialize)]
struct Line {
    time: i64,
    body: String,
}

impl Log {
    /// Continues the log of that name. A last line without its end was never answered for, and is dropped.
    pub(super) fn open(directory: &Directory, name: &str) -> Result<Self, Failure> {
        let name = format!("{name}.jsonl");
        let mut text = directory.read(&name)?.unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            text.truncate(whole);
            directory.write(&name, &text)?;
        }
        let file = directory.append(&name)?;
        let mut inner = Inner { tree: Tree::default(), entries: Vec::new(), places: HashMap::new(), file };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line = serde_json::from_slice(line).map_err(|error| Failure::new(format!("{name}: {error}")))?;
            inner.keep(Entry { time: line.time, body: unbase64(&line.body).map_err(Failure::new)? });
        }
        Ok(Self(Mutex::new(inner)))
    }

    /// Adds what is not there yet.
    pub(super) fn append(&self, body: Vec<u8>, time: i64) -> Result<Place, Failure> {
        let mut inner = self.read()?;
        if let Some(place) = inner.places.get(&leaf_hash(&body)) {
            return Ok(Place::Known(*place));
        }
        let mut line = serde_json::to_vec(&Line { time, body: base64(&body) }).map_err(Failure::new)?;
        line.push(b'\n');
        inner.file.write_all(&line).map_err(Failure::new)?;
        Ok(Place::New(inner.keep(Entry { time, body })))
    }

    /// The log as it is, which stands still meanwhile.
    pub(super) fn read(&self) -> Result<MutexGuard<'_, Inner>, Failure> {
        self.0.lock().map_err(|_| Failure::new("the log was left in the middle of an entry"))
    }
}

impl Inner {
    fn keep(&mut self, entry: Entry) -> usize {
        let (leaf, place) = (leaf_hash(&entry.body), self.entries.len());
        self.tree.push(leaf);
        self.places.insert(leaf, place);
        self.entries.push(entry);
        place
    }

    pub(super) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    pub(super) fn place(&self, leaf: &[u8]) -> Option<usize> {
        self.places.get(leaf).copied()
    }

    pub(super) fn proof(&self, index: usize) -> Proof {
        let size = self.tree.size();
        Proof { index, size, root: self.tree.root(size), hashes: self.tree.inclusion(index, size) }
    }
}

/// A checkpoint (C2SP tlog-checkpoint) as a signed note: `name` signs with what `hint` names.
pub(super) fn checkpoint(
    [origin, name]: [&str; 2],
    size: usize,
    root: &Hash,
    hint: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>,
) -> Result<String, Failure> {
    let text = format!("{origin}\n{size}\n{}\n", base64(root));
    let blob = [hint.iter().copied().take(4).collect(), sign(text.as_bytes())?].concat();
    Ok(format!("{text}\n\u{2014} {name} {}\n", base64(&blob)))
}

/// The key inside a certificate (RFC 5280 section 4.1), whoever issued it.
pub(super) fn certified_key(certificate: &[u8]) -> Option<PublicKey> {
    let parts = der::inside(SEQUENCE, certificate)?;
    let (_, tbs, _) = parts.first()?;
    let fields = der::elements(tbs)?;
    // version (explicit), serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    let (_, _, spki) = fields.get(6)?;
    PublicKey::from_spki(spki).ok()
}
