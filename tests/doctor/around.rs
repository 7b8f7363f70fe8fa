//! What is around: the terminal, the kind of place, other programs, an old git, a strange repository.

use std::os::unix::fs::PermissionsExt as _;

use git_keyless::sandbox::Rekor;

use super::{Findings, examined, healthy};
use crate::sandbox::start;
use crate::support::{Answer, Git, PROGRAM, Repo, installed, skipped};

#[test]
fn whether_anybody_is_spoken_to() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.config("keyless.tokenCommand", "");
    repo.config("keyless.browser", "true");
    // Who has a browser can be asked without a terminal, too.
    let findings = examined(&repo, &["--offline"], &[("GIT_TERMINAL_PROMPT", "1")]);
    findings.has("id-token", "good", "in a browser");
    findings.has("terminal", "note", "nobody hears who signs");
    assert!(findings.found.iter().all(|(_, _, found)| !found.contains("nobody can")), "{:#?}", findings.found);
    let Some(script) = installed("script") else {
        return skipped("script is not installed: the doctor at a terminal");
    };
    // There an address that nothing opens can be read.
    repo.config("keyless.browser", "/nonexistent/x");
    let mut command = repo.command(script);
    command.args(["-qec", &format!("'{PROGRAM}' doctor --offline"), "/dev/null"]).env("TERM", "dumb");
    let said = Answer::of(command.env_remove("GIT_TERMINAL_PROMPT").output().unwrap());
    assert!(said.text().contains("good     terminal: there is one"), "{}", said.text());
    let by_hand = "warning  id-token: no program is there that opens a browser";
    assert!(said.code == 0 && said.text().contains(by_hand), "{}", said.text());
}

#[test]
fn what_kind_of_place_this_is() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    for (name, words) in [
        ("SSH_CONNECTION", "a session over SSH (SSH_CONNECTION is set)"),
        ("SSH_TTY", "a session over SSH (SSH_TTY is set)"),
        ("WSL_DISTRO_NAME", "Linux inside Windows"),
        ("CODESPACES", "a workspace in somebody's cloud (CODESPACES is set)"),
        ("REMOTE_CONTAINERS", "a container of an editor (REMOTE_CONTAINERS is set)"),
    ] {
        examined(&repo, &["--offline"], &[(name, "x")]).has("surroundings", "note", words);
    }
    let plain = examined(&repo, &["--offline"], &[]);
    assert!(plain.found.iter().all(|(_, _, found)| !found.contains(" is set)")), "{:#?}", plain.found);
}

#[test]
fn what_git_reads_beside_ours() {
    let home = start(Rekor::V1);
    let mut repo = healthy(&Git::installed(), &home);
    let plain = examined(&repo, &["--offline"], &[]);
    ["signing-key", "other-signers", "shallow"].iter().for_each(|check| plain.has_none(check));
    repo.config("user.signingKey", "0123ABCD");
    repo.config("gpg.ssh.program", "/usr/bin/ssh-keygen");
    repo.commit("whatever key is named");
    let findings = examined(&repo, &["--offline"], &[]);
    findings.has("signing-key", "note", "whoever logs in signs");
    findings.has("other-signers", "note", "gpg.ssh.program from");
    repo.config("gpg.format", "ssh");
    let others = examined(&repo, &["--offline"], &[]);
    ["signing-key", "other-signers"].iter().for_each(|check| others.has_none(check));
    repo.config("gpg.format", "x509");
    repo.commit("one more");
    let source = format!("file://{}", repo.path.display());
    repo.ok(["clone", "-q", "--depth=1", &source, "../shallow"]);
    repo.path = repo.home().join("shallow");
    examined(&repo, &["--offline"], &[]).has("shallow", "note", "git fetch --unshallow");
}

/// With a git in front that calls itself another version.
fn with_git(repo: &Repo, version: &str) -> Findings {
    let folder = repo.home().join(version);
    std::fs::create_dir(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    let real = installed("git").unwrap().into_string().unwrap();
    let script =
        format!("#!/bin/sh\n[ \"$1\" = version ] && echo git version {version} && exit\nexec '{real}' \"$@\"\n");
    std::fs::write(folder.join("git"), script).unwrap();
    std::fs::set_permissions(folder.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    examined(repo, &["--offline"], &[("PATH", &format!("{}:{path}", folder.display()))])
}

#[test]
fn a_git_that_is_too_old_or_keeps_things_to_itself() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    with_git(&repo, "2.33.8").has("git", "fault", "2.34 is the oldest that works");
    let silent = with_git(&repo, "2.39.9");
    silent.has("git", "good", "2.39.9");
    silent.has("git-features", "note", "before 2.40");
    with_git(&repo, "2.40.0").has_none("git-features");
}

#[test]
fn a_strangers_repository_is_named() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.ok(["config", "--local", "keyless.clientId", "theirs"]);
    let git_dir = repo.path.join(".git");
    let folders = [&repo.path, &git_dir, &git_dir.join("config")];
    if folders.iter().any(|folder| std::os::unix::fs::chown(folder, Some(65_534), None).is_err()) {
        return skipped("only root can give a repository away: those of other users are not tried");
    }
    let mend = format!("--add safe.directory {}", repo.path.canonicalize().unwrap().display());
    examined(&repo, &["--offline"], &[]).has("untrusted-repository", "warning", &mend);
    repo.config("safe.directory", &repo.path);
    examined(&repo, &["--offline"], &[]).has_none("untrusted-repository");
}

#[test]
fn how_old_the_trust_root_is_and_whose() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    let root = repo.file("old.json", home.sandbox.trusted_root());
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400 + 60);
    std::fs::File::options().write(true).open(&root).unwrap().set_modified(then).unwrap();
    repo.config("keyless.trustedRoot", &root);
    examined(&repo, &["--offline"], &[]).has("trust-root", "good", "old.json, 40 days old, from");
    repo.config_unset("keyless.trustedRoot");
    let words = concat!("built into git-keyless ", env!("CARGO_PKG_VERSION"), ", newest key of 20");
    examined(&repo, &["--offline"], &[]).has("trust-root", "good", words);
}

#[test]
fn what_mends_it_is_a_command_where_there_is_one() {
    let home = start(Rekor::V1);
    let repo = healthy(&Git::installed(), &home);
    repo.config("keyless.fallbackTrust", "foo");
    repo.ok(["config", "--local", "keyless.requireTrusted", "foo"]);
    let findings = examined(&repo, &["--offline"], &[("GIT_KEYLESS_PUBLIC_IDENTITY", "\u{e9}")]);
    findings.has("fallback-trust", "warning", "git config --global --unset-all keyless.fallbackTrust");
    findings.has("require-trusted", "fault", "git config --local --unset-all keyless.requireTrusted");
    for (variable, check) in [("GIT_KEYLESS_TRUSTED_ROOT", "settings"), ("GITSIGN_OIDC_ISSUER", "settings")] {
        let mut command = repo.command(PROGRAM);
        let unreadable = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
        let said = Answer::of(command.args(["doctor", "--offline"]).env(variable, unreadable).output().unwrap());
        assert_eq!(said.code, 1);
        let expected = format!("mend it: unset {variable}");
        assert!(said.text().contains(check) && said.text().contains(&expected), "{}", said.text());
    }
    std::fs::write(repo.path.join(".git/config"), "[broken\n").unwrap();
    let said = repo.keyless(["doctor", "--offline"]);
    assert!(said.text().contains("mend it: \"${EDITOR:-vi}\" .git/config"), "{}", said.text());
}
