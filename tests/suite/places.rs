//! Where repositories, settings and objects may be: wherever git finds them, the program does too.

use std::path::Path;

use serde_json::Value;

use super::good::signing;
use super::judge::{Expected, check_good};
use super::stack::{DEV, PEOPLE, Person, Route, Stack};
use crate::support::{Answer, Git, PROGRAM, installed, skipped};

const SETTINGS: [&str; 4] =
    ["keyless.trustedRoot", "keyless.signingConfig", "keyless.idTokenFile", "keyless.trustedIdentity"];

/// The settings of a user, moved to where git reads them too.
#[test]
fn settings_wherever_git_reads_them() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        for place in ["local", "worktree", "include", "includeIf", "environment", "command line"] {
            let repo = signing(&git, "sha1", stack, Route::V1, &DEV);
            let values = SETTINGS.map(|name| (name, repo.ok(["config", "--global", name])));
            for name in SETTINGS {
                repo.config_unset(name);
            }
            let section: String = values
                .iter()
                .map(|(name, value)| format!("\t{} = \"{value}\"\n", name.trim_start_matches("keyless.")))
                .collect();
            let file = repo.file("moved.config", format!("[Keyless]\n{section}"));
            repo.ok(["config", "extensions.worktreeConfig", "true"]);
            for (name, value) in &values {
                match place {
                    "local" => drop(repo.ok(["config", name, value])),
                    "worktree" => drop(repo.ok(["config", "--worktree", name, value])),
                    _ => {}
                }
            }
            match place {
                "include" => repo.config("include.path", &file),
                "includeIf" => repo.config("includeIf.gitdir:~/checkout/.path", &file),
                _ => {}
            }
            let run = |args: &[&str]| {
                let mut command = repo.command("git");
                match place {
                    "environment" => {
                        command.env("GIT_CONFIG_COUNT", values.len().to_string());
                        for (at, (name, value)) in values.iter().enumerate() {
                            command.env(format!("GIT_CONFIG_KEY_{at}"), name);
                            command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
                        }
                    }
                    "command line" => {
                        for (name, value) in &values {
                            command.args(["-c", &format!("{name}={value}")]);
                        }
                    }
                    _ => {}
                }
                Answer::of(command.args(args).output().unwrap())
            };
            let name = format!("{place} under git {}", git.version);
            let committed = run(&["commit", "-q", "--allow-empty", "-m", place]);
            assert_eq!(committed.code, 0, "{name}: {}", committed.stderr);
            assert_eq!(run(&["log", "-1", "--format=%G?"]).ok(), "G", "{name}");
            let judged = run(&["keyless", "verify", "--json", "HEAD"]);
            let report: Value =
                serde_json::from_str(&judged.text()).unwrap_or_else(|_| panic!("{name}: {}", judged.stderr));
            assert_eq!((&report["verdict"], &report["trust"]), (&"good".into(), &"fully".into()), "{name}");
        }
    }
}

