//! Logging in: real git, the sandbox's provider, and a scripted client that plays the person at the browser.

mod ambient;
mod browser;
mod choice;
mod client;
mod device;
mod failures;
mod server;
#[cfg(unix)]
mod spiffe;
pub(crate) mod web;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use git_keyless::outside::http::Http;
use git_keyless::outside::oidc::{
    self, Asking, DEFAULT_AUDIENCE, Login, Occasion, Opener, Person, Source, SourceFailure, Way,
};
use git_keyless::sandbox::{Options, Rekor, Sandbox};

use crate::support::{Answer, Git, PROGRAM, Repo, installed, skipped};

const ALICE: &str = "alice@example.com";

/// As long as a busy machine may need.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox and a repository that signs with it, in which nothing says who signs.
struct Room {
    sandbox: Sandbox,
    repo: Repo,
    _directory: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            directory: directory.path().join("s"),
            rekor: Rekor::V1,
            failing: Vec::new(),
            program: PROGRAM.into(),
        };
        let sandbox = Sandbox::start(&options).unwrap();
        let repo = Repo::init(&Git::installed(), "sha1");
        repo.config("include.path", sandbox.directory().join("gitconfig"));
        repo.config("keyless.tokenCommand", "");
        repo.config("keyless.credentialStore", "none");
        repo.config("keyless.trustedIdentity", format!("{ALICE} {}/email", sandbox.urls().oidc));
        Self { sandbox, repo, _directory: directory }
    }

    fn issuer(&self) -> String {
        format!("{}/email", self.sandbox.urls().oidc)
    }

    /// A browser that leaves the address in a file, then does what `then` says.
    fn browser(&self, then: &str) -> PathBuf {
        let script = "#!/bin/sh\nprintf %s \"$1\" > \"$HOME/part\" && mv \"$HOME/part\" \"$HOME/address\"\n";
        let path = self.repo.file("a browser", format!("{script}{then}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// What that browser was started with.
    fn start(&self) -> String {
        let file = self.repo.home().join("address");
        wait_for(|| std::fs::read_to_string(&file).ok())
    }

    /// Where that browser was sent.
    fn address(&self) -> String {
        web::set_out(&self.start())
    }

    /// `git commit` without any terminal, where a person may be asked.
    fn commit(&self) -> Command {
        let mut command = self.repo.command("setsid");
        command.args(["--wait", "git", "commit", "-q", "--allow-empty", "-m", "one"]);
        command.env_remove("GIT_TERMINAL_PROMPT");
        command
    }

    /// What git runs then. Not every git repeats what it said.
    fn sign(&self) -> Command {
        let payload = self.repo.file("payload", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nx\n");
        let mut command = self.repo.command("setsid");
        command.args(["--wait", PROGRAM, "--status-fd=2", "-bsau", "key"]).env_remove("GIT_TERMINAL_PROMPT");
        command.stdin(std::fs::File::open(payload).unwrap());
        command
    }

    /// The last commit is good, and Alice's.
    #[track_caller]
    fn check_signed(&self) {
        let answer = self.repo.keyless(["verify", "--require-identity", "HEAD"]);
        assert_eq!(answer.code, 0, "{} {}", answer.text(), answer.stderr);
        assert!(answer.text().contains(ALICE), "{}", answer.text());
    }

    /// There is no commit.
    #[track_caller]
    fn check_unsigned(&self) {
        assert_ne!(self.repo.run(["rev-parse", "--verify", "HEAD"]).code, 0);
    }

    /// Somebody who is asked through the library, by a browser that is told where to go.
    fn person(&self, way: Way) -> Person {
        let browser = self.browser("");
        let home = self.repo.home().display();
        Person {
            login: Login {
                issuer: self.issuer(),
                client_id: DEFAULT_AUDIENCE.to_owned(),
                client_secret: None,
                connector: None,
            },
            way,
            opener: Opener::command(&format!("env 'HOME={home}' '{}' %s", browser.display())).unwrap(),
            forwarded: false,
            qr: false,
            occasion: Occasion { repository: "a/<b>".into(), host: "here".into() },
            browser_limit: PATIENCE,
        }
    }
}

/// A command that began.
struct Running(mpsc::Receiver<Answer>);

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(Answer::of(child.wait_with_output().unwrap())));
        Self(receiver)
    }

    #[track_caller]
    fn end(self) -> Answer {
        self.0.recv_timeout(PATIENCE).expect("it did not end")
    }
}

/// Signing, with a person in a terminal of their own, whose screen is a file.
struct Terminal {
    screen: PathBuf,
    running: Running,
}

impl Terminal {
    /// None where there is no script(1), which makes the terminal. All three streams of `line` are files, as under git.
    fn start(room: &Room, line: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let Some(script) = installed("script") else {
            skipped("no script(1), which makes terminals: logging in with a code was not tried");
            return None;
        };
        let screen = room.repo.home().join("screen");
        let mut command = room.repo.command(script);
        command.env_remove("GIT_TERMINAL_PROMPT").env("TERM", "xterm").env("SHELL", "/bin/sh");
        command.envs(variables.iter().copied());
        let out = room.repo.home().display();
        command.arg("-qefc").arg(format!("{line} </dev/null >'{out}/out' 2>'{out}/err'")).arg(&screen);
        Some(Self { screen, running: Running::start(command) })
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.screen).unwrap_or_default()).into_owned()
    }

    /// What stands behind `label` on the screen.
    fn shown(&self, label: &str) -> String {
        wait_for(|| {
            let screen = self.screen();
            let (_, rest) = screen.split_once(label)?;
            let (line, _) = rest.split_once(['\r', '\n'])?;
            Some(line.trim().to_owned())
        })
    }

    /// Exit code, screen, standard output and standard error.
    #[track_caller]
    fn end(self, room: &Room) -> (i32, String, String, String) {
        let Self { screen, running } = self;
        let code = running.end().code;
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let file = |name: &str| text(&room.repo.home().join(name));
        (code, text(&screen), file("out"), file("err"))
    }
}

/// Asks through the library, while `meanwhile` does what a person does.
fn asked<T>(person: &Person, deadline: Duration, meanwhile: impl FnOnce() -> T) -> (Result<String, String>, T) {
    let source = Source::Person(Box::new(person.clone()));
    let request = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = Http::new();
        let asking = Asking { http: &http, audience: DEFAULT_AUDIENCE, deadline };
        let token = runtime.block_on(oidc::request(&source, asking));
        token.map(|token| token.reveal().to_owned()).map_err(|failure: SourceFailure| failure.to_string())
    };
    std::thread::scope(|scope| {
        let asking = scope.spawn(request);
        let done = meanwhile();
        (asking.join().unwrap(), done)
    })
}

#[track_caller]
fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "nothing came");
        std::thread::sleep(Duration::from_millis(5));
    }
}
