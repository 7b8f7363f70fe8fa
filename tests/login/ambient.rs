//! Identities of workloads: each source against a small server, program or socket that answers as the real one is
//! documented to, then a signature by that identity.

use std::path::Path;
use std::time::Duration;

use git_keyless::format::id_token::IdToken;
use git_keyless::format::time::Time;
use git_keyless::outside::http::Http;
use git_keyless::outside::oidc::ambient;
use git_keyless::outside::oidc::{self, Asking, DEFAULT_AUDIENCE, Source, Surroundings};
use git_keyless::sandbox::Identity;
use serde_json::json;

use super::server::{Server, padded, reply};
use super::{PATIENCE, Room, Running};

const WORKLOAD: &str = "https://ci.example.com/a/job";

fn token(room: &Room) -> String {
    room.sandbox.mint(&Identity::Uri(WORKLOAD.into())).unwrap()
}

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Surroundings { variables: variables.iter().map(owned).collect(), system: "linux".into(), ..Default::default() }
}

/// What a source gives, through the same two steps as in the program.
fn ask(source: &Source, deadline: Duration) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let http = Http::new();
    let asking = Asking { http: &http, audience: DEFAULT_AUDIENCE, deadline };
    let token: IdToken = runtime.block_on(oidc::request(source, asking)).map_err(|failure| failure.to_string())?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let checked = oidc::check(token, DEFAULT_AUDIENCE, Time::from_unix(since).unwrap());
    checked.map(|checked| checked.claims().subject.clone()).map_err(|refusal| refusal.to_string())
}

fn named(name: &str, variables: &[(&str, &str)]) -> Source {
    ambient::named(name, &surroundings(variables), DEFAULT_AUDIENCE).unwrap()
}

/// A commit by the workload, with these settings and variables and without any terminal.
#[track_caller]
fn check_signs(room: &Room, source: Option<&str>, variables: &[(&str, &str)]) {
    room.repo.config("keyless.tokenSource", source.unwrap_or_default());
    room.repo.config("keyless.trustedIdentity", format!("{WORKLOAD} {}/uri", room.sandbox.urls().oidc));
    let mut git = room.commit();
    git.envs(variables.iter().copied());
    let answer = Running::start(git).end();
    assert_eq!((answer.code, answer.text().as_str()), (0, ""), "{source:?}: {}", answer.stderr);
    let answer = room.repo.keyless(["verify", "--require-identity", "HEAD"]);
    assert!(answer.code == 0 && answer.text().contains(WORKLOAD), "{} {}", answer.text(), answer.stderr);
}

