//! Step 6: rebuilt from our digest, signature and leaf, the entry is included under a checkpoint that its log signed;
//! a promise, if there is one, verifies.

use der::asn1::ObjectIdentifier;

use super::cms::VerifiedSignature;
use super::merkle;
use crate::format::checkpoint::{Checkpoint, NoteSignature};
use crate::format::cms::{self, LOG_ENTRY};
use crate::format::entry::{self, Entry, InclusionProof};
use crate::format::hex;
use crate::format::time::Time;
use crate::key::{Hash, KeyKind, Memo, PublicKey};
use crate::report::{EntryFact, Reason};
use crate::trust::{Log, TrustRoot};

/// gitsign's arc for entries. Its prototype of January 2023 wrote nine attributes there, from .0 to .8.
const ENTRY_ARC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3");

/// A log of the trust root includes this signature.
pub(super) struct VerifiedEntry<'r> {
    fact: EntryFact,
    promised: Option<Time>,
    log: &'r Log,
    note: Option<String>,
}

impl VerifiedEntry<'_> {
    pub(super) fn fact(&self) -> EntryFact {
        self.fact.clone()
    }

    /// When the log promised to include it: authenticated by the promise's signature.
    pub(super) fn promised(&self) -> Option<Time> {
        self.promised
    }

    /// The log's key, with its windows.
    pub(super) fn log(&self) -> &Log {
        self.log
    }

    pub(super) fn note(&self) -> Option<String> {
        self.note.clone()
    }

    pub(super) fn detail(&self) -> String {
        format!("entry {} of {}", self.fact.index, self.fact.log)
    }
}

/// How Rekor wrote the entry down: which body, and what must stand beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// hashedrekord 0.0.1.
    V1,
    /// hashedrekord 0.0.2.
    V2,
}

pub(super) fn verify_entry<'r>(
    signature: &VerifiedSignature,
    root: &'r TrustRoot,
    memo: &Memo,
) -> Result<VerifiedEntry<'r>, Reason> {
    let entry = embedded(signature)?;
    let log = root.logs.iter().find(|log| log.id == entry.log_id).ok_or_else(|| unknown_log(&entry, root))?;
    let (key, hash) = log
        .key
        .as_ref()
        .map_err(|why| Reason::TrustRootUnusable(format!("transparency log {}: {why}", log.base_url)))?;
    let form = form(&entry)?;
    let body = body(signature, form)?;
    if !entry.body.is_empty() && entry.body != body {
        return Err(Reason::EntryBodyMismatch);
    }
    let proof = entry.proof.as_ref().ok_or(Reason::ProofMissing)?;
    let note = proof.checkpoint.as_deref().filter(|note| !note.is_empty()).ok_or(Reason::CheckpointMissing)?;
    let checkpoint = Checkpoint::parse(note).map_err(Reason::CheckpointMalformed)?;
    check_signed_by_log(&checkpoint, log, key, *hash, form, memo)?;
    let index = check_included(&body, proof, &checkpoint)?;
    let promised = check_promise(&entry, &body, form, key, *hash, memo)?;
    if form == Form::V2 && entry.log_index != proof.index {
        return Err(Reason::IndexMismatch { entry: entry.log_index, proof: proof.index });
    }
    // Without a promise nobody has signed the index over all shards.
    let index = match promised {
        Some(_) => u64::try_from(entry.log_index)
            .map_err(|_| Reason::IndexMismatch { entry: entry.log_index, proof: proof.index })?,
        None => index,
    };
    let kind = format!("hashedrekord/{}", if form == Form::V1 { "0.0.1" } else { "0.0.2" });
    let note = (kind != format!("{}/{}", entry.kind, entry.version))
        .then(|| format!("the entry is labelled {} {} and is {kind}", entry.kind, entry.version));
    Ok(VerifiedEntry { fact: EntryFact { log: log.base_url.clone(), index, kind }, promised, log, note })
}

