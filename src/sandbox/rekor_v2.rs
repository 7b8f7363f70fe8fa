//! Rekor's second interface (rekor-tiles): writes are answered under a checkpoint, reads are checkpoint and tiles.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Fault, Service};
use super::http::{Grpc, body, json_reply, put};
use super::log::{Log, Place, certified_key, checkpoint};
use super::state::Directory;
use super::{Failure, World};
use crate::format::{base64, unbase64};
use crate::key::{self, Hash, KeyKind, PublicKey, sha256_of};

/// Who signs its checkpoints; as everywhere in Rekor v2 the host of its URL in the trust root.
const ORIGIN: &str = "rekor-v2.sandbox.invalid";
/// Most bytes of a request.
const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Entries in a whole tile.
const TILE: usize = 256;

pub(super) struct RekorV2 {
    log: Log,
    key: KeyPair,
}

impl RekorV2 {
    pub(super) fn open(directory: &Directory) -> Result<Self, Failure> {
        Ok(Self { log: Log::open(directory, "rekor-v2")?, key: directory.key("rekor-v2", &PKCS_ED25519)? })
    }

    /// SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The key id of C2SP signed-note, whole: the log's id.
    pub(super) fn id(&self) -> [u8; 32] {
        sha256_of(&[ORIGIN.as_bytes(), b"\n\x01", self.key.der_bytes()])
    }

    /// What stands in the trust root; nobody is there: where to write says the signing config.
    pub(super) fn base_url() -> String {
        format!("https://{ORIGIN}")
    }

    /// How many entries.
    pub(super) fn size(&self) -> usize {
        self.log.read().map_or(0, |log| log.tree.size())
    }

    fn checkpoint(&self, size: usize, root: &[u8; 32], fault: Fault) -> Result<String, Failure> {
        let stranger = KeyPair::generate_for(&PKCS_ED25519).map_err(Failure::new)?;
        let key = if fault == Fault::WrongSignature { &stranger } else { &self.key };
        checkpoint([ORIGIN, ORIGIN], size, root, &self.id(), |note| key.sign(note).map_err(Failure::new))
    }

