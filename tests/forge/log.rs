//! Transparency logs of either version: bodies, a tree by its definition, checkpoints, promises.

use git_keyless::format::base64;
use git_keyless::format::entry::{Entry, InclusionProof, hashedrekord_v001, hashedrekord_v002, promised};
use git_keyless::key::{sha256, sha256_of};
use rcgen::{KeyPair, PublicKeyData as _};

use super::x509::signature;

pub(crate) const P256_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

/// A transparency log.
pub(crate) struct Log {
    pub(crate) key: KeyPair,
    pub(crate) host: &'static str,
    /// Rekor v2.
    pub(crate) tiled: bool,
}

impl Log {
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Rekor v1: SHA-256 of its key. Rekor v2: the key id of its notes (C2SP signed-note).
    pub(crate) fn id(&self) -> Vec<u8> {
        match self.tiled {
            false => sha256(&self.key.subject_public_key_info()).to_vec(),
            true => sha256_of(&[self.host.as_bytes(), b"\n\x01", self.key.der_bytes()]).to_vec(),
        }
    }

    pub(crate) fn origin(&self) -> String {
        match self.tiled {
            false => format!("{} - 1193050959916656506", self.host),
            true => self.host.to_owned(),
        }
    }

    /// A note over `text` with its final LF, signed by this log.
    pub(crate) fn note(&self, text: &str) -> String {
        format!("{text}\n{}", self.line(text))
    }

    /// Its own signature line.
    pub(crate) fn line(&self, text: &str) -> String {
        let blob = [&self.id()[..4], &signature(&self.key, text.as_bytes())].concat();
        format!("\u{2014} {} {}\n", self.host, base64(&blob))
    }

    /// A checkpoint over a tree.
    pub(crate) fn checkpoint(&self, size: u64, root: &[u8]) -> String {
        self.note(&format!("{}\n{size}\n{}\n", self.origin(), base64(root)))
    }

    /// A promise for what an entry says.
    pub(crate) fn promise(&self, entry: &Entry, body: &[u8]) -> Vec<u8> {
        let promised = promised(body, entry.integrated_time, &entry.log_id, entry.log_index).unwrap();
        signature(&self.key, &promised)
    }

    /// The entry that this log gives for `body`, included in a tree of seven.
    pub(crate) fn entry(&self, body: &[u8], at: i64) -> Entry {
        let proof = self.proof(body, 4, 7);
        let mut entry = Entry {
            log_id: self.id(),
            log_index: if self.tiled { 4 } else { 1_000_004 },
            kind: "hashedrekord".to_owned(),
            version: if self.tiled { "0.0.2" } else { "0.0.1" }.to_owned(),
            integrated_time: if self.tiled { 0 } else { at },
            promise: None,
            proof: Some(proof),
            body: Vec::new(),
        };
        entry.promise = (!self.tiled).then(|| self.promise(&entry, body));
        entry
    }

    /// The proof that `body` is at `index` of `size` entries.
    pub(crate) fn proof(&self, body: &[u8], index: usize, size: usize) -> InclusionProof {
        let mut leaves: Vec<_> =
            (0..size).map(|other| leaf_hash(format!("another entry, {other}").as_bytes())).collect();
        leaves[index] = leaf_hash(body);
        let root = head(&leaves);
        InclusionProof {
            index: i64::try_from(index).unwrap(),
            root: root.to_vec(),
            size: i64::try_from(size).unwrap(),
            hashes: path(index, &leaves).into_iter().map(Vec::from).collect(),
            checkpoint: Some(self.checkpoint(size as u64, &root)),
        }
    }
}

/// The body of a hashedrekord as Rekor v1 or v2 has it.
pub(crate) fn body(tiled: bool, attributes: &[u8], signature: &[u8], leaf: &[u8], details: &str) -> Vec<u8> {
    let digest = sha256(attributes);
    match tiled {
        true => hashedrekord_v002(&digest, signature, leaf, details).unwrap(),
        false => {
            let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, leaf).unwrap();
            hashedrekord_v001(&digest, signature, &pem).unwrap()
        }
    }
}

pub(crate) fn leaf_hash(body: &[u8]) -> [u8; 32] {
    sha256_of(&[&[0], body])
}

pub(crate) fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256_of(&[&[1], left, right])
}

/// RFC 9162 section 2.1.1.
pub(crate) fn head(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&head(left), &head(right))
        }
    }
}

/// RFC 9162 section 2.1.3.1.
fn path(index: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = match index < left.len() {
        true => (path(index, left), head(right)),
        false => (path(index - left.len(), right), head(left)),
    };
    proof.push(sibling);
    proof
}
