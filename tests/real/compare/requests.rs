//! What is asked, good and bad. The order counts: what one answer holds the next request may need.

use der::pem::LineEnding;
use git_keyless::format::{base64, hex};
use git_keyless::key::sha256;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};

use super::side::Side;
use crate::suite::http::Message;
use crate::suite::stack::{DEV, PEOPLE, Person, Service};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const SIGNING: &str = "POST /api/v2/signingCert";
const ENTRIES_V1: &str = "POST /api/v1/log/entries";
const ENTRIES_V2: &str = "POST /api/v2/log/entries";
const TIMESTAMP: &str = "POST /api/v1/timestamp";

type Answers = Vec<(&'static str, Message)>;

pub(super) fn all(side: &Side<'_>) -> Answers {
    let key = KeyPair::generate().unwrap();
    let mut answers = fulcio(side, &key);
    answers.extend(identities(side, &key));
    let reply: Value = serde_json::from_slice(&answers[0].1.body).unwrap();
    let leaf = reply["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
    let message = b"what is signed".as_slice();
    let signature = key.sign(message).unwrap();
    let other = key.sign(b"something else").unwrap();
    answers.extend(rekor_v1(side, leaf, &sha256(message), &signature, &other));
    answers.extend(rekor_v2(side, leaf, &sha256(message), &signature, &other));
    answers.extend(timestamps(side));
    answers.extend(provider(side));
    answers
}

/// PEM, in base64.
fn csr(key: &KeyPair, spoilt: bool) -> String {
    let mut der = CertificateParams::default().serialize_request(key).unwrap().der().to_vec();
    *der.last_mut().unwrap() ^= u8::from(spoilt);
    base64(der::pem::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &der).unwrap().as_bytes())
}

fn fulcio(side: &Side<'_>, key: &KeyPair) -> Answers {
    let good = side.token(&DEV, &json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{flipped}{}", &signature[1..]);
    let post = |body: Value| side.ask(Service::Fulcio, SIGNING, JSON, body.to_string().as_bytes());
    let sign = |token: &str, csr: &str| {
        post(json!({ "credentials": { "oidcIdentityToken": token }, "certificateSigningRequest": csr }))
    };
    let request = csr(key, false);
    let with = |claims: Value| sign(&side.token(&DEV, &claims), &request);
    let raw = |content_type, body: &str| side.ask(Service::Fulcio, SIGNING, content_type, body.as_bytes());
    let get = |path: &str| side.ask(Service::Fulcio, &format!("GET {path}"), "", b"");
    let mut answers = vec![
        ("fulcio: good", sign(&good, &request)),
        ("fulcio: forged token", sign(&forged, &request)),
        ("fulcio: expired", with(json!({ "iat": 1_000_000_000, "exp": 1_000_003_600 }))),
        ("fulcio: wrong audience", with(json!({ "aud": "another" }))),
        ("fulcio: unverified address", with(json!({ "email_verified": false }))),
        ("fulcio: no address", with(json!({ "email": null }))),
        ("fulcio: unknown issuer", with(json!({ "iss": "https://issuer.invalid" }))),
        ("fulcio: token is no token", sign("nonsense", &request)),
        ("fulcio: empty token", sign("", &request)),
        ("fulcio: request is no PEM", sign(&good, &base64(b"garbage"))),
        ("fulcio: request is no base64", sign(&good, "!")),
        ("fulcio: request signed wrongly", sign(&good, &csr(key, true))),
        ("fulcio: nothing", post(json!({}))),
        ("fulcio: no key", post(json!({ "credentials": { "oidcIdentityToken": good } }))),
        ("fulcio: no token", post(json!({ "certificateSigningRequest": request }))),
        ("fulcio: broken JSON", raw(JSON, "{")),
        ("fulcio: no JSON", raw(JSON, "garbage")),
        ("fulcio: empty body", raw(JSON, "")),
        ("fulcio: null", raw(JSON, "null")),
        ("fulcio: list", raw(JSON, "[]")),
        ("fulcio: more behind it", raw(JSON, "{}x")),
        ("fulcio: unknown field", post(json!({ "surprise": 1 }))),
        ("fulcio: number for token", post(json!({ "credentials": { "oidcIdentityToken": 1 } }))),
        ("fulcio: null for credentials", post(json!({ "credentials": null }))),
        ("fulcio: text", raw("text/plain", "{}")),
        ("fulcio: wrong method", get("/api/v2/signingCert")),
        ("fulcio: unknown path", get("/api/v9/nothing")),
        ("fulcio: trust bundle", get("/api/v2/trustBundle")),
        ("fulcio: configuration", get("/api/v2/configuration")),
        ("fulcio: health", get("/healthz")),
    ];
    let spki = rcgen::PublicKeyData::subject_public_key_info(key);
    let pem = der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &spki).unwrap();
    let proven = |claim: &str| {
        post(json!({ "credentials": { "oidcIdentityToken": good }, "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem },
            "proofOfPossession": base64(&key.sign(claim.as_bytes()).unwrap()),
        } }))
    };
    answers.push(("fulcio: key with proof", proven(DEV.subject)));
    answers.push(("fulcio: key with a wrong proof", proven("somebody@example.test")));
    answers
}

