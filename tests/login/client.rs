//! What a provider sees of the client: its name, its secret; and how much of an answer is read.

use super::server::{Server, padded, reply};
use super::web::{get, parameter};
use super::{PATIENCE, Room, Running, asked};
use git_keyless::outside::oidc::Way;
use serde_json::json;

const SECRET: &str = "hunter2";
/// Of a provider's answers, as `src/outside/oidc/provider.rs` has it.
const MAX_REPLY_BYTES: usize = 512 << 10;

/// A provider that knows clients by `method`, and no secret is right. Its discovery document has `bytes`, if that is more
/// than it needs.
fn provider(method: &'static str, bytes: usize) -> Server {
    Server::start(move |request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let url = format!("http://{host}");
        let (status, body) = match request.split(' ').nth(1).unwrap() {
            "/.well-known/openid-configuration" => {
                let discovery = json!({
                    "issuer": url,
                    "authorization_endpoint": format!("{url}/auth"),
                    "token_endpoint": format!("{url}/token"),
                    "jwks_uri": format!("{url}/keys"),
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                    "token_endpoint_auth_methods_supported": [method],
                });
                ("200 OK", padded(&discovery.to_string(), bytes))
            }
            "/keys" => ("200 OK", json!({ "keys": [] }).to_string()),
            _ => ("401 Unauthorized", json!({ "error": "invalid_client" }).to_string()),
        };
        reply(status, "application/json", &body)
    })
}

#[test]
fn a_client_shows_the_secret_of_its_file() {
    // RFC 6749 section 2.3.1: `client:hunter2` in base64, or as parameters.
    for (method, head, body) in [
        ("client_secret_basic", "authorization: Basic Y2xpZW50Omh1bnRlcjI=\r\n", ""),
        ("client_secret_post", "", "client_id=client&client_secret=hunter2"),
    ] {
        let (room, provider) = (Room::new(), provider(method, 0));
        room.repo.config("keyless.issuer", provider.url());
        room.repo.config("keyless.clientId", "client");
        room.repo.config("keyless.clientSecretFile", room.repo.file("secret", format!("{SECRET}\n")));
        room.repo.config("keyless.browser", room.browser(""));
        let running = Running::start(room.sign());
        let address = room.address();
        let [back, state] = ["redirect_uri", "state"].map(|name| parameter(&address, name).unwrap());
        let back = back.replace("%3A", ":").replace("%2F", "/");
        assert_eq!(get(&format!("{back}?code=c&state={state}")).status, 400);
        let answer = running.end();
        assert!(answer.code == 1 && answer.stderr.contains("refused (invalid_client"), "{}", answer.stderr);
        let asked = provider.asked().into_iter().find(|request| request.starts_with("POST /token ")).unwrap();
        assert!(asked.contains(head) && asked.contains(body), "{asked}");
        assert_eq!(asked.matches(SECRET).count(), usize::from(head.is_empty()), "{asked}");
        assert!(![&address, &answer.stderr].iter().any(|text| text.contains(SECRET)));
    }
}

#[test]
fn the_longest_answer_of_a_provider() {
    let why = |bytes: usize| {
        let (room, provider) = (Room::new(), provider("none", bytes));
        let mut person = room.person(Way::Browser);
        person.login.issuer = provider.url();
        person.opener = git_keyless::outside::oidc::Opener::command("/nonexistent/browser").unwrap();
        let (token, ()) = asked(&person, PATIENCE, || ());
        (token.unwrap_err(), provider.asked().len())
    };
    let (at_the_limit, requests) = why(MAX_REPLY_BYTES);
    assert!(at_the_limit.contains("no browser can be opened") && requests == 2, "{at_the_limit}");
    let (beyond, requests) = why(MAX_REPLY_BYTES + 1);
    assert!(beyond.contains(&format!("more than {MAX_REPLY_BYTES} bytes")) && requests == 1, "{beyond}");
}
