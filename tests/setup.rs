//! `git keyless setup`: what it sets works, what was there comes back, whoever interrupts it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git_keyless::sandbox::{Fault, Rekor, Service};

use crate::sandbox::{Home, start};
use crate::support::{Answer, Git, PROGRAM, Repo};

const ALICE: &str = "alice@example.test";

/// A person with a way to say who she is, and nothing else that concerns us.
fn person(git: &Git, home: &Home) -> Repo {
    let repo = Repo::init(git, "sha1");
    repo.config("user.email", ALICE);
    let directory = home.sandbox.directory().display().to_string();
    repo.config("keyless.tokenCommand", format!("'{PROGRAM}' sandbox token --dir '{directory}' --email {ALICE}"));
    repo
}

fn instance(home: &Home) -> String {
    home.sandbox.directory().join("client_trust_config.json").display().to_string()
}

/// Everything that a configuration file says, in its order.
fn listed(repo: &Repo, scope: &str) -> String {
    let answer = repo.run(["config", scope, "--null", "--get-regexp", "."]);
    assert!(answer.code <= 1, "{}", answer.stderr);
    answer.text()
}

fn setup(repo: &Repo, args: &[&str]) -> Answer {
    repo.keyless(["setup"].iter().chain(args))
}

#[test]
fn one_command_and_git_signs_and_one_and_all_is_as_before() {
    let home = start(Rekor::V1);
    for git in Git::all() {
        for scope in ["--global", "--local"] {
            let repo = person(&git, &home);
            let before = (listed(&repo, "--global"), listed(&repo, "--local"));
            let said = setup(&repo, &[scope, "--yes", "--client-trust-config", &instance(&home)]).ok();
            let issuer = format!("{}/email", home.sandbox.urls().oidc);
            assert!(said.contains(&format!("You are {ALICE} {issuer}: a trial commit was signed")), "{said}");
            assert!(said.contains(&format!("setup {scope} --undo")), "{said}");
            repo.commit("signed");
            repo.ok(["tag", "-m", "a release", "v1"]);
            assert_eq!(repo.ok(["log", "-1", "--format=%G?%GT"]), "Gfully", "git {}", git.version);
            repo.ok(["-c", "gpg.minTrustLevel=fully", "verify-tag", "v1"]);
            let objects = repo.ok(["count-objects"]);
            let again = setup(&repo, &[scope, "--yes", "--client-trust-config", &instance(&home)]).ok();
            assert!(again.contains("is as set-up would make it"), "{again}");
            assert_eq!(repo.ok(["count-objects"]), objects, "a trial leaves nothing in the repository");
            let undone = setup(&repo, &[scope, "--undo"]).ok();
            assert!(undone.contains("keyless.trustedIdentity") && !undone.contains("somebody"), "{undone}");
            assert_eq!((listed(&repo, "--global"), listed(&repo, "--local")), before, "git {}", git.version);
            assert!(setup(&repo, &[scope, "--undo"]).ok().contains("has changed nothing"));
        }
    }
}

/// What people's files look like before.
const FILES: [&str; 9] = [
    "",
    "[gpg]\n\tformat = ssh # mine\n[gpg \"ssh\"]\n\tprogram = /usr/bin/ssh-keygen\n[gpg \"x509\"]\n\tprogram = \"a b\\\"c\"\n",
    "[commit]\n\tgpgSign\n[tag]\n\tgpgSign = false\n",
    "[gpg]\n\tformat = a\n\tformat = b\n\tformat =\n[keyless]\n\ttrustedRoot = /nowhere\n",
    "[gpg]\n\tformat\n",
    "[keyless]\n\ttrustedIdentity = a b\n\ttrustedIdentity =\n\ttrustedIdentity = bob@example.test x\n",
    "[GPG]\n\tFormat = openpgp\n[include]\n\tpath = other\n[COMMIT]\n\tGPGSIGN = no\n",
    "# nothing but a comment\n[gpg]\n",
    "[commit]\n\tgpgSign = \"\"\n[gpg \"x509\"]\n\tprogram = \"line\\nfeed ü\"\n",
];

