//! Somebody at work: a repository that signs on a sandbox, and a browser with a person at it who logs in as Alice and
//! counts how often.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use git_keyless::sandbox::{Options, Rekor, Sandbox};

use super::Room;
use crate::login::web;
use crate::support::{Answer, Git, PROGRAM, Repo, installed, skipped};

pub(super) const ALICE: &str = "alice@example.test";

/// Leaves the address for the person, unless it is told to be stuck.
const BROWSER: &str = "#!/bin/sh
if [ -e \"$HOME/stuck\" ]; then : > \"$HOME/stuck.address\"; exit; fi
printf %s \"$1\" > \"$HOME/part.$$\" && mv \"$HOME/part.$$\" \"$HOME/address.$$\"
";

pub(super) struct Desk {
    pub(super) sandbox: Sandbox,
    pub(super) repo: Repo,
    logins: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    person: Option<JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (place, program) = (directory.path().join("s"), PROGRAM.into());
        let options = Options { directory: place, rekor: Rekor::V1, failing: Vec::new(), program };
        let sandbox = Sandbox::start(&options).unwrap();
        let repo = Repo::init(&Git::installed(), "sha1");
        repo.config("include.path", sandbox.directory().join("gitconfig"));
        repo.config("keyless.tokenCommand", "");
        repo.config("commit.gpgSign", "false");
        repo.config("keyless.trustedIdentity", format!("{ALICE} {}/email", sandbox.urls().oidc));
        let browser = repo.file("browser", BROWSER);
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        repo.config("keyless.browser", browser);
        std::fs::create_dir(repo.home().join("run")).unwrap();
        let (logins, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let person = {
            let (home, logins, over) = (repo.home().to_path_buf(), Arc::clone(&logins), Arc::clone(&over));
            std::thread::spawn(move || sit(&home, &logins, &over))
        };
        Self { sandbox, repo, logins, over, person: Some(person), _directory: directory }
    }

    pub(super) fn issuer(&self) -> String {
        format!("{}/email", self.sandbox.urls().oidc)
    }

    /// How often Alice has logged in.
    pub(super) fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    /// Lines of shell in the repository, in the room; none where there is no such room.
    pub(super) fn run(&self, room: Room, lines: &str) -> Option<Answer> {
        if let Some(keyring) = room.keyring() {
            self.repo.config("keyless.credentialStore", keyring.name());
        }
        let room = room.command(self.repo.home())?;
        let mut command = self.repo.command(room.get_program());
        command.args(room.get_args()).args(["setsid", "--wait", "sh", "-c", lines]).env_remove("GIT_TERMINAL_PROMPT");
        command.env("XDG_RUNTIME_DIR", self.repo.home().join("run"));
        command.envs(room.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Some(Answer::of(command.output().unwrap()))
    }

    /// What a terminal shows of one line of shell; none where nothing makes terminals. All three streams of the line are
    /// elsewhere, as under git.
    pub(super) fn on_terminal(
        &self,
        line: &str,
        typed: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Option<(i32, String)> {
        let Some(script) = installed("script") else {
            skipped("no script(1), which makes terminals: what is said there was not read");
            return None;
        };
        let screen = self.repo.home().join("screen");
        let mut command = self.repo.command(script);
        command.env_remove("GIT_TERMINAL_PROMPT").env("SHELL", "/bin/sh");
        command.env("XDG_RUNTIME_DIR", self.repo.home().join("run"));
        prepare(&mut command);
        command.arg("-qefc").arg(format!("{line} </dev/null >/dev/null 2>&1")).arg(&screen);
        let answer = crate::support::answer_to(command, typed.as_bytes());
        Some((answer.code, String::from_utf8_lossy(&std::fs::read(screen).unwrap()).into_owned()))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.person.take().map(JoinHandle::join);
    }
}

/// Logs in wherever the browser is sent.
fn sit(home: &Path, logins: &AtomicUsize, over: &AtomicBool) {
    while !over.load(Ordering::SeqCst) {
        for file in std::fs::read_dir(home).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with("address.") {
                let address = std::fs::read_to_string(file.path()).unwrap();
                std::fs::remove_file(file.path()).unwrap();
                logins.fetch_add(1, Ordering::SeqCst);
                let address = web::set_out(&address);
                let mut visited = OpenOptions::new().create(true).append(true).open(home.join("visited")).unwrap();
                writeln!(visited, "{address}").unwrap();
                assert_eq!(web::get(&web::log_in(&address, ALICE)).status, 200);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
