//! `git keyless doctor`: each test breaks one thing and looks for its finding.

mod around;
mod login;
mod refused;

use std::os::unix::fs::PermissionsExt as _;

use git_keyless::sandbox::Rekor;
use serde_json::Value;

use crate::report::check;
use crate::sandbox::{Home, start};
use crate::support::{Answer, Git, PROGRAM, Repo};

const ALICE: &str = "alice@example.test";

/// A person for whom everything is as it should be.
fn healthy(git: &Git, home: &Home) -> Repo {
    let repo = Repo::init(git, "sha1");
    let directory = home.sandbox.directory().display().to_string();
    let file = |name: &str| format!("{directory}/{name}");
    repo.config("gpg.format", "x509");
    repo.config("gpg.x509.program", PROGRAM);
    repo.config("commit.gpgSign", "true");
    repo.config("tag.gpgSign", "true");
    repo.config("keyless.trustedRoot", file("trusted_root.json"));
    repo.config("keyless.signingConfig", file("signing_config.json"));
    repo.config(
        "keyless.tokenCommand",
        format!("'{PROGRAM}' sandbox token --dir '{directory}' --email {ALICE} # s3cret"),
    );
    repo.config("keyless.trustedIdentity", format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    repo
}

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(include_str!("../schema/doctor.schema.json")).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

struct Findings {
    code: i32,
    found: Vec<(String, String, String)>,
}

impl Findings {
    #[track_caller]
    fn has(&self, check: &str, level: &str, words: &str) {
        let there = self.found.iter().any(|(name, at, found)| name == check && at == level && found.contains(words));
        assert!(there, "no {level} of {check} with `{words}`: {:#?}", self.found);
        assert_eq!(self.code, i32::from(self.found.iter().any(|(_, level, _)| level == "fault")));
    }

    #[track_caller]
    fn has_none(&self, check: &str) {
        assert!(self.found.iter().all(|(name, ..)| name != check), "{check}: {:#?}", self.found);
    }
}

fn examined(repo: &Repo, args: &[&str], variables: &[(&str, &str)]) -> Findings {
    // Nobody's terminal, whoever runs the tests.
    let mut command = repo.command("setsid");
    command.args(["--wait", PROGRAM]);
    let answer =
        Answer::of(command.args(["doctor", "--json"]).args(args).envs(variables.iter().copied()).output().unwrap());
    let line: Value = serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{answer:?}"));
    check(&schema(), &line);
    assert_eq!(line["signs"], answer.code == 0);
    assert!(!answer.text().contains("s3cret"), "{}", answer.text());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let finding = |one: &Value| {
        let found = format!("{} | {}", text(&one["found"]), text(&one["mend"]));
        (text(&one["check"]), text(&one["level"]), found)
    };
    Findings { code: answer.code, found: line["findings"].as_array().unwrap().iter().map(finding).collect() }
}

#[test]
fn a_healthy_one_signs_and_the_doctor_says_so() {
    let home = start(Rekor::V1);
    for git in Git::all() {
        let repo = healthy(&git, &home);
        let findings = examined(&repo, &[], &[]);
        for (check, words) in [
            ("git", "git version"),
            ("gpg-format", "(global)"),
            ("gpg-program", PROGRAM),
            ("commit-signing", "is on"),
            ("trust-root", "sandbox"),
            ("instance", "certificates from http://127.0.0.1"),
            ("servers", "certificate authority"),
            ("servers", "transparency log"),
            ("id-token", "keyless.tokenCommand"),
            ("trusted-identities", ALICE),
        ] {
            findings.has(check, "good", words);
        }
        assert_eq!(findings.code, 0, "{:#?}", findings.found);
        let text = repo.keyless(["doctor", "--offline"]);
        assert!(text.code == 0 && text.text().ends_with("Nothing found that would stop signing."), "{}", text.text());
        repo.commit("and it does");
    }
}

#[test]
fn whatever_is_broken_is_found() {
    let home = start(Rekor::V1);
    let git = Git::installed();
    let other = Repo::init(&git, "sha1");
    let not_ours = other.file("gpgsm", "#!/bin/sh\necho gpgsm 2.2\n");
    std::fs::set_permissions(&not_ours, std::fs::Permissions::from_mode(0o755)).unwrap();
    let dumb = other.file("dumb", "");
    let older = other.file("older", "#!/bin/sh\necho git-keyless 0.0.1\n");
    std::fs::set_permissions(&older, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = |path: &std::path::Path| path.display().to_string();
    for (key, value, check, level, words) in [
        ("gpg.format", "openpgp".to_owned(), "gpg-format", "fault", "openpgp"),
        ("gpg.x509.program", "/nowhere/git-keyless".to_owned(), "gpg-program", "fault", "/nowhere"),
        ("gpg.x509.program", "no-such-program".to_owned(), "gpg-program", "fault", "not on PATH"),
        ("gpg.x509.program", path(&not_ours), "gpg-program", "fault", "is not git-keyless"),
        ("gpg.x509.program", path(&dumb), "gpg-program", "fault", "could not be started"),
        ("gpg.x509.program", path(&older), "gpg-program", "warning", "0.0.1"),
        ("gpg.x509.program", "git-keyless".to_owned(), "gpg-program", "warning", "no shell started"),
        ("commit.gpgSign", "false".to_owned(), "commit-signing", "note", "is off"),
        ("keyless.trustedRoot", "/nowhere.json".to_owned(), "trust-root", "fault", "/nowhere.json"),
        ("keyless.trustedRoot", path(&dumb), "trust-root", "fault", "trust file"),
        ("keyless.signingConfig", "/nowhere.json".to_owned(), "instance", "fault", "/nowhere.json"),
        ("keyless.tokenCommand", String::new(), "id-token", "fault", "SIGSTORE_ID_TOKEN"),
        ("keyless.trustedIdentity", "alice".to_owned(), "trusted-identities", "fault", "two words"),
        ("keyless.trustedIdentity", String::new(), "trusted-identities", "warning", "nobody is named"),
        ("keyless.trustedRot", "x".to_owned(), "setting", "warning", "no such setting"),
        ("keyless.fallbackProgram", "/nowhere/gpgsm".to_owned(), "fallback", "warning", "not there"),
        ("keyless.deniedIdentity", "foo".to_owned(), "denied-identities", "fault", "is not `<subject> <issuer>`"),
        ("keyless.requireTrusted", "foo".to_owned(), "require-trusted", "fault", "neither true nor false"),
        ("keyless.credentialStore", "foo".to_owned(), "kept-login", "warning", "none of auto"),
        ("gitsign.matchCommitter", "true".to_owned(), "gitsign", "note", "expectedIdentity"),
    ] {
        let repo = healthy(&git, &home);
        repo.config(key, &value);
        examined(&repo, &["--offline"], &[]).has(check, level, words);
    }
}

#[test]
fn what_mends_it_is_safe_to_copy() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.config("keyless.$(touch x).y", "1");
    examined(&repo, &["--offline"], &[]).has("setting", "warning", "--unset-all 'keyless.$(touch x).y'");
}

#[test]
fn what_outranks_what_is_named() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.ok(["config", "--local", "gpg.format", "ssh"]);
    let findings = examined(&repo, &["--offline"], &[]);
    findings.has("gpg-format", "fault", "git config --local gpg.format x509");
    findings.has("shadowed", "note", "gpg.format from");
    repo.ok(["config", "--local", "--unset", "gpg.format"]);
    let parameters = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "commit.gpgSign"), ("GIT_CONFIG_VALUE_0", "no")];
    examined(&repo, &["--offline"], &parameters).has("commit-signing", "note", "(command)");
}