/// The entry inside, with its body rebuilt: for bundles.
pub(super) fn with_body(signature: &VerifiedSignature) -> Option<Entry> {
    let mut entry = embedded(signature).ok()?;
    let form = form(&entry).ok()?;
    entry.body = body(signature, form).ok()?;
    if form == Form::V2 {
        (entry.version, entry.promise) = ("0.0.2".to_owned(), None);
    }
    Some(entry)
}

/// The one entry attribute with its one value.
fn embedded(signature: &VerifiedSignature) -> Result<Entry, Reason> {
    let (attributes, values) = cms::values(signature.unsigned(), LOG_ENTRY);
    match (attributes, values.as_slice()) {
        (0 | 1, _) if has_prototype(signature) => Err(Reason::EntryMissing(
            "the log entry is in the form of gitsign's prototype of 2023, which proves nothing",
        )),
        (0, _) => Err(Reason::EntryMissing("no log entry is inside the signature")),
        (1, [value]) => cms::octets(value).and_then(Entry::parse).map_err(Reason::EntryMalformed),
        (attributes, values) => Err(Reason::EntryRepeated { attributes, values: values.len() }),
    }
}

fn has_prototype(signature: &VerifiedSignature) -> bool {
    let prototype = |id: ObjectIdentifier| id != LOG_ENTRY && id.starts_with(ENTRY_ARC);
    signature.unsigned().iter().any(|attribute| prototype(attribute.oid))
}

/// Logs that are listed are required, also when this program can read none of their keys.
fn unknown_log(entry: &Entry, root: &TrustRoot) -> Reason {
    match root.logs.iter().find_map(|log| log.key.as_ref().err()) {
        Some(why) if root.logs.iter().all(|log| log.key.is_err()) => {
            Reason::TrustRootUnusable(format!("no transparency log can be used: {why}"))
        }
        _ => Reason::LogUnknown { id: hex(&entry.log_id) },
    }
}

/// gitsign stores entries of Rekor v2 as 0.0.1 with an empty promise; Rekor v1 always promises.
fn form(entry: &Entry) -> Result<Form, Reason> {
    let mislabelled = entry.promise.as_ref().is_some_and(Vec::is_empty);
    match (entry.kind.as_str(), entry.version.as_str()) {
        ("hashedrekord", "0.0.1") if mislabelled => Ok(Form::V2),
        ("hashedrekord", "0.0.1") => Ok(Form::V1),
        ("hashedrekord", "0.0.2") => Ok(Form::V2),
        (kind, version) => Err(Reason::EntryKindUnsupported { kind: format!("{kind} {version}") }),
    }
}

/// The canonical body that the log must have, if it has this signature.
fn body(signature: &VerifiedSignature, form: Form) -> Result<Vec<u8>, Reason> {
    let (digest, leaf) = (signature.attributes_digest(), signature.leaf());
    match form {
        Form::V1 => leaf
            .to_pem()
            .and_then(|pem| entry::hashedrekord_v001(digest, signature.signature(), &pem))
            .map_err(Reason::EntryMalformed),
        Form::V2 => entry::hashedrekord_v002(digest, signature.signature(), leaf.der(), key_details(signature.key())?)
            .map_err(Reason::EntryMalformed),
    }
}

/// `dev.sigstore.common.v1.PublicKeyDetails` of keys that sign SHA-256.
fn key_details(key: &PublicKey) -> Result<&'static str, Reason> {
    // An RSAPublicKey of n bits has n/8 bytes of modulus and a few more.
    match (key.kind(), key.raw().len()) {
        (KeyKind::P256, _) => Ok("PKIX_ECDSA_P256_SHA_256"),
        (KeyKind::Rsa, 257..=300) => Ok("PKIX_RSA_PKCS1V15_2048_SHA256"),
        (KeyKind::Rsa, 385..=430) => Ok("PKIX_RSA_PKCS1V15_3072_SHA256"),
        (KeyKind::Rsa, 513..=560) => Ok("PKIX_RSA_PKCS1V15_4096_SHA256"),
        (kind, _) => {
            Err(Reason::AlgorithmUnsupported { what: format!("a {kind:?} key with SHA-256 in a log of Rekor v2") })
        }
    }
}

