//! `install/install.sh`, from an unpacked release into a prefix with blanks; and that the completions complete.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{Answer, Git, PROGRAM, Repo, skipped};

/// A release as it is unpacked: the program, the man pages, the script.
fn release(repo: &Repo) -> PathBuf {
    let root = repo.home().join("a release");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["install", "man"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        for file in std::fs::read_dir(source.join(folder)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), root.join(folder).join(file.file_name())).unwrap();
        }
    }
    std::os::unix::fs::symlink(PROGRAM, root.join("git-keyless")).unwrap();
    root
}

fn install(repo: &Repo, root: &Path, args: &[&str]) -> Answer {
    let mut command = repo.command("sh");
    command.arg(root.join("install/install.sh")).args(args);
    Answer::of(command.output().unwrap())
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) })
        .collect()
}

#[test]
fn what_is_installed_is_printed_works_and_goes_again() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let (root, prefix) = (release(&repo), repo.home().join("a prefix"));
    let name = prefix.to_str().unwrap();
    let theirs = repo.home().join("a prefix/share/man/man1/theirs.1");
    std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    std::fs::write(&theirs, "").unwrap();
    let said = install(&repo, &root, &["--prefix", name]).ok();
    let listed = |said: &str, word: &str| -> BTreeSet<PathBuf> {
        said.lines().filter_map(|line| line.strip_prefix(word)).map(PathBuf::from).collect()
    };
    let own = BTreeSet::from([theirs.clone(), prefix.join("share/git-keyless/installed")]);
    let put: BTreeSet<_> = files(&prefix).difference(&own).cloned().collect();
    assert_eq!(put, listed(&said, "installed "));
    assert_eq!(put.len(), 6, "{put:?}");
    let version = Answer::of(repo.command(prefix.join("bin/git-keyless")).arg("--version").output().unwrap()).ok();
    assert!(version.starts_with("git-keyless "));
    // Once more over itself; and it does not go while git uses it.
    install(&repo, &root, &["--prefix", name]).ok();
    repo.config("gpg.x509.program", prefix.join("bin/git-keyless"));
    let used = install(&repo, &root, &["--prefix", name, "--uninstall"]);
    assert!(used.code == 1 && used.stderr.contains("setup --undo") && files(&prefix).len() == 8, "{}", used.stderr);
    repo.config_unset("gpg.x509.program");
    let gone = install(&repo, &root, &["--prefix", name, "--uninstall"]).ok();
    assert_eq!(listed(&gone, "removed "), put);
    assert_eq!(files(&prefix), BTreeSet::from([theirs]));
    let folders: BTreeSet<_> = std::fs::read_dir(&prefix).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(folders, BTreeSet::from(["share".into()]), "folders that were there before stay, others go");
    assert_eq!(install(&repo, &root, &["--prefix", name, "--uninstall"]).code, 1);
}

#[test]
fn a_list_that_leads_elsewhere_is_not_followed() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let (root, prefix) = (release(&repo), repo.home().join("p"));
    let name = prefix.to_str().unwrap();
    let outside = repo.file("outside", "mine");
    let folder = repo.home().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let lines = format!("file ../outside\nfile bin/../../outside\nfile {}\nfolder ../folder\n", outside.display());
    for args in [&["--prefix", name][..], &["--prefix", name, "--uninstall"]] {
        install(&repo, &root, &["--prefix", name]).ok();
        let list = prefix.join("share/git-keyless/installed");
        let own = std::fs::read_to_string(&list).unwrap();
        std::fs::write(&list, own + &lines).unwrap();
        let done = install(&repo, &root, args);
        assert!(done.stderr.contains("left alone: ../outside, which"), "{}", done.stderr);
        assert!(!done.text().contains("outside") && done.code == 0, "{}", done.text());
        assert!(outside.is_file() && folder.is_dir());
    }
    assert!(!prefix.exists() || files(&prefix).is_empty());
}

#[test]
fn what_was_not_installed_by_it_is_left_alone() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let (root, prefix) = (release(&repo), repo.home().join("p"));
    std::fs::create_dir_all(prefix.join("bin")).unwrap();
    std::fs::write(prefix.join("bin/git-keyless"), "mine").unwrap();
    let refused = install(&repo, &root, &["--prefix", prefix.to_str().unwrap()]);
    assert!(refused.code == 1 && refused.stderr.contains("was not installed by this"), "{}", refused.stderr);
    assert_eq!(files(&prefix), BTreeSet::from([prefix.join("bin/git-keyless")]));
    for (args, why) in [(&["--prefix"][..], "needs a folder"), (&["--nonsense"], "unknown option")] {
        assert!(install(&repo, &root, args).stderr.contains(why), "{args:?}");
    }
    assert!(install(&repo, &root, &["--help"]).ok().contains("--uninstall"));
}

