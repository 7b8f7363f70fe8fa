//! git's door: every way out of `--verify` says NEWSIG and one exclusive line, whatever is wrong.

use std::os::unix::fs::PermissionsExt;

use crate::cores::on_all_cores;
use crate::support::{Answer, Git, PROGRAM, Repo, answer_to};
use crate::vectors::{Expected, Vector, vectors};

const ARMOR: &str = "-----BEGIN SIGNED MESSAGE-----\nMAA=\n-----END SIGNED MESSAGE-----\n";
const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nx\n";
const EXCLUSIVE: [&str; 6] = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"];

/// The one exclusive word of an answer that is well-formed: NEWSIG first, one exclusive line, no odd bytes.
#[track_caller]
pub(crate) fn exclusive(lines: &str) -> String {
    let words: Vec<_> = lines
        .lines()
        .map(|line| line.strip_prefix("[GNUPG:] ").unwrap_or_else(|| panic!("{line:?} in {lines:?}")))
        .collect();
    assert_eq!(words.first(), Some(&"NEWSIG"), "{lines:?}");
    assert!(lines.ends_with('\n') && !lines.contains(['\r', '\0', '\u{1b}']), "{lines:?}");
    assert!(words.iter().all(|word| !word.ends_with(' ') && !word.contains("  ")), "{lines:?}");
    assert_eq!(words.iter().filter(|word| word.starts_with("TRUST_")).count(), 1, "git 2.39 aborts without: {lines:?}");
    let found: Vec<_> =
        words.iter().filter_map(|line| line.split(' ').next()).filter(|word| EXCLUSIVE.contains(word)).collect();
    assert_eq!(found.len(), 1, "{lines:?}");
    found[0].to_owned()
}

/// Calls the door as git does, in a repository that `prepare` has spoilt.
fn verify(prepare: impl FnOnce(&Repo)) -> Answer {
    let repo = Repo::init(&Git::installed(), "sha1");
    repo.file("signature", ARMOR);
    prepare(&repo);
    call(&repo, &["--status-fd=1", "--verify", "../signature", "-"])
}

fn call(repo: &Repo, args: &[&str]) -> Answer {
    let mut command = repo.command(PROGRAM);
    command.args(args);
    answer_to(command, PAYLOAD)
}

#[track_caller]
fn refused(answer: &Answer, word: &str) {
    assert_ne!(answer.code, 0);
    assert_eq!(exclusive(&String::from_utf8_lossy(&answer.stdout)), word, "{}", answer.stderr);
    assert!(answer.stderr.starts_with("git-keyless: ") && !answer.stderr.contains("panicked"), "{}", answer.stderr);
}

#[test]
fn signatures_that_are_none() {
    refused(&verify(|_| {}), "BADSIG");
    for (signature, word) in [
        (&b""[..], "ERRSIG"),
        (b"garbage", "BADSIG"),
        (b"-----BEGIN PGP SIGNATURE-----\n", "ERRSIG"),
        (b"-----BEGIN SIGNED MESSAGE-----\n", "BADSIG"),
        (b"-----BEGIN SIGNED MESSAGE-----\n-----END SIGNED MESSAGE-----\n", "BADSIG"),
        (b"\xff\xfe\0\0", "BADSIG"),
    ] {
        refused(&verify(|repo| drop(repo.file("signature", signature))), word);
    }
    let around = [
        format!("x\n{ARMOR}"),
        format!("{ARMOR}x"),
        format!("{ARMOR}\n"),
        format!("{ARMOR}{ARMOR}"),
        ARMOR.replace('\n', "\r\n"),
    ];
    around.iter().for_each(|armor| refused(&verify(|repo| drop(repo.file("signature", armor))), "BADSIG"));
    refused(&verify(|repo| drop(repo.file("signature", "x".repeat(1 << 20)))), "ERRSIG");
}

