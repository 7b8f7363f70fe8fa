//! What somebody else wrote chooses nothing here: repositories of others, bare ones inside a tree, paths that lead into
//! the working tree, pipes where files should be.

use std::path::Path;

use crate::support::{Git, Repo, skipped};

/// Somebody else; only root can give files away.
const STRANGER: u32 = 12_345;

/// A repository whose own settings name an identity, two commits in it.
fn repository(git: &Git) -> Repo {
    let repo = Repo::init(git, "sha1");
    repo.commit("one");
    repo.commit("two");
    repo.ok(["config", "--local", "keyless.trustedIdentity", "mallory@example.test https://issuer.test"]);
    repo
}

fn given_away(folder: &Path) -> bool {
    fn give(path: &Path) -> std::io::Result<()> {
        if path.symlink_metadata()?.is_dir() {
            std::fs::read_dir(path)?.try_for_each(|entry| give(&entry?.path()))?;
        }
        std::os::unix::fs::lchown(path, Some(STRANGER), None)
    }
    match give(folder) {
        Ok(()) => true,
        Err(_) => {
            skipped("only root can give a repository away: those of other users are not tried");
            false
        }
    }
}

#[test]
fn the_settings_of_a_strangers_repository_do_not_count() {
    for git in Git::all() {
        let repo = repository(&git);
        if !given_away(&repo.path) {
            return;
        }
        let answer = repo.keyless(["verify", "HEAD"]);
        assert!(answer.stderr.contains("who signed is not checked"), "{}", answer.stderr);
        assert!(answer.stderr.contains("is ignored: git does not trust this repository"), "{}", answer.stderr);
        // Whoever says that this one is all right means its settings too.
        repo.config("safe.directory", &repo.path);
        let answer = repo.keyless(["verify", "HEAD"]);
        assert!(!answer.stderr.contains("is ignored"), "{}", answer.stderr);
    }
}

/// A revision that the library cannot resolve is asked of git, which would fetch what is missing: by a command of the
/// repository's choice.
#[test]
fn a_strangers_repository_runs_nothing() {
    let repo = repository(&Git::installed());
    let gone = repo.id("HEAD~1");
    let (folder, file) = gone.split_at(2);
    std::fs::remove_file(repo.path.join(".git/objects").join(folder).join(file)).unwrap();
    let trap = repo.home().join("sprung");
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "o"),
        ("remote.o.promisor", "true"),
        ("remote.o.url", &format!("ext::touch {}", trap.display())),
        ("protocol.ext.allow", "always"),
    ] {
        repo.ok(["config", "--local", key, value]);
    }
    // Not even in one's own.
    for revs in [["verify", "HEAD~2"], ["show", "HEAD~2"]] {
        assert_eq!(repo.keyless(revs).code, 2);
        assert!(!trap.exists());
    }
    if given_away(&repo.path) {
        for revs in [["verify", "HEAD~2"], ["show", "HEAD~2"]] {
            assert_eq!(repo.keyless(revs).code, 2);
            assert!(!trap.exists());
        }
    }
}

#[test]
fn a_bare_repository_in_a_tree_counts_only_where_git_lets_it() {
    for git in Git::all() {
        let repo = repository(&git);
        repo.ok(["clone", "-q", "--bare", ".", "vendored.git"]);
        repo.ok([
            "-C",
            "vendored.git",
            "config",
            "keyless.trustedIdentity",
            "mallory@example.test https://issuer.test",
        ]);
        let inside = |flags: &[(&str, &str)]| {
            let mut command = repo.command(crate::support::PROGRAM);
            command.args(["verify", "HEAD"]).current_dir(repo.path.join("vendored.git")).envs(flags.iter().copied());
            crate::support::Answer::of(command.output().unwrap()).stderr.contains("is ignored")
        };
        assert!(!inside(&[]));
        repo.config("safe.bareRepository", "explicit");
        assert!(inside(&[]));
        assert!(!inside(&[("GIT_DIR", ".")]), "named by the person");
        assert!(!inside(&[("GIT_CONFIG_PARAMETERS", "'safe.bareRepository'='all'")]));
        // A repository cannot say so of itself.
        repo.ok(["-C", "vendored.git", "--git-dir", ".", "config", "safe.bareRepository", "all"]);
        assert!(inside(&[]));
        repo.config_unset("safe.bareRepository");
        assert!(inside(&[("GIT_CONFIG_PARAMETERS", "'safe.bareRepository'='explicit'")]));
        // Nor that it is the repository of a checkout.
        repo.config("safe.bareRepository", "explicit");
        std::fs::create_dir(repo.path.join("vendored.git/tree")).unwrap();
        for (key, value) in [("core.bare", "false"), ("core.worktree", "tree")] {
            repo.ok(["-C", "vendored.git", "--git-dir", ".", "config", key, value]);
        }
        assert!(inside(&[]));
        // The .git of a checkout is no such thing.
        repo.config("safe.bareRepository", "explicit");
        let mut command = repo.command(crate::support::PROGRAM);
        command.args(["verify", "HEAD"]).current_dir(repo.path.join(".git"));
        let answer = crate::support::Answer::of(command.output().unwrap());
        assert!(!answer.stderr.contains("is ignored"), "{}", answer.stderr);
    }
}

