//! The timestamp authority (RFC 3161): a query in, a token out.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rcgen::{KeyPair, SigningKey as _};
use serde::Deserialize;

use super::authority::Chain;
use super::der::{self, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, context, element};
use super::faults::{Fault, Service};
use super::http::{Swagger, body, content_type};
use super::state::{Directory, fresh_p256};
use super::{Failure, World};
use crate::format::unbase64;
use crate::key::{self, Hash, sha256};

/// Most bytes of a query in DER.
const MAX_QUERY_BYTES: usize = 1 << 20;
/// Most bytes of a query in JSON.
const MAX_JSON_BYTES: usize = 1024;

const QUERY: &str = "application/timestamp-query";
const NOT_GENERATED: &str = "Error generating timestamp response";

const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// 1.3.6.1.4.1.57264.2
const POLICY: &[u8] = &[0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 2];
const ID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const ID_CT_TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SIGNING_TIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 5];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];

pub(super) struct TimestampAuthority {
    pub(super) chain: Chain,
    key: KeyPair,
    /// Of its certificate: serialNumber, issuer and subject as they stand there.
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
}

/// What is asked for.
struct Query {
    /// AlgorithmIdentifier's object identifier.
    algorithm: Vec<u8>,
    imprint: Vec<u8>,
    /// The INTEGER, whole.
    nonce: Option<Vec<u8>>,
    certificate: bool,
}

impl TimestampAuthority {
    pub(super) fn open(directory: &Directory, start: i64) -> Result<Self, Failure> {
        let (chain, key) = Chain::timestamps(directory, start)?;
        let unreadable = || Failure::new("the timestamp authority's certificate cannot be read");
        let certificate = der::inside(SEQUENCE, &chain.lower).ok_or_else(unreadable)?;
        let fields = certificate.first().and_then(|(_, tbs, _)| der::elements(tbs)).ok_or_else(unreadable)?;
        let field = |at: usize| fields.get(at).map(|(_, _, whole)| whole.to_vec()).ok_or_else(unreadable);
        let (serial, issuer, subject) = (field(1)?, field(3)?, field(5)?);
        Ok(Self { chain, key, serial, issuer, subject })
    }

    /// TimeStampResp: granted, and the token.
    fn reply(&self, query: &Query, seconds: i64, fault: Fault) -> Result<Vec<u8>, Failure> {
        let status = element(SEQUENCE, &[&element(INTEGER, &[&[0]])]);
        Ok(element(SEQUENCE, &[&status, &self.token(query, seconds, fault)?]))
    }

    /// A ContentInfo with SignedData (RFC 5652 section 5.1).
    fn token(&self, query: &Query, seconds: i64, fault: Fault) -> Result<Vec<u8>, Failure> {
        let info = self.tst_info(query, seconds, fault)?;
        let attributes = self.signed_attributes(&info, seconds)?;
        // Signed as a SET, sent as [0] (section 5.4).
        let signed = der::set_of(SET, attributes.clone());
        let signature = match fault {
            Fault::WrongSignature => fresh_p256()?.sign(&signed),
            _ => self.key.sign(&signed),
        };
        let signer = element(
            SEQUENCE,
            &[
                &element(INTEGER, &[&[1]]),
                &element(SEQUENCE, &[&self.issuer, &self.serial]),
                &algorithm(SHA256),
                &der::set_of(context(0), attributes),
                &algorithm(ECDSA_WITH_SHA256),
                &element(OCTET_STRING, &[&signature.map_err(Failure::new)?]),
            ],
        );
        let content =
            element(SEQUENCE, &[&oid(ID_CT_TST_INFO), &element(context(0), &[&element(OCTET_STRING, &[&info])])]);
        let certificates = match query.certificate {
            true => element(context(0), &[&self.chain.lower]),
            false => Vec::new(),
        };
        let signed_data = element(
            SEQUENCE,
            &[
                &element(INTEGER, &[&[3]]),
                &element(SET, &[&algorithm(SHA256)]),
                &content,
                &certificates,
                &element(SET, &[&signer]),
            ],
        );
        Ok(element(SEQUENCE, &[&oid(ID_SIGNED_DATA), &element(context(0), &[&signed_data])]))
    }