fn with_file(git: &Git, content: &str) -> Repo {
    let repo = Repo::init(git, "sha1");
    repo.file("gitconfig", content);
    repo.file("other", "[gpg]\n\tformat = included\n");
    repo
}

#[test]
fn whatever_was_there_comes_back() {
    let home = start(Rekor::V1);
    for git in Git::all() {
        for content in FILES {
            let repo = with_file(&git, content);
            let before = listed(&repo, "--global");
            let args = ["--yes", "--no-login", "--client-trust-config", &instance(&home)];
            let said = setup(&repo, &args).ok();
            let shadowed = content.contains("include");
            assert_eq!(said.contains("which outranks this"), shadowed, "{content}\n{said}");
            let last = repo.ok(["config", "--global", "--no-includes", "--get", "gpg.format"]);
            assert!(shadowed || last == "x509", "{content}");
            let dry = setup(&repo, &["--undo", "--dry-run"]).ok();
            assert_ne!(listed(&repo, "--global"), before);
            assert_eq!(setup(&repo, &["--undo"]).ok(), dry, "{content}");
            assert_eq!(listed(&repo, "--global"), before, "git {}: {content}", git.version);
        }
    }
}

#[test]
fn chains_of_set_ups_are_taken_back_whole() {
    let home = start(Rekor::V1);
    let repo = with_file(&Git::installed(), "[keyless]\n\ttrustedRoot = /mine\n");
    let before = listed(&repo, "--global");
    let folder = home.sandbox.directory();
    let file = |name: &str| folder.join(name).display().to_string();
    for (root, config) in [
        (file("trusted_root.json"), file("signing_config.json")),
        (file("client_trust_config.json"), file("client_trust_config.json")),
        (file("trusted_root.json"), file("signing_config.json")),
    ] {
        let args = ["--yes", "--no-login", "--trusted-root", &root, "--signing-config", &config];
        setup(&repo, &args).ok();
        assert_eq!(repo.ok(["config", "keyless.trustedRoot"]), root);
    }
    setup(&repo, &["--undo"]).ok();
    assert_eq!(listed(&repo, "--global"), before);
}

#[test]
fn what_somebody_changed_since_stays_theirs() {
    let home = start(Rekor::V1);
    let repo = with_file(&Git::installed(), "[gpg]\n\tformat = ssh\n[user]\n\tname = A\n");
    setup(&repo, &["--yes", "--no-login", "--client-trust-config", &instance(&home)]).ok();
    repo.config("gpg.format", "openpgp");
    repo.config("commit.gpgSign", "false");
    repo.config("user.name", "B");
    repo.config_add("keyless.trustedIdentity", "bob@example.test x");
    let said = setup(&repo, &["--undo"]).ok();
    assert_eq!(said.matches("somebody has changed it since").count(), 2, "{said}");
    assert!(said.contains("set-up found ssh and set x509"), "{said}");
    let left =
        "gpg.format\nopenpgp\0user.name\nB\0commit.gpgsign\nfalse\0keyless.trustedidentity\nbob@example.test x\0";
    let sorted = |text: &str| {
        let mut entries: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
        entries.sort();
        entries
    };
    assert_eq!(sorted(&listed(&repo, "--global")), sorted(left));
}

/// A git that kills whoever calls it, before or after its `nth` write.
fn deadly_git(repo: &Repo, when: &str, nth: usize) -> PathBuf {
    let folder = repo.home().join("deadly");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let real = real_git(repo);
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' --get-regexp '*|*' --list '*|' version '*) exec '{real}' \"$@\";; esac\n\
         echo >> '{0}/count'\nif [ $(wc -l < '{0}/count') = {nth} ]; then\n\
         [ {when} = before ] || '{real}' \"$@\"\nkill -9 $PPID\nexit 1\nfi\nexec '{real}' \"$@\"\n",
        folder.display()
    );
    let git = folder.join("git");
    std::fs::write(&git, script).unwrap();
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn real_git(repo: &Repo) -> String {
    let answer = Answer::of(repo.command("sh").args(["-c", "command -v git"]).output().unwrap());
    answer.ok()
}

