//! Rekor's first interface: an entry is answered for at once, with a promise and a proof.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use std::collections::HashMap;

use super::faults::{Fault, Service};
use super::http::{Swagger, body, content_type, json_error, json_reply, put};
use super::log::{Entry, Log, Place, Proof, certified_key, checkpoint};
use super::state::{Directory, fresh_p256};
use super::tree::leaf_hash;
use super::{Failure, World, der};
use crate::format::{base64, hex, unbase64};
use crate::key::{self, Hash, PublicKey, sha256};

/// Who signs its checkpoints.
const NAME: &str = "rekor.sandbox.invalid";
/// What an older shard would hold: as in the public log, an index over all shards is not the index in the tree.
const EARLIER_ENTRIES: usize = 1_000;
/// Most bytes of a request; the real server has no limit.
const MAX_REQUEST_BYTES: usize = 4 << 20;

pub(super) struct RekorV1 {
    log: Log,
    key: KeyPair,
    tree_id: u64,
}

impl RekorV1 {
    pub(super) fn open(directory: &Directory) -> Result<Self, Failure> {
        let made = || Ok((u64::from_be_bytes(key::random().map_err(Failure::new)?) >> 1).to_string().into_bytes());
        let tree_id = String::from_utf8(directory.keep("rekor-v1.tree", made)?).map_err(Failure::new)?;
        Ok(Self {
            log: Log::open(directory, "rekor-v1")?,
            key: directory.key("rekor-v1", &PKCS_ECDSA_P256_SHA256)?,
            tree_id: tree_id.parse().map_err(Failure::new)?,
        })
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// What stands in the trust root: clients compare its host with the checkpoint's signer.
    pub(super) fn base_url() -> String {
        format!("https://{NAME}")
    }

    /// How many entries.
    pub(super) fn size(&self) -> usize {
        self.log.read().map_or(0, |log| log.tree.size())
    }

    fn uuid(&self, body: &[u8]) -> String {
        format!("{:016x}{}", self.tree_id, hex(&leaf_hash(body)))
    }

    fn sign(&self, message: &[u8], fault: Fault) -> Result<Vec<u8>, Failure> {
        match fault {
            Fault::WrongSignature => fresh_p256()?.sign(message).map_err(Failure::new),
            _ => self.key.sign(message).map_err(Failure::new),
        }
    }

    fn checkpoint(&self, size: usize, root: &[u8; 32], fault: Fault) -> Result<String, Failure> {
        let origin = format!("{NAME} - {}", self.tree_id);
        checkpoint([&origin, NAME], size, root, &sha256(&self.spki()), |note| self.sign(note, fault))
    }

    /// A map of one entry by its UUID.
    fn reply(&self, entry: &Entry, mut proof: Proof, fault: Fault) -> Result<Value, Failure> {
        if fault == Fault::WrongProof {
            proof.falsify();
        }
        let (id, index) = (hex(&sha256(&self.spki())), proof.index + EARLIER_ENTRIES);
        // RFC 8785: the names in their order, as they stand here.
        let promised = json!({ "body": base64(&entry.body), "integratedTime": entry.time, "logID": id,
                               "logIndex": index });
        let promise = self.sign(promised.to_string().as_bytes(), fault)?;
        let inclusion = json!({
            "checkpoint": self.checkpoint(proof.size, &proof.root, fault)?,
            "hashes": proof.hashes.iter().map(|hash| hex(hash)).collect::<Vec<_>>(),
            "logIndex": proof.index,
            "rootHash": hex(&proof.root),
            "treeSize": proof.size,
        });
        let mut entry_reply = promised;
        put(
            &mut entry_reply,
            "verification",
            json!({ "inclusionProof": inclusion, "signedEntryTimestamp": base64(&promise) }),
        );
        Ok(json!({ self.uuid(&entry.body): entry_reply }))
    }

    fn found(&self, index: usize, fault: Fault) -> Result<Value, Failure> {
        let (entry, proof) = {
            let log = self.log.read()?;
            (log.entry(index).cloned().ok_or_else(|| Failure::new("no such entry"))?, log.proof(index))
        };
        self.reply(&entry, proof, fault)
    }
}

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/api/v1/log/entries", get(entry_by_index).post(create_entry))
        .route("/api/v1/log/entries/{uuid}", get(entry_by_uuid))
        .route("/api/v1/log", get(log_info))
        .route("/api/v1/log/proof", get(log_proof))
        .route("/api/v1/log/publicKey", get(public_key))
        .route("/ping", get(async || "."))
        .fallback(async |request: Request| Swagger::not_found(request.uri().path()))
        .method_not_allowed_fallback(async |request: Request| Swagger::wrong_method(request.method(), "GET"))
        .with_state(world)
}