    /// Section 2.4.2, in the form that Sigstore's authority gives it.
    fn tst_info(&self, query: &Query, seconds: i64, fault: Fault) -> Result<Vec<u8>, Failure> {
        let stranger: [u8; 20] = key::random().map_err(Failure::new)?;
        let imprint = match fault {
            Fault::OtherEntry => sha256(&query.imprint).iter().copied().cycle().take(query.imprint.len()).collect(),
            _ => query.imprint.clone(),
        };
        let nonce = match (&query.nonce, fault) {
            (Some(_), Fault::WrongNonce) => der::unsigned(&stranger),
            (Some(nonce), _) => nonce.clone(),
            (None, _) => Vec::new(),
        };
        let null = [5, 0];
        let hash = element(SEQUENCE, &[&oid(&query.algorithm), &null]);
        let accuracy_seconds = element(INTEGER, &[&[1]]);
        Ok(element(
            SEQUENCE,
            &[
                &element(INTEGER, &[&[1]]),
                &oid(POLICY),
                &element(SEQUENCE, &[&hash, &element(OCTET_STRING, &[&imprint])]),
                &der::unsigned(&stranger),
                &der::generalized_time(seconds)?,
                &element(SEQUENCE, &[&accuracy_seconds]),
                &nonce,
                &element(context(0), &[&element(context(4), &[&self.subject])]),
            ],
        ))
    }

    fn signed_attributes(&self, info: &[u8], seconds: i64) -> Result<Vec<Vec<u8>>, Failure> {
        let attribute = |id: &[u8], value: &[u8]| element(SEQUENCE, &[&oid(id), &element(SET, &[value])]);
        // ESSCertIDv2 (RFC 5035 section 4) with SHA-256, which is its default.
        let general_names = element(SEQUENCE, &[&element(context(4), &[&self.issuer])]);
        let id = element(
            SEQUENCE,
            &[
                &element(OCTET_STRING, &[&sha256(&self.chain.lower)]),
                &element(SEQUENCE, &[&general_names, &self.serial]),
            ],
        );
        let signing_certificate = element(SEQUENCE, &[&element(SEQUENCE, &[&id])]);
        Ok(vec![
            attribute(CONTENT_TYPE, &oid(ID_CT_TST_INFO)),
            attribute(SIGNING_TIME, &der::utc_time(seconds)?),
            attribute(MESSAGE_DIGEST, &element(OCTET_STRING, &[&sha256(info)])),
            attribute(SIGNING_CERTIFICATE_V2, &signing_certificate),
        ])
    }
}

fn oid(content: &[u8]) -> Vec<u8> {
    element(OBJECT_IDENTIFIER, &[content])
}

/// An AlgorithmIdentifier without parameters.
fn algorithm(id: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[&oid(id)])
}

pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/api/v1/timestamp", post(timestamp))
        .route("/api/v1/timestamp/certchain", get(chain))
        .route("/ping", get(async || "."))
        .fallback(async |request: Request| Swagger::not_found(request.uri().path()))
        .method_not_allowed_fallback(async |request: Request| Swagger::wrong_method(request.method(), "POST"))
        .with_state(world)
}

