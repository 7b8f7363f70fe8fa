//! What signing refuses is a fault: the doctor says so, and then signing is tried.

use std::path::PathBuf;

use git_keyless::sandbox::{Identity, Rekor};
use git_keyless::trust::PUBLIC_GOOD;
use serde_json::{Value, json};

use super::{ALICE, examined, healthy};
use crate::sandbox::{Home, start};
use crate::support::{Git, Repo};

const LONG_AGO: &str = "2001-01-01T00:00:00Z";

/// The sandbox's trusted root or signing config, changed.
fn edited(repo: &Repo, home: &Home, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let bytes = std::fs::read(home.sandbox.directory().join(name)).unwrap();
    let mut value = serde_json::from_slice(&bytes).unwrap();
    change(&mut value);
    repo.file(&format!("edited-{name}"), value.to_string())
}

/// Whether a commit can be signed, with nobody at a terminal, as the doctor was asked.
fn signs(repo: &Repo, variables: &[(&str, &str)]) -> bool {
    let mut command = repo.command("setsid");
    command.args(["--wait", "git", "commit", "-q", "-S", "--allow-empty", "-m", "x"]);
    command.envs(variables.iter().copied()).output().unwrap().status.success()
}

#[track_caller]
fn check_refused(repo: &Repo, variables: &[(&str, &str)], check: &str, words: &str) {
    examined(repo, &["--offline"], variables).has(check, "fault", words);
    assert!(!signs(repo, variables), "{check}: {words}: it signs");
}

#[test]
fn a_token_that_is_not_worth_sending() {
    let home = start(Rekor::V1);
    let git = Git::installed();
    let token = home.sandbox.mint(&Identity::Email(ALICE.into())).unwrap();
    let repo = healthy(&git, &home);
    let good = [("SIGSTORE_ID_TOKEN", token.as_str())];
    let findings = examined(&repo, &["--offline"], &good);
    findings.has("id-token", "good", &format!("the variable SIGSTORE_ID_TOKEN: {ALICE}, until 20"));
    findings.has("committer-address", "note", ALICE);
    assert!(findings.found.iter().all(|(_, _, found)| !found.contains(&token)), "a secret is shown");
    assert!(signs(&repo, &good));
    let garbage = repo.file("garbage", "s3cret").display().to_string();
    let fresh = repo.file("fresh", &token).display().to_string();
    let missing = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent")];
    for (settings, variables, check, words) in [
        (&[][..], &[("SIGSTORE_ID_TOKEN", "s3cret")][..], "id-token", "unset SIGSTORE_ID_TOKEN"),
        (&[("keyless.clientId", "other")], &good, "id-token", "whose audience is other"),
        (&[("keyless.idTokenFile", "/nonexistent")], &[], "id-token", "--global --unset-all keyless.idTokenFile"),
        (&[("keyless.idTokenFile", &garbage)], &[], "id-token", "gave no ID token"),
        (&[("keyless.idTokenFile", &fresh), ("keyless.clientId", "other")], &[], "id-token", "audience is other"),
        (&[("keyless.tokenSource", "aws")], &missing, "id-token", "/nonexistent"),
        (&[("keyless.tokenSource", "aws")], &[], "id-token", "AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
        (&[("keyless.tokenSource", "spiffe:/nonexistent.sock")], &[], "id-token", "/nonexistent.sock"),
        (&[("keyless.tokenSource", "spiffe:/etc/passwd")], &[], "id-token", "no socket"),
        (&[("keyless.tokenSource", "buildkite")], &[], "id-token", "buildkite-agent is not on PATH"),
        (&[("keyless.expectedIdentity", "foo")], &[], "expected-identity", "--unset-all keyless.expectedIdentity"),
        (&[("keyless.expectedIdentity", "bob@example.test x")], &good, "expected-identity", "bob@example.test"),
    ] {
        let repo = healthy(&git, &home);
        settings.iter().for_each(|(key, value)| repo.config(key, value));
        check_refused(&repo, variables, check, words);
    }
    let socket = repo.home().join("agent.sock");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    repo.config("keyless.tokenSource", format!("spiffe:{}", socket.display()));
    examined(&repo, &["--offline"], &[]).has("id-token", "good", "SPIFFE Workload API");
}

#[test]
fn settings_that_a_login_refuses() {
    let home = start(Rekor::V1);
    for (key, value, check) in [
        ("keyless.browser", "/nonexistent/x", "id-token"),
        ("keyless.browser", "'open", "id-token"),
        ("keyless.credentialStore", "foo", "kept-login"),
        ("keyless.refreshToken", "foo", "kept-login"),
        ("keyless.expectedIdentity", "foo", "expected-identity"),
        ("keyless.qr", "foo", "id-token"),
    ] {
        let repo = healthy(&Git::installed(), &home);
        repo.config("keyless.tokenCommand", "");
        repo.config("keyless.browser", "false");
        repo.config(key, value);
        check_refused(&repo, &[("GIT_TERMINAL_PROMPT", "1")], check, "");
    }
}

#[test]
fn settings_that_verifying_refuses() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.commit("good");
    repo.ok(["verify-commit", "HEAD"]);
    repo.config("keyless.fallbackTrust", "foo");
    // Nobody is asked whom it could concern.
    examined(&repo, &["--offline"], &[]).has("fallback-trust", "warning", "neither undefined nor pass");
    repo.ok(["verify-commit", "HEAD"]);
    repo.config("keyless.fallbackProgram", "sh");
    examined(&repo, &["--offline"], &[]).has("fallback-trust", "fault", "neither undefined nor pass");
    repo.config_unset("keyless.fallbackTrust");
    assert_eq!(examined(&repo, &["--offline"], &[]).code, 0);
    repo.config("keyless.requireTrusted", "foo");
    examined(&repo, &["--offline"], &[]).has("require-trusted", "fault", "neither true nor false");
    assert_ne!(repo.run(["verify-commit", "HEAD"]).code, 0);
}