#[test]
fn settings_that_cannot_be_used_name_their_place() {
    let spoilt = |key: &'static str, value: &'static str| {
        let answer = verify(|repo| repo.config(key, value));
        refused(&answer, "ERRSIG");
        assert!(
            answer.stderr.to_lowercase().contains(&key.to_lowercase()) && answer.stderr.contains("gitconfig"),
            "{}",
            answer.stderr
        );
    };
    spoilt("keyless.requireTrusted", "maybe");
    spoilt("keyless.trustedIdentity", "alice@example.com");
    spoilt("keyless.trustedRoot", "/nowhere/root.json");
    refused(&verify(|repo| repo.config("keyless.trustedRoot", repo.file("root", "{}"))), "ERRSIG");
    refused(&verify(|repo| drop(repo.file("gitconfig", "[broken\n"))), "ERRSIG");
    refused(&verify(|repo| drop(repo.file("gitconfig", "[keyless]\n\ttrustedRoot\n"))), "ERRSIG");
    refused(&verify(|repo| drop(repo.file("gitconfig", "[keyless]\n\ttrustedRoot = \"\\xff\"\n"))), "ERRSIG");
}

#[test]
fn a_trust_root_that_others_can_write_is_none() {
    let public = include_bytes!("../src/trust/public_good.json");
    let answer = verify(|repo| {
        let root = repo.file("root.json", public);
        std::fs::set_permissions(&root, PermissionsExt::from_mode(0o666)).unwrap();
        repo.config("keyless.trustedRoot", &root);
    });
    refused(&answer, "ERRSIG");
    assert!(answer.stderr.contains("chmod go-w"), "{}", answer.stderr);
    // The same file in its owner's hands is read, and the signature is what is wrong.
    refused(&verify(|repo| repo.config("keyless.trustedRoot", repo.file("root.json", public))), "BADSIG");
}

#[test]
fn calls_that_make_no_sense() {
    let repo = Repo::init(&Git::installed(), "sha1");
    repo.file("signature", ARMOR);
    for args in [
        &["--status-fd=1", "--verify"][..],
        &["--status-fd=1", "--verify", "../signature"],
        &["--status-fd=1", "--verify", "../nowhere", "-"],
        &["--status-fd=1", "--verify", "../signature", "../nowhere"],
        &["--status-fd=1", "--verify", "../signature", "."],
        &["--verify", "--frobnicate", "../signature", "-", "--status-fd=1"],
        &["-bs", "--verify", "--status-fd=1", "../signature", "-"],
    ] {
        refused(&call(&repo, args), "ERRSIG");
    }
    // Without a status descriptor there is no status line, and still an exit code and a reason.
    let silent = call(&repo, &["--verify", "../signature", "-"]);
    assert!(silent.code == 1 && silent.stdout.is_empty() && !silent.stderr.is_empty());
}

#[test]
fn surroundings_that_are_missing() {
    let repo = Repo::init(&Git::installed(), "sha1");
    repo.file("signature", ARMOR);
    let shell = |script: &str| {
        let mut command = repo.command("sh");
        command.args(["-c", script]).env("P", PROGRAM);
        answer_to(command, PAYLOAD)
    };
    let verify = "\"$P\" --status-fd=1 --verify ../signature -";
    refused(&shell(&format!("unset HOME; exec {verify}")), "BADSIG");
    refused(&shell(&format!("HOME= exec {verify}")), "BADSIG");
    refused(&shell(&format!("exec {verify} <&-")), "BADSIG");
    refused(&shell(&format!("GIT_CONFIG_PARAMETERS=\"'\" exec {verify}")), "ERRSIG");
    refused(&shell(&format!("GIT_CONFIG_COUNT=x exec {verify}")), "ERRSIG");
    refused(&shell(&format!("GIT_KEYLESS_TRUSTED_ROOT=/nowhere exec {verify}")), "ERRSIG");
    refused(&shell(&format!("echo '[broken' >.git/config; exec {verify}")), "ERRSIG");
    refused(&shell(&format!("GIT_DIR=/nowhere exec {verify}")), "ERRSIG");
    refused(&shell("cp ../signature sig; rm -rf .git; exec \"$P\" --status-fd=1 --verify sig -"), "BADSIG");
    // Other descriptors, and none that can be written to.
    refused(&shell("exec 3>&1; \"$P\" --status-fd=3 --verify ../signature - 3>&1"), "BADSIG");
    assert_ne!(shell(&format!("exec {verify} >&-")).code, 0);
    assert_ne!(shell(&format!("exec {verify} >/dev/full")).code, 0);
    assert_ne!(shell(&format!("{verify} | true; exit $?; ")).code, 101);
    let to_stderr = shell("exec \"$P\" --status-fd=2 --verify ../signature - 2>&1 >/dev/null | grep '^.GNUPG'");
    assert_eq!(exclusive(&String::from_utf8_lossy(&to_stderr.stdout)), "BADSIG");
}

