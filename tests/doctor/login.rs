//! Who says who signs: what is there is looked at, and nobody is asked.

use git_keyless::outside::session::Keyring;
use git_keyless::sandbox::Rekor;

use super::{ALICE, examined, healthy};
use crate::login::web;
use crate::sandbox::{Home, start};
use crate::support::{Answer, Git, PROGRAM, Repo, skipped};

/// In a terminal of VS Code, so that it matters nothing whether the tests themselves run in a container.
const DESKTOP: (&str, &str) = ("VSCODE_IPC_HOOK_CLI", "/nonexistent.sock");

/// With nothing that says who she is: somebody must log in, and cannot.
fn somebody(git: &Git, home: &Home) -> Repo {
    let repo = healthy(git, home);
    repo.config("keyless.tokenCommand", "");
    repo
}

#[test]
fn how_somebody_can_log_in_and_what_is_kept() {
    let home = start(Rekor::V1);
    let git = Git::installed();
    let asks = ("GIT_TERMINAL_PROMPT", "1");
    let none = ("keyless.credentialStore", "none");
    for (settings, variables, check, level, words) in [
        (&[][..], &[][..], "id-token", "fault", "GIT_TERMINAL_PROMPT forbids it"),
        (&[], &[asks], "id-token", "fault", "neither a browser nor a terminal"),
        (&[], &[asks, ("CI", "true")], "id-token", "fault", "CI is set"),
        (&[], &[asks, ("JENKINS_URL", "x"), ("DISPLAY", ":0")], "id-token", "fault", "JENKINS_URL is set"),
        (&[], &[("GITLAB_CI", "true")], "id-token", "fault", "this job has no identity"),
        (&[("keyless.browser", "true")], &[asks], "id-token", "good", "in a browser"),
        (&[("keyless.browser", "true")], &[asks, ("CI", "true")], "id-token", "fault", "CI is set"),
        (&[("keyless.tokenSource", "device")], &[asks], "id-token", "fault", "terminal"),
        (&[("keyless.tokenSource", "nobody")], &[], "id-token", "fault", "nobody"),
        (&[("keyless.tokenSource", "file")], &[], "id-token", "fault", "keyless.idTokenFile"),
        (&[("keyless.browser", "/nonexistent/x")], &[asks], "id-token", "fault", "no program is there"),
        (&[("keyless.browser", "'/nonexistent/x y' %s")], &[asks], "id-token", "fault", "no program is there"),
        (&[], &[asks, DESKTOP, ("BROWSER", "/nonexistent/x:true")], "id-token", "good", "in a browser"),
        (&[none], &[], "kept-login", "warning", "each signature asks anew"),
        (&[("keyless.credentialStore", "drawer")], &[], "kept-login", "fault", "drawer"),
        (&[("keyless.refreshToken", "maybe")], &[], "kept-login", "fault", "neither true nor false"),
    ] {
        let repo = somebody(&git, &home);
        settings.iter().for_each(|(key, value)| repo.config(key, value));
        examined(&repo, &["--offline"], variables).has(check, level, words);
    }
}

/// Logs in as Alice, through a browser that only leaves the address.
fn log_in(repo: &Repo) {
    let script = "#!/bin/sh\nprintf %s \"$1\" > \"$HOME/part\" && mv \"$HOME/part\" \"$HOME/address\"\n";
    let browser = repo.file("browser", script);
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    repo.config("keyless.browser", &browser);
    let mut command = repo.command("setsid");
    command.args(["--wait", PROGRAM, "login"]).env_remove("GIT_TERMINAL_PROMPT");
    std::thread::scope(|scope| {
        let running = scope.spawn(move || Answer::of(command.output().unwrap()));
        let file = repo.home().join("address");
        while !file.exists() && !running.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        if let Ok(address) = std::fs::read_to_string(&file) {
            web::get(&web::log_in(&web::set_out(&address), ALICE));
        }
        running.join().unwrap().ok();
        std::fs::remove_file(&file).unwrap();
    });
}

#[test]
fn a_login_that_is_kept_is_found_and_whose_it_is() {
    if Keyring::Keyutils.read("a test").is_err() {
        return skipped("the kernel's keyring cannot be used here: no kept login is looked at");
    }
    let home = start(Rekor::V1);
    let repo = somebody(&Git::installed(), &home);
    repo.config("keyless.credentialStore", "keyutils");
    examined(&repo, &["--offline"], &[]).has("kept-login", "good", "none now");
    log_in(&repo);
    let findings = examined(&repo, &["--offline"], &[]);
    assert_eq!(findings.code, 0, "{:#?}", findings.found);
    findings.has("kept-login", "good", &format!("of {ALICE}, in the kernel's keyring"));
    // Nobody could be asked, and nobody need be.
    findings.has("id-token", "note", "a login is kept for now");
    findings.has("committer-address", "note", &format!("signatures will name {ALICE}"));
    repo.commit("and it does");
    // The same address, whatever its case, is no other one.
    let same = [("GIT_COMMITTER_EMAIL", "Alice@example.test")];
    repo.config("keyless.expectedIdentity", format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    log_in(&repo);
    let findings = examined(&repo, &["--offline"], &same);
    findings.has("expected-identity", "good", ALICE);
    findings.has("kept-login", "good", ALICE);
    findings.has_none("committer-address");
}