/// Hooks are told of their repository as `.`: git verifies in them as anywhere.
#[test]
fn a_hook_is_told_of_its_repository_by_a_dot() {
    for git in Git::all() {
        let repo = repository(&git);
        repo.ok(["config", "--local", "keyless.requireTrusted", "maybe"]);
        for (folder, named) in
            [(".git", "."), (".git", "./"), (".git/hooks", ".."), (".", ".git"), (".git/refs", "../../.git")]
        {
            let mut command = repo.command(crate::support::PROGRAM);
            command.args(["--status-fd=1", "--verify", "/dev/null", "-"]).env("GIT_DIR", named);
            command.current_dir(repo.path.join(folder));
            let answer = crate::support::answer_to(command, b"");
            assert!(answer.stderr.contains("keyless.requireTrusted in "), "{folder}, {named}: {}", answer.stderr);
        }
        // git asks no more whose it is, once it is named: nor is anything stricter in it left out.
        if given_away(&repo.path) {
            let mut command = repo.command(crate::support::PROGRAM);
            command.args(["--status-fd=1", "--verify", "/dev/null", "-"]).env("GIT_DIR", ".git");
            let answer = crate::support::answer_to(command, b"");
            assert!(answer.stderr.contains("keyless.requireTrusted in "), "{}", answer.stderr);
        }
    }
}

/// From within a bare repository it is that one's settings that count, and not those of whatever lies beside it.
#[test]
fn a_bare_repository_is_not_its_neighbour() {
    for git in Git::all() {
        let repo = repository(&git);
        repo.ok(["clone", "-q", "--bare", ".", "foo.git"]);
        let (outer, own) = (repo.home().join("outer"), repo.home().join("own"));
        let trap = |file: &Path| format!("sh -c 'touch {}'", file.display());
        repo.ok(["config", "--local", "keyless.tokenCommand", &trap(&outer)]);
        repo.ok(["-C", "foo.git", "config", "keyless.tokenCommand", &trap(&own)]);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good/trusted_root.json");
        repo.config("keyless.trustedRoot", repo.file("root.json", std::fs::read(root).unwrap()));
        repo.config("keyless.signingConfig", repo.file("config.json", include_str!("fuzz/signing_config.json")));
        for folder in ["foo.git", "foo.git/hooks", "foo.git/refs/heads"] {
            let inside = |args: &[&str], input: &[u8]| {
                let mut command = repo.command(crate::support::PROGRAM);
                command.args(args).current_dir(repo.path.join(folder));
                crate::support::answer_to(command, input)
            };
            let verified = inside(&["verify", "HEAD"], b"");
            assert!(verified.text().contains("signature-missing"), "{folder}: {}", verified.stderr);
            let signed = inside(&["--status-fd=2", "-bsau", "key"], b"tree x\n\nm");
            assert!(signed.code != 0 && own.exists() && !outer.exists(), "{folder}: {}", signed.stderr);
            std::fs::remove_file(&own).unwrap();
        }
    }
}

/// Nothing of a repository that git would not open is opened, and what it includes is not either.
#[test]
fn a_strangers_repository_keeps_nobody_waiting() {
    let repo = repository(&Git::installed());
    let pipe = |name: &str| {
        let path = repo.home().join(name);
        std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()).then_some(path)
    };
    let Some(included) = pipe("included") else {
        skipped("no mkfifo: pipes where files should be");
        return;
    };
    repo.ok(["config", "--local", "include.path", included.to_str().unwrap()]);
    if !given_away(&repo.path) {
        return;
    }
    let ends = |args: &[&str]| {
        let mut command = repo.command("timeout");
        command.args(["20", crate::support::PROGRAM]).args(args);
        let answer = crate::support::answer_to(command, b"");
        assert!(answer.code != 124, "{args:?} waits");
        answer
    };
    assert_eq!(ends(&["verify", "HEAD"]).code, 1);
    let config = repo.path.join(".git/config");
    std::fs::remove_file(&config).unwrap();
    std::fs::rename(&included, &config).unwrap();
    for args in
        [&["whoami"][..], &["doctor"], &["verify", "--object", "-"], &["--status-fd=1", "--verify", "/dev/null", "-"]]
    {
        let answer = ends(args);
        assert!(answer.stderr.contains("is ignored") || answer.text().contains("is ignored"), "{args:?}: {answer:?}");
    }
}

#[test]
fn no_path_leads_into_the_working_tree() {
    let repo = repository(&Git::installed());
    std::fs::write(repo.path.join("root.json"), "{}").unwrap();
    for key in ["keyless.trustedRoot", "keyless.signingConfig", "keyless.idTokenFile"] {
        let other = Repo::init(&Git::installed(), "sha1");
        if key != "keyless.trustedRoot" {
            let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good/trusted_root.json");
            other.config("keyless.trustedRoot", other.file("root.json", std::fs::read(vectors).unwrap()));
        }
        other.config(key, "root.json");
        std::fs::write(other.path.join("root.json"), "{}").unwrap();
        let refused = other.sign(b"payload\n");
        let named = refused.stderr.contains("is a relative path; name it from / or ~/");
        assert!(refused.code == 1 && (named || key == "keyless.idTokenFile"), "{key}: {}", refused.stderr);
    }
}

/// It would keep git waiting for whoever writes into it.
#[test]
fn a_pipe_is_no_file() {
    let repo = repository(&Git::installed());
    let pipe = repo.home().join("pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        skipped("no mkfifo: pipes where files should be");
        return;
    }
    repo.config("keyless.trustedRoot", &pipe);
    let answer = repo.keyless(["verify", "HEAD"]);
    assert!(answer.code == 2 && answer.stderr.contains("it is not a file"), "{}", answer.stderr);
}