#[test]
fn what_is_around_is_looked_at_and_secrets_are_not_shown() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    for secret in ["http://user:s3cret@", "user:s3cret@", "http://user:s3cret/half@", "http://user:half/s3cret@"] {
        let proxy = format!("{secret}proxy.test:3128");
        let findings = examined(&repo, &["--offline"], &[("HTTPS_PROXY", &proxy)]);
        findings.has("proxy", "note", "HTTPS_PROXY is ...@proxy.test:3128 ");
        assert!(findings.found.iter().all(|(_, _, found)| !found.contains("half")), "{:?}", findings.found);
    }
    let token = [("SIGSTORE_ID_TOKEN", "s3cret")];
    examined(&repo, &["--offline"], &token).has("id-token", "fault", "the variable SIGSTORE_ID_TOKEN");
    // git does not trust a repository of somebody else, and says so itself.
    std::fs::write(repo.path.join(".git/config"), "[broken\n").unwrap();
    assert_eq!(examined(&repo, &["--offline"], &[]).code, 1);
}

#[test]
fn servers_that_are_gone_and_clocks_that_are_apart() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    let config = std::fs::read_to_string(home.sandbox.directory().join("signing_config.json")).unwrap();
    // Nobody listens on the discard port.
    let gone = config.replace(&home.sandbox.urls().rekor_v1, "http://127.0.0.1:9");
    repo.config("keyless.signingConfig", repo.file("gone.json", gone));
    examined(&repo, &[], &[]).has("servers", "fault", "transparency log");
    let (_listening, url) = yesterday();
    let skewed = config.replace(&home.sandbox.urls().rekor_v1, &url);
    repo.config("keyless.signingConfig", repo.file("skewed.json", skewed));
    examined(&repo, &[], &[]).has("clock", "warning", "2020-01-02T03:04:05Z");
}

/// A server for which it is another day.
fn yesterday() -> (std::thread::JoinHandle<()>, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        let answer = "HTTP/1.1 404 Not Found\r\nDate: Thu, 02 Jan 2020 03:04:05 GMT\r\nContent-Length: 0\r\n\r\n";
        let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
    });
    (serving, url)
}
