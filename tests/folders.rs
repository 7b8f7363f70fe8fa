//! Temporary folders: gone whatever ends the program.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use git_keyless::sandbox::{Options, Rekor, Sandbox};

use crate::support::{Git, PROGRAM, Repo};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// In a process group of its own, as under a terminal; its temporary files below `tmp`.
fn started(mut command: Command, repo: &Repo) -> Child {
    command.env("TMPDIR", repo.home().join("tmp")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap()
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Sends `signal` to all of it once `ready` is there; what is left in `tmp` then.
fn interrupted(repo: &Repo, command: Command, ready: &Path, signal: &str) {
    let tmp = repo.home().join("tmp");
    let _ = std::fs::remove_file(ready);
    let mut child = started(command, repo);
    until("it did not come so far", || ready.exists());
    assert_eq!(entries(&tmp), 1, "nothing is there that could stay behind");
    let group = format!("-{}", child.id());
    assert!(repo.command("kill").args(["-s", signal, "--", &group]).status().unwrap().success());
    until("it goes on", || child.try_wait().unwrap().is_some());
    assert!(!child.wait().unwrap().success(), "{signal}");
    until("it was left behind", || entries(&tmp) == 0);
}

/// The program as a terminal starts it: whoever runs the tests in the background has some signals ignored, and so would
/// it. None, aloud, where there is no perl.
fn interruptible(repo: &Repo) -> Option<Command> {
    if crate::support::installed("perl").is_none() {
        crate::support::skipped("perl is not installed: signals while there are temporary folders");
        return None;
    }
    let mut command = repo.command("perl");
    command.args(["-e", "$SIG{$_} = 'DEFAULT' for qw(HUP INT TERM); exec @ARGV", PROGRAM]);
    Some(command)
}

fn room() -> Repo {
    let repo = Repo::init(&Git::installed(), "sha1");
    std::fs::create_dir(repo.home().join("tmp")).unwrap();
    repo
}

/// The newcomer who thinks better of it while the browser is open.
#[test]
fn a_trial_that_is_interrupted_leaves_nothing() {
    let repo = room();
    let directory = repo.home().join("sandbox");
    let options = Options { directory, rekor: Rekor::V1, failing: Vec::new(), program: PROGRAM.into() };
    let sandbox = Sandbox::start(&options).unwrap();
    let opened = repo.home().join("opened");
    let browser = repo.file("browser", format!("#!/bin/sh\n: >'{}'\nexec sleep 30\n", opened.display()));
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.config("keyless.browser", browser);
    repo.config("keyless.credentialStore", "none");
    repo.config("user.email", "alice@example.com");
    let file = sandbox.directory().join("client_trust_config.json");
    for signal in ["INT", "TERM", "HUP"] {
        let Some(mut setup) = interruptible(&repo) else { return };
        setup.args(["setup", "--yes", "--client-trust-config"]).arg(&file);
        setup.env_remove("GIT_TERMINAL_PROMPT");
        interrupted(&repo, setup, &opened, signal);
    }
}

/// `git log` over what another program verifies, with Ctrl-C in the middle.
#[test]
fn a_question_to_another_program_that_is_interrupted_leaves_nothing() {
    let repo = room();
    let asked = repo.home().join("asked");
    let program = repo.file("program", format!("#!/bin/sh\n: >'{}'\nexec sleep 30\n", asked.display()));
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.config("keyless.fallbackProgram", program);
    let mail = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/not-keyless/mail.object");
    let (_, signature) = crate::support::split("commit", &std::fs::read(mail).unwrap());
    let signature = repo.file("signature", signature);
    for signal in ["INT", "TERM", "HUP"] {
        let Some(mut verify) = interruptible(&repo) else { return };
        verify.arg("--status-fd=1").arg("--verify").arg(&signature).arg("/dev/null");
        interrupted(&repo, verify, &asked, signal);
    }
}

/// Whoever had a signal ignored, as nohup does, has it ignored.
#[test]
fn an_ignored_signal_ends_nothing() {
    let repo = room();
    let (asked, go_on) = (repo.home().join("asked"), repo.home().join("go on"));
    let body =
        format!("#!/bin/sh\n: >'{}'\nuntil [ -e '{}' ]; do sleep 0.05; done\n", asked.display(), go_on.display());
    let program = repo.file("program", body);
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.config("keyless.fallbackProgram", program);
    let mail = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/not-keyless/mail.object");
    let (_, signature) = crate::support::split("commit", &std::fs::read(mail).unwrap());
    let mut verify = repo.command("sh");
    verify.args(["-c", "trap '' HUP; exec \"$0\" --status-fd=1 --verify \"$1\" /dev/null", PROGRAM]);
    verify.arg(repo.file("signature", signature));
    let child = started(verify, &repo);
    until("it did not come so far", || asked.exists());
    assert!(repo.command("kill").args(["-s", "HUP", &child.id().to_string()]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(200));
    std::fs::write(go_on, "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ERRSIG"));
    assert_eq!(entries(&repo.home().join("tmp")), 0);
}
