//! Other clients of Sigstore judge what we sign, offline, by bundle and trust root: sigstore-python and sigstore-js.

use std::path::{Path, PathBuf};
use std::process::Command;

use git_keyless::format::armor::dearmor;
use git_keyless::format::cms::SignedData;
use git_keyless::sandbox::{Options, Rekor, Sandbox};
use serde_json::{Value, json};

use crate::suite::good::signing;
use crate::suite::stack::{DEV, Route, Stack};
use crate::support::{Answer, Git, PROGRAM, Repo, answer_to, cache, split};

/// One commit, as the others get it.
struct Signed {
    repo: Repo,
    name: String,
    root: PathBuf,
    bundle: PathBuf,
    artifact: PathBuf,
    issuer: String,
}

impl Signed {
    /// The commit at HEAD. What it signs, for readers of bundles, is the SET OF signed attributes.
    fn head(repo: Repo, name: String, root: &[u8], issuer: String) -> Self {
        let (kind, raw) = repo.raw("HEAD");
        let cms = SignedData::parse(&dearmor(&split(&kind, &raw).1).unwrap()).unwrap();
        let artifact = repo.file("artifact", cms.signer().unwrap().signed_attributes().unwrap());
        let bundle = repo.file("bundle.json", repo.keyless(["show", "--bundle"]).ok());
        Self { root: repo.file("root.json", root), bundle, artifact, name, issuer, repo }
    }

    fn question(&self) -> Value {
        json!({ "root": self.root, "bundle": self.bundle, "artifact": self.artifact, "identity": DEV.subject,
                "issuer": self.issuer })
    }

    /// Questions that must be answered with no.
    fn lies(&self, stranger: &Self) -> Vec<Lie> {
        let mut changed = std::fs::read(&self.artifact).unwrap();
        *changed.last_mut().unwrap() ^= 1;
        let lie = |name, because: &'static [&'static str], key: &str, value: Value| {
            let mut question = self.question();
            question[key] = value;
            Lie { name, because, question }
        };
        let (subject, content) = (&["SANs do not match", "identity error"], &["digest mismatch", "SIGNATURE_ERROR"]);
        let mut lies = vec![
            lie("another identity", subject, "identity", "other@example.test".into()),
            lie("more than the identity", subject, "identity", format!("{}.evil", DEV.subject).into()),
            lie("another issuer", &["OIDCIssuer", "expected issuer"], "issuer", "https://issuer.invalid".into()),
            lie("a changed artifact", content, "artifact", json!(self.repo.file("changed", changed))),
            lie("another commit's artifact", content, "artifact", json!(stranger.artifact)),
        ];
        if std::fs::read(&self.root).unwrap() != std::fs::read(&stranger.root).unwrap() {
            lies.push(lie("another instance", &["chain", "time"], "root", json!(stranger.root)));
        }
        lies
    }
}

/// A question to be answered with no, and words of which one is in every reason.
struct Lie {
    name: &'static str,
    because: &'static [&'static str],
    question: Value,
}

/// A commit made on a sandbox of its own.
fn on_sandbox(route: Route) -> Signed {
    let repo = Repo::init(&Git::installed(), "sha1");
    let rekor = if route == Route::V2 { Rekor::V2 } else { Rekor::V1 };
    let directory = repo.home().join("sandbox");
    let options = Options { directory, rekor, failing: Vec::new(), program: PROGRAM.into() };
    let sandbox = Sandbox::start(&options).unwrap();
    repo.config("include.path", sandbox.directory().join("gitconfig"));
    repo.config("user.email", DEV.subject);
    repo.config("keyless.timestamp", if route == Route::V1Token { "always" } else { "needed" });
    repo.commit("first");
    repo.commit(&format!("{route:?}"));
    let issuer = format!("{}/email", sandbox.urls().oidc);
    Signed::head(repo, format!("sandbox {route:?}"), sandbox.trusted_root(), issuer)
}

/// A commit made on the real servers.
fn on_servers(stack: &Stack, route: Route) -> Signed {
    let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
    repo.commit(&format!("{route:?}"));
    let root = std::fs::read(stack.trusted_root()).unwrap();
    Signed::head(repo, format!("servers {route:?}"), &root, stack.issuer(&DEV))
}

/// Answers to questions: None for yes, or why not.
type Judge = Box<dyn Fn(&[Value]) -> Vec<Option<String>>>;

/// The clients that are installed; those that are not, aloud.
fn judges() -> Vec<(&'static str, Judge)> {
    let cache = cache();
    let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/foreign").join(name);
    let (python, js) = (cache.join("foreign"), cache.join("foreign-js"));
    let clients = [
        ("sigstore-python", python.clone(), vec![python.join("bin/python"), script("verify.py")]),
        ("sigstore-js", js.clone(), vec!["node".into(), script("verify.mjs"), js]),
    ];
    let required = std::env::var_os("GIT_KEYLESS_REAL").is_some_and(|value| value == "require");
    let found = clients.into_iter().filter(|(name, folder, _)| {
        let is_there = folder.join("installed").is_file();
        assert!(is_there || !required, "GIT_KEYLESS_REAL=require, and no {name}: tests/real/foreign/install.sh");
        if !is_there {
            println!("SKIPPED: no {name}: tests/real/foreign/install.sh");
        }
        is_there
    });
    found.map(|(name, _, words)| (name, Box::new(move |asked: &[Value]| ask(&words, asked)) as Judge)).collect()
}

fn ask(words: &[PathBuf], questions: &[Value]) -> Vec<Option<String>> {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("HOME", nowhere.path());
    // Whoever asks the network is refused.
    command.envs(["http_proxy", "https_proxy"].map(|name| (name, "http://127.0.0.1:9")));
    let answer: Answer = answer_to(command, json!(questions).to_string().as_bytes());
    serde_json::from_str(&answer.clone().ok()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn check(commits: &[Signed]) {
    for (name, judge) in judges() {
        let truths: Vec<_> = commits.iter().map(Signed::question).collect();
        for (commit, refusal) in commits.iter().zip(judge(&truths)) {
            assert_eq!(refusal, None, "{name} of {}", commit.name);
        }
        let strangers = commits.iter().cycle().skip(1);
        let lies: Vec<_> = commits.iter().zip(strangers).flat_map(|(commit, stranger)| commit.lies(stranger)).collect();
        let asked: Vec<_> = lies.iter().map(|lie| lie.question.clone()).collect();
        for (lie, refusal) in lies.iter().zip(judge(&asked)) {
            let why = refusal.unwrap_or_else(|| panic!("{name} takes {}: {}", lie.name, lie.question));
            assert!(lie.because.iter().any(|words| why.contains(words)), "{name} of {}: {why}", lie.name);
        }
    }
}

#[test]
fn other_clients_agree_on_the_sandbox() {
    check(&Route::ALL.map(on_sandbox));
}

#[test]
fn other_clients_agree_on_the_servers() {
    let Some(stack) = Stack::shared() else { return };
    check(&Route::ALL.map(|route| on_servers(stack, route)));
}