fn with_deadly_git(repo: &Repo, folder: &Path, args: &[&str]) -> Answer {
    let mut command = repo.command(PROGRAM);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    Answer::of(command.arg("setup").args(args).output().unwrap())
}

#[test]
fn whoever_kills_it_finds_everything_again() {
    let home = start(Rekor::V1);
    let instance = instance(&home);
    let args = ["--yes", "--no-login", "--client-trust-config", &instance];
    let mut killed = 0;
    for when in ["before", "after"] {
        for nth in 1..20 {
            let repo = with_file(&Git::installed(), "[gpg]\n\tformat = ssh\n[tag]\n\tgpgSign = 0\n");
            let before = listed(&repo, "--global");
            let deadly = deadly_git(&repo, when, nth);
            if with_deadly_git(&repo, &deadly, &args).code == 0 {
                break;
            }
            killed += 1;
            // Taken back at once; or finished, killed while it is taken back, and taken back.
            match nth % 2 {
                0 => drop(setup(&repo, &["--undo"]).ok()),
                _ => {
                    setup(&repo, &args).ok();
                    assert_eq!(repo.ok(["config", "gpg.format"]), "x509", "{when} {nth}");
                    let deadly = deadly_git(&repo, when, nth);
                    with_deadly_git(&repo, &deadly, &["--undo"]);
                    setup(&repo, &["--undo"]).ok();
                }
            }
            assert_eq!(listed(&repo, "--global"), before, "{when} {nth}");
        }
    }
    assert_eq!(killed, 24, "six keys, each written down and set, before and after");
}

#[test]
fn what_it_does_not_do_unasked() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let before = listed(&repo, "--global");
    let unchanged = |answer: &Answer, code: i32, words: &str| {
        assert_eq!(answer.code, code, "{}{}", answer.text(), answer.stderr);
        assert!(answer.stderr.contains(words) || answer.text().contains(words), "{}{}", answer.text(), answer.stderr);
        assert_eq!(listed(&repo, "--global"), before);
    };
    let instance = instance(&home);
    unchanged(&setup(&repo, &["--client-trust-config", &instance]), 2, "say --yes");
    unchanged(&setup(&repo, &["--client-trust-config", &instance, "--dry-run"]), 0, "gpg.format = x509");
    unchanged(&setup(&repo, &["--yes"]), 2, "nothing says where to sign");
    unchanged(&setup(&repo, &["--yes", "--signing-config", "/nowhere"]), 2, "/nowhere");
    let garbage = repo.file("garbage.json", "{}").display().to_string();
    unchanged(&setup(&repo, &["--yes", "--trusted-root", &garbage, "--signing-config", &instance]), 2, "garbage");
    let outside = setup(&repo, &["--undo", "--local", "--yes"]);
    assert!(outside.code == 0 && outside.text().contains("has changed nothing"));
    setup(&repo, &["--yes", "--verify-only"]).ok();
    assert_eq!(repo.run(["config", "commit.gpgSign"]).code, 1);
    assert_eq!(repo.ok(["config", "gpg.x509.program"]), PROGRAM);
}

#[test]
fn a_machine_is_set_up_for_others() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let system = repo.file("system", "[commit]\n\tgpgSign = no\n");
    let run = |args: &[&str]| {
        let mut command = repo.command(PROGRAM);
        command.env_remove("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", &system);
        Answer::of(command.args(["setup", "--system"]).args(args).output().unwrap()).ok()
    };
    let said = run(&["--yes", "--client-trust-config", &instance(&home)]);
    assert!(said.contains("commit.gpgSign = true   (there: no)") && !said.contains("You are"), "{said}");
    assert!(std::fs::read_to_string(&system).unwrap().contains("signingConfig"));
    run(&["--undo"]);
    assert_eq!(std::fs::read_to_string(&system).unwrap(), "[commit]\n\tgpgSign = no\n");
}

