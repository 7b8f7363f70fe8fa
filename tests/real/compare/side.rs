//! A Sigstore to ask: the sandbox or the servers. Both mint any token.

use git_keyless::sandbox::{Identity, Sandbox};
use percent_encoding::NON_ALPHANUMERIC;
use serde_json::Value;

use crate::suite::http::{self, Message};
use crate::suite::stack::{Person, Service, Stack};
use crate::suite::token::changed;

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

    /// A token for this person with other claims than a good one has.
    pub(super) fn token(&self, person: &Person, claims: &Value) -> String {
        match self {
            Self::Servers(stack) => {
                let claims = percent_encoding::utf8_percent_encode(&claims.to_string(), NON_ALPHANUMERIC).to_string();
                let query = format!("/{}/mint?{}&claims={claims}", person.provider, person.query.replace('+', "%2B"));
                String::from_utf8(http::get(stack.port(Service::Oidc), &query).body).unwrap()
            }
            Self::Sandbox(sandbox) => changed(sandbox.directory(), &sandbox.mint(&identity(person)).unwrap(), claims),
        }
    }
}

/// Who that is on the sandbox.
fn identity(person: &Person) -> Identity {
    let subject = person.subject.to_owned();
    match (person.provider, person.issuer) {
        ("dex", Some(connector)) => Identity::Federated { email: subject, connector: connector.to_owned() },
        ("email", _) => Identity::Email(subject),
        ("github", _) => Identity::Workflow(subject.replace("https://github.com/", "")),
        ("spiffe", _) => Identity::Spiffe(subject),
        _ => Identity::Uri(subject),
    }
}
