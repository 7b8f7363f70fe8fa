//! Where nobody can be asked: at once, with the ways out, and without a word to any server.

use std::time::{Duration, Instant};

use git_keyless::sandbox::{Fault, Service};

use super::{Room, Running};

#[test]
fn nobody_is_asked_where_nobody_is() {
    let room = Room::new();
    // Who asked it anything would wait for good.
    room.sandbox.switch(Service::IdentityProvider, Fault::Hangs);
    let browser = room.browser("");
    for (variables, expected) in [
        (&[][..], "there is neither a browser nor a terminal here"),
        (&[("SSH_CONNECTION", "a b c d")], "there is neither a browser nor a terminal here"),
        (&[("CI", "true"), ("DISPLAY", ":0")], "this is a job of a CI: CI is set"),
        (&[("GIT_TERMINAL_PROMPT", "0"), ("DISPLAY", ":0")], "GIT_TERMINAL_PROMPT forbids it"),
    ] {
        let mut program = room.sign();
        program.env("BROWSER", &browser).envs(variables.iter().copied());
        let began = Instant::now();
        let answer = Running::start(program).end();
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!((answer.code, answer.text().as_str()), (1, ""), "{}", answer.stderr);
        let ways = ["SIGSTORE_ID_TOKEN", "keyless.idTokenFile", "keyless.tokenCommand", "git keyless login"];
        for part in ways.iter().chain([&expected]) {
            assert!(answer.stderr.contains(part), "{part}: {}", answer.stderr);
        }
    }
    assert!(!room.repo.home().join("address").exists());
}

/// In a terminal of VS Code, so that it matters nothing whether the tests themselves run in a container.
const DESKTOP: (&str, &str) = ("VSCODE_IPC_HOOK_CLI", "/nonexistent.sock");

#[test]
fn the_desktops_browser_is_the_one_of_its_variable() {
    let room = Room::new();
    let mut git = room.commit();
    git.envs([DESKTOP, ("BROWSER", &format!("/nonexistent:'{}' %s", room.browser("").display()))]);
    let running = Running::start(git);
    super::web::get(&super::web::log_in(&room.address(), super::ALICE));
    assert_eq!(running.end().code, 0);
    room.check_signed();
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let room = Room::new();
    for (key, value, expected) in [
        ("keyless.browser", "'open", "a quote is open"),
        ("keyless.clientSecretFile", "/nonexistent", "/nonexistent"),
        ("keyless.qr", "maybe", "neither true nor false"),
        ("keyless.issuer", "http://issuer.test", "plain http beyond this machine"),
    ] {
        room.repo.config(key, value);
        let mut program = room.sign();
        program.envs([DESKTOP, ("BROWSER", "false")]);
        let answer = Running::start(program).end();
        assert!(answer.code == 1 && answer.stderr.contains(expected), "{key}: {}", answer.stderr);
        room.repo.config_unset(key);
    }
}
