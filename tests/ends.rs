//! Odd ways to end: signals at each step, descriptors that are closed or full, readers that are gone. No bad commit, no
//! stray file, no success that nobody heard of; and nothing is published for a caller that cannot take it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use git_keyless::outside::session::Keyring;
use git_keyless::sandbox::{Options, Rekor, Sandbox};

use crate::door::exclusive;
use crate::support::{Answer, Git, PROGRAM, Repo, answer_to, installed, skipped};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nends\n";
const COMMIT: &str = "git commit -q --allow-empty -m one";
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A repository that signs with a sandbox of its own.
struct Room {
    sandbox: Sandbox,
    repo: Repo,
}

impl Room {
    fn new() -> Self {
        let repo = Repo::init(&Git::installed(), "sha1");
        let options = Options {
            directory: repo.home().join("sandbox"),
            rekor: Rekor::V1,
            failing: Vec::new(),
            program: PROGRAM.into(),
        };
        let sandbox = Sandbox::start(&options).unwrap();
        repo.config("include.path", sandbox.directory().join("gitconfig"));
        repo.config("user.email", "alice@example.test");
        repo.file("payload", PAYLOAD);
        ["tmp", "run"].iter().for_each(|name| std::fs::create_dir(repo.home().join(name)).unwrap());
        Self { sandbox, repo }
    }

    /// `script`, in which `$P` is the program and `$H` the folder of `payload` and `signature`.
    fn shell(&self, script: &str, input: &[u8]) -> Answer {
        let mut command = self.repo.command("sh");
        command.args(["-c", script]).env("P", PROGRAM).env("H", self.repo.home());
        let answer = answer_to(command, input);
        assert!(answer.code != 101 && !answer.stderr.contains("panicked"), "{script}: {}", answer.stderr);
        answer
    }

    fn entries(&self) -> usize {
        self.sandbox.sizes()[0]
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let mut found = files(&self.repo.path);
        ["tmp", "run"].iter().for_each(|name| found.extend(files(&self.repo.home().join(name))));
        found
    }

