//! What git shows of good objects, and what other programs that call us read, without any server: the objects are
//! those of `tests/vectors/good`.

use std::path::PathBuf;
use std::process::Stdio;

use git_keyless::format::object::{Kind, Object, ObjectFormat};

use crate::door::exclusive;
use crate::support::{Answer, Git, PROGRAM, Repo, answer_to};

const ISSUER: &str = "http://127.0.0.1:26280/email";

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good")
}

fn raw(case: &str) -> Vec<u8> {
    std::fs::read(vectors().join(case).with_extension("object")).unwrap()
}

/// A repository that trusts the vectors' instance and nobody in particular.
fn prepared(git: &Git, hash: &str) -> Repo {
    let repo = Repo::init(git, hash);
    repo.config("gpg.x509.program", PROGRAM);
    repo.config(
        "keyless.trustedRoot",
        repo.file("root.json", std::fs::read(vectors().join("trusted_root.json")).unwrap()),
    );
    repo
}

/// Stores a vector whose parents and tree need not be there.
fn store(repo: &Repo, kind: &str, raw: &[u8]) -> String {
    repo.run_with(["hash-object", "-t", kind, "-w", "--stdin", "--literally"], raw).ok()
}

fn accept(repo: &Repo) {
    repo.config_add("keyless.trustedIdentity", &format!("dev@example.test {ISSUER}"));
}

#[test]
fn letters_names_and_trust_are_what_git_shows() {
    for git in Git::all() {
        for (hash, case) in [("sha1", "v1"), ("sha1", "v2-token"), ("sha256", "sha256-v1"), ("sha256", "sha256-v2")] {
            let repo = prepared(&git, hash);
            let id = store(&repo, "commit", &raw(case));
            let name = format!("{case} under git {}", git.version);
            let shown = || repo.ok(["log", "--no-walk", "--format=%G?|%GS|%GT|%GP", &id]);
            let fully = || repo.run(["-c", "gpg.minTrustLevel=fully", "verify-commit", &id]).code;
            let who = format!("dev@example.test {ISSUER}");
            assert_eq!((shown(), fully()), (format!("U|{who}|undefined|"), 1), "{name}");
            assert_eq!(repo.run(["verify-commit", &id]).code, 0, "{name}");
            accept(&repo);
            assert_eq!((shown(), fully()), (format!("G|{who}|fully|"), 0), "{name}");
            let keys = repo.ok(["log", "--no-walk", "--format=%GK|%GF", &id]);
            let (key, fingerprint) = keys.split_once('|').unwrap();
            assert!(
                key == fingerprint && key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{keys}"
            );
            repo.config("keyless.trustedIdentity", "");
            repo.config("keyless.requireTrusted", "true");
            assert_eq!(repo.ok(["log", "--no-walk", "--format=%G?%GT", &id]), "Eundefined", "{name}");
        }
    }
}

/// Whose account was taken over: refused, whoever accepts them.
#[test]
fn a_denied_identity_is_revoked() {
    for git in Git::all() {
        let repo = prepared(&git, "sha1");
        let id = store(&repo, "commit", &raw("v1"));
        let letter = || repo.ok(["log", "--no-walk", "--format=%G?%GT", &id]);
        accept(&repo);
        repo.config("keyless.deniedIdentity", "other@example.test https://issuer.test");
        assert_eq!(letter(), "Gfully", "git {}", git.version);
        repo.config_add("keyless.deniedIdentity", &format!("dev@example.test {ISSUER}"));
        assert_eq!(letter(), "Rnever", "git {}", git.version);
        assert_eq!(repo.run(["verify-commit", &id]).code, 1, "git {}", git.version);
        let named = repo.keyless(["verify", "--identity", "dev@example.test", "--issuer", ISSUER, &id]);
        assert!(named.code == 1 && named.text().contains("identity-denied"), "{}", named.text());
        assert!(repo.keyless(["show", &id]).text().contains("identity-denied"));
        // The issuer belongs to it.
        repo.config_unset("keyless.deniedIdentity");
        repo.config("keyless.deniedIdentity", "dev@example.test https://issuer.test");
        assert_eq!(letter(), "Gfully", "git {}", git.version);
        repo.config("keyless.deniedIdentity", "dev@example.test");
        assert_eq!(letter(), "Eundefined", "what cannot be read lets nobody through");
    }
}