/// Every form of identity, and what each must say about itself.
fn identities(side: &Side<'_>, key: &KeyPair) -> Answers {
    let request = csr(key, false);
    let sign = |person: &Person, claims: Value| {
        let token = side.token(person, &claims);
        let body = json!({ "credentials": { "oidcIdentityToken": token }, "certificateSigningRequest": request });
        side.ask(Service::Fulcio, SIGNING, JSON, body.to_string().as_bytes())
    };
    let [_, dex, github, uri, spiffe] = PEOPLE;
    let mut answers = vec![
        ("federated: good", sign(&dex, json!({}))),
        ("federated: nobody behind it", sign(&dex, json!({ "federated_claims": null }))),
        ("federated: no connector", sign(&dex, json!({ "federated_claims": { "user_id": "1" } }))),
        ("federated: number for connector", sign(&dex, json!({ "federated_claims": { "connector_id": 1 } }))),
        ("federated: unverified address", sign(&dex, json!({ "email_verified": false }))),
        ("workflow: good", sign(&github, json!({}))),
        ("workflow: every claim another", sign(&github, every_claim_another())),
        ("workflow: environment", sign(&github, json!({ "environment": "production" }))),
        ("workflow: number for run", sign(&github, json!({ "run_id": 3 }))),
        ("uri: good", sign(&uri, json!({}))),
        ("uri: no URI", sign(&uri, json!({ "sub": "nonsense" }))),
        ("uri: with a query", sign(&uri, json!({ "sub": "http://127.0.0.1/a?b=%20c" }))),
        ("uri: with a blank", sign(&uri, json!({ "sub": "http://127.0.0.1/a b" }))),
        ("uri: of another host", sign(&uri, json!({ "sub": "http://elsewhere.example.test/a" }))),
        ("spiffe: good", sign(&spiffe, json!({}))),
        ("spiffe: no path", sign(&spiffe, json!({ "sub": "spiffe://local.test" }))),
        ("spiffe: of another domain", sign(&spiffe, json!({ "sub": "spiffe://elsewhere.test/ci" }))),
        ("spiffe: capitals in the domain", sign(&spiffe, json!({ "sub": "spiffe://Local.test/ci" }))),
        ("spiffe: capitals in the path", sign(&spiffe, json!({ "sub": "spiffe://local.test/CI" }))),
        ("spiffe: a slash at the end", sign(&spiffe, json!({ "sub": "spiffe://local.test/ci/" }))),
        ("spiffe: dots", sign(&spiffe, json!({ "sub": "spiffe://local.test/ci/../x" }))),
        ("spiffe: a blank", sign(&spiffe, json!({ "sub": "spiffe://local.test/c i" }))),
        ("spiffe: another scheme", sign(&spiffe, json!({ "sub": "https://local.test/ci" }))),
        ("spiffe: nobody", sign(&spiffe, json!({ "sub": null }))),
    ];
    answers.extend(WORKFLOW_CLAIMS.map(|(name, claim)| (name, sign(&github, json!({ claim: null })))));
    answers
}

