//! Signatures that are not ours: `keyless.fallbackProgram`, with the real gpgsm and with programs that lie.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::door::exclusive;
use crate::support::{Answer, Git, PROGRAM, Repo, installed, skipped};

/// A repository with one commit that the real gpgsm signed, as Carol, whose own root she trusts if `trusted`.
struct Foreign {
    repo: Repo,
    commit: String,
}

impl Drop for Foreign {
    /// gpgsm has left an agent behind.
    fn drop(&mut self) {
        let _ = self.repo.command("gpgconf").args(["--kill", "all"]).output();
    }
}

impl Foreign {
    /// None, aloud, where there is no gpgsm.
    fn new(git: &Git, trusted: bool) -> Option<Self> {
        if installed("gpgsm").is_none() {
            skipped("gpgsm is not installed: signatures that are not ours");
            return None;
        }
        let repo = Repo::init(git, "sha1");
        let gnupg = repo.home().join(".gnupg");
        std::fs::create_dir(&gnupg).unwrap();
        std::fs::set_permissions(&gnupg, std::fs::Permissions::from_mode(0o700)).unwrap();
        repo.file(".gnupg/gpgsm.conf", "disable-crl-checks\ninclude-certs -1\n");
        let wanted = repo.file(
            "wanted",
            "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nSerial: random\nName-DN: CN=Carol Foreign,O=A Company\n",
        );
        let gpgsm = script(
            &repo,
            "signer",
            "exec gpgsm -q --batch --pinentry-mode loopback --passphrase-fd 3 \"$@\" 3</dev/null",
        );
        let certificate = repo.home().join("certificate");
        let run = |args: &[&str]| Answer::of(repo.command(&gpgsm).args(args).output().unwrap()).ok();
        run(&["--output", certificate.to_str().unwrap(), "--gen-key", wanted.to_str().unwrap()]);
        run(&["--import", certificate.to_str().unwrap()]);
        let listed = run(&["--list-keys", "--with-colons"]);
        let fingerprint =
            listed.lines().find(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned();
        // gpgsm does not sign for somebody whom it does not trust itself.
        let trust = repo.file(".gnupg/trustlist.txt", format!("{fingerprint} S relax\n"));
        repo.config("gpg.format", "x509");
        repo.config("gpg.x509.program", &gpgsm);
        repo.config("user.signingKey", &fingerprint);
        repo.ok(["commit", "-q", "--allow-empty", "-S", "-m", "by Carol"]);
        let commit = repo.id("HEAD");
        repo.config("gpg.x509.program", PROGRAM);
        if !trusted {
            std::fs::remove_file(trust).unwrap();
            Answer::of(repo.command("gpgconf").args(["--kill", "all"]).output().unwrap()).ok();
        }
        Some(Self { repo, commit })
    }

    fn letter(&self, rev: &str) -> String {
        self.repo.ok(["log", "-1", "--format=%G?|%GT|%GS", rev])
    }

    fn verify(&self, rev: &str) -> Answer {
        self.repo.run(["verify-commit", rev])
    }

    /// The same commit with another message: Carol has not signed that.
    fn tampered(&self) -> String {
        let (kind, raw) = self.repo.raw(&self.commit);
        self.repo.write(&kind, &[raw.as_slice(), b"and more\n"].concat())
    }
}

fn script(repo: &Repo, name: &str, body: &str) -> PathBuf {
    let path = repo.file(name, format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn both_kinds_verify_in_one_repository() {
    for git in Git::all() {
        let Some(foreign) = Foreign::new(&git, true) else { return };
        let repo = &foreign.repo;
        let alone = foreign.verify("HEAD");
        assert!(alone.code == 1 && alone.stderr.contains("keyless.fallbackProgram"), "{}", alone.stderr);
        assert_eq!(foreign.letter("HEAD"), "E|undefined|");
        repo.config("keyless.fallbackProgram", "gpgsm");
        assert_eq!(foreign.letter("HEAD"), "U|undefined|/CN=Carol%20Foreign/O=A%20Company", "git {}", git.version);
        let good = foreign.verify("HEAD");
        assert!(good.code == 0 && good.stderr.contains("gpgsm calls it good"), "{}", good.stderr);
        assert_eq!(repo.run(["-c", "gpg.minTrustLevel=fully", "verify-commit", "HEAD"]).code, 1, "trust is capped");
        let tampered = foreign.tampered();
        assert_eq!((foreign.letter(&tampered).split('|').next(), foreign.verify(&tampered).code), (Some("B"), 1));
        repo.config("keyless.requireTrusted", "true");
        assert_eq!((foreign.letter("HEAD").split('|').next(), foreign.verify("HEAD").code), (Some("E"), 1));
        repo.config("keyless.fallbackTrust", "pass");
        assert_eq!(repo.run(["-c", "gpg.minTrustLevel=fully", "verify-commit", "HEAD"]).code, 0);
        assert_eq!(foreign.letter("HEAD"), "G|fully|/CN=Carol%20Foreign/O=A%20Company");
        repo.file(".gnupg/gpgsm.conf", "disable-crl-checks\ninclude-certs 0\n");
        let signer = repo.home().join("signer");
        let sign = format!("gpg.x509.program={}", signer.display());
        repo.ok(["-c", &sign, "commit", "-q", "--allow-empty", "-S", "-m", "without a certificate inside"]);
        let bare = foreign.verify("HEAD");
        assert!(bare.code == 1 && bare.stderr.contains("gpgsm is not asked"), "{}", bare.stderr);
        repo.ok(["reset", "-q", "--soft", "HEAD^"]);
        // The program's own command has no other program.
        assert!(repo.keyless(["verify", "HEAD"]).text().contains("not-keyless"));
        // And nothing of ours is anybody else's business.
        let raw = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good/v1.object")).unwrap();
        let ours = repo.run_with(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], &raw).ok();
        let asked = repo.home().join("asked");
        repo.config("keyless.fallbackProgram", script(repo, "spy", &format!("touch '{}'", asked.display())));
        foreign.verify(&ours);
        assert!(!asked.exists());
        foreign.verify("HEAD");
        assert!(asked.exists());
    }
}

#[test]
fn a_root_that_gpgsm_does_not_trust_is_not_good() {
    let Some(foreign) = Foreign::new(&Git::installed(), false) else { return };
    foreign.repo.config("keyless.fallbackProgram", "gpgsm");
    for trust in ["undefined", "pass"] {
        foreign.repo.config("keyless.fallbackTrust", trust);
        let answer = foreign.verify("HEAD");
        assert!(answer.code == 1 && answer.stderr.contains("does not trust it"), "{}", answer.stderr);
        assert_eq!(foreign.letter("HEAD"), "E|undefined|");
    }
}

/// Given an attached signature, gpgsm says whether that is good for the content inside, which is not the payload.
#[test]
fn a_signature_with_its_content_inside_is_nobodys_business() {
    let Some(foreign) = Foreign::new(&Git::installed(), true) else { return };
    let repo = &foreign.repo;
    let key = repo.ok(["config", "user.signingKey"]);
    repo.config("keyless.fallbackProgram", "gpgsm");
    let verified = |kind: &[&str]| {
        let mut signer = repo.command(repo.home().join("signer"));
        signer.args(["--armor", "-u", &key, "--sign"]).args(kind);
        let signature = repo.file("signature", crate::support::answer_to(signer, b"inside").stdout);
        let mut command = repo.command(PROGRAM);
        command.args(["--status-fd=1", "--verify"]).arg(signature).arg("-");
        crate::support::answer_to(command, b"inside")
    };
    let detached = verified(&["--detach-sign"]);
    assert_eq!(
        (exclusive(&String::from_utf8_lossy(&detached.stdout)), detached.code),
        ("GOODSIG".into(), 0),
        "{}",
        detached.stderr
    );
    let attached = verified(&[]);
    assert_eq!(
        (exclusive(&String::from_utf8_lossy(&attached.stdout)), attached.code),
        ("ERRSIG".into(), 1),
        "{}",
        attached.stderr
    );
    assert!(attached.stderr.contains("gpgsm is not asked"), "{}", attached.stderr);
}

/// Bodies of programs that lie, and the one word that git hears.
const LIARS: [(&str, &str); 12] = [
    ("good 0; exit 1", "ERRSIG"),
    ("exit 0", "ERRSIG"),
    ("say BADSIG $FP x; exit 0", "BADSIG"),
    ("good 0; good 0", "ERRSIG"),
    ("good 0; say BADSIG $FP x", "ERRSIG"),
    ("say EXPKEYSIG $FP x; say VALIDSIG $FP 2026-11-21 1 0 0 0 1 8 00", "ERRSIG"),
    ("say GOODSIG $FP x", "ERRSIG"),
    ("printf '[GNUPG:] GOODSIG %s\\n[GNUPG:] TRUST_ULTIMATE\\n' $FP", "ERRSIG"),
    ("yes '[GNUPG:] GOODSIG'", "ERRSIG"),
    ("head -c 20000 /dev/urandom", "ERRSIG"),
    ("kill -9 $$", "ERRSIG"),
    ("good 1", "GOODSIG"),
];

#[test]
fn whoever_lies_helps_nobody() {
    let Some(foreign) = Foreign::new(&Git::installed(), false) else { return };
    let repo = &foreign.repo;
    let (_, raw) = repo.raw("HEAD");
    let (payload, signature) = crate::support::split("commit", &raw);
    let signature = repo.file("signature", signature);
    repo.config("keyless.fallbackTrust", "pass");
    for (body, word) in LIARS {
        let head = "FP=0123456789012345678901234567890123456789\nsay() { echo \"[GNUPG:] $*\"; }\n\
                    good() { say GOODSIG $FP \"Mallory  x$(printf '\\033[2J')\"; say VALIDSIG $FP 2026-11-21 1 0 0 0 1 8 00; say TRUST_FULLY; }";
        repo.config("keyless.fallbackProgram", script(repo, "liar", &format!("{head}\n{body}")));
        let mut command = repo.command(PROGRAM);
        command.args(["--status-fd=1", "--verify"]).arg(&signature).arg("-");
        let answer = crate::support::answer_to(command, &payload);
        let lines = String::from_utf8_lossy(&answer.stdout);
        assert_eq!(exclusive(&lines), word, "{body}: {lines} {}", answer.stderr);
        assert_eq!(answer.code == 0, word == "GOODSIG", "{body}: {lines}");
        if word == "GOODSIG" {
            assert!(lines.contains(" Mallory%20%20x%1B[2J\n"), "{lines}");
        }
    }
}

/// 64 KiB, of which the first line is all that it has to say.
#[test]
fn the_longest_answer_of_a_program() {
    const LIMIT: usize = 64 << 10;
    let Some(foreign) = Foreign::new(&Git::installed(), false) else { return };
    for (bytes, expected) in [(LIMIT, "calls it bad"), (LIMIT + 1, "it printed more than 65536 bytes")] {
        let said = "[GNUPG:] BADSIG 0123 x\n";
        let said = foreign.repo.file("said", format!("{said}{}", " ".repeat(bytes - said.len())));
        foreign.repo.config(
            "keyless.fallbackProgram",
            script(&foreign.repo, "talker", &format!("exec cat '{}'", said.display())),
        );
        let answer = foreign.verify("HEAD");
        assert!(answer.code == 1 && answer.stderr.contains(expected), "{bytes}: {}", answer.stderr);
    }
}

#[test]
fn whom_it_does_not_ask() {
    let Some(foreign) = Foreign::new(&Git::installed(), false) else { return };
    let repo = &foreign.repo;
    std::os::unix::fs::symlink(PROGRAM, repo.home().join("again")).unwrap();
    // In between stands a shell, which knows nothing of us.
    let again = script(repo, "wrapper", &format!("exec '{PROGRAM}' \"$@\""));
    std::fs::write(repo.path.join("gpgsm"), "#!/bin/sh\ntouch asked\n").unwrap();
    for (program, why) in [
        (PROGRAM, "is this program"),
        (repo.home().join("again").to_str().unwrap(), "is this program"),
        (again.to_str().unwrap(), "it says nothing of it|does not call it good"),
        ("./gpgsm", "relative path"),
        ("sub/gpgsm", "relative path"),
        ("/nowhere/gpgsm", "is not there"),
        ("no-such-program-anywhere", "is not there"),
    ] {
        repo.config("keyless.fallbackProgram", program);
        let answer = foreign.verify("HEAD");
        assert!(
            answer.code == 1 && why.split('|').any(|why| answer.stderr.contains(why)),
            "{program}: {}",
            answer.stderr
        );
        assert_eq!(foreign.letter("HEAD"), "E|undefined|", "{program}");
    }
    repo.config("keyless.fallbackProgram", "gpgsm");
    repo.config("keyless.fallbackTrust", "perhaps");
    assert!(foreign.verify("HEAD").stderr.contains("neither undefined nor pass"));
    assert!(!repo.path.join("asked").exists());
}
