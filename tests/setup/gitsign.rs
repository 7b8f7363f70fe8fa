//! What gitsign is configured with, as it stands and taken over.

use std::path::PathBuf;

use git_keyless::sandbox::Rekor;

use super::{instance, listed, person, setup};
use crate::sandbox::{Home, start};
use crate::support::{Answer, Git, PROGRAM, Repo};

/// gitsign's settings for the sandbox: URLs, and PEM files made of its trusted root.
fn gitsigns(repo: &Repo, home: &Home) -> Vec<(&'static str, String)> {
    let root: serde_json::Value = serde_json::from_slice(home.sandbox.trusted_root()).unwrap();
    let pem = |label: &str, texts: &[&str]| {
        let block = |text: &&str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        texts.iter().map(block).collect::<String>()
    };
    let wrapped = |value: &serde_json::Value| {
        let text = value["rawBytes"].as_str().unwrap();
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
    };
    let chain = &root["certificateAuthorities"][0]["certChain"]["certificates"];
    let mut chain: Vec<_> = chain.as_array().unwrap().iter().map(wrapped).collect();
    chain.reverse();
    let chain = pem("CERTIFICATE", &chain.iter().map(String::as_str).collect::<Vec<_>>());
    let log = root["tlogs"].as_array().unwrap().iter().find(|log| log["baseUrl"] == "https://rekor.sandbox.invalid");
    let log = pem("PUBLIC KEY", &[&wrapped(&log.unwrap()["publicKey"])]);
    let ct_log = pem("PUBLIC KEY", &[&wrapped(&root["ctlogs"][0]["publicKey"])]);
    let file = |name: &str, text: &str| repo.file(name, text).display().to_string();
    let urls = home.sandbox.urls();
    for (name, value) in [
        ("fulcio", &urls.fulcio),
        ("rekor", &urls.rekor_v1),
        ("issuer", &urls.oidc),
        ("fulcioRoot", &file("fulcio.pem", &chain)),
    ] {
        repo.config(&format!("gitsign.{name}"), value);
    }
    vec![
        ("SIGSTORE_REKOR_PUBLIC_KEY", file("rekor.pem", &log)),
        ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", file("ct.pem", &ct_log)),
    ]
}

