//! By which name the instance's files are found again.

use git_keyless::sandbox::Rekor;

use super::{instance, listed, person};
use crate::sandbox::start;
use crate::support::{Answer, Git, PROGRAM, Repo};

/// Set-up from another folder, by the name that the file has from there.
fn setup_in(repo: &Repo, folder: &str, name: &str) -> String {
    let mut command = repo.command(PROGRAM);
    command.current_dir(repo.home().join(folder));
    Answer::of(command.args(["setup", "--yes", "--client-trust-config", name]).output().unwrap()).ok()
}

#[test]
fn the_folder_where_it_was_typed_may_go() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    std::fs::create_dir_all(repo.home().join("gone")).unwrap();
    std::fs::create_dir_all(repo.home().join("kept")).unwrap();
    let file = repo.file("kept/x.json", std::fs::read(instance(&home)).unwrap());
    setup_in(&repo, "gone", "../kept/x.json");
    let named = repo.ok(["config", "keyless.trustedRoot"]);
    assert_eq!(named, file.canonicalize().unwrap().display().to_string());
    let before = listed(&repo, "--global");
    for (folder, name) in [("kept", "x.json"), ("kept", "./x.json"), ("gone", "../gone/../kept/x.json"), (".", &named)]
    {
        assert!(setup_in(&repo, folder, name).contains("is as set-up would make it"), "{name} in {folder}");
        assert_eq!(listed(&repo, "--global"), before, "{name} in {folder}");
    }
    std::fs::remove_dir(repo.home().join("gone")).unwrap();
    repo.commit("still signs");
    assert_eq!(repo.ok(["log", "-1", "--format=%G?"]), "G");
}

#[test]
fn a_link_to_the_file_stays_one() {
    let home = start(Rekor::V1);
    let repo = person(&Git::installed(), &home);
    let link = repo.home().join("current.json");
    std::os::unix::fs::symlink(instance(&home), &link).unwrap();
    setup_in(&repo, "checkout", "../current.json");
    let real = link.parent().unwrap().canonicalize().unwrap().join("current.json");
    assert_eq!(repo.ok(["config", "keyless.signingConfig"]), real.display().to_string());
    repo.commit("signs");
}