/// Linked worktrees, subdirectories, `--git-dir`, bare repositories, submodules.
#[test]
fn repositories_of_every_shape() {
    let Some(stack) = Stack::shared() else { return };
    let expected = Expected { stack, route: Route::V1, person: &DEV };
    for git in Git::all() {
        let repo = signing(&git, "sha1", stack, Route::V1, &DEV);
        repo.commit_file("a", "1\n", "one");
        let home = repo.home().to_owned();
        let run = |directory: &Path, args: &[&str]| {
            let mut command = git.command(&home, directory, "git");
            Answer::of(command.args(args).output().unwrap())
        };
        let both = |directory: &Path, what: &str| {
            let name = format!("{what} under git {}", git.version);
            assert_eq!(run(directory, &["log", "-1", "--format=%G?"]).ok(), "G", "{name}");
            let judged = run(directory, &["keyless", "verify", "HEAD"]);
            assert_eq!(judged.code, 0, "{name}: {}", judged.stderr);
        };
        let commit = ["commit", "-q", "--allow-empty", "-m", "more"];

        let linked = home.join("linked");
        repo.ok(["worktree", "add", "-q", linked.to_str().unwrap()]);
        run(&linked, &commit).ok();
        both(&linked, "a linked worktree");
        let below = repo.path.join("deep/er");
        std::fs::create_dir_all(&below).unwrap();
        run(&below, &commit).ok();
        both(&below, "a subdirectory");
        let (dir, tree) =
            (format!("--git-dir={}", repo.path.join(".git").display()), format!("--work-tree={}", repo.path.display()));
        run(&home, &[&dir, &tree, "commit", "-q", "--allow-empty", "-m", "from outside"]).ok();
        assert_eq!(run(&home, &[&dir, "keyless", "verify", "HEAD"]).code, 0);
        check_good(&repo, "HEAD", expected);

        let bare = home.join("bare.git");
        repo.ok(["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        both(&bare, "a bare repository");
        let made = run(&bare, &["commit-tree", "-S", "-m", "in a bare one", "HEAD^{tree}"]).ok();
        assert_eq!(run(&bare, &["keyless", "verify", &made]).code, 0);

        let outer = home.join("outer");
        run(&home, &["init", "-q", outer.to_str().unwrap()]).ok();
        let from = repo.path.to_str().unwrap();
        run(&outer, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "inner"]).ok();
        run(&outer.join("inner"), &commit).ok();
        both(&outer.join("inner"), "a submodule");
    }
}

/// Packs, deltas, alternates, shallow and partial clones, commit graphs.
#[test]
fn objects_wherever_git_keeps_them() {
    let Some(stack) = Stack::shared() else { return };
    let git = Git::all().pop().unwrap();
    for hash in ["sha1", "sha256"] {
        let repo = signing(&git, hash, stack, Route::V1, &DEV);
        repo.commit_file("a", "1\n", "one");
        repo.commit_file("a", "2\n", "two");
        repo.ok(["tag", "-a", "-m", "release", "v1"]);
        let revs = ["HEAD", "HEAD~1", "v1", "main"];
        let judge = |directory: &Path, revs: &[&str]| {
            let mut command = git.command(repo.home(), directory, PROGRAM);
            Answer::of(command.arg("verify").args(revs).output().unwrap()).ok()
        };
        repo.ok(["gc", "-q", "--aggressive", "--prune=now"]);
        repo.ok(["commit-graph", "write", "--reachable"]);
        repo.ok(["pack-refs", "--all"]);
        judge(&repo.path, &revs);
        let short = repo.ok(["rev-parse", "--short", "HEAD"]);
        judge(&repo.path, &[&short, "HEAD^0", "refs/heads/main", "tags/v1", "@"]);
        for (name, options) in [("shared", &["--shared"][..]), ("mirror", &["--mirror"])] {
            let path = repo.home().join(name);
            repo.ok([&["clone", "-q"], options, &[".", path.to_str().unwrap()]].concat());
            judge(&path, &revs[..3]);
        }
        let shallow = repo.home().join("shallow");
        let url = format!("file://{}", repo.path.display());
        repo.ok(["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()]);
        judge(&shallow, &["HEAD", "v1"]);
        let partial = repo.home().join("partial");
        repo.ok(["config", "uploadpack.allowFilter", "true"]);
        repo.ok(["clone", "-q", "--filter=tree:0", "--bare", &url, partial.to_str().unwrap()]);
        judge(&partial, &revs[..3]);
    }
}

/// git shows the replacement, which anybody who can push may have put there; we judge what was asked for.
#[test]
fn replacements_are_not_judged() {
    let Some(stack) = Stack::shared() else { return };
    for git in Git::all() {
        let repo = signing(&git, "sha1", stack, Route::V1, &DEV);
        let signed = repo.commit("signed");
        let unsigned = repo.ok(["commit-tree", "-m", "unsigned", "HEAD^{tree}"]);
        repo.ok(["replace", &unsigned, &signed]);
        assert_eq!(repo.ok(["log", "-1", "--format=%G?", &unsigned]), "G", "git is taken in");
        let judged = repo.keyless(["verify", "--json", &unsigned]);
        let report: Value = serde_json::from_str(&judged.text()).unwrap();
        assert_eq!((judged.code, &report["reason"]), (1, &"signature-missing".into()), "{report}");
        assert_eq!(report["object"], unsigned.as_str());
    }
}

/// Several at once, in order, each with its own answer, and the exit code of the worst.
#[test]
fn many_revs_at_once() {
    let Some(stack) = Stack::shared() else { return };
    let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
    let signed = repo.commit("signed");
    let unsigned = repo.ok(["commit-tree", "-m", "unsigned", "HEAD^{tree}"]);
    repo.ok(["-c", "tag.gpgSign=false", "tag", "light"]);
    repo.ok(["tag", "-a", "-m", "outer", "outer", "light"]);
    repo.ok(["tag", "-a", "-m", "nested", "nested", "outer"]);
    let revs = ["light", unsigned.as_str(), "no-such-rev", "nested", "HEAD^{tree}", &signed];
    let judged = repo.keyless(["verify", "--json"].iter().chain(&revs));
    assert_eq!(judged.code, 2, "{}", judged.stderr);
    let reports: Vec<Value> = judged.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.iter().map(|report| report["rev"].as_str().unwrap()).collect::<Vec<_>>(), revs);
    let verdicts: Vec<_> = reports.iter().map(|report| report["verdict"].as_str()).collect();
    assert_eq!(verdicts, [Some("good"), Some("unknown"), None, Some("good"), None, Some("good")]);
    assert!(reports[2]["error"]["code"].is_string() && reports[4]["error"]["code"].is_string());
    assert_eq!((&reports[0]["type"], &reports[3]["type"]), (&"commit".into(), &"tag".into()));
}

/// In a network namespace without any network, not even loopback.
#[test]
fn verifying_needs_no_network() {
    let Some(stack) = Stack::shared() else { return };
    for route in Route::ALL {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        repo.commit("one");
        let Some(unshare) = installed("unshare") else { return skipped("no unshare here") };
        let alone = |args: &[&str]| {
            let mut command = repo.command(&unshare);
            Answer::of(command.args(["-r", "-n"]).args(args).output().unwrap())
        };
        if alone(&["true"]).code != 0 {
            return skipped("no user namespaces here");
        }
        assert_eq!(alone(&["git", "log", "-1", "--format=%G?"]).ok(), "G");
        alone(&["git", "verify-commit", "HEAD"]).ok();
        alone(&["git", "keyless", "verify", "HEAD"]).ok();
        assert_ne!(alone(&["git", "commit", "--allow-empty", "-m", "two"]).code, 0, "signing does need it");
    }
}

/// Names that could end a field of git's status lines, or a word of a setting.
#[test]
fn identities_with_awkward_characters() {
    let Some(stack) = Stack::shared() else { return };
    let people: [(&str, &str); 5] = [
        (
            "sub=http://127.0.0.1/a%2520b%250A%255BGNUPG:%255D%2520TRUST_ULTIMATE",
            "http://127.0.0.1/a%20b%0A%5BGNUPG:%5D%20TRUST_ULTIMATE",
        ),
        ("sub=http://127.0.0.1/q%3Fx%3D1%26y%3D%25C3%25A4", "http://127.0.0.1/q?x=1&y=%C3%A4"),
        ("sub=http://127.0.0.1/a%23fragment", "http://127.0.0.1/a#fragment"),
        ("sub=http://127.0.0.1/%257Euser/(x)'y'*!$,;@", "http://127.0.0.1/%7Euser/(x)'y'*!$,;@"),
        ("sub=http://127.0.0.1/x%252520y", "http://127.0.0.1/x%2520y"),
    ];
    for (query, subject) in people {
        let person = Person { query, subject, ..PEOPLE[3].clone() };
        let escaped = format!("{} {}", subject.replace('%', "%25"), stack.issuer(&person));
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &person);
        repo.config("keyless.trustedIdentity", &escaped);
        repo.commit("one");
        assert_eq!(repo.ok(["log", "-1", "--format=%G? %GT %GS"]), format!("G fully {escaped}"));
        check_good(&repo, "HEAD", Expected { stack, route: Route::V1, person: &person });
    }
}
