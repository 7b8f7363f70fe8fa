//! What a user does all day, through the real git: it signs, and everybody who reads it back says so.

use super::judge::{Expected, check_good, check_good_bytes, fingerprint};
use super::proxy::{Behaviour, Front};
use super::stack::{DEV, PEOPLE, Person, Route, Service, Stack};
use crate::support::{Git, Repo};

/// A repository that signs, and whose owner trusts `person`.
pub(crate) fn signing(git: &Git, hash: &str, stack: &Stack, route: Route, person: &Person) -> Repo {
    let repo = Repo::init(git, hash);
    stack.set_up(&repo, route, person);
    repo.config("keyless.trustedIdentity", Expected { stack, route, person }.signer());
    repo
}

/// A tag with the settings of a user who has never heard of us reads back as good with all of git's commands.
#[track_caller]
fn check_read_back(repo: &Repo, rev: &str, tag: &str, expected: Expected<'_>) {
    let signer = expected.signer();
    let shown = repo.ok(["log", "-1", "--format=%G?%n%GS%n%GT%n%GK%n%GF%n%GP%nend", rev]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(&lines[..3], ["G", &signer, "fully"], "{shown}");
    assert_eq!((lines[3], lines[5], lines[6]), (lines[4], "", "end"), "{shown}");
    if let Some(fingerprint) = fingerprint(repo, rev) {
        assert_eq!(lines[4].to_uppercase(), fingerprint);
    }
    let good = format!("good signature by {} ({})", expected.person.subject, expected.stack.issuer(expected.person));
    let shown = repo.ok(["log", "-1", "--show-signature", rev]);
    assert!(shown.contains(&good), "{shown}");
    for args in [vec!["verify-commit", rev], vec!["verify-tag", tag], vec!["tag", "-v", tag]] {
        let answer = repo.run(&args);
        assert_eq!((answer.code, answer.stderr.contains(&good)), (0, true), "{args:?}: {}", answer.stderr);
    }
    for level in ["undefined", "marginal", "fully"] {
        let least = format!("gpg.minTrustLevel={level}");
        for args in [["verify-commit", rev], ["verify-tag", tag]] {
            repo.ok(["-c", &least].into_iter().chain(args));
        }
    }
    let raw = repo.run(["verify-commit", "--raw", rev]);
    assert!(raw.stderr.starts_with("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG "), "{}", raw.stderr);
    check_good(repo, rev, expected);
    check_good(repo, tag, expected);
}

fn commits_and_tags(git: &Git, hash: &str, stack: &Stack, route: Route, person: &Person) {
    let repo = signing(git, hash, stack, route, person);
    let expected = Expected { stack, route, person };
    repo.commit_file("a", "1\n", "one\n\nwith a body");
    repo.ok(["tag", "-a", "-m", "first", "v1"]);
    check_read_back(&repo, "HEAD", "v1", expected);
    // The same through the other two ways to the same settings.
    let judged = repo.ok(["keyless", "verify", "HEAD", "v1"]);
    assert_eq!(judged.matches(person.subject).count(), 2, "{judged}");
    // Merging a branch whose tip is signed.
    repo.ok(["switch", "-q", "-c", "side", "HEAD"]);
    repo.commit_file("b", "1\n", "side");
    repo.ok(["switch", "-q", "main"]);
    repo.ok(["merge", "-q", "--no-ff", "--verify-signatures", "-m", "merge side", "side"]);
    check_good(&repo, "HEAD", expected);
}

#[test]
fn rekor_v1() {
    let Some(stack) = Stack::shared() else { return };
    Git::all().iter().for_each(|git| commits_and_tags(git, "sha1", stack, Route::V1, &DEV));
}

#[test]
fn rekor_v1_with_a_timestamp() {
    let Some(stack) = Stack::shared() else { return };
    Git::all().iter().for_each(|git| commits_and_tags(git, "sha1", stack, Route::V1Token, &DEV));
}

#[test]
fn rekor_v2() {
    let Some(stack) = Stack::shared() else { return };
    Git::all().iter().for_each(|git| commits_and_tags(git, "sha1", stack, Route::V2, &DEV));
}

#[test]
fn a_repository_with_sha256() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        commits_and_tags(&git, "sha256", stack, Route::V1, &DEV);
        commits_and_tags(&git, "sha256", stack, Route::V2, &DEV);
    }
}

