//! What git says of objects that are not simply good: the table of letters, exits and merges, under every git.

use std::path::PathBuf;

use serde_json::Value;

use super::good::signing;
use super::judge::Expected;
use super::stack::{DEV, PEOPLE, Route, Stack};
use crate::support::{Git, Repo};

/// One row: what git must say of `rev`.
#[track_caller]
fn check(repo: &Repo, rev: &str, letter: &str, exit: i32, mergeable: bool) {
    let name = format!("{rev} under git {}", repo.git.version);
    assert_eq!(repo.ok(["log", "-1", "--format=%G?", rev]), letter, "{name}");
    let verified = repo.run(["verify-commit", rev]);
    assert_eq!(verified.code, exit, "{name}: {}", verified.stderr);
    let merged = repo.run(["merge", "-q", "--no-commit", "--no-ff", "--verify-signatures", rev]);
    assert_eq!(merged.code == 0, mergeable, "{name}: {}", merged.stderr);
    repo.run(["merge", "--abort"]);
}

/// The verdict of the program itself.
#[track_caller]
fn check_verdict(repo: &Repo, rev: &str, verdict: &str, reason: &str) {
    let judged = repo.keyless(["verify", "--json", rev]);
    let report: Value = serde_json::from_str(&judged.text()).unwrap();
    let found = (judged.code, report["verdict"].as_str(), report["reason"].as_str());
    assert_eq!(found, (1, Some(verdict), Some(reason)), "{report}");
}

/// A root commit unrelated to everything else, so that merges need no common ancestor of theirs.
fn prepared(git: &Git, stack: &Stack, route: Route) -> (Repo, String) {
    let repo = signing(git, "sha1", stack, route, &DEV);
    repo.ok(["-c", "commit.gpgSign=false", "commit", "-q", "--allow-empty", "-m", "base"]);
    repo.ok(["switch", "-q", "-c", "side"]);
    let signed = repo.commit_file("a", "1\n", "signed");
    repo.ok(["switch", "-q", "main"]);
    (repo, signed)
}

#[test]
fn the_list_makes_the_difference_between_g_and_u() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        let (repo, signed) = prepared(&git, stack, Route::V1);
        check(&repo, &signed, "G", 0, true);
        let somebody = Expected { stack, route: Route::V1, person: &PEOPLE[2] }.signer();
        // The same subject at another issuer is somebody else.
        let elsewhere = format!("{} https://issuer.test", DEV.subject);
        for others in [somebody, elsewhere] {
            repo.config("keyless.trustedIdentity", &others);
            check(&repo, &signed, "U", 0, false);
            check_verdict(&repo, &signed, "bad", "identity-not-accepted");
            assert_eq!(repo.run(["-c", "gpg.minTrustLevel=fully", "verify-commit", &signed]).code, 1);
        }
        repo.config_unset("keyless.trustedIdentity");
        check(&repo, &signed, "U", 0, false);
        assert_eq!(repo.ok(["log", "-1", "--format=%GT", &signed]), "undefined");
        assert_eq!(repo.keyless(["verify", &signed]).code, 0);
        assert_eq!(repo.keyless(["verify", "--require-identity", &signed]).code, 1);

        repo.config("keyless.requireTrusted", "true");
        check(&repo, &signed, "E", 1, false);
        // Several values, and an empty one that forgets.
        repo.config_add("keyless.trustedIdentity", "x@example.test https://issuer.test");
        let trusted = Expected { stack, route: Route::V1, person: &DEV }.signer();
        repo.config_add("keyless.trustedIdentity", &trusted);
        check(&repo, &signed, "G", 0, true);
        repo.config_add("keyless.trustedIdentity", "");
        check(&repo, &signed, "E", 1, false);
    }
}

