//! Log entries: Sigstore's protobuf message as it stands in a signature, and Rekor's canonical bodies (RFC 8785).
//!
//! The message inside a signature has no body. It is rebuilt from the digest, the signature and the certificate that
//! the verifier has itself, so an entry about anything else has another leaf hash.

use prost::Message as _;
use serde::Serialize;
use sigstore_protobuf_specs::dev::sigstore::common::v1::LogId;
use sigstore_protobuf_specs::dev::sigstore::rekor::v1 as pb;

use super::{Malformed, base64, hex};

/// Most bytes of one entry; a proof in a log of 2^40 entries has 40 hashes, 1.3 kB.
pub const MAX_ENTRY_BYTES: usize = 128 << 10;
/// Most hashes of an inclusion proof: a tree of 2^63 entries (RFC 9162 section 2.1.3.2).
pub const MAX_PROOF_HASHES: usize = 64;

/// A log entry as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which log, by its id in the trust root.
    pub log_id: Vec<u8>,
    /// Rekor v1: index over all shards, covered by the promise. Rekor v2: the proof's index.
    pub log_index: i64,
    /// `hashedrekord`.
    pub kind: String,
    /// `0.0.1` or `0.0.2`.
    pub version: String,
    /// Seconds since 1970; nothing until the promise has been checked.
    pub integrated_time: i64,
    /// The signed entry timestamp of Rekor v1; gitsign stores an empty one for v2.
    pub promise: Option<Vec<u8>>,
    /// The inclusion proof.
    pub proof: Option<InclusionProof>,
    /// The canonical body, when it was stored.
    pub body: Vec<u8>,
}

/// An inclusion proof (RFC 9162 section 2.1.3) with the checkpoint it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Index within the tree.
    pub index: i64,
    /// Root as the proof has it; the checkpoint decides.
    pub root: Vec<u8>,
    /// Size as the proof has it; the checkpoint decides.
    pub size: i64,
    /// From the leaf upwards.
    pub hashes: Vec<Vec<u8>>,
    /// The signed note.
    pub checkpoint: Option<String>,
}

impl Entry {
    /// From the protobuf message `dev.sigstore.rekor.v1.TransparencyLogEntry`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(Malformed::new("log entry", format!("{} bytes, more than {MAX_ENTRY_BYTES}", bytes.len())));
        }
        let message = pb::TransparencyLogEntry::decode(bytes).map_err(|error| Malformed::new("log entry", error))?;
        let kind = message.kind_version.ok_or_else(|| Malformed::new("log entry", "no kind and version"))?;
        let proof = message.inclusion_proof.map(|proof| InclusionProof {
            index: proof.log_index,
            root: proof.root_hash,
            size: proof.tree_size,
            hashes: proof.hashes,
            checkpoint: proof.checkpoint.map(|checkpoint| checkpoint.envelope),
        });
        if proof.as_ref().is_some_and(|proof| proof.hashes.len() > MAX_PROOF_HASHES) {
            return Err(Malformed::new("log entry", format!("a proof of more than {MAX_PROOF_HASHES} hashes")));
        }
        Ok(Self {
            log_id: message.log_id.ok_or_else(|| Malformed::new("log entry", "no log id"))?.key_id,
            log_index: message.log_index,
            kind: kind.kind,
            version: kind.version,
            integrated_time: message.integrated_time,
            promise: message.inclusion_promise.map(|promise| promise.signed_entry_timestamp),
            proof,
            body: message.canonicalized_body,
        })
    }

    /// The protobuf message, in the order of its field numbers.
    pub fn to_bytes(&self) -> Vec<u8> {
        pb::TransparencyLogEntry {
            log_index: self.log_index,
            log_id: Some(LogId { key_id: self.log_id.clone() }),
            kind_version: Some(pb::KindVersion { kind: self.kind.clone(), version: self.version.clone() }),
            integrated_time: self.integrated_time,
            inclusion_promise: self
                .promise
                .clone()
                .map(|signed_entry_timestamp| pb::InclusionPromise { signed_entry_timestamp }),
            inclusion_proof: self.proof.clone().map(|proof| pb::InclusionProof {
                log_index: proof.index,
                root_hash: proof.root,
                tree_size: proof.size,
                hashes: proof.hashes,
                checkpoint: proof.checkpoint.map(|envelope| pb::Checkpoint { envelope }),
            }),
            canonicalized_body: self.body.clone(),
        }
        .encode_to_vec()
    }
}