#[test]
fn an_instance_without_certificate_transparency() {
    let Some(stack) = Stack::without_ct() else { return };
    for route in Route::ALL {
        commits_and_tags(&Git::installed(), "sha1", stack, route, &DEV);
    }
}

#[test]
fn every_form_of_identity() {
    let Some(stack) = Stack::shared() else { return };
    for person in &PEOPLE {
        commits_and_tags(&Git::installed(), "sha1", stack, Route::V1Token, person);
    }
}

/// One file that holds both, as `cosign` and our sandbox write it.
#[test]
fn one_client_trust_config_serves_both_settings() {
    let Some(stack) = Stack::shared() else { return };
    for (file, route) in [("client_trust_config.json", Route::V1), ("client_trust_config_v2.json", Route::V2)] {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        for setting in ["keyless.trustedRoot", "keyless.signingConfig"] {
            repo.config(setting, stack.dir.join(file));
        }
        repo.commit("one");
        assert_eq!(repo.ok(["log", "-1", "--format=%G?"]), "G");
        check_good(&repo, "HEAD", Expected { stack, route, person: &DEV });
    }
}

/// The token out of the environment, of a command, of `git -c`; the files out of the environment.
#[test]
fn every_source_of_token_and_files() {
    let Some(stack) = Stack::shared() else { return };
    let expected = Expected { stack, route: Route::V1, person: &DEV };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let file = repo.home().join("token");
    repo.config_unset("keyless.idTokenFile");
    let refused = repo.run(["commit", "-q", "--allow-empty", "-m", "nobody"]);
    assert_eq!(refused.code, 128, "without a token: {}", refused.stderr);

    repo.config("keyless.tokenCommand", format!("cat '{}'", file.display()));
    repo.commit("by command");
    check_good(&repo, "HEAD", expected);

    repo.config_unset("keyless.tokenCommand");
    let setting = format!("keyless.idTokenFile={}", file.display());
    repo.ok(["-c", &setting, "commit", "-q", "--allow-empty", "-m", "by git -c"]);
    check_good(&repo, "HEAD", expected);

    for setting in ["keyless.trustedRoot", "keyless.signingConfig"] {
        repo.config_unset(setting);
    }
    let mut commit = repo.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-m", "by environment"]);
    commit.env("SIGSTORE_ID_TOKEN", stack.token(&DEV));
    commit.env("GIT_KEYLESS_TRUSTED_ROOT", stack.trusted_root());
    commit.env("GIT_KEYLESS_SIGNING_CONFIG", stack.dir.join("signing_config_v1.json"));
    crate::support::Answer::of(commit.output().unwrap()).ok();
    repo.config("keyless.trustedRoot", stack.trusted_root());
    check_good(&repo, "HEAD", expected);
}

/// Everything in git that makes a commit signs it.
#[test]
fn every_command_that_makes_commits() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        makes_commits(&git, "sha1", stack, Route::V1);
        makes_commits(&git, "sha256", stack, Route::V2);
    }
}

