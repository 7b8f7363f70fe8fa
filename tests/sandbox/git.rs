//! What a user does all day, through every git, on a sandbox: it signs, and everybody who reads it back says so.

use git_keyless::sandbox::Rekor;

use super::{Home, start};
use crate::support::{Git, Repo};

const ALICE: &str = "alice@example.test";

/// A repository that includes the sandbox's settings, whose owner is Alice and accepts herself.
fn signing(git: &Git, hash: &str, home: &Home) -> Repo {
    let repo = Repo::init(git, hash);
    repo.config("include.path", home.sandbox.directory().join("gitconfig"));
    repo.config("user.email", ALICE);
    repo.config("keyless.trustedIdentity", format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    repo
}

/// Every one of `revs` is good and accepted, for git and for the program itself.
#[track_caller]
fn check_good(repo: &Repo, revs: &[&str]) {
    let answer = repo.keyless(["verify", "--require-identity", "--json"].iter().chain(revs));
    assert_eq!(answer.code, 0, "{} {}", answer.text(), answer.stderr);
    assert_eq!(answer.text().matches("\"instance\":\"sandbox\"").count(), revs.len());
    for rev in revs {
        let commit = format!("{rev}^{{commit}}");
        assert_eq!(
            repo.ok(["log", "-1", "--format=%G?%GT", &commit]),
            "Gfully",
            "{rev} under git {}",
            repo.git.version
        );
    }
}

/// Every command that makes commits signs them.
fn a_day(git: &Git, hash: &str, home: &Home) {
    let repo = signing(git, hash, home);
    repo.commit_file("base", "1\n", "base");
    repo.commit_file("a", "1\n", "to amend");
    repo.ok(["commit", "-q", "--amend", "-m", "amended"]);
    repo.ok(["switch", "-q", "-c", "topic"]);
    for name in ["x", "y", "z"] {
        repo.commit_file(name, "1\n", name);
    }
    repo.ok(["switch", "-q", "main"]);
    repo.commit_file("b", "1\n", "main goes on");
    repo.ok(["rebase", "-q", "main", "topic"]);
    repo.ok(["switch", "-q", "main"]);
    repo.ok(["cherry-pick", "topic~1"]);
    repo.ok(["revert", "--no-edit", "HEAD"]);
    repo.ok(["tag", "-s", "-m", "a release", "v1", "topic"]);
    repo.ok(["merge", "-q", "--no-ff", "--no-edit", "v1"]);
    let tree = repo.ok(["commit-tree", "-S", "-m", "by commit-tree", "HEAD^{tree}"]);
    check_good(&repo, &["HEAD", "HEAD~1", "HEAD~2", "topic", "topic~1", "topic~2", "v1", &tree]);
    repo.ok(["verify-tag", "v1"]);
    repo.ok(["tag", "-v", "v1"]);
    let shown = repo.ok(["log", "-1", "--show-signature"]);
    assert!(shown.contains("good signature by alice@example.test") && shown.contains("in a sandbox"), "{shown}");
    refusals(&repo);
}

/// B for a tampered commit, N for an unsigned one, U for somebody else's, and git's own enforcement.
fn refusals(repo: &Repo) {
    let letter = |rev: &str| repo.ok(["log", "-1", "--format=%G?", rev]);
    let (kind, raw) = repo.raw("HEAD");
    let tampered = repo.write(&kind, &[raw.as_slice(), b"and more\n"].concat());
    assert_eq!((letter(&tampered).as_str(), repo.run(["verify-commit", &tampered]).code), ("B", 1));
    repo.ok(["commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "unsigned"]);
    assert_eq!((letter("HEAD").as_str(), repo.run(["verify-commit", "HEAD"]).code), ("N", 1));
    repo.ok(["-c", "user.email=bob@example.test", "commit", "-q", "--allow-empty", "-m", "by Bob"]);
    assert_eq!((letter("HEAD").as_str(), repo.run(["verify-commit", "HEAD"]).code), ("U", 0));
    assert_eq!(repo.run(["-c", "gpg.minTrustLevel=fully", "verify-commit", "HEAD"]).code, 1);
    assert_eq!(repo.keyless(["verify", "HEAD"]).code, 1);
}

#[test]
fn a_day_with_rekor_v1() {
    let home = start(Rekor::V1);
    Git::all().iter().for_each(|git| a_day(git, "sha1", &home));
}

#[test]
fn a_day_with_rekor_v2_in_a_repository_with_sha256() {
    let home = start(Rekor::V2);
    Git::all().iter().for_each(|git| a_day(git, "sha256", &home));
}

#[test]
fn a_push_is_signed_and_heard() {
    let home = start(Rekor::V1);
    for git in Git::all() {
        let repo = signing(&git, "sha1", &home);
        repo.commit("one");
        let server = repo.home().join("server.git");
        let server = server.to_str().unwrap();
        repo.ok(["init", "-q", "--bare", server]);
        repo.ok(["-C", server, "config", "receive.certNonceSeed", "a seed"]);
        std::fs::create_dir_all(repo.home().join("server.git/hooks")).unwrap();
        let hook = repo.file(
            "server.git/hooks/pre-receive",
            "#!/bin/sh\necho \"heard $GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS $GIT_PUSH_CERT_SIGNER\"\n",
        );
        std::fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let answer = repo.run(["push", "--signed", server, "main"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("heard G OK {ALICE} ")), "{}", answer.stderr);
    }
}

#[test]
fn a_failing_sandbox_leaves_no_commit() {
    use git_keyless::sandbox::{Fault, Service};
    let home = start(Rekor::V1);
    let repo = signing(&Git::installed(), "sha1", &home);
    repo.commit("one");
    let before = repo.id("HEAD");
    for (service, name) in
        [(Service::CertificateAuthority, "certificate authority"), (Service::TransparencyLog, "transparency log")]
    {
        home.sandbox.switch(service, Fault::Garbage);
        let refused = repo.run(["commit", "-q", "--allow-empty", "-m", "two"]);
        assert_eq!((refused.code, repo.id("HEAD")), (128, before.clone()), "{}", refused.stderr);
        let direct = repo.sign(b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nx\n");
        assert!(direct.code == 1 && direct.stdout.is_empty() && direct.stderr.contains(name), "{}", direct.stderr);
        home.sandbox.switch(service, Fault::None);
    }
    repo.commit("two");
    check_good(&repo, &["HEAD"]);
}
