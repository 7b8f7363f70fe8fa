//! `git keyless setup`: what it sets works, what was there comes back, whoever interrupts it.

mod gitsign;
mod places;

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
            // The end is what a commit will look like: the next one does, but for its time.
            let (_, look) = said.split_once("git log says G for %G?, and with --show-signature:\n").unwrap();
            let timeless = |line: &str| line.split_once(" at 20").unwrap().0.trim().to_owned();
            assert!(
                look.lines().count() == 1 && look.contains(&format!("good signature by {ALICE} ({issuer}) at ")),
                "{look}"
            );
            repo.commit("signed");
            let shown = repo.ok(["log", "-1", "--show-signature", "--format="]);
            assert_eq!(timeless(look), timeless(&shown));
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

/// A script that provisions the machine, and the person who does not wait for it.
#[test]
fn several_at_once_are_as_one() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    repo.config("gpg.format", "ssh");
    repo.config("commit.gpgSign", "false");
    let before = listed(&repo, "--global");
    let config = instance(&home);
    for args in [&["--yes", "--no-login", "--client-trust-config", &config][..], &["--undo"]] {
        let all: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| setup(&repo, args))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(all.iter().all(|answer| answer.code == 0), "{args:?}: {all:?}");
        for key in ["gpg.format", "gpg.x509.program", "commit.gpgSign", "keyless.signingConfig"] {
            let values = repo.run(["config", "--global", "--get-all", key]).text();
            assert!(values.lines().count() <= 1, "{args:?}: {key} is {values}");
        }
    }
    assert_eq!(listed(&repo, "--global"), before);
}

/// What older versions wrote when two of them ran at once is taken back too.
#[test]
fn what_was_set_twice_is_taken_back() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    repo.config("gpg.format", "ssh");
    let before = listed(&repo, "--global");
    setup(&repo, &["--yes", "--no-login", "--client-trust-config", &instance(&home)]).ok();
    for key in ["keyless-setup.change", "gpg.format", "tag.gpgSign"] {
        let values = repo.ok(["config", "--global", "--get-all", key]);
        values.lines().for_each(|value| repo.config_add(key, value));
    }
    let undone = setup(&repo, &["--undo"]).ok();
    assert!(!undone.contains("somebody"), "{undone}");
    assert_eq!(listed(&repo, "--global"), before);
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
    assert!(said.contains("See them with git log --show-signature") && !said.contains("%G?"), "{said}");
    assert_eq!(repo.ok(["config", "keyless.trustedIdentity"]), format!("{ALICE} {}/email", home.sandbox.urls().oidc));
    setup(&repo, &["--undo"]).ok();
    repo.config("keyless.publicIdentity", "allow");
    let tried = setup(&repo, &args);
    assert!(tried.code == 1 && tried.stderr.contains("certificate authority"), "{}", tried.stderr);
    assert_eq!(repo.ok(["config", "gpg.format"]), "x509", "what was set stays");
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