    /// A TransparencyLogEntry in ProtoJSON, defaults included.
    fn reply(&self, index: usize, fault: Fault) -> Result<Value, Failure> {
        let (entry, mut proof) = {
            let log = self.log.read()?;
            (log.entry(index).cloned().ok_or_else(|| Failure::new("no such entry"))?, log.proof(index))
        };
        if fault == Fault::WrongProof {
            proof.falsify();
        }
        let envelope = self.checkpoint(proof.size, &proof.root, fault)?;
        Ok(json!({
            "logIndex": index.to_string(),
            "logId": { "keyId": base64(&self.id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
            "integratedTime": "0",
            "inclusionPromise": null,
            "inclusionProof": {
                "logIndex": proof.index.to_string(),
                "rootHash": base64(&proof.root),
                "treeSize": proof.size.to_string(),
                "hashes": proof.hashes.iter().map(|hash| base64(hash)).collect::<Vec<_>>(),
                "checkpoint": { "envelope": envelope },
            },
            "canonicalizedBody": base64(&entry.body),
        }))
    }
}

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/api/v2/log/entries", post(create_entry))
        .route("/api/v2/checkpoint", get(current_checkpoint))
        .route("/api/v2/tile/entries/{*row}", get(entries))
        .route("/api/v2/tile/{level}/{*row}", get(tile))
        .route("/healthz", get(async || json_reply(StatusCode::OK, &json!({ "status": "SERVING" }))))
        .fallback(async || Grpc::not_found())
        .method_not_allowed_fallback(async || Grpc::wrong_method())
        .with_state(world)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CreateEntryRequest {
    #[serde(rename = "hashedRekordRequestV002")]
    hashed_rekord: Option<HashedRekordRequest>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HashedRekordRequest {
    digest: String,
    signature: Signature,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Signature {
    content: String,
    verifier: Verifier,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Verifier {
    key_details: String,
    public_key: Option<RawBytes>,
    #[serde(rename = "x509Certificate")]
    certificate: Option<RawBytes>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RawBytes {
    raw_bytes: String,
}

async fn create_entry(State(world): State<Arc<World>>, request: Request) -> Result<Response, Grpc> {
    let body = body(request, MAX_REQUEST_BYTES).await.ok_or_else(|| Grpc::invalid("http: request body too large"))?;
    let request: CreateEntryRequest = Grpc::read(&body)?;
    let request = request.hashed_rekord.ok_or_else(|| Grpc::invalid("invalid type, must be hashedrekord"))?;
    let mut canonical = canonical(&request)?;
    let fault = world.switches.of(Service::TransparencyLog);
    if fault == Fault::OtherEntry {
        let nonce = key::random::<32>().map_err(|error| Grpc::internal(Failure::new(error)))?;
        if let Some(data) = canonical.pointer_mut("/spec/hashedRekordV002/data") {
            put(data, "digest", base64(&nonce));
        }
    }
    let log = &world.rekor_v2;
    let time = world.now(Service::TransparencyLog);
    match log.log.append(canonical.to_string().into_bytes(), time).map_err(Grpc::internal)? {
        Place::Known(index) => Err(Grpc::duplicate(u64::try_from(index).unwrap_or(u64::MAX))),
        Place::New(index) => {
            let reply = log.reply(index, fault).map_err(Grpc::internal)?;
            Ok(json_reply(StatusCode::CREATED, &reply))
        }
    }
}

/// The canonical hashedrekord 0.0.2 (RFC 8785: names in their order), if its signature holds.
fn canonical(request: &HashedRekordRequest) -> Result<Value, Grpc> {
    let invalid = || Grpc::invalid("invalid hashedrekord request");
    let verifier = &request.signature.verifier;
    let (kind, hash, algorithm) = scheme(&verifier.key_details)?.ok_or_else(invalid)?;
    let decoded = |field: &str, text: &str| {
        unbase64(text).map_err(|_| Grpc::invalid(format!("proto: invalid value for bytes field {field}: {text:?}")))
    };
    let digest = decoded("digest", &request.digest)?;
    let signature = decoded("content", &request.signature.content)?;
    let (key, name, raw) = match (&verifier.certificate, &verifier.public_key) {
        (Some(certificate), None) => {
            let der = decoded("rawBytes", &certificate.raw_bytes)?;
            (certified_key(&der), "x509Certificate", der)
        }
        (None, Some(key)) => {
            let der = decoded("rawBytes", &key.raw_bytes)?;
            (PublicKey::from_spki(&der).ok(), "publicKey", der)
        }
        _ => return Err(invalid()),
    };
    let key = key.filter(|key| key.kind() == kind).ok_or_else(invalid)?;
    key.check_digest(hash, &digest, &signature).map_err(|_| invalid())?;
    let verifier = json!({ "keyDetails": verifier.key_details, name: { "rawBytes": base64(&raw) } });
    Ok(json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": { "hashedRekordV002": {
            "data": { "algorithm": algorithm, "digest": base64(&digest) },
            "signature": { "content": base64(&signature), "verifier": verifier },
        } },
    }))
}

/// `dev.sigstore.common.v1.PublicKeyDetails`: what is accepted, what is known and refused, what is not known.
fn scheme(details: &str) -> Result<Option<(KeyKind, Hash, &'static str)>, Grpc> {
    match details {
        "PKIX_ECDSA_P256_SHA_256" => Ok(Some((KeyKind::P256, Hash::Sha256, "SHA2_256"))),
        "PKIX_ECDSA_P384_SHA_384" => Ok(Some((KeyKind::P384, Hash::Sha384, "SHA2_384"))),
        "PKIX_ECDSA_P521_SHA_512" => Ok(Some((KeyKind::P521, Hash::Sha512, "SHA2_512"))),
        "PKIX_RSA_PKCS1V15_2048_SHA256" | "PKIX_RSA_PKCS1V15_3072_SHA256" | "PKIX_RSA_PKCS1V15_4096_SHA256" => {
            Ok(Some((KeyKind::Rsa, Hash::Sha256, "SHA2_256")))
        }
        ""
        | "PUBLIC_KEY_DETAILS_UNSPECIFIED"
        | "PKIX_ED25519"
        | "PKIX_ED25519_PH"
        | "PKIX_RSA_PSS_2048_SHA256"
        | "PKIX_RSA_PSS_3072_SHA256"
        | "PKIX_RSA_PSS_4096_SHA256"
        | "ML_DSA_65"
        | "ML_DSA_87" => Ok(None),
        other => Err(Grpc::invalid(format!("proto: invalid value for enum field keyDetails: {other:?}"))),
    }
}

const OCTETS: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/octet-stream")];

async fn current_checkpoint(State(world): State<Arc<World>>) -> Result<Response, Grpc> {
    let fault = world.switches.of(Service::TransparencyLog);
    let (size, root) = {
        let log = world.rekor_v2.log.read().map_err(Grpc::internal)?;
        (log.tree.size(), log.tree.root(log.tree.size()))
    };
    let note = world.rekor_v2.checkpoint(size, &root, fault).map_err(Grpc::internal)?;
    Ok((OCTETS, note).into_response())
}

async fn tile(State(world): State<Arc<World>>, Path((level, row)): Path<(String, String)>) -> Result<Response, Grpc> {
    let log = world.rekor_v2.log.read().map_err(Grpc::internal)?;
    let found = level.parse().ok().zip(row_and_width(&row));
    let hashes = found.and_then(|(level, (row, width))| log.tree.tile(level, row, width));
    Ok(file(hashes))
}

/// Each entry behind its length of two bytes.
async fn entries(State(world): State<Arc<World>>, Path(row): Path<String>) -> Result<Response, Grpc> {
    let log = world.rekor_v2.log.read().map_err(Grpc::internal)?;
    let bundle = row_and_width(&row).and_then(|(row, width)| {
        let start = row.checked_mul(TILE)?;
        let mut bundle = Vec::new();
        for index in start..start.checked_add(width)? {
            let body = &log.entry(index)?.body;
            bundle.extend(u16::try_from(body.len()).ok()?.to_be_bytes());
            bundle.extend(body);
        }
        Some(bundle)
    });
    Ok(file(bundle))
}

fn file(bytes: Option<Vec<u8>>) -> Response {
    match bytes {
        Some(bytes) => (OCTETS, bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}

/// `x001/x234/067`, and `.p/W` behind it for the first W of a tile.
fn row_and_width(path: &str) -> Option<(usize, usize)> {
    let (row, width) = match path.split_once(".p/") {
        Some((row, width)) => (row, width.parse().ok().filter(|width| (1..TILE).contains(width))?),
        None => (path, TILE),
    };
    let groups: Vec<_> = row.split('/').collect();
    let (last, above) = groups.split_last()?;
    let group = |text: &str| text.parse::<usize>().ok().filter(|_| text.len() == 3);
    let above = above.iter().try_fold(0, |sum, text| Some(sum * 1000 + group(text.strip_prefix('x')?)?))?;
    Some((above * 1000 + group(last)?, width))
}
