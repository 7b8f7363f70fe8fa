//! What somebody meets who knows nothing of it yet: each mistake has its sentence, and the mend can be typed.

use std::os::unix::fs::PermissionsExt as _;

use git_keyless::sandbox::{Fault, Rekor, Service};

use crate::sandbox::{Home, start};
use crate::support::{Answer, Git, PROGRAM, Repo};

const ALICE: &str = "alice@example.test";
const NO_ADDRESS: &str = "git config --global user.email YOU@EXAMPLE.COM";

fn file(home: &Home, name: &str) -> String {
    home.sandbox.directory().join(name).display().to_string()
}

/// A person with a way to log in.
fn person(home: &Home) -> Repo {
    let repo = Repo::init(&Git::installed(), "sha1");
    let directory = home.sandbox.directory().display().to_string();
    repo.config("user.email", ALICE);
    repo.config("keyless.tokenCommand", format!("'{PROGRAM}' sandbox token --dir '{directory}' --email {ALICE}"));
    repo
}

fn global(repo: &Repo) -> String {
    std::fs::read_to_string(repo.home().join("gitconfig")).unwrap_or_default()
}

/// By another process: a file that this one still has open for writing, in whatever child, cannot be run.
fn copied_to(path: &std::path::Path) {
    assert!(std::process::Command::new("cp").arg(PROGRAM).arg(path).status().unwrap().success());
}

fn with(repo: &Repo, args: &[&str], variables: &[(&str, Option<&str>)]) -> Answer {
    let mut command = repo.command(PROGRAM);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Answer::of(command.args(args).output().unwrap())
}

/// As for somebody whom git does not know: no variable, no setting, and no guessing from the machine's name.
fn nobody<'a>() -> [(&'a str, Option<&'a str>); 5] {
    let by_setting = ("GIT_CONFIG_COUNT", Some("1"));
    let (key, value) = (("GIT_CONFIG_KEY_0", Some("user.useConfigOnly")), ("GIT_CONFIG_VALUE_0", Some("true")));
    [("GIT_COMMITTER_EMAIL", None), ("GIT_AUTHOR_EMAIL", None), by_setting, key, value]
}

#[test]
fn who_has_told_git_no_address_is_told_so_before_anything_is_set() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    repo.config_unset("user.email");
    let before = global(&repo);
    let instance = file(&home, "client_trust_config.json");
    let setup = with(&repo, &["setup", "--yes", "--client-trust-config", &instance], &nobody());
    let sentence = format!("git-keyless: git does not know who commits here: {NO_ADDRESS}\n");
    assert_eq!((setup.code, setup.stderr.as_str(), setup.text().as_str()), (2, sentence.as_str(), ""));
    assert_eq!(global(&repo), before);
    let doctor = with(&repo, &["doctor", "--offline"], &nobody());
    assert!(doctor.code == 1, "{}", doctor.text());
    let finding = format!("fault    committer: git does not know who commits here\n         mend it: {NO_ADDRESS}");
    assert!(doctor.text().contains(&finding), "{}", doctor.text());
}

#[test]
fn a_broken_configuration_is_no_question_of_gits_age() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    repo.file("gitconfig", "[broken\n");
    for args in [&["doctor", "--offline"][..], &["setup", "--yes", "--verify-only"]] {
        let said = with(&repo, args, &[]);
        let all = said.text() + &said.stderr;
        assert!(said.code != 0 && all.contains("bad config line") && all.contains("gitconfig"), "{all}");
        assert!(!all.contains("too old") && !all.contains("\\u{a}"), "{all}");
    }
}

#[test]
fn what_the_doctor_says_can_be_typed_and_mends() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    let instance = file(&home, "client_trust_config.json");
    with(&repo, &["setup", "--yes", "--client-trust-config", &instance], &[]).ok();
    repo.ok(["config", "--local", "gpg.x509.program", "/nowhere/git-keyless"]);
    let said = with(&repo, &["doctor", "--offline"], &[]);
    let mend = "git config --local --unset gpg.x509.program";
    assert!(said.code == 1 && said.text().contains(&format!("mend it: {mend}\n")), "{}", said.text());
    Answer::of(repo.command("sh").args(["-c", mend]).output().unwrap()).ok();
    with(&repo, &["doctor", "--offline"], &[]).ok();
    // Not on PATH, in a folder whose name a shell would take apart.
    let folder = repo.home().join("my programs");
    std::fs::create_dir(&folder).unwrap();
    let own = folder.join("git-keyless");
    copied_to(&own);
    repo.config_unset("gpg.x509.program");
    let path = std::env::var("PATH").unwrap();
    let elsewhere = |program: &std::path::Path, args: &[&str]| {
        Answer::of(repo.command(program).env("PATH", &path).args(args).output().unwrap())
    };
    let said = elsewhere(&own, &["doctor", "--offline"]).text();
    assert!(said.contains("warning  path: git-keyless is not on PATH"), "{said}");
    let mend = format!("mend it: '{}' setup\n", own.display());
    assert!(said.contains(&mend), "{said}");
}

