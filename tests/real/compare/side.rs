//! A Sigstore to ask: the sandbox or the servers. Both mint any token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use git_keyless::sandbox::{Identity, Sandbox};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;

use crate::http::{self, Message};
use crate::stack::{DEV, Service, Stack};

pub(super) enum Side<'a> {
    Sandbox(&'a Sandbox),
    Servers(&'a Stack),
}

impl Side<'_> {
    fn port(&self, service: Service) -> u16 {
        let urls = match self {
            Self::Servers(stack) => return stack.port(service),
            Self::Sandbox(sandbox) => sandbox.urls(),
        };
        let url = match service {
            Service::Oidc => &urls.oidc,
            Service::Fulcio => &urls.fulcio,
            Service::RekorV1 => &urls.rekor_v1,
            Service::RekorV2 => &urls.rekor_v2,
            Service::Tsa => &urls.timestamp,
        };
        url.split([':', '/']).find_map(|part| part.parse().ok()).unwrap()
    }

    pub(super) fn ask(&self, service: Service, start: &str, content_type: &str, body: &[u8]) -> Message {
        let port = self.port(service);
        let mut headers = vec![("Host".to_owned(), format!("127.0.0.1:{port}"))];
        if !content_type.is_empty() {
            headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        }
        let request =
            Message { start: format!("{start} HTTP/1.1"), headers, body: body.to_vec(), ..Message::default() };
        http::ask(port, &request).unwrap_or_else(|| panic!("no answer to {start}"))
    }

    /// A token with other claims than a good one has.
    pub(super) fn token(&self, claims: &Value) -> String {
        match self {
            Self::Servers(stack) => {
                let claims =
                    percent_encoding::utf8_percent_encode(&claims.to_string(), percent_encoding::NON_ALPHANUMERIC)
                        .to_string();
                let query = format!("/email/mint?email={}&claims={claims}", DEV.subject);
                String::from_utf8(http::get(stack.port(Service::Oidc), &query).body).unwrap()
            }
            Self::Sandbox(sandbox) => {
                let token = sandbox.mint(&Identity::Email(DEV.subject.to_owned())).unwrap();
                let mut parts = token.split('.');
                let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
                let mut payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
                payload.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
                let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
                format!(
                    "{signed}.{}",
                    URL_SAFE_NO_PAD.encode(fixed(&provider_key(sandbox).sign(signed.as_bytes()).unwrap()))
                )
            }
        }
    }
}

fn provider_key(sandbox: &Sandbox) -> KeyPair {
    let der = std::fs::read(sandbox.directory().join("keys/oidc.pk8")).unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), &PKCS_ECDSA_P256_SHA256).unwrap()
}

/// Both numbers of a signature in DER, each in 32 bytes (RFC 7518 section 3.4).
fn fixed(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature[4..].split_at(usize::from(signature[3]));
    let number = |bytes: &[u8]| {
        let mut padded = [&[0; 32][..], bytes].concat();
        padded.split_off(bytes.len())
    };
    [number(r), number(&s[2..])].concat()
}
