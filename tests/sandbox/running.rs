//! One directory, one sandbox; it goes on where it was. And the program that runs it, as a person uses it.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use git_keyless::key::sha256;
use git_keyless::sandbox::{Rekor, Sandbox, mint};
use git_keyless::sign::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{FORM, alice, get, options, root, send, signed, start, verified};
use crate::suite::http::Message;
use crate::support::{Answer, Git, PROGRAM, Repo};

#[test]
fn it_goes_on_after_a_restart() {
    let home = start(Rekor::V1);
    let before = signed(&home.sandbox, &alice(), Timestamp::Always).unwrap();
    let (urls, trusted_root) = (home.sandbox.urls().clone(), home.sandbox.trusted_root().to_vec());
    drop(home.sandbox);
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap();
    assert_eq!((sandbox.urls(), sandbox.trusted_root()), (&urls, trusted_root.as_slice()));
    assert_eq!(sandbox.sizes(), [1, 0]);
    let after = signed(&sandbox, &alice(), Timestamp::Always).unwrap();
    assert_eq!(sandbox.sizes(), [2, 0]);
    for armor in [&before.armor, &after.armor] {
        assert!(verified(&root(&sandbox), armor).checks().iter().all(|check| check.holds()));
    }
    drop(sandbox);
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V2)).unwrap();
    signed(&sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    assert_eq!(sandbox.sizes(), [2, 1]);
}

