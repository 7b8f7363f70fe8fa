//! The sandbox: what is signed with it verifies, what it lies about is noticed, what is wrong it refuses.

mod faults;
mod git;
mod program;
mod refusals;
mod running;
mod servers;
mod signing;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use git_keyless::format::id_token::IdToken;
use git_keyless::format::object::Object;
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::outside::oidc::{self, DEFAULT_AUDIENCE};
use git_keyless::sandbox::{Identity, Options, Rekor, Sandbox};
use git_keyless::sign::{self, Deadlines, Signed, Signer, Timestamp};
use git_keyless::trust::{SigningConfig, TrustRoot};
use git_keyless::verify::{Verified, Verifier};

use crate::suite::http::{self, Message};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nsandbox\n";

/// A sandbox with its directory, gone when this is.
pub(crate) struct Home {
    pub(crate) sandbox: Sandbox,
    directory: tempfile::TempDir,
}

fn options(directory: &std::path::Path, rekor: Rekor) -> Options {
    Options {
        directory: directory.join("s"),
        rekor,
        failing: Vec::new(),
        program: env!("CARGO_BIN_EXE_git-keyless").into(),
    }
}

pub(crate) fn start(rekor: Rekor) -> Home {
    let directory = tempfile::tempdir().unwrap();
    Home { sandbox: Sandbox::start(&options(directory.path(), rekor)).unwrap(), directory }
}

fn alice() -> Identity {
    Identity::Email("alice@example.test".into())
}

fn now() -> Time {
    Time::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap()).unwrap()
}

fn root(sandbox: &Sandbox) -> TrustRoot {
    TrustRoot::parse(sandbox.trusted_root(), "custom").unwrap()
}

/// Signs, and waits as long as a busy machine may need.
fn signed(sandbox: &Sandbox, identity: &Identity, timestamp: Timestamp) -> Result<Signed, sign::Failure> {
    signed_within(Duration::from_secs(5), None, sandbox, identity, timestamp)
}

fn signed_within(
    deadline: Duration,
    retry: Option<Duration>,
    sandbox: &Sandbox,
    identity: &Identity,
    timestamp: Timestamp,
) -> Result<Signed, sign::Failure> {
    let services = SigningConfig::parse(sandbox.signing_config()).unwrap().services(now()).unwrap();
    let deadlines = Deadlines { certificate: deadline, entry: deadline, timestamp: deadline, total: 4 * deadline };
    let options = sign::Options { timestamp, deadlines, retry, ..sign::Options::new(services) };
    let token = IdToken::parse(&sandbox.mint(identity).unwrap()).unwrap();
    let token = oidc::check(token, DEFAULT_AUDIENCE, now()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let root = root(sandbox);
    let signer = Signer::new(&root, &options)?;
    runtime.block_on(async {
        let credential = signer.certify(token, now()).await?;
        signer.sign(PAYLOAD, &credential, now()).await
    })
}

fn verified(root: &TrustRoot, armor: &str) -> Verified {
    let object = Object::of(PAYLOAD.to_vec(), armor.as_bytes().to_vec());
    Verifier::new(root, &Memo::new()).verify(&object, now())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn get(url: &str) -> Message {
    let (port, path) = place(url);
    http::get(port, path)
}

fn send(url: &str, content_type: &str, body: &[u8]) -> Message {
    let (port, path) = place(url);
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![header("Host", &format!("127.0.0.1:{port}")), header("Content-Type", content_type)];
    let request =
        Message { start: format!("POST {path} HTTP/1.1"), headers, body: body.to_vec(), ..Message::default() };
    http::ask(port, &request).unwrap()
}

/// Port and path of a URL of this machine.
fn place(url: &str) -> (u16, &str) {
    let rest = url.strip_prefix("http://127.0.0.1:").unwrap();
    let (port, path) = rest.split_at(rest.find('/').unwrap());
    (port.parse().unwrap(), path)
}