#[test]
fn a_tampered_object_is_bad_and_a_replaced_one_fools_nobody() {
    for git in Git::all() {
        let repo = prepared(&git, "sha1");
        accept(&repo);
        let good = store(&repo, "commit", &raw("v1"));
        let text = String::from_utf8(raw("v1")).unwrap();
        let tampered = store(&repo, "commit", format!("{text}and more\n").as_bytes());
        assert_eq!(repo.ok(["log", "--no-walk", "--format=%G?%GT", &tampered]), "Bnever", "{}", git.version);
        assert_eq!(repo.run(["verify-commit", &tampered]).code, 1);
        // git itself follows replacements; we judge the object that was asked for.
        let unsigned = repo.commit("unsigned");
        repo.ok(["replace", "-f", &unsigned, &good]);
        assert_eq!(repo.ok(["log", "--no-walk", "--format=%G?", &unsigned]), "G", "{}", git.version);
        let answer = repo.keyless(["verify", "--json", &unsigned, &good]);
        let reasons: Vec<_> = answer
            .text()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["reason"].clone())
            .collect();
        assert_eq!((answer.code, reasons), (1, vec!["signature-missing".into(), serde_json::Value::Null]));
    }
}

#[test]
fn tags_are_bound_to_their_name() {
    for git in Git::all() {
        let repo = prepared(&git, "sha1");
        accept(&repo);
        let id = store(&repo, "tag", &raw("v1-tag"));
        let tag = Object::split(raw("v1-tag"), Kind::Tag, ObjectFormat::Sha1, None).tag().unwrap();
        // Its target must be there for git's own commands.
        store(&repo, "commit", &raw("v1"));
        for (name, code) in [(tag.name.as_str(), 0), ("another", 1)] {
            std::fs::create_dir_all(repo.path.join(".git/refs/tags")).unwrap();
            std::fs::write(repo.path.join(".git/refs/tags").join(name), format!("{id}\n")).unwrap();
            let full = format!("refs/tags/{name}");
            for rev in [name, full.as_str()] {
                let answer = repo.keyless(["verify", rev]);
                assert_eq!(answer.code, code, "{rev}: {} {}", answer.text(), answer.stderr);
                assert_eq!(answer.text().contains("tag-name-mismatch"), code == 1);
            }
            // What git cannot see it cannot refuse.
            assert_eq!(repo.run(["verify-tag", name]).code, 0, "{}", git.version);
            assert_eq!(repo.run(["tag", "-v", name]).code, 0, "{}", git.version);
        }
    }
}

#[test]
fn references_in_a_reftable_are_found_too() {
    for git in Git::all() {
        let mut repo = prepared(&git, "sha1");
        let reftable = repo.home().join("reftable");
        let made = repo.run(["init", "-q", "--ref-format=reftable", "-b", "main", reftable.to_str().unwrap()]);
        // git before 2.45 does not know of them.
        if made.code != 0 {
            continue;
        }
        repo.path = reftable;
        let id = store(&repo, "commit", &raw("v1"));
        let tag = store(&repo, "tag", &raw("v1-tag"));
        repo.ok(["update-ref", "refs/heads/main", &id]);
        repo.ok(["update-ref", "refs/tags/another", &tag]);
        assert_eq!(repo.keyless(["verify"]).code, 0, "{}", git.version);
        assert!(repo.keyless(["verify", "another"]).text().contains("tag-name-mismatch"), "{}", git.version);
        assert_eq!(repo.keyless(["verify", "nowhere"]).code, 2);
    }
}

/// Payload and armor of a vector, as files.
fn handed(repo: &Repo, case: &str) -> Vec<u8> {
    let object = Object::split(raw(case), Kind::Commit, ObjectFormat::Sha1, None);
    repo.file("signature", object.signature());
    repo.file("payload", object.payload());
    object.payload().to_vec()
}

fn call(repo: &Repo, args: &[&str], input: &[u8]) -> Answer {
    let mut command = repo.command(PROGRAM);
    command.args(args);
    answer_to(command, input)
}