#[test]
fn git_shows_each_kind_of_refusal() {
    for git in Git::all() {
        let repo = Repo::init(&git, "sha1");
        repo.config("gpg.x509.program", PROGRAM);
        let unsigned = repo.commit("unsigned");
        let signed = |armor: &str| {
            let (_, raw) = repo.raw("HEAD");
            let text = String::from_utf8(raw).unwrap();
            let (head, message) = text.split_once("\n\n").unwrap();
            repo.write(
                "commit",
                format!("{head}\ngpgsig {}\n\n{message}", armor.trim_end().replace('\n', "\n ")).as_bytes(),
            )
        };
        let bad = signed(ARMOR);
        let letter = |id: &str| repo.ok(["log", "-1", "--format=%G?%GT", id]);
        assert_eq!(letter(&unsigned), "Nundefined", "{}", git.version);
        assert_eq!(letter(&bad), "Bnever", "{}", git.version);
        assert_eq!(repo.run(["verify-commit", &bad]).code, 1, "{}", git.version);
        repo.config("keyless.requireTrusted", "maybe");
        assert_eq!(letter(&bad), "Eundefined", "{}", git.version);
        let parameters = repo.run(["-c", "keyless.requireTrusted=true", "verify-commit", &bad]);
        assert!(parameters.stderr.contains("bad signature"), "git -c must win: {}", parameters.stderr);
    }
}

/// What git's door says: the words of the outcome table, and with which exit code.
fn words(expected: &Expected, accepted: bool) -> (&'static str, &'static str, i32) {
    match (expected.0.as_str(), expected.1.as_deref()) {
        ("good", _) if accepted => ("GOODSIG", "TRUST_FULLY", 0),
        ("good", _) | (_, Some("identity-not-accepted")) => ("GOODSIG", "TRUST_UNDEFINED", 0),
        (_, Some("identity-denied")) => ("REVKEYSIG", "TRUST_NEVER", 1),
        ("bad", _) => ("BADSIG", "TRUST_NEVER", 1),
        _ => ("ERRSIG", "TRUST_UNDEFINED", 1),
    }
}

/// The program under this machine's clock, as git calls it, each time with settings of its own.
#[test]
fn the_door_says_of_every_vector_what_the_table_says() {
    let (all, repo) = (Vector::all(), Repo::init(&Git::installed(), "sha1"));
    let wrong: Vec<_> = on_all_cores(&all, |vector| {
        let name = vector.name.replace('/', "-");
        let root = std::fs::read(vectors().join(vector.value("trust"))).unwrap();
        let mut settings =
            format!("[keyless]\n\ttrustedRoot = {}\n", repo.file(&format!("{name}.json"), root).display());
        let accepted = vector.accepted();
        let quoted = |pair: &str| pair.replace('\\', "\\\\").replace('"', "\\\"");
        for pair in &accepted {
            settings += &format!("\ttrustedIdentity = \"{}\"\n", quoted(&pair.to_string()));
        }
        for pair in vector.values("denied") {
            settings += &format!("\tdeniedIdentity = \"{}\"\n", quoted(pair));
        }
        let parts = vector.parts();
        let signature = repo.file(&format!("{name}.sig"), parts.signature());
        let mut command = repo.command(PROGRAM);
        command.env("GIT_CONFIG_GLOBAL", repo.file(&format!("{name}.config"), settings));
        command.args(["--status-fd=1", "--verify"]).arg(signature).arg("-");
        let answer = answer_to(command, parts.payload());
        let (word, trust, code) = words(&vector.expected(&["git", "parts", "expect"]), !accepted.is_empty());
        let lines = String::from_utf8_lossy(&answer.stdout).into_owned();
        let right = exclusive(&lines) == word && lines.contains(trust) && answer.code == code;
        (!right || answer.stderr.is_empty()).then(|| format!("{name}: {} {lines}{}", answer.code, answer.stderr))
    });
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