fn with(repo: &Repo, variables: &[(&'static str, String)], program: &str, args: &[&str]) -> Answer {
    let mut command = repo.command(program);
    Answer::of(command.args(args).envs(variables.iter().map(|(name, value)| (*name, value))).output().unwrap())
}

#[test]
fn gitsigns_settings_sign_and_verify_as_they_stand_and_are_taken_over() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let variables = gitsigns(&repo, &home);
    repo.config("gpg.format", "x509");
    repo.config("gpg.x509.program", PROGRAM);
    let commit = ["commit", "-q", "-S", "--allow-empty", "-m", "as gitsign does"];
    with(&repo, &variables, "git", &commit).ok();
    let letter =
        |variables: &[(&'static str, String)]| with(&repo, variables, "git", &["log", "-1", "--format=%G?"]).ok();
    assert_eq!(letter(&variables), "U");
    // Any word of ours on trust, and gitsign's no longer counts: the public root judges, and knows nobody here.
    repo.config("keyless.requireTrusted", "false");
    assert_eq!(letter(&variables), "E");
    repo.config_unset("keyless.requireTrusted");
    // A part of an instance signs nothing.
    repo.config_unset("gitsign.rekor");
    let part = with(&repo, &variables, "git", &commit);
    let mut direct = repo.command(PROGRAM);
    direct.args(["--status-fd=2", "-bsau", "x"]).envs(variables.iter().map(|(name, value)| (*name, value)));
    let direct = crate::support::answer_to(direct, b"payload\n");
    assert!(part.code == 128 && direct.stderr.contains("gitsign.fulcio in "), "{}", direct.stderr);
    repo.config("gitsign.rekor", &home.sandbox.urls().rekor_v1);
    repo.config("gitsign.connectorID", "https://github.com/login/oauth");
    repo.config("gitsign.autoclose", "true");
    let before = listed(&repo, "--global");
    let dry = with(&repo, &variables, PROGRAM, &["setup", "--from-gitsign", "--dry-run"]).ok();
    assert!(dry.contains("left: gitsign.autoclose") && !repo.home().join(".config/git-keyless").exists(), "{dry}");
    let said = with(&repo, &variables, PROGRAM, &["setup", "--from-gitsign", "--yes"]).ok();
    assert!(said.contains("keyless.connectorId = https://github.com/login/oauth") && said.contains("trial"), "{said}");
    // Now without any variable.
    repo.commit("ours");
    assert_eq!(repo.ok(["log", "-1", "--format=%G?"]), "G");
    repo.ok(["verify-commit", "HEAD^"]);
    let file = PathBuf::from(repo.ok(["config", "keyless.signingConfig"]));
    assert!(file.is_file() && file.starts_with(repo.home()), "{}", file.display());
    let undone = setup(&repo, &["--undo"]).ok();
    assert_eq!(listed(&repo, "--global"), before);
    assert_eq!(undone.matches(&format!("{} stays", file.display())).count(), 1, "{undone}");
}

#[test]
fn whoever_has_gitsigns_instance_keeps_it_through_a_plain_set_up() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let variables = gitsigns(&repo, &home);
    repo.config("gitsign.clientID", "sigstore");
    let before = listed(&repo, "--global");
    let said = with(&repo, &variables, PROGRAM, &["setup", "--yes"]).ok();
    assert!(
        said.contains("only gitsign's settings say where to sign") && said.contains("a trial commit was signed"),
        "{said}"
    );
    assert_eq!(repo.ok(["config", "keyless.clientId"]), "sigstore");
    for variables in [&variables[..], &[]] {
        with(&repo, variables, "git", &["commit", "-q", "--allow-empty", "-m", "after"]).ok();
        assert_eq!(with(&repo, variables, "git", &["log", "-1", "--format=%G?"]).ok(), "G");
    }
    let again = with(&repo, &variables, PROGRAM, &["setup", "--yes"]).ok();
    assert!(again.contains("is as set-up would make it"), "{again}");
    setup(&repo, &["--undo"]).ok();
    assert_eq!(listed(&repo, "--global"), before);
    // Once a root of ours counts, gitsign's services do not, and nothing would say where to sign.
    let root = home.sandbox.directory().join("trusted_root.json").display().to_string();
    let half = with(&repo, &variables, PROGRAM, &["setup", "--yes", "--trusted-root", &root]);
    assert!(half.code == 2 && half.stderr.contains("nothing says where to sign"), "{}", half.stderr);
    assert_eq!(listed(&repo, "--global"), before);
}

#[test]
fn a_machine_goes_on_with_its_gitsigns_instance_and_gets_nothing_of_one_persons() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let mut variables = gitsigns(&repo, &home);
    let system = repo.file("system", "");
    variables.push(("GIT_CONFIG_SYSTEM", system.display().to_string()));
    variables.push(("GIT_CONFIG_NOSYSTEM", "0".to_owned()));
    let set_up = |more: &[&str]| with(&repo, &variables, PROGRAM, &[&["setup", "--system", "--yes"], more].concat());
    repo.config("gitsign.connectorID", "https://c.test");
    for more in [&[][..], &["--from-gitsign"]] {
        let persons = set_up(more);
        assert!(persons.code == 2 && persons.stderr.contains("nothing says where to sign"), "{}", persons.stderr);
        assert!(persons.text().contains("do not count: the machine is everybody's"), "{}", persons.text());
        assert_eq!(std::fs::read_to_string(&system).unwrap(), "");
    }
    let named = ["--from-gitsign", "--dry-run", "--client-trust-config", &instance(&home)];
    assert!(!set_up(&named).ok().contains("connectorId"), "one person's is not the machine's");
    // The same in the machine's own file.
    for name in ["fulcio", "rekor", "issuer", "fulcioRoot"] {
        let key = format!("gitsign.{name}");
        repo.ok(["config", "--file", system.to_str().unwrap(), &key, &repo.ok(["config", "--global", &key])]);
        repo.config_unset(&key);
    }
    let refused = set_up(&["--from-gitsign"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("which others on this machine cannot read"),
        "{}",
        refused.stderr
    );
    let said = set_up(&[]).ok();
    assert!(!said.contains("do not count"), "{said}");
    assert!(!repo.home().join(".config/git-keyless").exists());
    repo.config_unset("gitsign.connectorID");
    with(&repo, &variables, "git", &["commit", "-q", "--allow-empty", "-m", "after"]).ok();
    assert_eq!(with(&repo, &variables, "git", &["log", "-1", "--format=%G?"]).ok(), "U");
    repo.ok(["config", "--file", system.to_str().unwrap(), "gitsign.connectorID", "https://c.test"]);
    assert!(set_up(&named).ok().contains("keyless.connectorId = https://c.test"));
}

#[test]
fn an_instance_that_is_named_is_not_mixed_with_gitsigns() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let before = listed(&repo, "--global");
    let wanted = ["--yes", "--no-login", "--from-gitsign", "--client-trust-config", &instance(&home)];
    for (name, value) in
        [("issuer", "https://oauth2.sigstore.dev/auth"), ("clientID", "sigstore"), ("connectorID", "https://c.test")]
    {
        repo.config(&format!("gitsign.{name}"), value);
    }
    let said = setup(&repo, &wanted).ok();
    for left in ["gitsign.issuer in ", "gitsign.clientID in "] {
        assert!(said.contains(&format!("left: {left}")), "{said}");
    }
    assert!(!said.contains("keyless.issuer") && !said.contains("keyless.clientId"), "{said}");
    assert_eq!(repo.ok(["config", "keyless.connectorId"]), "https://c.test");
    setup(&repo, &["--undo"]).ok();
    assert_ne!(listed(&repo, "--global"), before);
}

#[test]
fn who_takes_it_back_in_one_repository_leaves_the_other_alone() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let variables = gitsigns(&repo, &home);
    let other = repo.home().join("other");
    repo.ok(["init", "-q", "-b", "main", other.to_str().unwrap()]);
    let there = ["-C", other.to_str().unwrap()];
    let set_up = ["keyless", "setup", "--local", "--from-gitsign", "--yes", "--no-login"];
    with(&repo, &variables, "git", &set_up).ok();
    let file = PathBuf::from(repo.ok(["config", "keyless.signingConfig"]));
    // What an interrupted one has left there is not taken for the whole.
    std::fs::write(&file, "{").unwrap();
    with(&repo, &variables, "git", &[&there[..], &set_up].concat()).ok();
    setup(&repo, &["--local", "--undo"]).ok();
    repo.ok([&there[..], &["commit", "-q", "--allow-empty", "-m", "still signs"]].concat());
    assert_eq!(repo.ok([&there[..], &["log", "-1", "--format=%G?"]].concat()), "U");
    let left: Vec<_> = std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [file], "nothing lies beside it");
}
