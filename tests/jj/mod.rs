//! The real jj (Jujutsu), which knows this program as its gpgsm: no status descriptor when it signs, the payload in a
//! file when it verifies. `$GIT_KEYLESS_JJ` or PATH has it; `install.sh` gets it.

use git_keyless::sandbox::{Options, Rekor, Sandbox};

use crate::support::{Answer, Git, PROGRAM, Repo, installed, skipped};

const CONFIG: &str = r#"
[user]
name = "Alice"
email = "alice@example.test"
[signing]
behavior = "own"
backend = "gpgsm"
key = "alice@example.test"
"#;
const STATUS: &str = r#"if(signature, signature.status() ++ " " ++ signature.display(), "none") ++ "\n""#;

#[test]
fn jj_signs_and_verifies() {
    let Some(jj) = std::env::var_os("GIT_KEYLESS_JJ").or_else(|| installed("jj")) else {
        return skipped("no jj in $GIT_KEYLESS_JJ or PATH (tests/jj/install.sh)");
    };
    let repo = Repo::init(&Git::installed(), "sha1");
    let directory = repo.home().join("sandbox");
    let options = Options { directory, rekor: Rekor::V1, failing: Vec::new(), program: PROGRAM.into() };
    let sandbox = Sandbox::start(&options).unwrap();
    repo.config("include.path", sandbox.directory().join("gitconfig"));
    repo.config("user.email", "alice@example.test");
    let issuer = format!("{}/email", sandbox.urls().oidc);
    repo.config("keyless.trustedIdentity", format!("alice@example.test {issuer}"));
    let program = format!("{CONFIG}[signing.backends.gpgsm]\nprogram = \"{PROGRAM}\"\n");
    let config = repo.file("jj.toml", program);
    let run = |args: &[&str]| {
        let mut command = repo.command(&jj);
        Answer::of(command.env("JJ_CONFIG", &config).arg("--no-pager").args(args).output().unwrap())
    };
    let status = |rev: &str| run(&["log", "--no-graph", "--ignore-working-copy", "-r", rev, "-T", STATUS]).ok();

    run(&["git", "init", "--colocate"]).ok();
    std::fs::write(repo.path.join("file"), "1\n").unwrap();
    run(&["commit", "-m", "one"]).ok();
    let signed = repo.id("HEAD");
    assert_eq!(status(&signed), format!("good alice@example.test {issuer}"));
    assert_eq!(repo.ok(["log", "-1", "--format=%G?%GT", "HEAD"]), "Gfully");
    let (_, raw) = repo.raw("HEAD");
    assert!(raw.windows(11).any(|bytes| bytes == b"\nchange-id "), "a header of its own is under the signature");

    // Rewritten, it is signed anew.
    run(&["describe", "-r", "@-", "-m", "one, told better"]).ok();
    let rewritten = run(&["log", "--no-graph", "-r", "@-", "-T", "commit_id"]).ok();
    assert_ne!(rewritten, signed);
    assert_eq!(repo.keyless(["verify", "--require-identity", &rewritten]).code, 0);

    // One that is not signed, one that was changed, one by somebody whom only its signature names.
    run(&["commit", "--config", "signing.behavior=drop", "-m", "unsigned"]).ok();
    assert_eq!(status("@-"), "none");
    let (kind, raw) = repo.raw(&rewritten);
    let tampered = repo.write(&kind, &[raw.as_slice(), b"and more\n"].concat());
    repo.ok(["update-ref", "refs/heads/tampered", &tampered]);
    run(&["git", "import"]).ok();
    assert!(status("tampered").starts_with("bad"), "{}", status("tampered"));
    repo.config_unset("include.path");
    assert!(status(&rewritten).starts_with("unknown"), "without the trust root: {}", status(&rewritten));

    // No signature, no commit.
    let head = run(&["log", "--no-graph", "-r", "@-", "-T", "commit_id"]).ok();
    let refused = run(&["commit", "-m", "nobody says where"]);
    assert!(refused.code != 0 && refused.stderr.contains("nothing says where to sign"), "{}", refused.stderr);
    assert_eq!(run(&["log", "--no-graph", "--ignore-working-copy", "-r", "@-", "-T", "commit_id"]).ok(), head);
}
