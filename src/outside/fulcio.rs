//! Fulcio: a certificate for a key and an ID token (`POST /api/v2/signingCert`).

use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

use super::http::{Endpoint, Failure, Http, Request};
use crate::format::base64;
use crate::format::cert::Certificate;
use crate::format::id_token::IdToken;

/// Most bytes of an answer; a leaf with its chain has 5 kB.
pub const MAX_REPLY_BYTES: usize = 256 << 10;

/// Asks for a certificate. `csr` is a PKCS #10 request in PEM, which proves possession of its key by its own
/// signature, whatever claim names the person. The certificate is whatever the server says: check it.
pub async fn request_certificate(
    http: &Http,
    authority: &Endpoint,
    token: &IdToken,
    csr: &str,
    deadline: Duration,
) -> Result<Certificate, Failure> {
    let endpoint = authority.below("api/v2/signingCert");
    let body = request(token, csr).map_err(|error| endpoint.unreadable(error))?;
    let reply = http
        .send(Request {
            endpoint: &endpoint,
            body: Some(("application/json", &body)),
            accept: "application/json",
            headers: &[],
            limit: MAX_REPLY_BYTES,
            deadline,
        })
        .await?
        .success()?;
    leaf_of(&reply).map_err(|why| endpoint.unreadable(why))
}

fn request(token: &IdToken, csr: &str) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SigningCertificateRequest<'a> {
        credentials: Credentials<'a>,
        certificate_signing_request: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Credentials<'a> {
        oidc_identity_token: &'a str,
    }
    serde_json::to_vec(&SigningCertificateRequest {
        credentials: Credentials { oidc_identity_token: token.reveal() },
        certificate_signing_request: base64(csr.as_bytes()),
    })
    .map(Zeroizing::new)
}

/// Leaf first; with an embedded SCT, or with a detached one, for which a commit signature has no place.
fn leaf_of(reply: &[u8]) -> Result<Certificate, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct SigningCertificate {
        signed_certificate_embedded_sct: Option<WithChain>,
        signed_certificate_detached_sct: Option<WithChain>,
    }
    #[derive(Deserialize)]
    struct WithChain {
        chain: Chain,
    }
    #[derive(Deserialize)]
    struct Chain {
        certificates: Vec<String>,
    }
    let reply: SigningCertificate = serde_json::from_slice(reply).map_err(|error| error.to_string())?;
    let found = match (reply.signed_certificate_embedded_sct, reply.signed_certificate_detached_sct) {
        (Some(found), None) | (None, Some(found)) => found,
        (None, None) => return Err("no certificate in it".to_owned()),
        (Some(_), Some(_)) => return Err("two certificates in it".to_owned()),
    };
    let leaf = found.chain.certificates.first().ok_or("an empty chain in it")?;
    Certificate::parse_pem(leaf).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_without_a_certificate() {
        for reply in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"signedCertificateEmbeddedSct":null}"#,
            r#"{"signedCertificateEmbeddedSct":{}}"#,
            r#"{"signedCertificateEmbeddedSct":{"chain":null}}"#,
            r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":null}}}"#,
            r#"{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}"#,
            r#"{"signedCertificateDetachedSct":{"chain":{"certificates":["x"]}}}"#,
            r#"{"signedCertificateDetachedSct":{"chain":{"certificates":[7]}}}"#,
        ] {
            assert!(leaf_of(reply.as_bytes()).is_err(), "{reply}");
        }
    }

    #[test]
    fn the_request_is_the_csr_form() {
        let token = IdToken::parse("a.b.c").unwrap();
        let body = request(&token, "PEM").unwrap();
        let json = std::str::from_utf8(&body).unwrap();
        assert_eq!(json, r#"{"credentials":{"oidcIdentityToken":"a.b.c"},"certificateSigningRequest":"UEVN"}"#);
    }
}
