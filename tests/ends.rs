//! Odd ways to end: signals at each step, descriptors that are closed or full, readers that are gone. No bad commit, no
//! stray file, no success that nobody heard of; and nothing is published for a caller that cannot take it.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use git_keyless::sandbox::{Options, Rekor, Sandbox};

use crate::door::exclusive;
use crate::support::{Answer, Git, PROGRAM, Repo, answer_to};

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nends\n";
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
        std::fs::create_dir(repo.home().join("tmp")).unwrap();
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
        found.extend(files(&self.repo.home().join("tmp")));
        found
    }

    /// A commit in a process group of its own, as under a terminal.
    fn committing(&self) -> Child {
        let mut commit = self.repo.command("git");
        commit.args(["commit", "-q", "--allow-empty", "-m", "one"]).env("TMPDIR", self.repo.home().join("tmp"));
        commit.stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut commit, 0).spawn().unwrap()
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
    Token,
    Certificate,
    Entry,
    Timestamp,
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

/// Until a process is gone, or waits for whoever inherited it to notice.
fn await_end(pid: &str) {
    let since = Instant::now();
    let runs = |stat: String| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z');
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(runs) {
        assert!(since.elapsed() < LONG, "{pid} goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// `whole`: the signal goes to git's process group, as Ctrl-C does; else to the program alone.
fn ended(moment: Moment, signal: &str, whole: bool) {
    let room = Room::new();
    let (pid, started) = (room.repo.home().join("pid"), room.repo.home().join("started"));
    let token = room.repo.ok(["config", "keyless.tokenCommand"]);
    let last = if moment == Moment::Token { "exec sleep 30".to_owned() } else { token };
    let noted = format!("echo $PPID >'{}'; >'{}'; {last}", pid.display(), started.display());
    room.repo.config("keyless.tokenCommand", noted);
    room.repo.config("keyless.timestamp", "always");
    let (url, request) = silent();
    let urls = room.sandbox.urls();
    let config = String::from_utf8(room.sandbox.signing_config().to_vec()).unwrap();
    let config = match moment {
        Moment::Token => config,
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
    let before = room.files();
    let git = room.committing();
    let stream = match moment {
        Moment::Token => {
            let since = Instant::now();
            while !started.exists() {
                assert!(since.elapsed() < LONG, "no token was asked for");
                std::thread::sleep(Duration::from_millis(2));
            }
            None
        }
        _ => Some(request.recv_timeout(LONG).expect("no request came")),
    };
    let program = std::fs::read_to_string(&pid).unwrap().trim().to_owned();
    room.kill(signal, &if whole { format!("-{}", git.id()) } else { program.clone() });
    let answer = Answer::of(git.wait_with_output().unwrap());

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
    await_end(&program);
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
        for moment in [Moment::Token, Moment::Certificate, Moment::Entry, Moment::Timestamp] {
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