#[test]
fn tampered_is_b_and_unsigned_is_n() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        let (repo, signed) = prepared(&git, stack, Route::V1);
        let (kind, raw) = repo.raw(&signed);
        let text = String::from_utf8(raw).unwrap();
        let changes: [(&str, String); 3] = [
            ("message", text.replace("\n\nsigned\n", "\n\nsigneD\n")),
            ("author", text.replace("\nauthor Author", "\nauthor Auth0r")),
            ("header", text.replacen("\ngpgsig ", "\nx-added yes\ngpgsig ", 1)),
        ];
        for (what, changed) in changes {
            assert_ne!(changed, text, "{what}");
            let tampered = repo.write(&kind, changed.as_bytes());
            check(&repo, &tampered, "B", 1, false);
            check_verdict(&repo, &tampered, "bad", "digest-mismatch");
        }
        // A header that git drops from the payload: git cannot see it, we can.
        let sneaked = repo.write(&kind, text.replacen("\ngpgsig ", "\ngpgsigx y\ngpgsig ", 1).as_bytes());
        check(&repo, &sneaked, "G", 0, true);
        check_verdict(&repo, &sneaked, "bad", "signature-header-unknown");

        let unsigned = repo.ok(["commit-tree", "-m", "unsigned", "HEAD^{tree}"]);
        let merged = repo.run(["merge", "-q", "--verify-signatures", "--allow-unrelated-histories", &unsigned]);
        assert_eq!(merged.code, 128, "{}", merged.stderr);
        assert_eq!(repo.ok(["log", "-1", "--format=%G?", &unsigned]), "N");
        assert_eq!(repo.run(["verify-commit", &unsigned]).code, 1);
        check_verdict(&repo, &unsigned, "unknown", "signature-missing");
    }
}

/// A tag's signature over something else, and a tag that somebody renames.
#[test]
fn tags_too() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        let (repo, _) = prepared(&git, stack, Route::V1Token);
        repo.ok(["tag", "-a", "-m", "release", "v1"]);
        repo.ok(["verify-tag", "v1"]);
        let (kind, raw) = repo.raw("v1");
        let text = String::from_utf8(raw).unwrap();
        let tampered = repo.write(&kind, text.replacen("\ntag v1\n", "\ntag v2\n", 1).as_bytes());
        repo.ok(["update-ref", "refs/tags/v2", &tampered]);
        assert_eq!(repo.run(["verify-tag", "v2"]).code, 1);
        check_verdict(&repo, "v2", "bad", "digest-mismatch");
        repo.ok(["update-ref", "refs/tags/v3", &repo.id("v1")]);
        check_verdict(&repo, "v3", "bad", "tag-name-mismatch");
    }
}

/// Nothing that the verifier cannot do may look like an unsigned commit, or like a good one.
#[test]
fn a_verifier_that_cannot_judge_says_e() {
    let (Some(stack), Some(other)) = (Stack::shared(), Stack::without_ct()) else { return };
    for git in Git::all() {
        let (repo, signed) = prepared(&git, stack, Route::V2);
        let roots: [(&str, PathBuf); 4] = [
            ("another instance's", other.trusted_root()),
            ("none", repo.home().join("no-such-file")),
            ("not JSON", repo.file("broken.json", "{")),
            ("empty", repo.file("empty.json", "{}")),
        ];
        for (what, root) in roots {
            repo.config("keyless.trustedRoot", root);
            println!("trust root: {what}");
            check(&repo, &signed, "E", 1, false);
        }
        // Without any setting it is the public instance, which knows nothing of ours.
        repo.config_unset("keyless.trustedRoot");
        check(&repo, &signed, "E", 1, false);
        check_verdict(&repo, &signed, "unknown", "issuer-unknown");
    }
}

/// One character of the armor at a time, spread over all of it: never silence, and never more than was there. Where it
/// stays good (certificates inside a token, a token whose authority is no longer known) only unsigned bytes were hit.
#[test]
fn no_change_of_the_armor_adds_anything() {
    let Some(stack) = Stack::shared() else { return };
    for route in Route::ALL {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        let signed = repo.commit("one");
        let judge =
            |rev: &str| -> Value { serde_json::from_str(&repo.keyless(["verify", "--json", rev]).text()).unwrap() };
        let whole = judge(&signed);
        let (kind, raw) = repo.raw(&signed);
        let text = String::from_utf8(raw).unwrap();
        let (begin, end) = (text.find("-----BEGIN").unwrap() + 32, text.find("-----END").unwrap());
        for at in (begin..end).step_by((end - begin) / 40) {
            let mut bytes = text.clone().into_bytes();
            if !bytes[at].is_ascii_alphanumeric() {
                continue;
            }
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = repo.write(&kind, &bytes);
            let letter = repo.ok(["log", "-1", "--format=%G?", &changed]);
            if letter == "G" {
                assert_ne!(route, Route::V1, "at {at}");
                let report = judge(&changed);
                assert_eq!((&report["identity"], &report["entries"]), (&whole["identity"], &whole["entries"]));
                let known = whole["times"].as_array().unwrap();
                assert!(report["times"].as_array().unwrap().iter().all(|time| known.contains(time)), "{report}");
            } else {
                assert!(letter == "B" || letter == "E", "{route:?} at {at}: {letter}");
            }
        }
    }
}