    /// A commit in a process group of its own, as under a terminal; with one, what it says goes to two files.
    fn committing(&self, terminal: bool) -> Child {
        let home = self.repo.home();
        let mut commit = self.repo.command(if terminal { "script" } else { "git" });
        if terminal {
            let (out, err) = (home.join("out"), home.join("err"));
            let line = format!("{COMMIT} </dev/null >'{}' 2>'{}'", out.display(), err.display());
            commit.args(["-qefc", &line]).arg(home.join("screen"));
            commit.envs([("SHELL", "/bin/sh"), ("TERM", "xterm"), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")]);
        } else {
            commit.args(COMMIT.split(' ').skip(1));
        }
        commit.env_remove("GIT_TERMINAL_PROMPT");
        commit.envs([("TMPDIR", home.join("tmp")), ("XDG_RUNTIME_DIR", home.join("run"))]);
        commit.stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut commit, 0).spawn().unwrap()
    }

    fn script(&self, name: &str, line: &str) -> PathBuf {
        let path = self.repo.file(name, format!("#!/bin/sh\n{line}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    /// What logins lock to wait for each other.
    fn lock(&self) -> File {
        let folder = self.repo.home().join("run/git-keyless");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        OpenOptions::new().write(true).create(true).truncate(false).open(folder.join("login.lock")).unwrap()
    }

    fn kill(&self, signal: &str, whom: &str) {
        Answer::of(self.repo.command("kill").args(["-s", signal, "--", whom]).output().unwrap()).ok();
    }
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

/// Where signing stands when the signal comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Another login has the turn.
    Turn,
    Browser,
    Device,
    Token,
    Certificate,
    Entry,
    Timestamp,
}

impl Moment {
    const ALL: [Self; 7] =
        [Self::Turn, Self::Browser, Self::Device, Self::Token, Self::Certificate, Self::Entry, Self::Timestamp];

    /// Whether somebody logs in.
    fn is_login(self) -> bool {
        matches!(self, Self::Turn | Self::Browser | Self::Device)
    }

    fn is_here(self) -> bool {
        match self {
            Self::Turn if Keyring::Keyutils.read("a test").is_err() => {
                skipped("the kernel's keyring cannot be used here: nobody waits for a turn");
                false
            }
            Self::Device if installed("script").is_none() => {
                skipped("no script(1), which makes terminals: no login with a code was ended");
                false
            }
            _ => true,
        }
    }
}

/// A server that takes a request and never answers; it tells when the request is there.
fn silent() -> (String, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        let _ = sender.send(stream);
    });
    (url, receiver)
}

fn until<T>(mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let since = Instant::now();
    loop {
        let found = found();
        if found.is_some() || since.elapsed() > LONG {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Its fields behind its name (proc_pid_stat(5)).
fn stat(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// Whether a process goes, or waits for whoever inherited it to notice.
fn ends(pid: &str) -> bool {
    until(|| stat(pid).is_none_or(|fields| fields.starts_with('Z')).then_some(())).is_some()
}

/// Whether a process has such a file open.
fn holds(pid: &str, name: &str) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|link| std::fs::read_link(link.path()).ok()).any(|path| path.ends_with(name))
}

/// `whole`: the signal goes to git's process group, as Ctrl-C does; else to the program alone.
fn ended(moment: Moment, signal: &str, whole: bool) {
    let room = Room::new();
    let home = room.repo.home();
    let (pid, started) = (home.join("pid"), home.join("started"));
    let program = format!("echo $$ >'{}'; exec '{PROGRAM}' \"$@\"", pid.display());
    room.repo.config("gpg.x509.program", room.script("program", &program));
    match moment {
        Moment::Token => room.repo.config("keyless.tokenCommand", format!(">'{}'; exec sleep 30", started.display())),
        moment if moment.is_login() => {
            room.repo.config("keyless.tokenCommand", "");
            room.repo.config("keyless.credentialStore", if moment == Moment::Turn { "keyutils" } else { "none" });
        }
        _ => {}
    }
    if moment != Moment::Device {
        let browser = format!("printf %s \"$1\" >'{0}.part' && mv '{0}.part' '{0}'", started.display());
        room.repo.config("keyless.browser", room.script("browser", &browser));
    }
    room.repo.config("keyless.timestamp", "always");
    let (url, request) = silent();
    let urls = room.sandbox.urls();
    let config = String::from_utf8(room.sandbox.signing_config().to_vec()).unwrap();
    let config = match moment {
        Moment::Turn | Moment::Browser | Moment::Device | Moment::Token => config,
        Moment::Certificate => config.replace(&urls.fulcio, &url),
        Moment::Entry => config.replace(&urls.rekor_v1, &url),
        Moment::Timestamp => config.replace(&urls.timestamp, &format!("{url}/api/v1/timestamp")),
    };
    room.repo.config("keyless.signingConfig", room.repo.file("silent.json", config));
    if moment == Moment::Certificate {
        // The trust root names the authority by its URL.
        let root = String::from_utf8(room.sandbox.trusted_root().to_vec()).unwrap();
        let root = room.repo.file("root.json", root.replace(&urls.fulcio, &url));
        room.repo.config("keyless.trustedRoot", root);
    }
    let held = (moment == Moment::Turn).then(|| room.lock());
    held.iter().for_each(|lock| lock.try_lock().unwrap());
    let before = room.files();
    let git = room.committing(moment == Moment::Device);
    let program = || std::fs::read_to_string(&pid).ok()?.strip_suffix('\n').map(str::to_owned);
    let stream = match moment {
        Moment::Token | Moment::Browser => until(|| started.exists().then_some(None)),
        Moment::Turn => until(|| holds(&program()?, "login.lock").then_some(None)),
        Moment::Device => until(|| {
            let screen = std::fs::read(home.join("screen")).ok()?;
            String::from_utf8_lossy(&screen).contains("waiting for you, ").then_some(None)
        }),
        _ => request.recv_timeout(LONG).ok().map(Some),
    };
    let stream = stream.unwrap_or_else(|| panic!("it does not come to {moment:?}"));
    let program = program().unwrap();
    let group = format!("-{}", stat(&program).unwrap().split(' ').nth(2).unwrap());
    room.kill(signal, if whole { &group } else { &program });
    if !ends(&program) {
        room.kill("KILL", &group);
        panic!("{moment:?} {signal} {whole}: it goes on");
    }
    let mut answer = Answer::of(git.wait_with_output().unwrap());
    if moment == Moment::Device {
        answer.stdout = std::fs::read(home.join("out")).unwrap();
        answer.stderr = std::fs::read_to_string(home.join("err")).unwrap();
    }

    let case = format!("{moment:?} {signal} {whole}: {}", answer.stderr);
    assert_ne!(answer.code, 0, "{case}");
    if !whole {
        assert!(answer.code == 128 && answer.stderr.contains("failed to sign"), "{case}");
    }
    assert!(!answer.stderr.contains("panicked") && answer.stdout.is_empty(), "{case}");
    // The program is gone, and its connection with it.
    if let Some(mut stream) = stream {
        stream.set_read_timeout(Some(LONG)).unwrap();
        assert!(stream.read_to_end(&mut Vec::new()).is_ok(), "{case}");
    }
    if moment == Moment::Browser {
        // Where the browser would come back to is closed.
        let address = std::fs::read_to_string(&started).unwrap();
        let host = address.strip_prefix("http://").unwrap().split('/').next().unwrap();
        assert!(TcpStream::connect(host).is_err(), "{case}");
    }
    // No commit, referred to or not, and no file but git's own note of the message.
    assert_ne!(room.repo.run(["rev-parse", "-q", "--verify", "HEAD"]).code, 0, "{case}");
    let objects = room.repo.ok(["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]);
    assert!(!objects.contains("commit"), "{case}: {objects}");
    let new: Vec<_> = room.files().difference(&before).cloned().collect();
    let of_git = |path: &PathBuf| {
        let name = path.strip_prefix(room.repo.path.join(".git")).map(|path| path.to_string_lossy().into_owned());
        // The index, the message, the empty tree.
        matches!(name.as_deref(), Ok("index" | "COMMIT_EDITMSG" | "objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904"))
    };
    assert!(new.iter().all(of_git), "{case}: {new:?}");
    // Nothing stands in the way of the next one.
    room.repo.ok(["config", "--local", "include.path", room.sandbox.directory().join("gitconfig").to_str().unwrap()]);
    room.repo.commit("two");
    assert_eq!(room.repo.keyless(["verify"]).code, 0, "{case}");
}

/// All at once: each in a room of its own.
fn ended_everywhere(signal: &'static str) {
    std::thread::scope(|scope| {
        for moment in Moment::ALL.into_iter().filter(|moment| moment.is_here()) {
            [true, false].into_iter().for_each(|whole| drop(scope.spawn(move || ended(moment, signal, whole))));
        }
    });
}

#[test]
fn interrupted_at_each_step() {
    ended_everywhere("INT");
}

#[test]
fn terminated_at_each_step() {
    ended_everywhere("TERM");
}

#[test]
fn signing_for_somebody_who_cannot_hear() {
    let room = Room::new();
    let sign = |script: &str| room.shell(&script.replace("SIGN", "\"$P\" -bsau key"), PAYLOAD);
    // What can be seen beforehand: nothing is published.
    for (script, why) in [
        ("exec SIGN >&-", "standard output is closed"),
        ("exec SIGN --status-fd=2 >&-", "standard output is closed"),
        ("exec SIGN --status-fd=1 >&-", "standard output is closed"),
        ("exec SIGN --status-fd=2 2>&-", ""),
        ("exec SIGN --status-fd=7", "status descriptor is closed"),
        ("exec SIGN --status-fd=2 <&-", "nothing is on standard input"),
    ] {
        let answer = sign(script);
        assert!(answer.code == 1 && answer.stdout.is_empty(), "{script}: {}", answer.stderr);
        assert!(answer.stderr.contains(why) && !answer.stderr.contains("SIG_CREATED"), "{script}: {}", answer.stderr);
    }
    assert_eq!(room.entries(), 0);
    // What shows when it is written: no success.
    for script in [
        "exec SIGN --status-fd=2 >/dev/full",
        "exec SIGN --status-fd=2 2>/dev/full",
        "exec SIGN --status-fd=3 3>/dev/full",
        "exec SIGN 2>/dev/full >/dev/full",
    ] {
        let answer = sign(script);
        assert!(answer.code == 1 && !answer.stderr.contains("SIG_CREATED"), "{script}: {}", answer.stderr);
    }
    // Nobody reads, with SIGPIPE ignored as some callers leave it and without.
    for ignored in ["trap '' PIPE; ", ""] {
        let script = format!("{ignored}{{ SIGN --status-fd=2; echo exit $? >&2; }} | exec true");
        let answer = sign(&script);
        assert!(answer.stderr.contains("exit 1") && !answer.stderr.contains("SIG_CREATED"), "{}", answer.stderr);
    }
    // Words for people may be lost.
    for script in ["exec SIGN 2>&-", "exec SIGN 2>/dev/full", "exec SIGN --status-fd=3 3>\"$H/status\" 2>&-"] {
        let answer = sign(script);
        assert!(answer.code == 0 && answer.stdout.ends_with(b"-----END SIGNED MESSAGE-----\n"), "{}", answer.stderr);
    }
    assert!(std::fs::read_to_string(room.repo.home().join("status")).unwrap().contains("SIG_CREATED"));
}

#[test]
fn git_with_nobody_there() {
    let room = Room::new();
    for script in [
        "git commit --allow-empty -m one >&- 2>&- <&-",
        "git commit --allow-empty -m two >/dev/full 2>/dev/full",
        "git tag -s -m three three >&- 2>/dev/full <&-",
    ] {
        room.shell(script, b"");
    }
    for rev in ["HEAD", "HEAD~1", "three"] {
        assert_eq!(room.repo.keyless(["verify", rev]).code, 0, "{rev}");
    }
    for script in ["git verify-commit HEAD >&- 2>&- <&-", "git verify-tag three >/dev/full 2>/dev/full"] {
        assert_eq!(room.shell(script, b"").code, 0, "{script}");
    }
}

/// GOODSIG and exit 0 only together; and any other answer is heard wherever somebody listens.
#[test]
fn verifying_for_somebody_who_cannot_hear() {
    let room = Room::new();
    let signed = room.repo.sign(PAYLOAD);
    assert_eq!(signed.code, 0, "{}", signed.stderr);
    room.repo.file("signature", &signed.stdout);
    let verify = |script: &str, input: &[u8]| {
        let data = if script.contains("DATA") { "\"$H/payload\"" } else { "-" };
        let call = format!("\"$P\" --verify \"$H/signature\" {data}");
        room.shell(&script.replace(" DATA", "").replace("VERIFY", &call), input)
    };
    let good = |answer: &Answer| answer.code == 0 && exclusive(&(answer.text() + "\n")) == "GOODSIG";
    for script in [
        "exec VERIFY --status-fd=1",
        "exec VERIFY --status-fd=1 2>&-",
        "exec VERIFY --status-fd=1 2>/dev/full",
        "exec VERIFY DATA --status-fd=1 <&-",
        "exec VERIFY DATA --status-fd=1 <&- 2>&-",
        "exec VERIFY --status-fd=3 3>&1 >&-",
        "VERIFY --status-fd=1 >\"$H/status\"; code=$?; cat \"$H/status\"; exit $code",
    ] {
        let answer = verify(script, PAYLOAD);
        assert!(good(&answer), "{script}: {} {}", answer.text(), answer.stderr);
        let other = verify(script, b"another payload");
        let expected = if script.contains("DATA") { "GOODSIG" } else { "BADSIG" };
        assert_eq!(exclusive(&(other.text() + "\n")), expected, "{script}");
        assert_eq!(other.code == 0, expected == "GOODSIG", "{script}");
    }
    for script in [
        "exec VERIFY --status-fd=1 >&-",
        "exec VERIFY --status-fd=1 >/dev/full",
        "exec VERIFY --status-fd=1 >&- 2>&-",
        "exec VERIFY --status-fd=1 >/dev/full 2>/dev/full",
        "exec VERIFY --status-fd=2 2>&-",
        "exec VERIFY --status-fd=2 2>/dev/full",
        "exec VERIFY --status-fd=3",
        "exec VERIFY --status-fd=3 3>/dev/full",
        "trap '' PIPE; { sleep 0.05; VERIFY --status-fd=1; echo $? >\"$H/code\"; } | exec true; exit $(cat \"$H/code\")",
    ] {
        let answer = verify(script, PAYLOAD);
        assert!(answer.code == 1 && !answer.text().contains("GOODSIG"), "{script}: {}", answer.text());
    }
    // The payload is nothing where standard input is closed.
    let closed = verify("exec VERIFY --status-fd=1 <&-", b"");
    assert_eq!((closed.code, exclusive(&(closed.text() + "\n")).as_str()), (1, "BADSIG"));
    // Usage too is heard.
    let usage = room.shell("exec \"$P\" --status-fd=1 --verify 2>/dev/full", b"");
    assert_eq!((usage.code, exclusive(&(usage.text() + "\n")).as_str()), (2, "ERRSIG"));
}

#[test]
fn people_who_cannot_hear() {
    let room = Room::new();
    room.repo.commit("one");
    let code = |script: &str| room.shell(script, b"").code;
    for command in ["verify", "verify --json", "show"] {
        assert_eq!(code(&format!("exec \"$P\" {command} >/dev/full")), 2, "{command}");
        assert_eq!(code(&format!("exec \"$P\" {command} >/dev/full 2>/dev/full")), 2, "{command}");
        assert_eq!(code(&format!("exec \"$P\" {command} 2>/dev/full")), 0, "{command}");
        assert_eq!(code(&format!("exec \"$P\" {command} >&- 2>&- <&-")), 0, "{command}");
        assert_eq!(code(&format!("exec \"$P\" {command} nowhere 2>/dev/full >&-")), 2, "{command}");
        let piped =
            format!("{{ sleep 0.05; \"$P\" {command}; echo $? >\"$H/code\"; }} | exec true; exit $(cat \"$H/code\")");
        assert_eq!(code(&piped), 141, "{command}");
        let silent = room.shell(&format!("{{ sleep 0.05; \"$P\" {command}; }} | exec true"), b"");
        assert!(!silent.stderr.contains("standard output"), "{command}: {}", silent.stderr);
    }
    for command in ["-h", "verify -h", "frobnicate", "sandbox token --dir \"$H/sandbox\" --email a@example.test"] {
        for to in [">/dev/full", ">/dev/full 2>/dev/full", "2>/dev/full", ">&- 2>&-"] {
            code(&format!("exec \"$P\" {command} {to}"));
        }
    }
    assert_eq!(code("exec \"$P\" sandbox token --dir \"$H/sandbox\" --email a@example.test >/dev/full"), 2);
}