#[test]
fn keys_whose_day_is_over() {
    let ended = |list: &'static str| {
        move |root: &mut Value| match list {
            "ctlogs" | "tlogs" => {
                let logs = root[list].as_array_mut().unwrap();
                logs.iter_mut().for_each(|log| log["publicKey"]["validFor"]["end"] = json!(LONG_AGO));
            }
            _ => root[list][0]["validFor"]["end"] = json!(LONG_AGO),
        }
    };
    for (rekor, settings, list, words) in [
        (Rekor::V1, &[][..], "certificateAuthorities", "no certificate authority of"),
        (Rekor::V1, &[], "ctlogs", "no certificate transparency log of"),
        (Rekor::V1, &[], "tlogs", "no transparency log of"),
        (Rekor::V1, &[("keyless.timestamp", "always")], "timestampAuthorities", "no timestamp authority of"),
        (Rekor::V2, &[], "timestampAuthorities", "no timestamp authority of"),
    ] {
        let home = start(rekor);
        let repo = healthy(&Git::installed(), &home);
        examined(&repo, &["--offline"], &[]).has("trust-root-keys", "good", "");
        settings.iter().for_each(|(key, value)| repo.config(key, value));
        repo.config("keyless.trustedRoot", edited(&repo, &home, "trusted_root.json", ended(list)));
        check_refused(&repo, &[], "trust-root-keys", words);
    }
    // Whom nobody needs may have ended.
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.config("keyless.trustedRoot", edited(&repo, &home, "trusted_root.json", ended("timestampAuthorities")));
    examined(&repo, &["--offline"], &[]).has("trust-root-keys", "good", "");
    assert!(signs(&repo, &[]));
    let soon = |root: &mut Value| root["ctlogs"][0]["publicKey"]["validFor"]["end"] = json!(in_days(3));
    repo.config("keyless.trustedRoot", edited(&repo, &home, "trusted_root.json", soon));
    examined(&repo, &["--offline"], &[]).has("trust-root-keys", "warning", "is valid after 20");
    assert!(signs(&repo, &[]));
}

fn in_days(days: u64) -> String {
    let then = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400);
    let since = then.duration_since(std::time::UNIX_EPOCH).unwrap();
    git_keyless::format::time::Time::from_unix(since).unwrap().whole().to_string()
}