/// So that each extension shows where its text is from.
fn every_claim_another() -> Value {
    json!({
        "event_name": "schedule", "job_workflow_ref": "a/b/.github/workflows/c.yml@refs/tags/d",
        "job_workflow_sha": "job-sha", "ref": "refs/heads/e", "repository": "f/g", "repository_id": "h",
        "repository_owner": "i", "repository_owner_id": "j", "repository_visibility": "private", "run_attempt": "k",
        "run_id": "l", "runner_environment": "self-hosted", "sha": "own-sha", "sub": "m", "workflow": "n",
        "workflow_ref": "o/p/.github/workflows/q.yml@refs/heads/r", "workflow_sha": "workflow-sha",
    })
}

/// Each must be there.
const WORKFLOW_CLAIMS: [(&str, &str); 17] = [
    ("workflow: no event_name", "event_name"),
    ("workflow: no job_workflow_ref", "job_workflow_ref"),
    ("workflow: no job_workflow_sha", "job_workflow_sha"),
    ("workflow: no ref", "ref"),
    ("workflow: no repository", "repository"),
    ("workflow: no repository_id", "repository_id"),
    ("workflow: no repository_owner", "repository_owner"),
    ("workflow: no repository_owner_id", "repository_owner_id"),
    ("workflow: no repository_visibility", "repository_visibility"),
    ("workflow: no run_attempt", "run_attempt"),
    ("workflow: no run_id", "run_id"),
    ("workflow: no runner_environment", "runner_environment"),
    ("workflow: no sha", "sha"),
    ("workflow: no sub", "sub"),
    ("workflow: no workflow", "workflow"),
    ("workflow: no workflow_ref", "workflow_ref"),
    ("workflow: no workflow_sha", "workflow_sha"),
];