/// Every way a server may fail a client: none of them gives a token, all of them a message without secrets.
fn check_refuses(source_of: impl Fn(&str) -> Source, good: &dyn Fn(&str) -> String, room: &Room) {
    let other = other_audience(room);
    let far = Server::saying("200 OK", "application/json", &good(&token(room)));
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n", far.url());
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}", " ".repeat(1 << 20));
    for (name, answer, expected) in [
        ("audience", reply("200 OK", "application/json", &good(&other)), "get one whose audience is sigstore"),
        ("denied", reply("403 Forbidden", "application/json", r#"{"message":"no such right"}"#), "answered 403"),
        ("error page", reply("200 OK", "text/html", "<html>sorry</html>"), ""),
        ("empty", reply("200 OK", "application/json", ""), ""),
        ("other JSON", reply("200 OK", "application/json", r#"{"value":7,"token":7,"data":[]}"#), ""),
        ("no JWT", reply("200 OK", "application/json", &good("a.b")), "not two"),
        ("moved", moved.into_bytes(), "answered 302"),
        ("endless", endless.into_bytes(), "more than"),
        ("silent", Vec::new(), "cannot be reached"),
    ] {
        let server = Server::start(move |_| answer.clone());
        let why = ask(&source_of(&server.host), PATIENCE).expect_err(name);
        assert!(why.contains(expected) && why.contains("; "), "{name}: {why}");
        assert!(!why.contains("hunter2") && !why.contains("eyJ"), "{name}: {why}");
    }
    assert!(far.asked().is_empty(), "redirects are not followed");
}

/// A token for somebody else's audience; nobody checks its signature before that.
fn other_audience(room: &Room) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let token = token(room);
    let parts: Vec<_> = token.split('.').collect();
    let mut claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["aud"] = json!("sts.amazonaws.com");
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

#[test]
fn github_actions() {
    let room = Room::new();
    let good = |token: &str| json!({ "count": 1, "value": token }).to_string();
    let server = Server::saying("200 OK", "application/json; charset=utf-8", &good(&token(&room)));
    let url = format!("{}/run/1?api-version=2.0", server.url());
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &*url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2"),
    ];
    check_signs(&room, None, &variables);
    check_signs(&room, Some("github"), &variables[1..]);
    let asked = server.asked();
    for part in ["GET /run/1?api-version=2.0&audience=sigstore HTTP/1.1", "authorization: bearer hunter2"] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    let source_of = |host: &str| {
        let url = format!("http://{host}/?a=b");
        named("github", &[("ACTIONS_ID_TOKEN_REQUEST_URL", &url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2")])
    };
    check_refuses(source_of, &good, &room);
    let plain = named(
        "github",
        &[("ACTIONS_ID_TOKEN_REQUEST_URL", "http://evil.test/"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x")],
    );
    assert!(ask(&plain, PATIENCE).unwrap_err().contains("plain http"));
    let missing = ambient::of_job(&surroundings(&[("GITHUB_ACTIONS", "true")]), DEFAULT_AUDIENCE).unwrap();
    assert!(missing.unwrap_err().contains("id-token: write"));
}

/// 128 KiB, as `src/outside/oidc/ambient/mod.rs` has it.
#[test]
fn the_longest_answer_of_a_server() {
    const LIMIT: usize = 128 << 10;
    let room = Room::new();
    let asked = |bytes: usize| {
        let answer = padded(&json!({ "value": token(&room) }).to_string(), bytes);
        let server = Server::saying("200 OK", "application/json", &answer);
        let variables =
            [("ACTIONS_ID_TOKEN_REQUEST_URL", &*server.url()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2")];
        ask(&named("github", &variables), PATIENCE)
    };
    assert_eq!(asked(LIMIT).as_deref(), Ok(WORKLOAD));
    let why = asked(LIMIT + 1).unwrap_err();
    assert!(why.contains(&format!("more than {LIMIT} bytes")), "{why}");
}

/// The workflow's own name, as its job is certified.
#[test]
fn a_workflow_of_github() {
    let room = Room::new();
    let workflow = "alice/project/.github/workflows/release.yml@refs/heads/main";
    let token = room.sandbox.mint(&Identity::Workflow(workflow.into())).unwrap();
    let server = Server::saying("200 OK", "application/json", &json!({ "value": token }).to_string());
    room.repo.config(
        "keyless.trustedIdentity",
        format!("https://github.com/{workflow} {}/github", room.sandbox.urls().oidc),
    );
    let mut git = room.commit();
    git.envs([
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &server.url()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
    ]);
    let answer = Running::start(git).end();
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let answer = room.repo.keyless(["verify", "--require-identity", "HEAD"]);
    assert!(answer.code == 0 && answer.text().contains(workflow), "{} {}", answer.text(), answer.stderr);
}

#[test]
fn gitlab_ci() {
    let room = Room::new();
    let token = token(&room);
    check_signs(&room, None, &[("GITLAB_CI", "true"), ("SIGSTORE_ID_TOKEN", &token)]);
    check_signs(&room, Some("gitlab:MY_TOKEN"), &[("GITLAB_CI", "true"), ("MY_TOKEN", &token)]);
    check_signs(&room, Some("environment:MY_TOKEN"), &[("MY_TOKEN", &token)]);
    let job = ambient::of_job(&surroundings(&[("GITLAB_CI", "true")]), "my audience").unwrap();
    assert!(job.unwrap_err().contains("MY_AUDIENCE_ID_TOKEN: { aud: my audience }"));
    let other = named("gitlab", &[("SIGSTORE_ID_TOKEN", &other_audience(&room))]);
    assert!(ask(&other, PATIENCE).unwrap_err().contains("audience is sigstore"));
}

/// Their agents are programs in PATH.
#[test]
fn buildkite_and_circleci() {
    let room = Room::new();
    for (kind, variable, program, words) in [
        ("buildkite", "BUILDKITE", "buildkite-agent", "oidc request-token --audience sigstore"),
        ("circleci", "CIRCLECI", "circleci", "run oidc get --root-issuer --claims {\"aud\":\"sigstore\"}"),
    ] {
        let script = format!("#!/bin/sh\n[ \"$*\" = '{words}' ] || exit 9\necho noise >&2\necho '{}'\n", token(&room));
        let bin = room.repo.home().join(kind);
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join(program), script).unwrap();
        std::fs::set_permissions(bin.join(program), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        check_signs(&room, None, &[(variable, "true"), ("PATH", &path)]);
        check_signs(&room, Some(kind), &[("PATH", &path)]);
        std::fs::write(bin.join(program), "#!/bin/sh\necho no rights >&2\nexit 1\n").unwrap();
        room.repo.config("keyless.tokenSource", kind);
        let mut failing = room.sign();
        failing.env("PATH", &path);
        let answer = Running::start(failing).end();
        assert!(answer.code == 1 && answer.stderr.contains("gave no ID token"), "{kind}: {}", answer.stderr);
        let missing = Running::start(room.sign()).end();
        assert!(missing.code == 1 && missing.stderr.contains("could not be started"), "{kind}: {}", missing.stderr);
    }
}

#[test]
fn googles_metadata_server() {
    let room = Room::new();
    let server = Server::saying("200 OK", "text/html", &token(&room));
    check_signs(&room, Some("google"), &[("GCE_METADATA_HOST", &server.host)]);
    let path = "GET /computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full ";
    for part in [path, "metadata-flavor: Google"] {
        assert!(server.asked()[0].contains(part), "{part}: {}", server.asked()[0]);
    }
    check_refuses(|host| named("google", &[("GCE_METADATA_HOST", host)]), &str::to_owned, &room);
    let name = named("google", &[("GCE_METADATA_HOST", "metadata.google.internal")]);
    assert!(ask(&name, PATIENCE).unwrap_err().contains("plain http"), "a name could be anybody's");
}

#[test]
fn googles_impersonation() {
    let room = Room::new();
    let token = token(&room);
    let good = |token: &str| json!({ "token": token }).to_string();
    let answer = good(&token);
    let server = Server::start(move |request| match request.starts_with("GET ") {
        true => reply("200 OK", "application/json", r#"{"access_token":"hunter2","expires_in":3599}"#),
        false => reply("200 OK", "application/json", &answer),
    });
    const OVERRIDE: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS";
    let source = "google-impersonation:robot@p.iam.gserviceaccount.com";
    check_signs(&room, Some(source), &[("GCE_METADATA_HOST", &server.host), (OVERRIDE, &format!("{}/", server.url()))]);
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token "), "{}", asked[0]);
    let account = "POST /v1/projects/-/serviceAccounts/robot%40p%2Eiam%2Egserviceaccount%2Ecom:generateIdToken ";
    for part in [account, "authorization: Bearer hunter2", r#""audience":"sigstore""#, r#""includeEmail":true"#] {
        assert!(asked[1].contains(part), "{part}: {}", asked[1]);
    }
    let source_of =
        |host: &str| named(source, &[("GCE_METADATA_HOST", &server.host), (OVERRIDE, &format!("http://{host}"))]);
    check_refuses(source_of, &good, &room);
    let plain = named(source, &[("GCE_METADATA_HOST", &server.host), (OVERRIDE, "http://evil.test")]);
    assert!(ask(&plain, PATIENCE).unwrap_err().contains("plain http"));
    assert!(ambient::named("google-impersonation", &surroundings(&[]), "a").unwrap_err().contains("ACCOUNT"));
}

#[test]
fn vault() {
    let room = Room::new();
    let good = |token: &str| {
        json!({ "request_id": "1", "data": { "client_id": "x", "token": token, "ttl": 300 } }).to_string()
    };
    let server = Server::saying("200 OK", "application/json", &good(&token(&room)));
    let variables = [("VAULT_ADDR", &*server.url()), ("VAULT_TOKEN", "hunter2"), ("VAULT_NAMESPACE", "team")];
    check_signs(&room, Some("vault:a role"), &variables);
    let head = "GET /v1/identity/oidc/token/a%20role ";
    for part in [head, "x-vault-token: hunter2", "x-vault-namespace: team", "x-vault-request: true"] {
        assert!(server.asked()[0].contains(part), "{part}: {}", server.asked()[0]);
    }
    let source_of =
        |host: &str| named("vault:r", &[("VAULT_ADDR", &format!("http://{host}/")), ("VAULT_TOKEN", "hunter2")]);
    check_refuses(source_of, &good, &room);
    let sealed = Server::saying("503 Service Unavailable", "application/json", r#"{"errors":["Vault is sealed"]}"#);
    assert!(ask(&source_of(&sealed.host), PATIENCE).unwrap_err().contains("Vault is sealed"));
    for name in ["vault", "vault:", "vault:role"] {
        assert!(ambient::named(name, &surroundings(&[("VAULT_ADDR", "https://v.test")]), "a").is_err(), "{name}");
    }
}

#[test]
fn projected_files() {
    let room = Room::new();
    let file = room.repo.file("a token", format!("{}\n", token(&room)));
    let path = file.to_str().unwrap();
    check_signs(&room, Some(&format!("kubernetes:{path}")), &[]);
    check_signs(&room, Some(&format!("file:{path}")), &[]);
    check_signs(&room, Some("aws"), &[("AWS_WEB_IDENTITY_TOKEN_FILE", path)]);
    check_signs(&room, Some("azure"), &[("AZURE_FEDERATED_TOKEN_FILE", path)]);
    assert!(matches!(named("kubernetes", &[]), Source::File(path) if path.starts_with("/var/run/sigstore")));
    let refused = |content: &[u8]| {
        let file = room.repo.file("another token", content);
        ask(&Source::File(file), PATIENCE).unwrap_err()
    };
    assert!(refused(other_audience(&room).as_bytes()).contains("audience is sigstore"));
    assert!(refused(&[b'a'; 1 << 20]).contains("gave no ID token"));
    assert!(refused(b"\xff\xfe").contains("not text"));
    assert!(ask(&Source::File(Path::new("/nonexistent").into()), PATIENCE).unwrap_err().contains("/nonexistent"));
}

/// No stray or fake source signs for a person: what is not named, or not this job's, is not even asked.
#[test]
fn nothing_is_probed() {
    let room = Room::new();
    let server = Server::saying("200 OK", "text/plain", &token(&room));
    let file = room.repo.file("a token", token(&room));
    let mut program = room.sign();
    program.envs([
        ("GCE_METADATA_HOST", server.host.as_str()),
        ("VAULT_ADDR", &server.url()),
        ("VAULT_TOKEN", "x"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("SPIFFE_ENDPOINT_SOCKET", "unix:///nonexistent"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &server.url()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "x"),
        ("MY_ID_TOKEN", "a.b.c"),
    ]);
    let answer = Running::start(program).end();
    assert!(answer.code == 1 && answer.stderr.contains("nobody can be asked to log in"), "{}", answer.stderr);
    assert!(server.asked().is_empty());
}

#[test]
fn a_source_that_is_named_is_the_only_one() {
    let room = Room::new();
    let token = token(&room);
    for (name, expected) in [
        ("github", "id-token: write"),
        ("file", "it needs keyless.idTokenFile"),
        ("command", "it needs keyless.tokenCommand"),
        ("device", "nobody can be asked to log in"),
        ("metadata", "`metadata` is none of browser, device"),
        ("spiffe:relative", "no absolute path"),
        ("aws", "AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
    ] {
        room.repo.config("keyless.tokenSource", name);
        let mut program = room.sign();
        program.env("SIGSTORE_ID_TOKEN", &token);
        let answer = Running::start(program).end();
        assert!(answer.code == 1 && answer.stderr.contains(expected), "{name}: {}", answer.stderr);
    }
}