#[test]
fn git_jj_gitoxide_and_egit_each_read_their_answer() {
    let repo = prepared(&Git::installed(), "sha1");
    accept(&repo);
    let payload = handed(&repo, "v1");
    let good = |answer: &Answer| {
        let lines = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert_eq!((answer.code, exclusive(&lines).as_str()), (0, "GOODSIG"), "{}", answer.stderr);
        assert!(lines.contains("\n[GNUPG:] TRUST_FULLY 0 shell\n"), "{lines}");
        // Nine fields, as gpgsm has them.
        let valid = lines.lines().find_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG ")).unwrap();
        assert_eq!(valid.split(' ').count(), 9, "{valid}");
    };
    good(&call(&repo, &["--status-fd=1", "--verify", "../signature", "-"], &payload)); // git
    good(&call(&repo, &["--status-fd", "1", "--verify", "../signature", "-"], &payload)); // EGit
    good(&call(&repo, &["--status-fd=1", "--verify", "../signature", "../payload"], b"")); // jj since 0.40
    let mut gitoxide = repo.command(PROGRAM);
    gitoxide.args(["--status-fd=1", "--verify", "../signature", "../payload"]).stdin(Stdio::null());
    good(&Answer::of(gitoxide.output().unwrap()));
    // A payload that is not what was signed, whichever way it comes.
    let mut other = payload.clone();
    other.extend_from_slice(b"x");
    repo.file("payload", &other);
    for answer in [
        call(&repo, &["--status-fd=1", "--verify", "../signature", "-"], &other),
        call(&repo, &["--status-fd=1", "--verify", "../signature", "../payload"], b""),
    ] {
        assert_eq!((answer.code, exclusive(&String::from_utf8_lossy(&answer.stdout)).as_str()), (1, "BADSIG"));
    }
}

#[test]
fn a_bundle_is_made_of_what_verifies_and_of_nothing_else() {
    let repo = prepared(&Git::installed(), "sha1");
    let good = store(&repo, "commit", &raw("v2-token"));
    let bundle: serde_json::Value = serde_json::from_str(&repo.keyless(["show", "--bundle", &good]).ok()).unwrap();
    assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    assert_eq!(bundle["verificationMaterial"]["tlogEntries"][0]["kindVersion"]["version"], "0.0.2");
    assert!(
        bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"]
            .is_string()
    );
    let shown = repo.keyless(["show", &good]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for part in ["8 validity  passed", "dev@example.test", "timestamp", "checkpoint"] {
        assert!(shown.text().contains(part), "{part}:\n{}", shown.text());
    }
    let unsigned = repo.commit("unsigned");
    let answer = repo.keyless(["show", "--bundle", &unsigned]);
    assert!(answer.code == 2 && answer.stdout.is_empty(), "{}", answer.stderr);
    assert_eq!(repo.keyless(["show", &unsigned]).code, 1);
}

#[test]
fn without_a_repository_and_with_many_revisions() {
    let repo = prepared(&Git::installed(), "sha1");
    let file = repo.file("object", raw("v1-token"));
    let root = vectors().join("trusted_root.json");
    let verify = |more: &[&str]| {
        let mut command = repo.command(PROGRAM);
        command
            .current_dir(std::env::temp_dir())
            .args(["verify", "--trusted-root"])
            .arg(&root)
            .arg("--object")
            .arg(&file)
            .args(more);
        Answer::of(command.output().unwrap())
    };
    assert_eq!(verify(&[]).code, 0);
    assert_eq!(verify(&["--require-identity"]).code, 1);
    assert_eq!(verify(&["--require-identity", "--identity", "dev@example.test", "--issuer", ISSUER]).code, 0);
    assert_eq!(verify(&["--identity", "eve@example.test", "--issuer", ISSUER]).code, 1);
    assert_eq!(verify(&["--identity", "dev@example.test", "--issuer", "https://issuer.test"]).code, 1);
    assert_eq!(verify(&["--identity", "dev@example.test"]).code, 2);
    // Answers come in the order of the questions, however many threads there are.
    let good = store(&repo, "commit", &raw("v1"));
    let unsigned = repo.commit("unsigned");
    let revs: Vec<_> = (0..200).map(|n| if n % 3 == 0 { unsigned.as_str() } else { good.as_str() }).collect();
    let answer = repo.keyless(["verify", "--json"].iter().copied().chain(revs.iter().copied()));
    let said: Vec<_> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["rev"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((answer.code, said), (1, revs.iter().map(|rev| (*rev).to_owned()).collect()));
}