#[test]
fn what_did_not_work_does_not_end_like_a_success() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    let instance = file(&home, "client_trust_config.json");
    let setup = || with(&repo, &["setup", "--yes", "--client-trust-config", &instance], &[]);
    home.sandbox.switch(Service::CertificateAuthority, Fault::Garbage);
    let failed = setup();
    assert!(failed.code == 1 && !failed.text().contains("From now on"), "{}", failed.text());
    assert!(failed.stderr.contains("every commit fails until that is mended"), "{}", failed.stderr);
    let repo = person(&home);
    repo.ok(["config", "--local", "commit.gpgSign", "false"]);
    let outranked = with(&repo, &["setup", "--yes", "--no-login", "--client-trust-config", &instance], &[]).ok();
    assert!(!outranked.contains("From now on") && outranked.contains("What outranks it decides here"), "{outranked}");
}

#[test]
fn half_an_instance_is_refused_before_anything_is_set() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    let before = global(&repo);
    let config = file(&home, "signing_config.json");
    let refused = with(&repo, &["setup", "--yes", "--no-login", "--signing-config", &config], &[]);
    assert!(refused.code == 2 && refused.stderr.contains("--trusted-root FILE"), "{}", refused.stderr);
    assert_eq!(global(&repo), before);
    // One that is there already will do.
    repo.config("keyless.trustedRoot", file(&home, "trusted_root.json"));
    with(&repo, &["setup", "--yes", "--no-login", "--signing-config", &config], &[]).ok();
}

#[test]
fn a_machine_counts_only_what_is_the_machines() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    repo.config("keyless.trustedRoot", file(&home, "trusted_root.json"));
    repo.config("keyless.signingConfig", file(&home, "signing_config.json"));
    let system = repo.file("system", "").display().to_string();
    let variables = [("GIT_CONFIG_NOSYSTEM", None), ("GIT_CONFIG_SYSTEM", Some(system.as_str()))];
    let refused = with(&repo, &["setup", "--system", "--yes"], &variables);
    assert!(refused.code == 2 && refused.stderr.contains("nothing says where to sign"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&system).unwrap(), "");
    let program = repo.home().join("git-keyless");
    copied_to(&program);
    let mut command = repo.command(&program);
    command.env_remove("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", &system);
    command.args(["setup", "--system", "--dry-run", "--client-trust-config", &file(&home, "client_trust_config.json")]);
    let said = Answer::of(command.output().unwrap()).ok();
    let note = format!("note: gpg.x509.program = {} is in somebody's home folder", program.display());
    assert!(said.contains(&note), "{said}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let repo = Repo::init(&Git::installed(), "sha1");
    // A lock that somebody left stops also those whom no permission stops.
    repo.file("gitconfig.lock", "");
    let refused = with(&repo, &["setup", "--yes", "--verify-only"], &[]);
    assert_eq!(refused.code, 2);
    let name = repo.home().join("gitconfig").display().to_string();
    assert!(
        refused.stderr.contains(&format!("{name} cannot be written: File exists; nothing was set")),
        "{}",
        refused.stderr
    );
    std::fs::set_permissions(repo.home().join("gitconfig.lock"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let homeless = with(&repo, &["doctor", "--offline"], &[("HOME", None)]);
    assert!(homeless.text().contains("home: HOME is not set"), "{}", homeless.text());
}

#[test]
fn revisions_that_name_nothing() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let said = |command: &str, rev: &str| {
        let answer = repo.keyless([command, rev]);
        assert_eq!(answer.code, 2, "{command} {rev}");
        answer.stderr.lines().last().unwrap_or_default().to_owned()
    };
    for command in ["verify", "show"] {
        assert_eq!(said(command, "HEAD"), "git-keyless: `HEAD` names no object here: there is no commit yet");
    }
    repo.commit_file("f1", "one", "one");
    let blob = repo.id("HEAD:f1");
    for command in ["verify", "show"] {
        for rev in ["nope", "HEAD~5"] {
            assert_eq!(said(command, rev), format!("git-keyless: `{rev}` names no object here"));
        }
        let what = said(command, "HEAD:f1");
        assert_eq!(
            what,
            format!("git-keyless: `HEAD:f1` ({blob}) is a blob; only commits and annotated tags are signed")
        );
    }
}

#[test]
fn a_browser_that_is_not_there_is_named_with_its_setting() {
    let home = start(Rekor::V1);
    let repo = person(&home);
    repo.config_unset("keyless.tokenCommand");
    repo.config("keyless.trustedRoot", file(&home, "trusted_root.json"));
    repo.config("keyless.signingConfig", file(&home, "signing_config.json"));
    repo.config("keyless.browser", "/nonexistent/browser");
    let said = with(&repo, &["login"], &[("GIT_TERMINAL_PROMPT", None)]);
    assert!(said.stderr.contains("/nonexistent/browser, of keyless.browser, is not there"), "{}", said.stderr);
}