async fn create_entry(State(world): State<Arc<World>>, request: Request) -> Result<Response, Swagger> {
    let content_type = content_type(&request);
    if content_type != "application/json" {
        return Err(Swagger::media_type(&content_type, "application/json"));
    }
    let too_large = || Swagger::new(StatusCode::PAYLOAD_TOO_LARGE, "http: request body too large");
    let request = body(request, MAX_REQUEST_BYTES).await.ok_or_else(too_large)?;
    if request.is_empty() {
        return Err(Swagger::validation(602, "proposedEntry in body is required"));
    }
    let mut canonical = canonical(&request)?;
    let fault = world.switches.of(Service::TransparencyLog);
    if fault == Fault::OtherEntry {
        let nonce = key::random::<32>().map_err(|error| Swagger::internal(Failure::new(error)))?;
        if let Some(hash) = canonical.pointer_mut("/spec/data/hash") {
            put(hash, "value", hex(&nonce));
        }
    }
    let (log, body) = (&world.rekor_v1, canonical.to_string().into_bytes());
    let uuid = log.uuid(&body);
    let time = world.now(Service::TransparencyLog);
    match log.log.append(body, time).map_err(Swagger::internal)? {
        Place::Known(_) => Err(Swagger::duplicate(&uuid)),
        Place::New(index) => {
            let reply = log.found(index, fault).map_err(Swagger::internal)?;
            let headers = [(header::ETAG, uuid.clone()), (header::LOCATION, format!("/api/v1/log/entries/{uuid}"))];
            Ok((headers, json_reply(StatusCode::CREATED, &reply)).into_response())
        }
    }
}

/// The canonical hashedrekord 0.0.1 of a proposed entry, if its signature holds. Unknown fields are ignored.
fn canonical(request: &[u8]) -> Result<Value, Swagger> {
    let broken = |why: &str| Swagger::new(StatusCode::BAD_REQUEST, format!("error processing entry: {why}"));
    let proposed: Value = serde_json::from_slice(request).map_err(|error| {
        Swagger::new(StatusCode::INTERNAL_SERVER_ERROR, json_error(&error, request.first().copied()))
    })?;
    let text = |path: &str| proposed.pointer(path).and_then(Value::as_str);
    match text("/kind") {
        Some("hashedrekord") => {}
        Some(other) => {
            let message = format!("invalid kind value: {other:?}");
            return Err(Swagger::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        None => return Err(Swagger::validation(602, "kind in body is required")),
    }
    match text("/apiVersion") {
        Some("0.0.1") => {}
        Some(other) => {
            let version = format!("hashedrekord implementation for version '{other}' not found");
            return Err(broken(&format!("{version}: unable to locate entry for version {other}")));
        }
        None => return Err(Swagger::validation(602, "apiVersion in body is required")),
    }
    if proposed.get("spec").is_none_or(Value::is_null) {
        return Err(Swagger::validation(602, "spec in body is required"));
    }
    let (algorithm, hash) = match text("/spec/data/hash/algorithm") {
        Some(name @ "sha256") => (name, Hash::Sha256),
        Some(name @ "sha384") => (name, Hash::Sha384),
        Some(name @ "sha512") => (name, Hash::Sha512),
        _ => {
            let place = "data.data.hash.data.hash.algorithm in body";
            return Err(broken(&format!("validation failure list:\n{place} should be one of [sha256 sha384 sha512]")));
        }
    };
    let value = text("/spec/data/hash/value").unwrap_or_default();
    let digest = unhex(value).ok_or_else(|| broken("invalid value for hash"))?;
    let signature = text("/spec/signature/content").and_then(|content| unbase64(content).ok());
    let signature = signature.ok_or_else(|| broken("validation failure list:\nsignature.content in body"))?;
    let pem = text("/spec/signature/publicKey/content").and_then(|content| unbase64(content).ok());
    let (key, pem) =
        pem.and_then(|pem| verifier(&pem)).ok_or_else(|| broken("invalid public key: failure decoding PEM"))?;
    if digest.len() != hash.digest(&[]).len() {
        return Err(broken("invalid value for hash"));
    }
    key.check_digest(hash, &digest, &signature)
        .map_err(|_| broken("verifying signature: invalid signature when validating ASN.1 encoded signature"))?;
    Ok(json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": { "hash": { "algorithm": algorithm, "value": value } },
            "signature": { "content": base64(&signature), "publicKey": { "content": base64(pem.as_bytes()) } },
        },
    }))
}