/// A line without its end was never answered for.
#[test]
fn a_torn_entry_is_dropped() {
    let home = start(Rekor::V1);
    signed(&home.sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    let file = home.sandbox.directory().join("rekor-v1.jsonl");
    drop(home.sandbox);
    let mut text = fs::read(&file).unwrap();
    text.extend(b"{\"time\":17");
    fs::write(&file, text).unwrap();
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap();
    signed(&sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    assert_eq!(sandbox.sizes(), [2, 0]);
}

#[test]
fn two_on_one_directory_are_refused_and_two_on_two_are_not() {
    let home = start(Rekor::V1);
    let second = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap_err().to_string();
    assert!(second.contains("another sandbox runs on it"), "{second}");
    let ready = home.sandbox.directory().join("ready");
    assert!(ready.exists());
    start(Rekor::V1);
}

#[test]
fn the_directory_is_its_own_and_says_when_it_runs() {
    let home = start(Rekor::V1);
    let directory = home.sandbox.directory().to_path_buf();
    for name in ["trusted_root.json", "signing_config.json", "client_trust_config.json", "gitconfig", "env", "ready"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let address = home.sandbox.urls().fulcio.strip_prefix("http://").unwrap().to_owned();
    drop(home.sandbox);
    assert!(!directory.join("ready").exists());
    // A child that another test is starting may hold the port for a moment.
    let until = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < until, "its port is still open");
    }
    assert!(mint(&directory, &alice()).is_ok());

    let other = tempfile::tempdir().unwrap();
    fs::create_dir(other.path().join("s")).unwrap();
    fs::write(other.path().join("s/thesis.tex"), "").unwrap();
    let refused = Sandbox::start(&options(other.path(), Rekor::V1)).unwrap_err().to_string();
    assert!(refused.contains("no sandbox's"), "{refused}");
}

/// `git keyless sandbox` in the folder `D` beside a repository, until it is told to end.
struct Running(Child);

impl Running {
    fn start(repo: &Repo) -> Self {
        let mut program = repo.command(PROGRAM);
        program.args(["sandbox", "--dir"]).arg(repo.home().join("D")).stderr(Stdio::null());
        let running = Self(program.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(20);
        while !repo.home().join("D/ready").exists() {
            assert!(Instant::now() < until, "the sandbox is not ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        running
    }

    fn end(mut self, repo: &Repo) {
        Answer::of(repo.command("sh").args(["-c", &format!("kill {}", self.0.id())]).output().unwrap()).ok();
        assert!(self.0.wait().unwrap().success());
        assert!(!repo.home().join("D/ready").exists());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A variable of the sandbox, in a shell that has sourced its file.
fn variable(repo: &Repo, name: &str) -> String {
    let program = format!(". '{}'; printf %s \"${name}\"", repo.home().join("D/env").display());
    Answer::of(repo.command("sh").args(["-c", &program]).output().unwrap()).ok()
}

fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    fields.into_iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// Every field of the page's form, with this address typed in.
fn filled_in(page: &str, email: &str) -> String {
    let attribute = |input: &str, name: &str| {
        let value = input.split_once(name).unwrap().1;
        let (ends, value) = value.strip_prefix('"').map_or((' ', value), |quoted| ('"', quoted));
        value.split(ends).next().unwrap().replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")
    };
    let inputs = page.split("<input ").skip(1).map(|input| input.split('>').next().unwrap());
    let fields = inputs.map(|input| (attribute(input, "name="), attribute(input, "value=")));
    let fields = fields.map(|(name, value)| if name == "email" { (name, email.to_owned()) } else { (name, value) });
    form(fields.collect::<Vec<_>>().iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// What a client of the provider and a person in a browser do between them; the ID token.
fn log_in(issuer: &str, email: &str) -> String {
    let json = |reply: &Message| serde_json::from_slice::<Value>(&reply.body).unwrap();
    let discovery = json(&get(&format!("{issuer}/.well-known/openid-configuration")));
    let endpoint = |name: &str| discovery[name].as_str().unwrap().to_owned();
    let verifier = "a-verifier-of-forty-three-characters-at-least";
    let redirect = "http://127.0.0.1:9/auth/callback";
    let request = form([
        ("client_id", "sigstore"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "a state"),
        ("nonce", "a nonce"),
        ("code_challenge", &URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))),
        ("code_challenge_method", "S256"),
        ("redirect_uri", redirect),
    ]);
    let page = get(&format!("{}?{request}", endpoint("authorization_endpoint")));
    let submitted = filled_in(std::str::from_utf8(&page.body).unwrap(), email);
    let sent_on = send(&endpoint("authorization_endpoint"), FORM, submitted.as_bytes());
    let back = sent_on.header("location").and_then(|place| place.strip_prefix(redirect)).unwrap();
    let code = back.strip_prefix("?code=").unwrap().strip_suffix("&state=a%20state").unwrap();
    let exchange = form([
        ("grant_type", "authorization_code"),
        ("client_id", "sigstore"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ]);
    json(&send(&endpoint("token_endpoint"), FORM, exchange.as_bytes()))["id_token"].as_str().unwrap().to_owned()
}

/// A person in a terminal: starts it, sources, includes, commits, logs in on its page, and commits as who that was.
#[test]
fn a_person_in_a_terminal_and_a_browser() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let running = Running::start(&repo);
    let issuer = variable(&repo, "SIGSTORE_OIDC_ISSUER");
    repo.config("include.path", repo.home().join("D/gitconfig"));
    repo.config("user.email", "alice@example.test");
    repo.commit("as git knows her");
    assert_eq!(repo.ok(["log", "-1", "--format=%G? %GS"]), format!("U alice@example.test {issuer}"));

    let mut commit = repo.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-m", "as who logged in"]);
    commit.env("SIGSTORE_ID_TOKEN", log_in(&issuer, "bob@example.test"));
    Answer::of(commit.output().unwrap()).ok();
    repo.config("keyless.trustedIdentity", format!("bob@example.test {issuer}"));
    assert_eq!(repo.ok(["log", "-1", "--format=%G? %GT %GS"]), format!("G fully bob@example.test {issuer}"));
    let judged = repo.keyless(["verify", "--require-identity", "HEAD"]).ok();
    assert!(judged.contains("under a sandbox: for trial, training and tests only"), "{judged}");
    running.end(&repo);
}

/// Every form of identity by its flag, and what is none.
#[test]
fn tokens_by_the_program() {
    let home = start(Rekor::V1);
    let repo = Repo::init(&Git::installed(), "sha1");
    let ask = |args: &[&str]| {
        let mut program = repo.command(PROGRAM);
        Answer::of(
            program.args(["sandbox", "token", "--dir"]).arg(home.sandbox.directory()).args(args).output().unwrap(),
        )
    };
    let github = "https://github.com/login/oauth";
    for (args, issuer, sub) in [
        (&["--email", "alice@example.test"][..], "email", "alice@example.test"),
        (&["--email", "alice@example.test", "--connector", github], "dex", "YWxpY2VAZXhhbXBsZS50ZXN0"),
        (&["--spiffe", "spiffe://example.test/ci"], "spiffe", "spiffe://example.test/ci"),
        (&["--uri", "https://example.test/a"], "uri", "https://example.test/a"),
        (&["--workflow", "a/b/.github/workflows/c.yml@refs/heads/d"], "github", "repo:a/b:ref:refs/heads/d"),
    ] {
        let token = ask(args).ok();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert_eq!(
            (claims["iss"].as_str(), claims["sub"].as_str()),
            (Some(format!("{}/{issuer}", home.sandbox.urls().oidc).as_str()), Some(sub))
        );
        assert!(args.contains(&"--connector") == (claims["federated_claims"]["connector_id"] == github), "{claims}");
    }
    for (args, said) in [
        (&["--workflow", "a/b@c"][..], "OWNER/REPOSITORY/PATH@REF"),
        (&["--workflow", "a/b/c.yml"], "OWNER/REPOSITORY/PATH@REF"),
        (&["--uri", "https://example.test/a", "--email", "a@example.test"], "cannot be used with"),
        (&["--connector", github, "--uri", "https://example.test/a"], "--email"),
        (&[], "required"),
    ] {
        let refused = ask(args);
        assert!(refused.code == 2 && refused.stdout.is_empty() && refused.stderr.contains(said), "{}", refused.stderr);
    }
}
