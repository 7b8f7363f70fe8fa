//! What the real servers refuse, with their status and in their shape.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use git_keyless::format::base64;
use git_keyless::format::id_token::IdToken;
use git_keyless::key::{EphemeralKey, sha256};
use git_keyless::outside::oidc::{self, DEFAULT_AUDIENCE};
use git_keyless::sandbox::{Rekor, Sandbox};
use serde_json::{Value, json};

use super::{FORM, alice, get, now, send, start};
use crate::suite::http::Message;
use crate::suite::token::changed;

impl Message {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    #[track_caller]
    fn is(&self, status: u16, message: &str) {
        let said = String::from_utf8_lossy(&self.body);
        assert!(self.status == status && said.contains(message), "{} {said}; not {status} {message}", self.status);
    }
}

fn post(url: &str, body: &Value) -> Message {
    send(url, "application/json", body.to_string().as_bytes())
}

/// A token with the sandbox's own key and other claims.
fn token(sandbox: &Sandbox, changes: Value) -> String {
    changed(sandbox.directory(), &sandbox.mint(&alice()).unwrap(), &changes)
}

fn csr(break_it: bool) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let mut der = request.der().to_vec();
    if break_it {
        *der.last_mut().unwrap() ^= 1;
    }
    base64(pem("CERTIFICATE REQUEST", &der).as_bytes())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64(der))
}

#[test]
fn fulcio() {
    let home = start(Rekor::V1);
    let sandbox = &home.sandbox;
    let url = format!("{}/api/v2/signingCert", sandbox.urls().fulcio);
    let ask = |token: &str, csr: &str| {
        post(&url, &json!({ "credentials": { "oidcIdentityToken": token }, "certificateSigningRequest": csr }))
    };
    let good = sandbox.mint(&alice()).unwrap();
    ask(&good, &csr(false)).is(200, "signedCertificateEmbeddedSct");
    ask(&token(sandbox, json!({})), &csr(false)).is(200, "signedCertificateEmbeddedSct");
    let bad = "There was an error processing the identity token";
    for changes in [
        json!({ "aud": "other" }),
        json!({ "aud": ["other"] }),
        json!({ "exp": now().seconds() - 1 }),
        json!({ "exp": null }),
        json!({ "nbf": now().seconds() + 60 }),
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
        json!({ "email": "nobody" }),
        json!({ "sub": "" }),
        json!({ "iss": "https://accounts.google.com" }),
    ] {
        ask(&token(sandbox, changes), &csr(false)).is(400, bad);
    }
    let other = start(Rekor::V1).sandbox.mint(&alice()).unwrap();
    let signature = other.rsplit_once('.').unwrap().1;
    let forged = format!("{}.{signature}", good.rsplit_once('.').unwrap().0);
    for token in ["", "a.b.c", "....", &other, &forged] {
        ask(token, &csr(false)).is(400, bad);
    }
    ask(&good, &csr(true)).is(400, "The signature supplied in the request could not be verified");
    ask(&good, &base64(b"x")).is(400, "The certificate signing request could not be parsed");
    ask(&good, "!").is(400, "certificateSigningRequest");
    post(&url, &json!({ "credentials": { "oidcIdentityToken": good } })).is(400, "public key");
    assert_eq!(ask("", "").json()["code"], 3);
    get(&url).is(501, "Method Not Allowed");
    get(&format!("{url}/x")).is(404, "Not Found");
}

#[test]
fn proof_of_possession() {
    let home = start(Rekor::V1);
    let url = format!("{}/api/v2/signingCert", home.sandbox.urls().fulcio);
    let key = EphemeralKey::generate().unwrap();
    let ask = |proven: &str| {
        let proof = base64(&key.sign(proven.as_bytes()).unwrap());
        let public = json!({ "algorithm": "ECDSA", "content": pem("PUBLIC KEY", key.public().unwrap().spki()) });
        let token = home.sandbox.mint(&alice()).unwrap();
        post(
            &url,
            &json!({ "credentials": { "oidcIdentityToken": token },
                            "publicKeyRequest": { "publicKey": public, "proofOfPossession": proof } }),
        )
    };
    ask("alice@example.test").is(200, "signedCertificateEmbeddedSct");
    ask("mallory@example.test").is(400, "The signature supplied in the request could not be verified");
}

