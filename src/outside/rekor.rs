//! Rekor, both versions: a log entry for a signature. The only file that names `sigstore`: its request models, and its
//! inclusion proof as a second opinion on arrival. Its reader of replies panics on what it does not know, so replies
//! are read here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sigstore::crypto::CosignVerificationKey;
use sigstore::rekor::models as v1;
use sigstore::rekor::models::checkpoint::SignedCheckpoint;
use sigstore::rekor::models::hashedrekord;

use super::http::{Endpoint, Failure, Http, Reply, Request};
use crate::format::cert::Certificate;
use crate::format::entry::{self, Entry, InclusionProof, MAX_PROOF_HASHES};
use crate::format::{Malformed, base64, hex, unbase64};

/// Most bytes of an answer; an entry with its proof has 8 kB.
pub const MAX_REPLY_BYTES: usize = 256 << 10;
/// How long a log that has not integrated an entry yet is given, once.
pub const INTEGRATION_PAUSE: Duration = Duration::from_millis(500);

/// The keys that Fulcio certifies for us (`dev.sigstore.common.v1.PublicKeyDetails`).
const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

/// What is logged: a P-256 signature, the SHA-256 of what it is over, and the certificate of its key.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// SHA-256 of the signed attributes.
    pub digest: &'a [u8; 32],
    /// ECDSA in DER.
    pub signature: &'a [u8],
    /// The leaf.
    pub leaf: &'a Certificate,
}

/// A log's id and the DER of its public key, out of the trust root.
#[derive(Clone, Copy, Debug)]
pub struct LogKey<'a> {
    /// As entries name it.
    pub id: &'a [u8],
    /// SubjectPublicKeyInfo.
    pub spki: &'a [u8],
}

/// What Rekor v2 makes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The entry, under a published checkpoint.
    Logged(Entry),
    /// It has this very statement already and does not say where: sign anew.
    Duplicate,
}

/// Logs a statement with Rekor v1. A duplicate is fetched: it is ours if its body is. `keys` are the logs whose proofs
/// can be judged on arrival.
pub async fn submit_v1(
    http: &Http,
    log: &Endpoint,
    statement: &Statement<'_>,
    keys: &[LogKey<'_>],
    deadline: Duration,
) -> Result<Entry, Failure> {
    let endpoint = log.below("api/v1/log/entries");
    let unreadable = |why: Malformed| endpoint.unreadable(why);
    let pem = statement.leaf.to_pem().map_err(unreadable)?;
    let body = entry::hashedrekord_v001(statement.digest, statement.signature, &pem).map_err(unreadable)?;
    let request = serde_json::to_vec(&proposed(statement, &pem)).map_err(|error| endpoint.unreadable(error))?;
    let reply = send(http, &endpoint, Some(&request), deadline).await?;
    let found = match reply.status {
        409 => {
            let uuid = duplicate(&endpoint, &reply).ok_or_else(|| reply.refusal())?;
            fetch(http, &endpoint, &uuid, &body, deadline).await?
        }
        _ => read_v1(&reply.success()?, &body).map_err(unreadable)?,
    };
    let (uuid, entry) = match found {
        (uuid, Entry { proof: None, .. }) => {
            tokio::time::sleep(INTEGRATION_PAUSE).await;
            fetch(http, &endpoint, &uuid, &body, deadline).await?
        }
        found => found,
    };
    match second_opinion(&entry, &body, keys) {
        Some(Err(why)) => Err(endpoint.unreadable(format!("entry {uuid}: {why}"))),
        Some(Ok(())) | None => Ok(entry),
    }
}

/// Logs a statement with Rekor v2, which answers when the entry is under a published checkpoint: give it 20 s or more.
pub async fn submit_v2(
    http: &Http,
    log: &Endpoint,
    statement: &Statement<'_>,
    deadline: Duration,
) -> Result<Submitted, Failure> {
    let endpoint = log.below("api/v2/log/entries");
    let unreadable = |why: Malformed| endpoint.unreadable(why);
    let body = entry::hashedrekord_v002(statement.digest, statement.signature, statement.leaf.der(), KEY_DETAILS)
        .map_err(unreadable)?;
    let request = request_v2(statement).map_err(|error| endpoint.unreadable(error))?;
    let reply = send(http, &endpoint, Some(&request), deadline).await?;
    match reply.status {
        409 => Ok(Submitted::Duplicate),
        _ => read_v2(&reply.success()?, &body).map(Submitted::Logged).map_err(unreadable),
    }
}

async fn send(http: &Http, endpoint: &Endpoint, body: Option<&[u8]>, deadline: Duration) -> Result<Reply, Failure> {
    let body = body.map(|body| ("application/json", body));
    http.send(Request { endpoint, body, accept: "application/json", limit: MAX_REPLY_BYTES, deadline }).await
}

async fn fetch(
    http: &Http,
    entries: &Endpoint,
    uuid: &str,
    body: &[u8],
    deadline: Duration,
) -> Result<(String, Entry), Failure> {
    let endpoint = entries.below(uuid);
    let reply = send(http, &endpoint, None, deadline).await?.success()?;
    read_v1(&reply, body).map_err(|error| endpoint.unreadable(error))
}

/// Where a duplicate is: on this server, among its entries, by its UUID, of which we make the address ourselves.
fn duplicate(entries: &Endpoint, reply: &Reply) -> Option<String> {
    let path = entries.path_of(reply.location.as_deref()?)?;
    let (_, uuid) = path.rsplit_once("/api/v1/log/entries/")?;
    is_uuid(uuid).then(|| uuid.to_owned())
}

/// The leaf hash, with or without the id of its tree in front.
fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 64 | 80) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn proposed(statement: &Statement<'_>, pem: &str) -> v1::ProposedEntry {
    let key = hashedrekord::PublicKey::new(base64(pem.as_bytes()));
    let hash = hashedrekord::Hash::new(hashedrekord::AlgorithmKind::sha256, hex(statement.digest));
    v1::ProposedEntry::Hashedrekord {
        api_version: "0.0.1".to_owned(),
        spec: hashedrekord::Spec::new(
            hashedrekord::Signature::new(base64(statement.signature), key),
            hashedrekord::Data::new(hash),
        ),
    }
}

