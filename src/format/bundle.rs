//! The Sigstore bundle v0.3 of a commit signature (`dev.sigstore.bundle.v1.Bundle`, ProtoJSON).
//!
//! A commit signature is a bundle in other clothes: the artifact is the signed attributes as a SET OF, the signature
//! the SignerInfo's, and each token is wrapped into the reply it came in.

use serde_json::{Value, json};

use super::entry::Entry;
use super::timestamp::reply_around;
use super::{Malformed, base64};

/// What goes into a bundle.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// SHA-256 of the signed attributes tagged SET OF.
    pub digest: &'a [u8; 32],
    /// The SignerInfo's signature.
    pub signature: &'a [u8],
    /// DER of the leaf.
    pub leaf: &'a [u8],
    /// The entry with its body rebuilt, if there is one.
    pub entry: Option<&'a Entry>,
    /// Timestamp tokens, bare.
    pub tokens: &'a [Vec<u8>],
}

/// The bundle.
pub fn to_json(parts: &Parts<'_>) -> Result<Value, Malformed> {
    let tokens = parts
        .tokens
        .iter()
        .map(|token| Ok(json!({ "signedTimestamp": base64(&reply_around(token)?) })))
        .collect::<Result<Vec<_>, Malformed>>()?;
    let mut material = json!({
        "certificate": { "rawBytes": base64(parts.leaf) },
        "tlogEntries": parts.entry.map(entry_json).into_iter().collect::<Vec<_>>(),
    });
    if !tokens.is_empty()
        && let Some(material) = material.as_object_mut()
    {
        material.insert("timestampVerificationData".into(), json!({ "rfc3161Timestamps": tokens }));
    }
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material,
        "messageSignature": {
            "messageDigest": { "algorithm": "SHA2_256", "digest": base64(parts.digest) },
            "signature": base64(parts.signature),
        },
    }))
}

/// One entry; 64-bit integers are strings in ProtoJSON, and absent fields stay away.
pub fn entry_json(entry: &Entry) -> Value {
    let mut json = json!({
        "logIndex": entry.log_index.to_string(),
        "logId": { "keyId": base64(&entry.log_id) },
        "kindVersion": { "kind": entry.kind, "version": entry.version },
        "canonicalizedBody": base64(&entry.body),
    });
    let Some(fields) = json.as_object_mut() else { return json };
    if entry.integrated_time != 0 {
        fields.insert("integratedTime".into(), json!(entry.integrated_time.to_string()));
    }
    if let Some(promise) = entry.promise.as_ref().filter(|promise| !promise.is_empty()) {
        fields.insert("inclusionPromise".into(), json!({ "signedEntryTimestamp": base64(promise) }));
    }
    if let Some(proof) = &entry.proof {
        fields.insert(
            "inclusionProof".into(),
            json!({
                "logIndex": proof.index.to_string(),
                "rootHash": base64(&proof.root),
                "treeSize": proof.size.to_string(),
                "hashes": proof.hashes.iter().map(|hash| base64(hash)).collect::<Vec<_>>(),
                "checkpoint": { "envelope": proof.checkpoint.clone().unwrap_or_default() },
            }),
        );
    }
    json
}