#[test]
fn files_of_two_instances() {
    let (home, other) = (start(Rekor::V1), start(Rekor::V2));
    let repo = healthy(&Git::installed(), &home);
    repo.config("keyless.trustedRoot", other.sandbox.directory().join("trusted_root.json"));
    examined(&repo, &["--offline"], &[]).has("instance", "warning", &other.sandbox.urls().fulcio);
    assert!(!signs(&repo, &[]));
    // What a root says of addresses is informative: without any there is nothing to compare.
    let silent = |root: &mut Value| root["certificateAuthorities"][0]["uri"] = json!("");
    repo.config("keyless.trustedRoot", edited(&repo, &home, "trusted_root.json", silent));
    examined(&repo, &["--offline"], &[]).has("instance", "good", "certificates from");
    assert!(signs(&repo, &[]));
    let unstamped = |config: &mut Value| config["tsaUrls"] = json!([]);
    repo.config("keyless.signingConfig", edited(&repo, &home, "signing_config.json", unstamped));
    assert!(signs(&repo, &[]));
    repo.config("keyless.timestamp", "always");
    check_refused(&repo, &[], "instance", "tsaUrls");
}

/// The sandbox's services under the public instance's root: nothing is ever sent there.
fn public(home: &Home) -> Repo {
    let repo = healthy(&Git::installed(), home);
    repo.config("keyless.trustedRoot", repo.file("public.json", PUBLIC_GOOD));
    repo
}

#[test]
fn nobody_who_must_not_or_cannot_agree_is_published() {
    let home = start(Rekor::V1);
    let token = home.sandbox.mint(&Identity::Email(ALICE.into())).unwrap();
    let good = [("SIGSTORE_ID_TOKEN", token.as_str())];
    let hiding = [good[0], ("GIT_COMMITTER_EMAIL", "1+alice@users.noreply.github.com")];
    let alice = format!("{ALICE} {}/email", home.sandbox.urls().oidc);
    let bob = format!("bob@example.test {}/email", home.sandbox.urls().oidc);
    for (consent, variables, words) in [
        (&["refuse"][..], &[][..], "refuses to publish anybody"),
        (&["refuse"], &good, "| git config --global --add keyless.publicIdentity 'alice@"),
        (&["refuse", &bob], &good, ALICE),
        (&["foo"], &[], "none of allow, ask, refuse"),
        (&[], &[], "nobody can be asked"),
        (&[], &good, ALICE),
        (&["ask"], &good, "nobody can be asked"),
        (&["allow"], &hiding, "nobody can be asked"),
    ] {
        let repo = public(&home);
        consent.iter().for_each(|value| repo.config_add("keyless.publicIdentity", value));
        check_refused(&repo, variables, "publicity", words);
    }
    for (consent, variables) in [(&["allow"][..], &[][..]), (&["refuse", &alice], &good), (&[&alice], &good)] {
        let repo = public(&home);
        consent.iter().for_each(|value| repo.config_add("keyless.publicIdentity", value));
        assert_eq!(examined(&repo, &["--offline"], variables).code, 0);
    }
}

#[test]
fn what_becomes_public_is_named() {
    let home = start(Rekor::V1);
    let token = home.sandbox.mint(&Identity::Email(ALICE.into())).unwrap();
    let token = ("SIGSTORE_ID_TOKEN", token.as_str());
    let repo = public(&home);
    repo.config("keyless.publicIdentity", format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    // What git commits as counts, and not what it would without the variable.
    repo.config("user.email", "1+alice@users.noreply.github.com");
    let findings = examined(&repo, &["--offline"], &[token]);
    findings.has("publicity", "note", &format!("publishes {ALICE}"));
    examined(&repo, &["--offline"], &[]).has("publicity", "note", "the address or name of your login");
    for hiding in ["1+alice@users.noreply.github.com", "alice@No-Reply.example.test"] {
        let findings = examined(&repo, &["--offline"], &[token, ("GIT_COMMITTER_EMAIL", hiding)]);
        findings.has("publicity", "warning", &format!("commits as {hiding}, and"));
        findings.has("publicity", "warning", &format!("publishes {ALICE}"));
    }
    // On a private instance nothing does.
    examined(&healthy(&Git::installed(), &home), &["--offline"], &[token]).has_none("publicity");
}