fn completions(repo: &Repo, shell: &str) -> String {
    repo.keyless(["completions", shell]).ok()
}

/// What bash would offer for `words`, the last of which is being typed.
fn offered(repo: &Repo, before: &str, call: &str, words: &[&str]) -> Vec<String> {
    let file = repo.file("completions.bash", completions(repo, "bash"));
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "{before}\n. '{}'\nCOMP_WORDS=({})\nCOMP_CWORD=$(({} - 1))\nCOMP_LINE='{}'\nCOMP_POINT=${{#COMP_LINE}}\n{call}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        quoted.join(" "),
        words.len(),
        words.join(" "),
    );
    let answer = Answer::of(repo.command("bash").args(["--norc", "-c", &script]).output().unwrap());
    answer.ok().lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn bash_completes_it_by_its_own_name_and_behind_git() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let direct = |words: &[&str]| {
        let [.., previous, current] = words else { panic!() };
        offered(
            &repo,
            "",
            &format!(
                "$(complete -p git-keyless | sed 's/.*-F \\([^ ]*\\).*/\\1/') git-keyless '{current}' '{previous}'"
            ),
            words,
        )
    };
    assert_eq!(direct(&["git-keyless", "ver"]), ["verify"]);
    assert_eq!(direct(&["git-keyless", "setup", "--und"]), ["--undo"]);
    assert_eq!(offered(&repo, "", "_git_keyless", &["git", "keyless", "se"]), ["setup"]);
    assert_eq!(offered(&repo, "", "_git_keyless", &["git", "-C", "a dir", "keyless", "show", "--bun"]), ["--bundle"]);
    let gits = Path::new("/usr/share/bash-completion/completions/git");
    if !gits.is_file() {
        return skipped("git's completion for bash is not installed");
    }
    // Through git's own completion, as a person's shell does it.
    let before = format!("shopt -s extglob\n. '{}'", gits.display());
    let through = |words: &[&str]| offered(&repo, &before, "__git_wrap__git_main", words);
    assert_eq!(through(&["git", "keyless", "doc"]), ["doctor"]);
    assert_eq!(through(&["git", "keyless", "doctor", "--js"]), ["--json"]);
}

#[test]
fn zsh_and_fish_complete_it_too() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let (zsh, fish) = (completions(&repo, "zsh"), completions(&repo, "fish"));
    assert!(zsh.starts_with("#compdef git-keyless\n") && zsh.contains("_git-keyless"));
    assert!(fish.contains("complete -c git-keyless"));
    let Some(shells) = std::env::var_os("GIT_KEYLESS_SHELLS").map(PathBuf::from) else {
        return skipped("GIT_KEYLESS_SHELLS names no zsh and fish: their completions");
    };
    let folder = repo.home().join("completions");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("_git-keyless"), zsh).unwrap();
    std::fs::write(folder.join("git-keyless.fish"), fish).unwrap();
    let libraries = std::fs::read_dir(shells.join("usr/lib")).unwrap().map(|entry| entry.unwrap().path());
    let libraries = std::env::join_paths(libraries).unwrap();
    let run = |program: &str, args: &[&str]| {
        let mut command = repo.command(shells.join(program));
        command.args(args).env("LD_LIBRARY_PATH", &libraries).envs([("SHELLS", &shells), ("COMP", &folder)]);
        Answer::of(command.output().unwrap()).ok()
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/install/completes.zsh");
    for (typed, completed) in [
        ("git-keyless verif", "git-keyless verify "),
        ("git keyless doct", "git keyless doctor "),
        ("git keyless setup --und", "git keyless setup --undo "),
        ("git keyl", "git keyless "),
    ] {
        assert_eq!(run("bin/zsh", &["-f", script, typed]), completed);
    }
    let script = format!("source '{}/git-keyless.fish'; complete -C 'git-keyless setup --und'", folder.display());
    assert!(run("usr/bin/fish", &["--no-config", "-c", &script]).starts_with("--undo"));
}
