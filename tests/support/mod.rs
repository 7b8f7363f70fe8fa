//! Real git in a room of its own: no setting, variable or key of whoever runs the tests gets in.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

/// The program under test; where the library alone is built there is none.
pub(crate) const PROGRAM: &str = match option_env!("CARGO_BIN_EXE_git-keyless") {
    Some(program) => program,
    None => "/nonexistent/git-keyless",
};

/// What git signs as when nobody says otherwise.
pub(crate) const COMMITTER: (&str, &str) = ("Committer", "committer@example.test");

/// One git: the installed one, or one in a folder of `$GIT_KEYLESS_GITS`.
#[derive(Clone, Debug)]
pub(crate) struct Git {
    bin: Option<PathBuf>,
    pub(crate) version: String,
}

impl Git {
    /// The installed one.
    pub(crate) fn installed() -> Self {
        Self::of(None)
    }

    /// The installed one and those of `$GIT_KEYLESS_GITS`, folders with colons between them.
    pub(crate) fn all() -> Vec<Self> {
        let named = std::env::var_os("GIT_KEYLESS_GITS").unwrap_or_default();
        let folders = std::env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty());
        std::iter::once(Self::installed()).chain(folders.map(|folder| Self::of(Some(folder)))).collect()
    }

    fn of(bin: Option<PathBuf>) -> Self {
        let mut git = Self { bin, version: String::new() };
        let nowhere = TempDir::new().unwrap();
        let output = git.command(nowhere.path(), nowhere.path(), "git").arg("version").output().expect("no git");
        git.version = String::from_utf8(output.stdout).unwrap().trim_start_matches("git version ").trim().to_owned();
        assert!(!git.version.is_empty(), "{:?} holds no git", git.bin);
        git
    }

    /// `program` with this git in front of PATH and nothing else of our environment.
    pub(crate) fn command(&self, home: &Path, directory: &Path, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(directory).stdin(Stdio::null());
        for kept in ["TMPDIR", "LLVM_PROFILE_FILE", "SystemRoot"] {
            command.envs(std::env::var_os(kept).map(|value| (kept, value)));
        }
        let ours = Path::new(PROGRAM).parent().map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = self.bin.clone().into_iter().chain(ours).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command.envs([("HOME", home), ("GIT_CONFIG_GLOBAL", &home.join("gitconfig"))]);
        command.envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_EDITOR", "true"),
            ("GIT_AUTHOR_NAME", "Author"),
            ("GIT_AUTHOR_EMAIL", "author@example.test"),
            ("GIT_COMMITTER_NAME", COMMITTER.0),
            ("GIT_COMMITTER_EMAIL", COMMITTER.1),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
        ]);
        command
    }
}

/// What a program said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Standard output, if the program succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "exit {}\n{}\n{}", self.code, self.text(), self.stderr);
        self.text()
    }
}

/// A repository, its HOME and its git.
pub(crate) struct Repo {
    pub(crate) git: Git,
    pub(crate) path: PathBuf,
    home: TempDir,
}

impl Repo {
    /// `hash` is `sha1` or `sha256`.
    pub(crate) fn init(git: &Git, hash: &str) -> Self {
        let home = TempDir::new().unwrap();
        let path = home.path().join("checkout");
        std::fs::create_dir(&path).unwrap();
        let repo = Self { git: git.clone(), path, home };
        repo.run(["init", "-q", "-b", "main", &format!("--object-format={hash}")]).ok();
        repo
    }

    /// Its HOME: a place for files beside the repository.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file beside the repository.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A setting of the user.
    pub(crate) fn config(&self, key: &str, value: impl AsRef<OsStr>) {
        self.run([OsStr::new("config"), OsStr::new("--global"), OsStr::new(key), value.as_ref()]).ok();
    }

    /// One more value of a setting with several.
    pub(crate) fn config_add(&self, key: &str, value: &str) {
        self.run(["config", "--global", "--add", key, value]).ok();
    }

    /// Takes a setting away.
    pub(crate) fn config_unset(&self, key: &str) {
        self.run(["config", "--global", "--unset-all", key]).ok();
    }