/// `hashedRekordRequestV002`; unknown fields are refused there.
fn request_v2(statement: &Statement<'_>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct CreateEntryRequest<'a> {
        #[serde(rename = "hashedRekordRequestV002")]
        hashed_rekord: HashedRekord<'a>,
    }
    #[derive(Serialize)]
    struct HashedRekord<'a> {
        digest: String,
        signature: Signature<'a>,
    }
    #[derive(Serialize)]
    struct Signature<'a> {
        content: String,
        verifier: Verifier<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Verifier<'a> {
        key_details: &'a str,
        #[serde(rename = "x509Certificate")]
        certificate: RawBytes,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct RawBytes {
        raw_bytes: String,
    }
    let certificate = RawBytes { raw_bytes: base64(statement.leaf.der()) };
    serde_json::to_vec(&CreateEntryRequest {
        hashed_rekord: HashedRekord {
            digest: base64(statement.digest),
            signature: Signature {
                content: base64(statement.signature),
                verifier: Verifier { key_details: KEY_DETAILS, certificate },
            },
        },
    })
}

/// A map with one entry by its UUID. Its body must be ours; what is kept has none, as gitsign stores it.
fn read_v1(reply: &[u8], body: &[u8]) -> Result<(String, Entry), Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        body: String,
        integrated_time: i64,
        #[serde(rename = "logID")]
        log_id: String,
        log_index: i64,
        verification: Option<Verification>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Verification {
        signed_entry_timestamp: Option<String>,
        inclusion_proof: Option<Proof>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        log_index: i64,
        tree_size: i64,
        root_hash: String,
        hashes: Option<Vec<String>>,
        checkpoint: Option<String>,
    }
    let reply: BTreeMap<String, Raw> = parse(reply)?;
    let mut entries = reply.into_iter();
    let (Some((uuid, raw)), None) = (entries.next(), entries.next()) else {
        return Err(malformed("not exactly one entry"));
    };
    if !is_uuid(&uuid) {
        return Err(malformed("its name is no entry UUID"));
    }
    if unbase64(&raw.body)? != body {
        return Err(malformed("an entry about something else"));
    }
    let (promise, proof) = raw
        .verification
        .map_or((None, None), |verification| (verification.signed_entry_timestamp, verification.inclusion_proof));
    let proof = proof
        .map(|proof| {
            Ok(InclusionProof {
                index: proof.log_index,
                root: unhex(&proof.root_hash)?,
                size: proof.tree_size,
                hashes: hashes(proof.hashes, unhex)?,
                checkpoint: proof.checkpoint,
            })
        })
        .transpose()?;
    let entry = Entry {
        log_id: unhex(&raw.log_id)?,
        log_index: raw.log_index,
        kind: "hashedrekord".to_owned(),
        version: "0.0.1".to_owned(),
        integrated_time: raw.integrated_time,
        promise: Some(unbase64(&promise.ok_or_else(|| malformed("no signed entry timestamp"))?)?),
        proof,
        body: Vec::new(),
    };
    Ok((uuid, entry))
}