/// Body of a hashedrekord 0.0.1 (Rekor v1): digest in hex, certificate as PEM inside base64.
pub fn hashedrekord_v001(digest: &[u8; 32], signature: &[u8], leaf_pem: &str) -> Result<Vec<u8>, Malformed> {
    // Field order is the alphabet's, values are hex and base64: serde_json writes RFC 8785 already.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        api_version: &'a str,
        kind: &'a str,
        spec: Spec<'a>,
    }
    #[derive(Serialize)]
    struct Spec<'a> {
        data: Data<'a>,
        signature: Signature,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        hash: Hash<'a>,
    }
    #[derive(Serialize)]
    struct Hash<'a> {
        algorithm: &'a str,
        value: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Signature {
        content: String,
        public_key: PublicKey,
    }
    #[derive(Serialize)]
    struct PublicKey {
        content: String,
    }
    let body = Body {
        api_version: "0.0.1",
        kind: "hashedrekord",
        spec: Spec {
            data: Data { hash: Hash { algorithm: "sha256", value: hex(digest) } },
            signature: Signature {
                content: base64(signature),
                public_key: PublicKey { content: base64(leaf_pem.as_bytes()) },
            },
        },
    };
    serde_json::to_vec(&body).map_err(|error| Malformed::new("hashedrekord", error))
}

/// Body of a hashedrekord 0.0.2 (Rekor v2): digest in base64, certificate as DER, the key's details named.
pub fn hashedrekord_v002(
    digest: &[u8; 32],
    signature: &[u8],
    leaf_der: &[u8],
    key_details: &str,
) -> Result<Vec<u8>, Malformed> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        api_version: &'a str,
        kind: &'a str,
        spec: Spec<'a>,
    }
    #[derive(Serialize)]
    struct Spec<'a> {
        #[serde(rename = "hashedRekordV002")]
        hashed_rekord: HashedRekord<'a>,
    }
    #[derive(Serialize)]
    struct HashedRekord<'a> {
        data: Data<'a>,
        signature: SignatureV002<'a>,
    }
    #[derive(Serialize)]
    struct Data<'a> {
        algorithm: &'a str,
        digest: String,
    }
    let body = Body {
        api_version: "0.0.2",
        kind: "hashedrekord",
        spec: Spec {
            hashed_rekord: HashedRekord {
                data: Data { algorithm: "SHA2_256", digest: base64(digest) },
                signature: SignatureV002::of(signature, leaf_der, key_details),
            },
        },
    };
    serde_json::to_vec(&body).map_err(|error| Malformed::new("hashedrekord", error))
}

/// What asks Rekor v2 for such an entry (`CreateEntryRequest`); unknown fields are refused there.
pub fn hashedrekord_request_v002(
    digest: &[u8; 32],
    signature: &[u8],
    leaf_der: &[u8],
    key_details: &str,
) -> Result<Vec<u8>, Malformed> {
    #[derive(Serialize)]
    struct CreateEntryRequest<'a> {
        #[serde(rename = "hashedRekordRequestV002")]
        hashed_rekord: HashedRekord<'a>,
    }
    #[derive(Serialize)]
    struct HashedRekord<'a> {
        digest: String,
        signature: SignatureV002<'a>,
    }
    let signature = SignatureV002::of(signature, leaf_der, key_details);
    let request = CreateEntryRequest { hashed_rekord: HashedRekord { digest: base64(digest), signature } };
    serde_json::to_vec(&request).map_err(|error| Malformed::new("hashedrekord", error))
}

/// A signature with the certificate of its key, as Rekor v2 has it.
#[derive(Serialize)]
struct SignatureV002<'a> {
    content: String,
    verifier: VerifierV002<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifierV002<'a> {
    key_details: &'a str,
    #[serde(rename = "x509Certificate")]
    certificate: RawBytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

impl<'a> SignatureV002<'a> {
    fn of(signature: &[u8], leaf_der: &[u8], key_details: &'a str) -> Self {
        let certificate = RawBytes { raw_bytes: base64(leaf_der) };
        Self { content: base64(signature), verifier: VerifierV002 { key_details, certificate } }
    }
}

/// What an inclusion promise (Rekor v1's signed entry timestamp) is a signature over.
pub fn promised(body: &[u8], integrated_time: i64, log_id: &[u8], log_index: i64) -> Result<Vec<u8>, Malformed> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Promised {
        body: String,
        integrated_time: i64,
        #[serde(rename = "logID")]
        log_id: String,
        log_index: i64,
    }
    serde_json::to_vec(&Promised { body: base64(body), integrated_time, log_id: hex(log_id), log_index })
        .map_err(|error| Malformed::new("inclusion promise", error))
}