/// The log's own line must be there and verify, and every line that claims to be the log's must. Others are ignored.
fn check_signed_by_log(
    checkpoint: &Checkpoint,
    log: &Log,
    key: &PublicKey,
    hash: Hash,
    form: Form,
    memo: &Memo,
) -> Result<(), Reason> {
    let invalid = |why: &str| Reason::CheckpointSignatureInvalid(why.to_owned());
    let origin_fits = match form {
        // Rekor v1: `host - tree id`, signed by `host`, which need not be where the log is reached.
        Form::V1 => |line: &NoteSignature, checkpoint: &Checkpoint, _: &Log| {
            checkpoint.origin == line.name
                || checkpoint.origin.strip_prefix(&line.name).is_some_and(|rest| rest.starts_with(" - "))
        },
        Form::V2 => |line: &NoteSignature, checkpoint: &Checkpoint, log: &Log| {
            checkpoint.origin == line.name && line.name == log.host()
        },
    };
    let own: Vec<_> = checkpoint
        .signatures
        .iter()
        .filter(|line| line.hint == log.checkpoint_hint && origin_fits(line, checkpoint, log))
        .collect();
    if own.is_empty() {
        return Err(invalid("none of its lines is by the log's key and name"));
    }
    for line in own {
        memo.check_signature(key, hash, checkpoint.text.as_bytes(), &line.signature)
            .map_err(|_| invalid("the signature does not verify"))?;
    }
    Ok(())
}

/// Index in the tree. The checkpoint's root and size decide; the proof's own copies must agree and are then forgotten.
fn check_included(body: &[u8], proof: &InclusionProof, checkpoint: &Checkpoint) -> Result<u64, Reason> {
    let invalid = |why: &str| Reason::ProofInvalid(why.to_owned());
    if proof.root != checkpoint.root {
        return Err(Reason::CheckpointMismatch(format!(
            "root {}, the proof says {}",
            hex(&checkpoint.root),
            hex(&proof.root)
        )));
    }
    if u64::try_from(proof.size) != Ok(checkpoint.size) {
        return Err(Reason::CheckpointMismatch(format!("size {}, the proof says {}", checkpoint.size, proof.size)));
    }
    let index = u64::try_from(proof.index).map_err(|_| invalid("negative index"))?;
    let hashes: Option<Vec<[u8; 32]>> = proof.hashes.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
    let hashes = hashes.ok_or_else(|| invalid("a hash that is not 32 bytes long"))?;
    match merkle::implied_root(merkle::leaf_hash(body), index, checkpoint.size, &hashes) {
        Some(root) if root == checkpoint.root => Ok(index),
        Some(_) => Err(invalid(
            "it does not lead to the log's root; the entry is about another signature, digest or certificate",
        )),
        None => Err(invalid("its length does not fit index and size")),
    }
}

/// The time that a promise of Rekor v1 authenticates. Rekor v2 promises nothing.
fn check_promise(
    entry: &Entry,
    body: &[u8],
    form: Form,
    key: &PublicKey,
    hash: Hash,
    memo: &Memo,
) -> Result<Option<Time>, Reason> {
    let Some(promise) = entry.promise.as_ref().filter(|promise| !promise.is_empty()) else { return Ok(None) };
    if form == Form::V2 {
        return Err(Reason::PromiseInvalid);
    }
    let promised =
        entry::promised(body, entry.integrated_time, &entry.log_id, entry.log_index).map_err(Reason::EntryMalformed)?;
    memo.check_signature(key, hash, &promised, promise).map_err(|_| Reason::PromiseInvalid)?;
    Time::from_seconds(entry.integrated_time).map(Some).map_err(Reason::EntryMalformed)
}