fn makes_commits(git: &Git, hash: &str, stack: &Stack, route: Route) {
    let expected = Expected { stack, route, person: &DEV };
    let repo = signing(git, hash, stack, route, &DEV);
    repo.commit_file("base", "1\n", "base");
    repo.commit_file("a", "1\n", "to amend");
    repo.ok(["commit", "-q", "--amend", "-m", "amended"]);
    check_good(&repo, "HEAD", expected);

    repo.ok(["switch", "-q", "-c", "topic"]);
    for name in ["x", "y", "z"] {
        repo.commit_file(name, "1\n", name);
    }
    let before = repo.id("topic");
    repo.ok(["switch", "-q", "main"]);
    repo.commit_file("b", "1\n", "main goes on");
    repo.ok(["rebase", "-q", "main", "topic"]);
    assert_ne!(repo.id("topic"), before);
    for rev in ["topic", "topic~1", "topic~2"] {
        check_good(&repo, rev, expected);
    }
    assert_eq!(repo.ok(["log", "--format=%G?", "topic"]), "G\n".repeat(6).trim_end());

    repo.ok(["switch", "-q", "main"]);
    repo.ok(["cherry-pick", "topic~1"]);
    check_good(&repo, "HEAD", expected);
    repo.ok(["revert", "--no-edit", "HEAD"]);
    check_good(&repo, "HEAD", expected);

    repo.ok(["tag", "-a", "-m", "a release", "v2", "topic"]);
    repo.ok(["merge", "-q", "--no-ff", "--no-edit", "v2"]);
    check_good(&repo, "HEAD", expected);
    let mergetag = String::from_utf8(repo.raw("HEAD").1).unwrap();
    let mergetag = mergetag.split_once("mergetag ").expect("the merge holds the tag").1;
    let tag: Vec<_> = mergetag.split_inclusive('\n').collect();
    let end = tag.iter().skip(1).position(|line| !line.starts_with(' ')).unwrap() + 1;
    let tag: String = tag[..end].iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    check_good_bytes(&repo, "tag", tag.as_bytes(), expected);
    assert_eq!(tag.as_bytes(), repo.raw("v2").1);
    let shown = repo.ok(["log", "-1", "--show-signature"]);
    // The commit's and the tag's; and git has put what it heard when it merged the tag into the message.
    assert!(shown.contains("\nmerged tag 'v2'\ngit-keyless: good signature by "), "{shown}");
    assert!(shown.contains("\n    # git-keyless: good signature by "), "{shown}");

    let commit = repo.ok(["commit-tree", "-S", "-m", "by commit-tree", "HEAD^{tree}"]);
    check_good(&repo, &commit, expected);
    repo.ok(["fsck", "--strict"]);
}

/// The server verifies a push certificate with the same program, and its blob is judged like any object.
#[test]
fn a_signed_push() {
    let Some(stack) = Stack::shared() else { return };
    for (git, route) in Git::all().iter().zip([Route::V1, Route::V2, Route::V1Token]) {
        let repo = signing(git, "sha1", stack, route, &DEV);
        let expected = Expected { stack, route, person: &DEV };
        repo.commit("one");
        let (certificate, heard) = pushed(&repo);
        assert!(heard.contains(&format!("heard G OK {}", expected.signer())), "{heard}");
        check_good_bytes(&repo, "push-certificate", &certificate, expected);
        assert!(certificate.starts_with(b"certificate version 0.1\n"));
    }
}

