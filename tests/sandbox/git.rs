//! The settings that a sandbox writes are all that a person needs: under every git, with either Rekor.

use git_keyless::sandbox::Rekor;

use super::start;
use crate::support::{Git, Repo};

#[test]
fn its_settings_are_all_that_git_needs() {
    for (rekor, hash) in [(Rekor::V1, "sha1"), (Rekor::V2, "sha256")] {
        let home = start(rekor);
        for git in Git::all() {
            let repo = Repo::init(&git, hash);
            repo.config("include.path", home.sandbox.directory().join("gitconfig"));
            repo.config("user.email", "alice@example.test");
            repo.config("keyless.trustedIdentity", format!("alice@example.test {}/email", home.sandbox.urls().oidc));
            repo.commit("one");
            repo.ok(["tag", "-m", "a release", "v1"]);
            let judged = repo.keyless(["verify", "--require-identity", "--json", "HEAD", "v1"]).ok();
            assert_eq!(judged.matches("\"instance\":\"sandbox\"").count(), 2, "{judged}");
            assert_eq!(repo.ok(["log", "-1", "--format=%G?%GT"]), "Gfully");
            let shown = repo.ok(["log", "-1", "--show-signature"]);
            assert!(
                shown.contains("good signature by alice@example.test") && shown.contains("in a sandbox"),
                "{shown}"
            );
            repo.ok(["-c", "user.email=bob@example.test", "commit", "-q", "--allow-empty", "-m", "by Bob"]);
            assert_eq!(repo.ok(["log", "-1", "--format=%G?"]), "U");
        }
    }
}
