//! Fulcio's interface (v2, HTTP): what it accepts, and how it says no.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::der::{self, BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE};
use super::faults::Service;
use super::http::{Grpc, body, json_reply};
use super::identity::{Kind, Principal};
use super::{Failure, World};
use crate::format::unbase64;
use crate::key::{Hash, KeyKind, Memo, PublicKey};

/// Most bytes of a request.
const MAX_REQUEST_BYTES: usize = 4 << 20;

const TOKEN: &str = "There was an error processing the identity token";
const KEY: &str = "The public key supplied in the request could not be parsed";
const SIGNATURE: &str = "The signature supplied in the request could not be verified";
const REQUEST: &str = "The certificate signing request could not be parsed";

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/api/v2/signingCert", post(signing_certificate))
        .route("/api/v2/trustBundle", get(trust_bundle))
        .route("/api/v2/configuration", get(configuration))
        .route("/healthz", get(async || json_reply(StatusCode::OK, &json!({ "status": "SERVING" }))))
        .fallback(async || Grpc::not_found())
        .method_not_allowed_fallback(async || Grpc::wrong_method())
        .with_state(world)
}

/// Unknown fields are ignored, as by the gateway in front of the real one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateSigningCertificateRequest {
    credentials: Credentials,
    public_key_request: Option<PublicKeyRequest>,
    certificate_signing_request: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Credentials {
    oidc_identity_token: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PublicKeyRequest {
    public_key: PublicKeyField,
    proof_of_possession: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PublicKeyField {
    content: String,
}

async fn signing_certificate(State(world): State<Arc<World>>, request: Request) -> Result<Response, Grpc> {
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    let body = body(request, MAX_REQUEST_BYTES).await.ok_or_else(|| Grpc::invalid("http: request body too large"))?;
    let request: CreateSigningCertificateRequest = Grpc::read(&body)?;
    let token = bearer.unwrap_or(request.credentials.oidc_identity_token.clone());
    // A bytes field that is no base64 fails before anything is looked at.
    let csr = bytes("certificateSigningRequest", request.certificate_signing_request.as_deref())?;
    let proof = request.public_key_request.as_ref().map(|request| request.proof_of_possession.as_str());
    let proof = bytes("proofOfPossession", proof)?;
    let now = world.now(Service::CertificateAuthority);
    let principal = world.provider.principal(&token, now).ok_or_else(|| Grpc::invalid(TOKEN))?;
    let key = match (csr, request.public_key_request) {
        (Some(csr), _) => requested_key(&csr)?,
        (None, Some(request)) => proven_key(&request.public_key.content, &proof.unwrap_or_default(), &principal)?,
        (None, None) => return Err(Grpc::invalid(KEY)),
    };
    let fault = world.switches.of(Service::CertificateAuthority);
    let reply = (|| {
        let leaf = world.authority.issue(&principal, key, now, fault)?;
        let mut certificates = vec![der::pem("CERTIFICATE", &leaf)?];
        certificates.extend(world.authority.chain.pems()?);
        let certificates: Vec<_> = certificates.iter().map(|pem| pem.trim_end()).collect();
        Ok::<_, Failure>(json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": certificates } } }))
    })();
    reply.map(|reply| json_reply(StatusCode::OK, &reply)).map_err(Grpc::internal)
}

fn bytes(field: &str, text: Option<&str>) -> Result<Option<Vec<u8>>, Grpc> {
    text.map(unbase64)
        .transpose()
        .map_err(|_| Grpc::invalid(format!("proto: invalid value for bytes field {field}: {:?}", text.unwrap_or(""))))
}

/// A PKCS #10 request in PEM: its subject and extensions count for nothing, its own signature for everything.
fn requested_key(pem: &[u8]) -> Result<PublicKey, Grpc> {
    let unparsed = || Grpc::invalid(REQUEST);
    let (label, der) = der::unpem(pem).ok_or_else(unparsed)?;
    if !matches!(label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
        return Err(unparsed());
    }
    let parts = der::inside(SEQUENCE, &der).ok_or_else(unparsed)?;
    let [(SEQUENCE, info, signed), (SEQUENCE, algorithm, _), (BIT_STRING, [0, signature @ ..], _)] = parts.as_slice()
    else {
        return Err(unparsed());
    };
    // version, subject, subjectPKInfo, attributes
    let info = der::elements(info).ok_or_else(unparsed)?;
    let (_, _, spki) = info.get(2).ok_or_else(unparsed)?;
    let key = PublicKey::from_spki(spki).map_err(|_| unparsed())?;
    let algorithm = der::split(algorithm).filter(|(tag, ..)| *tag == OBJECT_IDENTIFIER).ok_or_else(unparsed)?.1;
    let hash = signature_hash(algorithm, key.kind()).ok_or_else(unparsed)?;
    Memo::new().check_signature(&key, hash, signed, signature).map_err(|_| Grpc::invalid(SIGNATURE))?;
    match hash == default_hash(key.kind()) {
        true => Ok(key),
        false => Err(Grpc::invalid(format!("signing algorithm not permitted: {:?}, {hash:?}", key.kind()))),
    }
}

/// ecdsa-with-SHA256, -384, -512 (RFC 5758), sha256WithRSAEncryption and its like (RFC 4055), Ed25519 (RFC 8410).
fn signature_hash(oid: &[u8], kind: KeyKind) -> Option<Hash> {
    let rsa = kind == KeyKind::Rsa;
    match oid {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] if !rsa => Some(Hash::Sha256),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] if !rsa => Some(Hash::Sha384),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] if !rsa => Some(Hash::Sha512),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11] if rsa => Some(Hash::Sha256),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] if rsa => Some(Hash::Sha384),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] if rsa => Some(Hash::Sha512),
        [0x2b, 0x65, 0x70] if kind == KeyKind::Ed25519 => Some(Hash::Sha512),
        _ => None,
    }
}

fn default_hash(kind: KeyKind) -> Hash {
    match kind {
        KeyKind::P256 | KeyKind::Rsa => Hash::Sha256,
        KeyKind::P384 => Hash::Sha384,
        KeyKind::P521 | KeyKind::Ed25519 => Hash::Sha512,
    }
}

/// A key with a signature over whom the token names.
fn proven_key(pem: &str, proof: &[u8], principal: &Principal) -> Result<PublicKey, Grpc> {
    let unparsed = || Grpc::invalid(KEY);
    let (_, spki) = der::unpem(pem.as_bytes()).ok_or_else(unparsed)?;
    let key = PublicKey::from_spki(&spki).map_err(|_| unparsed())?;
    Memo::new()
        .check_signature(&key, default_hash(key.kind()), principal.challenge().as_bytes(), proof)
        .map_err(|_| Grpc::invalid(SIGNATURE))?;
    Ok(key)
}

async fn trust_bundle(State(world): State<Arc<World>>) -> Result<Response, Grpc> {
    let certificates = world.authority.chain.pems().map_err(Grpc::internal)?;
    Ok(json_reply(StatusCode::OK, &json!({ "chains": [{ "certificates": certificates }] })))
}

async fn configuration(State(world): State<Arc<World>>) -> Response {
    let issuer = |kind: Kind| -> Value {
        json!({ "issuerUrl": world.provider.issuer(kind), "audience": "sigstore",
                "challengeClaim": kind.challenge_claim(), "spiffeTrustDomain": "", "issuerType": kind.word(),
                "subjectDomain": "", "skipEmailVerification": false })
    };
    json_reply(StatusCode::OK, &json!({ "issuers": Kind::ALL.map(issuer) }))
}