async fn timestamp(State(world): State<Arc<World>>, request: Request) -> Result<Response, Swagger> {
    let content_type = content_type(&request);
    let too_large = || Swagger::no_timestamp("timestamp request is too large");
    let body = body(request, MAX_QUERY_BYTES).await.ok_or_else(too_large)?;
    if !matches!(content_type.as_str(), QUERY | "application/json") {
        return Err(Swagger::media_type(&content_type, &format!("{QUERY} application/json")));
    }
    if body.is_empty() {
        return Err(Swagger::validation(602, "request in body is required"));
    }
    let query = match content_type.as_str() {
        QUERY => read_der(&body)?,
        _ if body.len() > MAX_JSON_BYTES => return Err(too_large()),
        _ => read_json(&body)?,
    };
    let fault = world.switches.of(Service::TimestampAuthority);
    let now = world.now(Service::TimestampAuthority);
    let reply = world.timestamps.reply(&query, now, fault).map_err(Swagger::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/timestamp-reply")], reply).into_response())
}

/// TimeStampReq (section 2.4.1).
fn read_der(body: &[u8]) -> Result<Query, Swagger> {
    let broken = || Swagger::no_timestamp(NOT_GENERATED);
    let fields = der::inside(SEQUENCE, body).ok_or_else(broken)?;
    let [(INTEGER, [1], _), (SEQUENCE, imprint, _), optional @ ..] = fields.as_slice() else { return Err(broken()) };
    let imprint = der::elements(imprint).ok_or_else(broken)?;
    let [(SEQUENCE, hash, _), (OCTET_STRING, imprint, _)] = imprint.as_slice() else { return Err(broken()) };
    let (_, hash, _, _) = der::split(hash).filter(|(tag, ..)| *tag == OBJECT_IDENTIFIER).ok_or_else(broken)?;
    let mut query = Query { algorithm: hash.to_vec(), imprint: imprint.to_vec(), nonce: None, certificate: false };
    for (tag, content, whole) in optional {
        match *tag {
            OBJECT_IDENTIFIER => check_policy(content == &POLICY)?,
            INTEGER => query.nonce = Some(whole.to_vec()),
            BOOLEAN => query.certificate = content != &[0],
            tag if tag == context(0) => return Err(Swagger::no_timestamp("unsupported extensions")),
            _ => return Err(broken()),
        }
    }
    check_imprint(&query)?;
    Ok(query)
}

fn read_json(body: &[u8]) -> Result<Query, Swagger> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Request {
        artifact_hash: String,
        certificates: bool,
        hash_algorithm: String,
        nonce: Option<u64>,
        #[serde(rename = "tsaPolicyOID")]
        policy: Option<String>,
    }
    let broken = || Swagger::no_timestamp(NOT_GENERATED);
    let request: Request = serde_json::from_slice(body).map_err(|_| broken())?;
    let algorithm = match request.hash_algorithm.as_str() {
        "sha256" => SHA256,
        "sha384" => SHA384,
        "sha512" => SHA512,
        "sha1" => SHA1,
        _ => return Err(broken()),
    };
    let query = Query {
        algorithm: algorithm.to_vec(),
        imprint: unbase64(&request.artifact_hash).map_err(|_| broken())?,
        nonce: request.nonce.map(|nonce| der::unsigned(&nonce.to_be_bytes())),
        certificate: request.certificates,
    };
    check_policy(request.policy.is_none_or(|policy| policy == "1.3.6.1.4.1.57264.2"))?;
    check_imprint(&query)?;
    Ok(query)
}

fn check_policy(ours: bool) -> Result<(), Swagger> {
    match ours {
        true => Ok(()),
        false => Err(Swagger::no_timestamp("unaccepted policy: requested TSA policy is not supported by the TSA")),
    }
}

fn check_imprint(query: &Query) -> Result<(), Swagger> {
    let hash = match query.algorithm.as_slice() {
        SHA256 => Hash::Sha256,
        SHA384 => Hash::Sha384,
        SHA512 => Hash::Sha512,
        SHA1 => return Err(Swagger::no_timestamp("Weak hash algorithm in timestamp request")),
        _ => return Err(Swagger::no_timestamp(NOT_GENERATED)),
    };
    match query.imprint.len() == hash.digest(&[]).len() {
        true => Ok(()),
        false => Err(Swagger::no_timestamp("Message digest has incorrect length for specified algorithm")),
    }
}

async fn chain(State(world): State<Arc<World>>) -> Result<Response, Swagger> {
    let pems = world.timestamps.chain.pems().map_err(Swagger::internal)?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/pem-certificate-chain")], pems.concat()).into_response())
}
