//! The newcomer's first command does what it says, wherever it is run from, and leaves nothing behind.

use crate::support::{Answer, Git, PROGRAM, Repo};

#[test]
fn the_demo_shows_all_of_it_under_every_git() {
    for git in Git::all() {
        let repo = Repo::init(&git, "sha1");
        let answer = Answer::of(repo.command(PROGRAM).arg("demo").env("TMPDIR", repo.home()).output().unwrap());
        let text = answer.clone().ok();
        for part in [
            "good signature by alice@example.com",
            "in a sandbox",
            "the content was changed",
            "B second",
            "U bob@example.com",
        ] {
            assert!(text.contains(part), "{part} under git {}:\n{text}", git.version);
        }
        let left: Vec<_> = std::fs::read_dir(repo.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().contains("demo")), "{left:?}");
    }
}

#[test]
fn surroundings_change_nothing() {
    let repo = Repo::init(&Git::installed(), "sha256");
    repo.config("commit.gpgSign", "true");
    repo.config("gpg.program", "false");
    repo.config("core.hooksPath", "/nowhere");
    let before = std::fs::read(repo.home().join("gitconfig")).unwrap();
    let dead = "http://127.0.0.1:9";
    let mut command = repo.command(PROGRAM);
    command.arg("demo").envs([
        ("GIT_DIR", repo.path.join(".git").to_str().unwrap()),
        ("GIT_INDEX_FILE", "/nowhere"),
        ("GIT_AUTHOR_NAME", ""),
    ]);
    command.envs([
        ("HTTP_PROXY", dead),
        ("HTTPS_PROXY", dead),
        ("ALL_PROXY", dead),
        ("http_proxy", dead),
        ("LC_ALL", "de_DE.UTF-8"),
        ("TZ", "Asia/Tokyo"),
    ]);
    command.envs([
        ("GIT_KEYLESS_TRUSTED_ROOT", "/nowhere"),
        ("GIT_KEYLESS_SIGNING_CONFIG", "/nowhere"),
        ("SIGSTORE_ID_TOKEN", "x.y.z"),
    ]);
    Answer::of(command.output().unwrap()).ok();
    assert_eq!(std::fs::read(repo.home().join("gitconfig")).unwrap(), before);
    assert_eq!(repo.run(["log"]).code, 128, "nothing was committed here");
}

#[test]
fn what_is_kept_can_be_played_with() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let kept = repo.home().join("a folder with blanks");
    let mut command = repo.command(PROGRAM);
    Answer::of(command.args(["demo", "--keep"]).arg(&kept).output().unwrap()).ok();
    let mut verify = repo.command(PROGRAM);
    verify.current_dir(kept.join("repository")).args(["verify", "v1.0", "v1.0^{commit}"]);
    Answer::of(verify.output().unwrap()).ok();
    // Nothing is overwritten.
    let mut again = repo.command(PROGRAM);
    let answer = Answer::of(again.args(["demo", "--keep"]).arg(&kept).output().unwrap());
    assert!(answer.code == 2 && answer.stderr.contains("not empty"), "{}", answer.stderr);
}