#[test]
fn rekor_v1() {
    let home = start(Rekor::V1);
    let base = &home.sandbox.urls().rekor_v1;
    let url = format!("{base}/api/v1/log/entries");
    let key = EphemeralKey::generate().unwrap();
    let signature = base64(&key.sign(b"message").unwrap());
    let public = base64(pem("PUBLIC KEY", key.public().unwrap().spki()).as_bytes());
    let entry = |digest: &[u8]| {
        json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": git_keyless::format::hex(digest) } },
            "signature": { "content": signature, "publicKey": { "content": public } } } })
    };
    post(&url, &entry(&[0; 32])).is(400, "verifying signature");
    post(&url, &entry(&[0; 3])).is(400, "invalid value for hash");
    let logged = post(&url, &entry(&sha256(b"message")));
    logged.is(201, "signedEntryTimestamp");
    let uuid = logged.json().as_object().unwrap().keys().next().unwrap().clone();
    assert_eq!(logged.header("location"), Some(format!("/api/v1/log/entries/{uuid}").as_str()));
    let again = post(&url, &entry(&sha256(b"message")));
    again.is(409, "an equivalent entry already exists");
    assert_eq!(again.header("location"), Some(format!("/api/v1/log/entries/{uuid}").as_str()));
    let index = logged.json()[&uuid]["logIndex"].as_i64().unwrap();
    for found in
        [get(&format!("{url}/{uuid}")), get(&format!("{url}/{}", &uuid[16..])), get(&format!("{url}?logIndex={index}"))]
    {
        assert_eq!((found.status, &found.json()[&uuid]["body"]), (200, &logged.json()[&uuid]["body"]));
    }
    get(&format!("{url}?logIndex=999999")).is(404, "");
    get(&format!("{url}?logIndex=x")).is(422, "must be of type int64");
    get(&url).is(422, "logIndex in query is required");
    get(&format!("{url}/zz")).is(422, "entryUUID in path");
    get(&format!("{url}/{}", "0".repeat(80))).is(404, "");
    get(&format!("{base}/api/v1/log")).is(200, "\"treeSize\":1");
    get(&format!("{base}/api/v1/log/publicKey")).is(200, "BEGIN PUBLIC KEY");
    get(&format!("{base}/api/v1/log/proof?lastSize=9")).is(400, "greater than what is currently observable(1)");
    send(&url, "text/plain", b"{}").is(415, "unsupported media type");
    send(&url, "application/json", b"garbage").is(500, "invalid character 'g'");
    post(&url, &json!({})).is(422, "kind in body is required");
}

#[test]
fn rekor_v2() {
    let home = start(Rekor::V2);
    let base = &home.sandbox.urls().rekor_v2;
    let url = format!("{base}/api/v2/log/entries");
    let key = EphemeralKey::generate().unwrap();
    let signature = base64(&key.sign(b"message").unwrap());
    let entry = |digest: &[u8], details: &str| {
        json!({ "hashedRekordRequestV002": { "digest": base64(digest), "signature": { "content": signature, "verifier": {
            "keyDetails": details, "publicKey": { "rawBytes": base64(key.public().unwrap().spki()) } } } } })
    };
    const P256: &str = "PKIX_ECDSA_P256_SHA_256";
    let invalid = "invalid hashedrekord request";
    post(&url, &entry(&[0; 32], P256)).is(400, invalid);
    post(&url, &entry(&[0; 3], P256)).is(400, invalid);
    post(&url, &entry(&sha256(b"message"), "PKIX_ECDSA_P384_SHA_384")).is(400, invalid);
    post(&url, &entry(&sha256(b"message"), "")).is(400, invalid);
    post(&url, &entry(&sha256(b"message"), "ZZZ")).is(400, "invalid value for enum field keyDetails");
    let mut more = entry(&sha256(b"message"), P256);
    more["hashedRekordRequestV002"]["nonsense"] = json!(1);
    post(&url, &more).is(400, "unknown field \\\"nonsense\\\"");
    post(&url, &json!({})).is(400, "invalid type, must be hashedrekord");
    post(&url, &entry(&sha256(b"message"), P256)).is(201, "canonicalizedBody");
    let again = post(&url, &entry(&sha256(b"message"), P256));
    again.is(409, "already exists in the transparency log with index 0");
    assert_eq!(again.header("x-log-index"), Some("0"));
    get(&format!("{base}/api/v2/checkpoint")).is(200, "rekor-v2.sandbox.invalid\n1\n");
    assert_eq!(get(&format!("{base}/api/v2/tile/0/000.p/1")).body.len(), 32);
    let bundle = get(&format!("{base}/api/v2/tile/entries/000.p/1")).body;
    assert_eq!(bundle.len(), 2 + usize::from(u16::from_be_bytes([bundle[0], bundle[1]])));
    get(&format!("{base}/api/v2/tile/0/000")).is(404, "");
    get(&url).is(501, "Method Not Allowed");
}