#[test]
fn a_program_that_is_on_path_is_named_as_it_is_there() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let folder = repo.home().join("bin");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(PROGRAM, folder.join("git-keyless")).unwrap();
    let mut command = repo.command(folder.join("git-keyless"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    Answer::of(command.args(["setup", "--yes", "--verify-only"]).output().unwrap()).ok();
    assert_eq!(repo.ok(["config", "gpg.x509.program"]), folder.join("git-keyless").display().to_string());
}

#[test]
fn on_a_public_instance_yes_alone_publishes_nothing() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let root = repo.file("public.json", git_keyless::trust::PUBLIC_GOOD).display().to_string();
    let config = home.sandbox.directory().join("signing_config.json").display().to_string();
    // Who is never asked cannot fail.
    home.sandbox.switch(Service::CertificateAuthority, Fault::Garbage);
    let args = ["--yes", "--trusted-root", &root, "--signing-config", &config];
    let said = setup(&repo, &args).ok();
    assert!(said.contains("for ever") && !said.contains("a trial commit was signed"), "{said}");
    assert_eq!(repo.ok(["config", "keyless.trustedIdentity"]), format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    setup(&repo, &["--undo"]).ok();
    repo.config("keyless.publicIdentity", "allow");
    let tried = setup(&repo, &args);
    assert!(tried.code == 1 && tried.stderr.contains("certificate authority"), "{}", tried.stderr);
    assert_eq!(repo.ok(["config", "gpg.format"]), "x509", "what was set stays");
}

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
fn a_machine_goes_on_with_gitsigns_instance_and_gets_no_file_of_one_persons() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let mut variables = gitsigns(&repo, &home);
    variables.push(("GIT_CONFIG_SYSTEM", repo.file("system", "").display().to_string()));
    variables.push(("GIT_CONFIG_NOSYSTEM", "0".to_owned()));
    let refused = with(&repo, &variables, PROGRAM, &["setup", "--system", "--yes", "--from-gitsign"]);
    assert!(refused.code == 2 && refused.stderr.contains("--client-trust-config FILE"), "{}", refused.stderr);
    with(&repo, &variables, PROGRAM, &["setup", "--system", "--yes"]).ok();
    assert!(!repo.home().join(".config/git-keyless").exists());
    with(&repo, &variables, "git", &["commit", "-q", "--allow-empty", "-m", "after"]).ok();
    assert_eq!(with(&repo, &variables, "git", &["log", "-1", "--format=%G?"]).ok(), "U");
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

/// What a person at a terminal sees who types `typed`.
fn at_terminal(repo: &Repo, typed: &str, args: &str) -> Option<Answer> {
    if crate::support::installed("script").is_none() {
        crate::support::skipped("script is not installed: set-up at a terminal");
        return None;
    }
    let mut command = repo.command("script");
    command.args(["-qec", &format!("'{PROGRAM}' setup {args}"), "/dev/null"]).env("TERM", "dumb");
    Some(crate::support::answer_to(command, typed.as_bytes()))
}

#[test]
fn a_person_is_asked() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let before = listed(&repo, "--global");
    let args = format!("--client-trust-config '{}'", instance(&home));
    for no in ["n\n", "\n", "what?\n"] {
        let Some(refused) = at_terminal(&repo, no, &args) else { return };
        assert!(refused.code == 2 && refused.text().contains("Set these? [y/N]"), "{}", refused.text());
        assert_eq!(listed(&repo, "--global"), before);
    }
    let Some(set) = at_terminal(&repo, "y\nn\n", &args) else { return };
    assert!(set.code == 0 && set.text().contains("make a trial signature?"), "{}", set.text());
    assert_eq!(repo.run(["config", "keyless.trustedIdentity"]).code, 1, "nobody logged in");
    let Some(tried) = at_terminal(&repo, "y\n", &args) else { return };
    assert!(tried.code == 0 && tried.text().contains("a trial commit was signed"), "{}", tried.text());
    setup(&repo, &["--undo"]).ok();
    assert_eq!(listed(&repo, "--global"), before);
}