/// A `TransparencyLogEntry` in ProtoJSON: whatever has its default value may be absent, 64-bit numbers are strings.
fn read_v2(reply: &[u8], body: &[u8]) -> Result<Entry, Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        log_index: Option<Value>,
        log_id: Option<LogId>,
        kind_version: Option<KindVersion>,
        inclusion_proof: Option<Proof>,
        canonicalized_body: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogId {
        key_id: String,
    }
    #[derive(Deserialize)]
    struct KindVersion {
        kind: String,
        version: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        log_index: Option<Value>,
        tree_size: Option<Value>,
        root_hash: String,
        hashes: Option<Vec<String>>,
        checkpoint: Option<Checkpoint>,
    }
    #[derive(Deserialize)]
    struct Checkpoint {
        envelope: String,
    }
    let raw: Raw = parse(reply)?;
    if raw.canonicalized_body.as_deref().map(unbase64).transpose()?.as_deref() != Some(body) {
        return Err(malformed("an entry about something else"));
    }
    let proof = raw.inclusion_proof.ok_or_else(|| malformed("no inclusion proof"))?;
    let kind = raw.kind_version.ok_or_else(|| malformed("no kind and version"))?;
    Ok(Entry {
        log_id: unbase64(&raw.log_id.ok_or_else(|| malformed("no log id"))?.key_id)?,
        log_index: int64(raw.log_index.as_ref())?,
        kind: kind.kind,
        version: kind.version,
        // Rekor v2 says no time and promises nothing: whatever stands there is not kept.
        integrated_time: 0,
        promise: None,
        proof: Some(InclusionProof {
            index: int64(proof.log_index.as_ref())?,
            root: unbase64(&proof.root_hash)?,
            size: int64(proof.tree_size.as_ref())?,
            hashes: hashes(proof.hashes, unbase64)?,
            checkpoint: proof.checkpoint.map(|checkpoint| checkpoint.envelope),
        }),
        body: Vec::new(),
    })
}

fn parse<'a, T: Deserialize<'a>>(reply: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(reply).map_err(malformed)
}

fn malformed(why: impl std::fmt::Display) -> Malformed {
    Malformed::new("log entry", why)
}

fn hashes(
    texts: Option<Vec<String>>,
    decode: impl Fn(&str) -> Result<Vec<u8>, Malformed>,
) -> Result<Vec<Vec<u8>>, Malformed> {
    let texts = texts.unwrap_or_default();
    if texts.len() > MAX_PROOF_HASHES {
        return Err(malformed(format!("a proof of {} hashes", texts.len())));
    }
    texts.iter().map(|text| decode(text)).collect()
}

fn int64(value: Option<&Value>) -> Result<i64, Malformed> {
    match value {
        None => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(malformed),
        Some(value) => value.as_i64().ok_or_else(|| malformed("a number that is none")),
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let wrong = || malformed("not hexadecimal");
    if text.len() % 2 != 0 {
        return Err(wrong());
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Ok(digit(*high).ok_or_else(wrong)? << 4 | digit(*low).ok_or_else(wrong)?),
            _ => Err(wrong()),
        })
        .collect()
}

/// What `sigstore` thinks of the proof: none where it cannot read it (it knows notes with one signature alone) or the
/// log is not known here. Index and size are below 2^63, so that no shift inside it overflows.
fn second_opinion(entry: &Entry, body: &[u8], keys: &[LogKey<'_>]) -> Option<Result<(), String>> {
    let log = keys.iter().find(|log| log.id == entry.log_id)?;
    let key = CosignVerificationKey::try_from_der(log.spki).ok()?;
    let proof = entry.proof.as_ref()?;
    let checkpoint: SignedCheckpoint = serde_json::from_value(Value::String(proof.checkpoint.clone()?)).ok()?;
    let hashes = proof.hashes.iter().map(|hash| hash.as_slice().try_into().ok()).collect::<Option<Vec<[u8; 32]>>>()?;
    let size = u64::try_from(proof.size).ok().filter(|_| proof.index >= 0)?;
    let proof =
        v1::InclusionProof::new(proof.index, proof.root.as_slice().try_into().ok()?, size, hashes, Some(checkpoint));
    Some(proof.verify(body, &key).map_err(|error| error.to_string()))
}