    /// `program` in the repository, in the same room.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.git.command(self.home(), &self.path, program)
    }

    /// git, whatever it answers.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Answer {
        Answer::of(self.command("git").args(args).output().unwrap())
    }

    /// git, which must succeed.
    #[track_caller]
    pub(crate) fn ok<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        self.run(args).ok()
    }

    /// git with something to read.
    pub(crate) fn run_with<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>, input: &[u8]) -> Answer {
        let mut command = self.command("git");
        command.args(args);
        answer_to(command, input)
    }

    /// The program itself.
    pub(crate) fn keyless<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Answer {
        Answer::of(self.command(PROGRAM).args(args).output().unwrap())
    }

    /// The program itself, as git calls it to sign.
    pub(crate) fn sign(&self, payload: &[u8]) -> Answer {
        let mut command = self.command(PROGRAM);
        command.args(["--status-fd=2", "-bsau", "key"]);
        answer_to(command, payload)
    }

    /// An empty commit; its id.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) -> String {
        self.ok(["commit", "-q", "--allow-empty", "-m", message]);
        self.id("HEAD")
    }

    /// A commit that writes one file; its id.
    #[track_caller]
    pub(crate) fn commit_file(&self, name: &str, content: &str, message: &str) -> String {
        std::fs::write(self.path.join(name), content).unwrap();
        self.ok(["add", name]);
        self.commit(message)
    }

    /// What `rev` names.
    #[track_caller]
    pub(crate) fn id(&self, rev: &str) -> String {
        self.ok(["rev-parse", rev])
    }

    /// Kind and raw bytes of an object.
    #[track_caller]
    pub(crate) fn raw(&self, rev: &str) -> (String, Vec<u8>) {
        let kind = self.ok(["cat-file", "-t", rev]);
        let answer = self.run(["cat-file", &kind, rev]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        (kind, answer.stdout)
    }

    /// Stores raw bytes; the new id.
    #[track_caller]
    pub(crate) fn write(&self, kind: &str, raw: &[u8]) -> String {
        self.run_with(["hash-object", "-t", kind, "-w", "--stdin"], raw).ok()
    }
}

/// Runs `command` with `input`, which it may leave unread.
pub(crate) fn answer_to(mut command: Command, input: &[u8]) -> Answer {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut pipe, input));
        Answer::of(child.wait_with_output().unwrap())
    })
}

/// Payload and signature of raw bytes, in the few lines that well-formed objects need: a second opinion on the
/// program's own split.
pub(crate) fn split(kind: &str, raw: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut payload, mut signature) = (Vec::new(), Vec::new());
    if kind != "commit" {
        let begin = b"-----BEGIN SIGNED MESSAGE-----";
        let at = (0..raw.len()).rev().find(|&at| raw[at..].starts_with(begin) && raw[at - 1] == b'\n');
        let (payload, signature) = raw.split_at(at.unwrap_or(raw.len()));
        return (payload.to_vec(), signature.to_vec());
    }
    let head = raw.windows(2).position(|pair| pair == b"\n\n").map_or(raw.len(), |at| at + 1);
    let mut inside = false;
    for line in raw[..head].split_inclusive(|&byte| byte == b'\n') {
        let value = line.strip_prefix(b"gpgsig ").or(line.strip_prefix(b"gpgsig-sha256 "));
        inside = value.is_some() || inside && line.starts_with(b" ");
        match (inside, value) {
            (true, Some(value)) => signature.extend_from_slice(value),
            (true, None) => signature.extend_from_slice(&line[1..]),
            (false, _) => payload.extend_from_slice(line),
        }
    }
    payload.extend_from_slice(&raw[head..]);
    (payload, signature)
}

/// The program in PATH, if it is there.
pub(crate) fn installed(program: &str) -> Option<OsString> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .map(PathBuf::into_os_string)
}

/// What tests have installed for themselves.
pub(crate) fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).unwrap_or_default().join("git-keyless")
}

/// Says once that something is not checked here, and why. Straight to standard error: what goes through `print!` is shown
/// of failing tests alone.
pub(crate) fn skipped(why: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(why.to_owned()) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED: {why}\n").as_bytes());
    }
}