fn rekor_v1(side: &Side<'_>, leaf: &str, digest: &[u8], signature: &[u8], other: &[u8]) -> Answers {
    let entry = |digest: &[u8], signature: &[u8]| {
        json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex(digest) } },
            "signature": { "content": base64(signature), "publicKey": { "content": base64(leaf.as_bytes()) } },
        } })
    };
    let raw = |content_type, body: &str| side.ask(Service::RekorV1, ENTRIES_V1, content_type, body.as_bytes());
    let post = |body: Value| raw(JSON, &body.to_string());
    let changed = |pointer: &str, value: Value| {
        let mut entry = entry(digest, signature);
        *entry.pointer_mut(pointer).unwrap() = value;
        post(entry)
    };
    let get = |path: &str| side.ask(Service::RekorV1, &format!("GET /api/v1/log{path}"), "", b"");
    let good = post(entry(digest, signature));
    let reply: Value = serde_json::from_slice(&good.body).unwrap();
    let (uuid, entered) = reply.as_object().and_then(|map| map.iter().next()).unwrap();
    let uuid = uuid.clone();
    vec![
        ("rekor v1: by index", get(&format!("/entries?logIndex={}", entered["logIndex"]))),
        ("rekor v1: good", good),
        ("rekor v1: duplicate", post(entry(digest, signature))),
        ("rekor v1: wrong signature", post(entry(digest, other))),
        ("rekor v1: signature is no base64", changed("/spec/signature/content", "!".into())),
        ("rekor v1: digest is short", changed("/spec/data/hash/value", "00".into())),
        ("rekor v1: unknown hash", changed("/spec/data/hash/algorithm", "md5".into())),
        ("rekor v1: certificate is none", changed("/spec/signature/publicKey/content", base64(b"garbage").into())),
        ("rekor v1: digest in capitals", changed("/spec/data/hash/value", hex(digest).to_uppercase().into())),
        ("rekor v1: hash of another length", changed("/spec/data/hash/algorithm", "sha512".into())),
        ("rekor v1: null for spec", changed("/spec", Value::Null)),
        ("rekor v1: text for spec", changed("/spec", "text".into())),
        ("rekor v1: null for data", changed("/spec/data", Value::Null)),
        ("rekor v1: empty data", changed("/spec/data", json!({}))),
        ("rekor v1: empty signature", changed("/spec/signature", json!({}))),
        ("rekor v1: empty key", changed("/spec/signature/publicKey", json!({}))),
        ("rekor v1: list for all", post(json!([]))),
        ("rekor v1: more behind it", raw(JSON, &format!("{}x", entry(digest, signature)))),
        ("rekor v1: number for kind", changed("/kind", 1.into())),
        ("rekor v1: unknown kind", changed("/kind", "other".into())),
        ("rekor v1: unknown version", changed("/apiVersion", "9.9.9".into())),
        ("rekor v1: no kind", post(json!({ "apiVersion": "0.0.1", "spec": {} }))),
        ("rekor v1: no spec", post(json!({ "apiVersion": "0.0.1", "kind": "hashedrekord" }))),
        ("rekor v1: empty object", post(json!({}))),
        ("rekor v1: broken JSON", raw(JSON, "{")),
        ("rekor v1: no JSON", raw(JSON, "garbage")),
        ("rekor v1: empty body", raw(JSON, "")),
        ("rekor v1: text", raw("text/plain", "{}")),
        ("rekor v1: no content type", raw("", "{}")),
        ("rekor v1: by uuid", get(&format!("/entries/{uuid}"))),
        ("rekor v1: by leaf hash", get(&format!("/entries/{}", &uuid[16..]))),
        ("rekor v1: unknown uuid", get(&format!("/entries/{}{}", &uuid[..16], "0".repeat(64)))),
        ("rekor v1: no uuid", get("/entries/nonsense")),
        ("rekor v1: unknown index", get("/entries?logIndex=99999999")),
        ("rekor v1: negative index", get("/entries?logIndex=-1")),
        ("rekor v1: no number", get("/entries?logIndex=x")),
        ("rekor v1: no index", get("/entries")),
        ("rekor v1: log", get("")),
        ("rekor v1: public key", get("/publicKey")),
        ("rekor v1: consistency", get("/proof?lastSize=1")),
        ("rekor v1: consistency of too much", get("/proof?lastSize=99999999")),
        ("rekor v1: unknown path", get("/nothing")),
        ("rekor v1: wrong method", side.ask(Service::RekorV1, "POST /api/v1/log", JSON, b"{}")),
    ]
}

