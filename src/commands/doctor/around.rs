//! What is around: the kind of place, other programs that sign, what this git and this clone cannot do.

use super::{Finding, last, place};
use crate::outside::git::{self, Seen};
use crate::outside::oidc::{Platform, Surroundings};
use crate::outside::terminal;

/// Since then git shows what the program said that did not sign.
const TELLS_WHY: (u32, u32) = (2, 40);
/// Settings of programs that sign for git, in other formats.
const OTHERS: [&str; 5] = [
    "gpg.program",
    "gpg.openpgp.program",
    "gpg.ssh.program",
    "gpg.ssh.defaultKeyCommand",
    "gpg.ssh.allowedSignersFile",
];

pub(super) fn examine(seen: &[Seen]) -> Vec<Finding> {
    let mut findings = vec![spoken_to()];
    findings.extend([surroundings(), silent_git(), shallow(), signing_key(seen), others(seen)].into_iter().flatten());
    findings
}

/// Whether people hear what is said.
fn spoken_to() -> Finding {
    match terminal::device() {
        Some(_) => Finding::good("terminal", &"there is one: people are spoken to there"),
        None => Finding::note("terminal", &"there is none: nobody hears who signs, or can be shown a code"),
    }
}

/// It decides how people are asked to log in.
fn surroundings() -> Option<Finding> {
    let here = Surroundings::found();
    let first = |names: &[&'static str]| names.iter().find(|name| here.variable(name).is_some()).copied();
    let remote = first(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]);
    let workspace = first(&["CODESPACES", "GITPOD_WORKSPACE_ID", "CLOUD_SHELL"]);
    let editor = first(&["REMOTE_CONTAINERS", "DEVCONTAINER"]);
    let kinds = [
        remote.map(|name| format!("a session over SSH ({name} is set)")),
        workspace.map(|name| format!("a workspace in somebody's cloud ({name} is set)")),
        editor.map(|name| format!("a container of an editor ({name} is set)")),
        here.container.then(|| "a container of Docker or Podman".to_owned()),
        (here.platform() == Platform::Wsl).then(|| "Linux inside Windows (WSL)".to_owned()),
    ];
    let kinds: Vec<_> = kinds.into_iter().flatten().collect();
    (!kinds.is_empty()).then(|| Finding::note("surroundings", &format!("this is {}", kinds.join(", and "))))
}

fn silent_git() -> Option<Finding> {
    let said = git::version().ok()?;
    let mut parts = said.trim_start_matches("git version ").split('.').map(|part| part.parse::<u32>().ok());
    let version = (parts.next()??, parts.next()??);
    (version < TELLS_WHY).then(|| {
        Finding::note(
            "git-features",
            &format!(
                "before {}.{} git keeps to itself why a signature failed; this command and git keyless login say it",
                TELLS_WHY.0, TELLS_WHY.1
            ),
        )
    })
}

fn shallow() -> Option<Finding> {
    let answer = git::output(&["rev-parse", "--is-shallow-repository"]).ok()?;
    (answer.trim_ascii() == b"true").then(|| {
        let found =
            "this clone is shallow: commits that it lacks cannot be verified; git fetch --unshallow brings them";
        Finding::note("shallow", &found)
    })
}

/// git hands it over (`-u`), and it names no key of ours.
fn signing_key(seen: &[Seen]) -> Option<Finding> {
    let found = last(seen, "user.signingKey").filter(|_| is_ours(seen))?;
    let found = format!("user.signingKey, from {}, chooses nothing: whoever logs in signs", place(found));
    Some(Finding::note("signing-key", &found))
}

fn others(seen: &[Seen]) -> Option<Finding> {
    let named = OTHERS.iter().filter_map(|key| Some(format!("{key} from {}", place(last(seen, key)?))));
    let named: Vec<_> = named.collect();
    (is_ours(seen) && !named.is_empty()).then(|| {
        let named = named.join(", ");
        Finding::note("other-signers", &format!("{named}: git verifies such signatures by it, and makes none"))
    })
}

/// Whether git signs in our format.
fn is_ours(seen: &[Seen]) -> bool {
    last(seen, "gpg.format").is_some_and(|found| found.value.as_deref() == Some("x509"))
}