#[test]
fn timestamps() {
    let home = start(Rekor::V1);
    let url = &home.sandbox.urls().timestamp;
    let query = |hash: &str, digest: &[u8]| json!({ "artifactHash": base64(digest), "certificates": true, "hashAlgorithm": hash, "nonce": 7 });
    assert_eq!(post(url, &query("sha256", &[0; 32])).status, 200);
    post(url, &query("sha1", &[0; 20])).is(400, "Weak hash algorithm");
    post(url, &query("sha256", &[0; 20])).is(400, "incorrect length");
    let mut policy = query("sha256", &[0; 32]);
    policy["tsaPolicyOID"] = json!("1.2.3");
    post(url, &policy).is(400, "policy");
    assert_eq!(post(url, &policy).header("content-type"), Some("application/timestamp-reply"));
    send(url, "application/timestamp-query", b"xx").is(400, "Error generating");
    send(url, "application/timestamp-query", b"").is(422, "request in body is required");
    send(url, "text/plain", b"x").is(415, "unsupported media type");
    get(url).is(405, "method GET is not allowed");
    get(&format!("{url}/certchain")).is(200, "BEGIN CERTIFICATE");
}

/// A person at the page: code, PKCE, nonce, state; a code is good once, and for who began.
#[test]
fn logging_in() {
    let home = start(Rekor::V1);
    let issuer = format!("{}/email", home.sandbox.urls().oidc);
    get(&format!("{issuer}/.well-known/openid-configuration")).is(200, "device_authorization_endpoint");
    get(&format!("{issuer}/keys")).is(200, "ES256");
    let verifier = "a-verifier-of-forty-three-characters-at-least";
    let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
    let form = |body: &str, place: &str| send(&format!("{issuer}/{place}"), FORM, body.as_bytes());
    let request = format!(
        "client_id=sigstore&response_type=code&scope=openid%20email&state=s%26t&nonce=n&code_challenge={challenge}\
         &code_challenge_method=S256&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fauth%2Fcallback"
    );
    get(&format!("{issuer}/auth?{request}")).is(200, "E-mail address");
    get(&format!("{issuer}/auth?{}", request.replace("127.0.0.1", "evil.test"))).is(400, "not on loopback");
    get(&format!("{issuer}/auth?{}", request.replace("S256", "plain"))).is(400, "S256");
    let code = || {
        let reply = form(&format!("{request}&email=alice%40example.test"), "auth");
        let location = reply.header("location").unwrap();
        assert!(location.starts_with("http://127.0.0.1:9/auth/callback?code=") && location.ends_with("&state=s%26t"));
        location.split(['=', '&']).nth(1).unwrap().to_owned()
    };
    let exchange = |code: &str, verifier: &str| {
        let redirect = "redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fauth%2Fcallback";
        form(&format!("grant_type=authorization_code&{redirect}&code={code}&code_verifier={verifier}"), "token")
    };
    let once = code();
    let reply = exchange(&once, verifier);
    let token = reply.json()["id_token"].as_str().unwrap().to_owned();
    let checked = oidc::check(IdToken::parse(&token).unwrap(), DEFAULT_AUDIENCE, now()).unwrap();
    assert_eq!(checked.claims().email.as_deref(), Some("alice@example.test"));
    exchange(&once, verifier).is(400, "invalid_grant");
    exchange(&code(), "another verifier").is(400, "invalid_grant");
    form("grant_type=password", "token").is(400, "unsupported_grant_type");
}

#[test]
fn logging_in_with_a_device() {
    let home = start(Rekor::V1);
    let issuer = format!("{}/email", home.sandbox.urls().oidc);
    let form = |body: &str, place: &str| send(&format!("{issuer}/{place}"), FORM, body.as_bytes());
    for (answer, expected) in [("allow", "id_token"), ("deny", "access_denied")] {
        let begun = form("client_id=sigstore&scope=openid%20email", "device/code").json();
        let text = |name: &str| begun[name].as_str().unwrap().to_owned();
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
        let poll = || form(&format!("grant_type={grant}&device_code={}", text("device_code")), "token");
        poll().is(400, "authorization_pending");
        get(&text("verification_uri_complete")).is(200, &text("user_code"));
        let approval = format!("user_code={}&email=alice%40example.test&answer={answer}", text("user_code"));
        form(&approval, "device").is(200, "terminal");
        poll().is(if answer == "allow" { 200 } else { 400 }, expected);
    }
    form("client_id=other", "device/code").is(400, "invalid_client");
}