fn rekor_v2(side: &Side<'_>, leaf: &str, digest: &[u8], signature: &[u8], other: &[u8]) -> Answers {
    let certificate = der::pem::decode_vec(leaf.as_bytes()).unwrap().1;
    let entry = |signature: &[u8]| {
        json!({ "hashedRekordRequestV002": { "digest": base64(digest), "signature": {
            "content": base64(signature),
            "verifier": { "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                          "x509Certificate": { "rawBytes": base64(&certificate) } },
        } } })
    };
    let raw = |content_type, body: &str| side.ask(Service::RekorV2, ENTRIES_V2, content_type, body.as_bytes());
    let post = |body: Value| raw(JSON, &body.to_string());
    let changed = |place: &str, name: &str, value: Value| {
        let mut entry = entry(signature);
        entry.pointer_mut(place).unwrap()[name] = value;
        post(entry)
    };
    let (top, inner) = ("/hashedRekordRequestV002", "/hashedRekordRequestV002/signature");
    let verifier = "/hashedRekordRequestV002/signature/verifier";
    let get = |path: &str| side.ask(Service::RekorV2, &format!("GET {path}"), "", b"");
    vec![
        ("rekor v2: good", post(entry(signature))),
        ("rekor v2: duplicate", post(entry(signature))),
        ("rekor v2: wrong signature", post(entry(other))),
        ("rekor v2: unknown field", changed("", "surprise", 1.into())),
        ("rekor v2: unknown field inside", changed(inner, "surprise", 1.into())),
        ("rekor v2: digest is no base64", changed(top, "digest", "!".into())),
        ("rekor v2: no digest", changed(top, "digest", "".into())),
        ("rekor v2: digest is a number", changed(top, "digest", 1.into())),
        ("rekor v2: no signature", changed(inner, "content", "".into())),
        ("rekor v2: unknown key details", changed(verifier, "keyDetails", "NONSENSE".into())),
        ("rekor v2: refused key details", changed(verifier, "keyDetails", "PKIX_RSA_PSS_2048_SHA256".into())),
        ("rekor v2: other key details", changed(verifier, "keyDetails", "PKIX_ECDSA_P384_SHA_384".into())),
        ("rekor v2: certificate is none", changed(verifier, "x509Certificate", json!({ "rawBytes": base64(b"x") }))),
        ("rekor v2: null for signature", changed(top, "signature", Value::Null)),
        ("rekor v2: null for digest", changed(top, "digest", Value::Null)),
        ("rekor v2: short digest", changed(top, "digest", base64(&digest[1..]).into())),
        ("rekor v2: no key details", changed(verifier, "keyDetails", Value::Null)),
        ("rekor v2: number for key details", changed(verifier, "keyDetails", 5.into())),
        ("rekor v2: list for all", post(json!([]))),
        ("rekor v2: more behind it", raw(JSON, &format!("{}x", entry(other)))),
        ("rekor v2: text", raw("text/plain", &entry(other).to_string())),
        ("rekor v2: empty object", post(json!({}))),
        ("rekor v2: broken JSON", raw(JSON, "{")),
        ("rekor v2: no JSON", raw(JSON, "garbage")),
        ("rekor v2: empty body", raw(JSON, "")),
        ("rekor v2: checkpoint", get("/api/v2/checkpoint")),
        ("rekor v2: unknown tile", get("/api/v2/tile/0/x999/999")),
        ("rekor v2: unknown path", get("/api/v2/nothing")),
        ("rekor v2: wrong method", get("/api/v2/log/entries")),
        ("rekor v2: health", get("/healthz")),
    ]
}

/// TimeStampReq: version, imprint by the algorithm, nonce, certReq.
fn query(algorithm: &[u8], digest: &[u8], certificate: bool) -> Vec<u8> {
    let element = |tag: u8, parts: &[&[u8]]| {
        let content = parts.concat();
        [&[tag, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
    };
    let algorithm = element(0x30, &[&element(6, &[algorithm]), &[5, 0]]);
    let imprint = element(0x30, &[&algorithm, &element(4, &[digest])]);
    let wanted: &[u8] = if certificate { &[1, 1, 0xff] } else { &[] };
    element(0x30, &[&[2, 1, 1], &imprint, &element(2, &[&[1, 2, 3, 4]]), wanted])
}

fn with_version(query: &[u8], version: u8) -> Vec<u8> {
    let mut query = query.to_vec();
    query[4] = version;
    query
}

fn timestamps(side: &Side<'_>) -> Answers {
    const QUERY: &str = "application/timestamp-query";
    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
    let digest = sha256(b"what is stamped");
    let post = |content_type, body: &[u8]| side.ask(Service::Tsa, TIMESTAMP, content_type, body);
    let json = |body: Value| post(JSON, body.to_string().as_bytes());
    let good = query(SHA256, &digest, true);
    let in_json = |hash: &str| {
        json(json!({ "artifactHash": base64(&digest), "certificates": true, "hashAlgorithm": hash, "nonce": 1_234 }))
    };
    let get = |path: &str| side.ask(Service::Tsa, &format!("GET {path}"), "", b"");
    vec![
        ("tsa: good", post(QUERY, &good)),
        ("tsa: good without certificate", post(QUERY, &query(SHA256, &digest, false))),
        ("tsa: good in JSON", in_json("sha256")),
        ("tsa: wrong content type", post("text/plain", &good)),
        ("tsa: no content type", post("", &good)),
        ("tsa: garbage", post(QUERY, b"garbage")),
        ("tsa: cut", post(QUERY, &good[..good.len() - 1])),
        ("tsa: empty", post(QUERY, b"")),
        ("tsa: unknown hash", post(QUERY, &query(&[0x2a, 3, 4], &digest, true))),
        ("tsa: SHA-1", post(QUERY, &query(SHA1, &digest[..20], true))),
        ("tsa: short digest", post(QUERY, &query(SHA256, &digest[..20], true))),
        ("tsa: more behind it", post(QUERY, &[good.as_slice(), &[0]].concat())),
        ("tsa: other version", post(QUERY, &with_version(&good, 2))),
        ("tsa: unknown field in JSON", json(json!({ "surprise": 1 }))),
        ("tsa: digest is no base64 in JSON", json(json!({ "artifactHash": "!", "hashAlgorithm": "sha256" }))),
        ("tsa: short digest in JSON", json(json!({ "artifactHash": "AAAA", "hashAlgorithm": "sha256" }))),
        ("tsa: unknown hash in JSON", in_json("md5")),
        ("tsa: broken JSON", post(JSON, b"{")),
        ("tsa: empty object", json(json!({}))),
        ("tsa: chain", get("/api/v1/timestamp/certchain")),
        ("tsa: wrong method", get("/api/v1/timestamp")),
        ("tsa: unknown path", get("/nothing")),
        ("tsa: ping", get("/ping")),
    ]
}

fn provider(side: &Side<'_>) -> Answers {
    let get = |path: &str| side.ask(Service::Oidc, &format!("GET {path}"), "", b"");
    let token = |form: &str| side.ask(Service::Oidc, "POST /email/token", FORM, form.as_bytes());
    let device = "grant_type=urn:ietf:params:oauth:grant-type:device_code";
    let code = side.ask(Service::Oidc, "POST /email/device/code", FORM, b"client_id=sigstore&scope=openid+email");
    let begun: Value = serde_json::from_slice(&code.body).unwrap();
    let begun = format!("{device}&client_id=sigstore&device_code={}", begun["device_code"].as_str().unwrap());
    // A second may end between two questions.
    let too_soon = || {
        let mut answers = (0..5).map(|_| token(&begun));
        let last = answers.find(|answer| answer.body.windows(9).any(|word| word == b"slow_down"));
        last.unwrap_or_else(|| token(&begun))
    };
    vec![
        ("oidc: discovery", get("/email/.well-known/openid-configuration")),
        ("oidc: keys", get("/email/keys")),
        ("oidc: unknown path", get("/email/nothing")),
        ("oidc: unknown issuer", get("/nobody/keys")),
        ("oidc: device code", code),
        ("oidc: device waits", token(&begun)),
        ("oidc: device asks too soon", too_soon()),
        ("oidc: unknown device", token(&format!("{device}&client_id=sigstore&device_code=x"))),
        ("oidc: no device", token(device)),
        ("oidc: unknown code", token("grant_type=authorization_code&code=x&redirect_uri=http://127.0.0.1:1/")),
        ("oidc: no code", token("grant_type=authorization_code")),
        ("oidc: unknown grant", token("grant_type=password")),
        ("oidc: nothing", token("")),
    ]
}