/// Pushes to a server of its own, which asks for a certificate; the certificate, and what the server heard of it.
pub(crate) fn pushed(repo: &Repo) -> (Vec<u8>, String) {
    let server = repo.home().join("server.git");
    let server = server.to_str().unwrap();
    repo.ok(["init", "-q", "--bare", server]);
    repo.ok(["-C", server, "config", "receive.certNonceSeed", "a seed"]);
    let saved = repo.home().join("certificate");
    let hook = format!(
        "#!/bin/sh\ngit cat-file blob \"$GIT_PUSH_CERT\" > '{}'\n\
         echo \"heard $GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS $GIT_PUSH_CERT_SIGNER\"\n",
        saved.display()
    );
    std::fs::create_dir_all(repo.home().join("server.git/hooks")).unwrap();
    let path = repo.file("server.git/hooks/pre-receive", hook);
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let answer = repo.run(["push", "--signed", server, "main"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    (std::fs::read(saved).unwrap(), answer.stderr)
}

/// What people commit that is not a tidy English line.
#[test]
fn odd_messages() {
    let Some(stack) = Stack::shared() else { return };
    let expected = Expected { stack, route: Route::V1, person: &DEV };
    for git in Git::all() {
        let repo = signing(&git, "sha1", stack, Route::V1, &DEV);
        for (name, message) in odd_texts() {
            let path = repo.file("message", &message);
            let tree = repo.ok(["write-tree"]);
            let answer = repo.run(["commit-tree", "-S", "-F", path.to_str().unwrap(), &tree]);
            let commit = answer.ok();
            check_good(&repo, &commit, expected);
            assert_eq!(repo.ok(["log", "-1", "--format=%G?", &commit]), "G", "{name}");
            // git glues the signature to a last line without end, and then finds none: nobody can help it.
            if !message.ends_with(b"\n") {
                continue;
            }
            let tag = format!("t-{name}");
            repo.ok(["tag", "-a", "--cleanup=verbatim", "-F", path.to_str().unwrap(), &tag, &commit]);
            check_good(&repo, &tag, expected);
        }
        repo.config("i18n.commitEncoding", "ISO-8859-1");
        let path = repo.file("message", b"na\xefve caf\xe9\n");
        repo.ok(["commit", "-q", "--allow-empty", "-F", path.to_str().unwrap()]);
        assert!(repo.raw("HEAD").1.windows(19).any(|window| window == b"encoding ISO-8859-1"));
        check_good(&repo, "HEAD", expected);
        assert_eq!(repo.ok(["log", "-1", "--format=%G?"]), "G");
    }
}

/// Messages with their names.
pub(crate) fn odd_texts() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("no-final-newline", b"no newline at the end".to_vec()),
        ("crlf", b"lines\r\n\r\nas Windows ends them\r\n".to_vec()),
        ("long-line", [b"x".repeat(70_000), b"\n".to_vec()].concat()),
        ("marker-inside", b"quoting\n\n -----BEGIN SIGNED MESSAGE-----\n a\n -----END SIGNED MESSAGE-----\n".to_vec()),
        ("header-like", b"gpgsig not a header\n gpgsig\n\ntree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n".to_vec()),
        ("emoji", "gr\u{fc}\u{df}e \u{1f511}\u{fe0f}\n\n\u{202e}right to left\n".into()),
    ]
}

/// A big payload is read whole before anything is answered.
#[test]
fn a_message_of_three_megabytes() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let path = repo.file("message", "a line of text that is repeated until it is enough\n".repeat(60_000));
    let tree = repo.ok(["write-tree"]);
    let commit = repo.ok(["commit-tree", "-S", "-F", path.to_str().unwrap(), &tree]);
    check_good(&repo, &commit, Expected { stack, route: Route::V1, person: &DEV });
    assert_eq!(repo.ok(["log", "-1", "--format=%G?", &commit]), "G");
}

/// `show` writes what is inside, and a bundle that other programs read.
#[test]
fn show_and_its_bundle() {
    let Some(stack) = Stack::shared() else { return };
    for route in Route::ALL {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        repo.commit("one");
        let shown = repo.keyless(["show", "HEAD"]).ok();
        assert!(shown.contains(DEV.subject), "{shown}");
        let bundle = repo.keyless(["show", "--bundle", "HEAD"]).ok();
        let bundle: serde_json::Value = serde_json::from_str(&bundle).unwrap();
        let material = &bundle["verificationMaterial"];
        assert_eq!(material["tlogEntries"].as_array().map(Vec::len), Some(1), "{bundle}");
        let stamps = material["timestampVerificationData"]["rfc3161Timestamps"].as_array().map_or(0, Vec::len);
        assert_eq!(stamps > 0, route.sources().contains(&"timestamp"), "{bundle}");
    }
}

/// Verification never needs the network: the same answers with every server out of reach.
#[test]
fn verifying_asks_nobody() {
    let Some(stack) = Stack::shared() else { return };
    for route in Route::ALL {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        let front = Front::new(stack, route, Service::Oidc, &Behaviour::Forward);
        front.lead(&repo);
        repo.commit("one");
        let count = || front.all().map(|proxy| proxy.seen().len());
        let before = count();
        assert!(before.iter().sum::<usize>() >= 2);
        repo.ok(["verify-commit", "HEAD"]);
        repo.ok(["log", "--show-signature"]);
        repo.keyless(["verify", "HEAD"]).ok();
        assert_eq!(count(), before);
    }
}