/// A key or a certificate, with its PEM written anew.
fn verifier(pem: &[u8]) -> Option<(PublicKey, String)> {
    let (label, contents) = der::unpem(pem)?;
    let key = match label.as_str() {
        "CERTIFICATE" => certified_key(&contents)?,
        "PUBLIC KEY" => PublicKey::from_spki(&contents).ok()?,
        _ => return None,
    };
    Some((key, der::pem(&label, &contents).ok()?))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits && text.len().is_multiple_of(2)).then(|| {
        text.as_bytes()
            .chunks(2)
            .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect()
    })
}

type Parameters = Query<HashMap<String, String>>;

/// A parameter of the query that is a number of at least `least`.
fn number(parameters: &Parameters, name: &str, least: i64, default: Option<i64>) -> Result<usize, Swagger> {
    let missing = || Swagger::validation(602, format!("{name} in query is required"));
    let number = match parameters.get(name) {
        None => default.ok_or_else(missing)?,
        Some(text) => text
            .parse::<i64>()
            .map_err(|_| Swagger::validation(601, format!("{name} in query must be of type int64: {text:?}")))?,
    };
    usize::try_from(number)
        .ok()
        .filter(|_| number >= least)
        .ok_or_else(|| Swagger::validation(609, format!("{name} in query should be greater than or equal to {least}")))
}

async fn entry_by_index(State(world): State<Arc<World>>, parameters: Parameters) -> Result<Response, Swagger> {
    let index = number(&parameters, "logIndex", 0, None)?;
    let index = index.checked_sub(EARLIER_ENTRIES).filter(|index| *index < world.rekor_v1.size());
    existing(&world, index)
}

async fn entry_by_uuid(State(world): State<Arc<World>>, Path(uuid): Path<String>) -> Result<Response, Swagger> {
    let wrong = || {
        let message = "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
        Swagger::validation(605, message)
    };
    let id = unhex(&uuid).ok_or_else(wrong)?;
    let leaf = match id.len() {
        32 => Some(id.as_slice()),
        40 => id.strip_prefix(&world.rekor_v1.tree_id.to_be_bytes()),
        _ => return Err(wrong()),
    };
    let log = world.rekor_v1.log.read().map_err(Swagger::internal)?;
    let index = leaf.and_then(|leaf| log.place(leaf));
    drop(log);
    existing(&world, index)
}

fn existing(world: &World, index: Option<usize>) -> Result<Response, Swagger> {
    let Some(index) = index else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    let fault = world.switches.of(Service::TransparencyLog);
    let reply = world.rekor_v1.found(index, fault).map_err(Swagger::internal)?;
    Ok(json_reply(StatusCode::OK, &reply))
}

async fn log_info(State(world): State<Arc<World>>) -> Result<Response, Swagger> {
    let log = &world.rekor_v1;
    let fault = world.switches.of(Service::TransparencyLog);
    let (size, root) = {
        let inner = log.log.read().map_err(Swagger::internal)?;
        (inner.tree.size(), inner.tree.root(inner.tree.size()))
    };
    let head = log.checkpoint(size, &root, fault).map_err(Swagger::internal)?;
    let reply = json!({ "inactiveShards": null, "rootHash": hex(&root), "signedTreeHead": head,
                        "treeID": log.tree_id.to_string(), "treeSize": size });
    Ok(json_reply(StatusCode::OK, &reply))
}

async fn log_proof(State(world): State<Arc<World>>, parameters: Parameters) -> Result<Response, Swagger> {
    let last = number(&parameters, "lastSize", 1, None)?;
    let first = number(&parameters, "firstSize", 1, Some(1))?;
    let log = world.rekor_v1.log.read().map_err(Swagger::internal)?;
    let size = log.tree.size();
    let wrong = |message: String| Err(Swagger::new(StatusCode::BAD_REQUEST, message));
    if first > last {
        return wrong(format!("firstSize({first}) must be less than lastSize({last})"));
    }
    if last > size {
        let message = format!("the tree size requested({last}) was greater than what is currently observable({size})");
        return wrong(message);
    }
    let hashes: Vec<_> = log.tree.consistency(first, last).iter().map(|hash| hex(hash)).collect();
    let reply = json!({ "hashes": hashes, "rootHash": hex(&log.tree.root(last)) });
    Ok(json_reply(StatusCode::OK, &reply))
}

async fn public_key(State(world): State<Arc<World>>) -> Result<Response, Swagger> {
    let pem = der::pem("PUBLIC KEY", &world.rekor_v1.spki()).map_err(Swagger::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response())
}
