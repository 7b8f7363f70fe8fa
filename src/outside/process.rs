//! Commands that the configuration names, run as git runs them: by the shell. And programs that we name, run without.
//!
//! No pipe of git's is inherited: one that a child of a child holds open would keep git waiting long after we are gone.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::terminal;

/// How often a child that has closed its output is asked whether it ended.
const POLL: Duration = Duration::from_millis(5);

/// From here on this process holds secrets: it leaves no image of its memory behind when it dies, and no other program of
/// this user may look into it.
pub fn keep_secrets() {
    // A system that has no such thing, or forbids it, is no worse than one that was not asked.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// A command that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It ended with another status than 0.
    Ended(String),
    /// It was still running at its deadline, or somebody held its output open.
    Late(Duration),
    /// It, or its shell, could not be started.
    NotStarted(String),
    /// It printed more bytes than allowed.
    TooMuch(usize),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(f, "it ended with {status}"),
            Self::Late(deadline) => write!(f, "it did not end within {} s", deadline.as_secs_f32()),
            Self::NotStarted(why) => write!(f, "it could not be started: {why}"),
            Self::TooMuch(limit) => write!(f, "it printed more than {limit} bytes"),
        }
    }
}

/// A program by its absolute path, or by its name in an absolute folder of PATH: never what happens to lie in the working
/// tree.
pub fn find(name: impl AsRef<Path>) -> Option<PathBuf> {
    let path = name.as_ref();
    if path.is_absolute() {
        return path.is_file().then(|| path.to_path_buf());
    }
    // There a name has an ending that is not written.
    if cfg!(windows) && path.components().count() == 1 {
        return Some(path.to_path_buf());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute() && path.components().count() == 1)
        .map(|folder| folder.join(path))
        .find(|file| file.is_file())
}

/// What `command` prints, at most `limit` bytes of it. Its messages go to the terminal, if there is one.
pub fn output(command: &str, limit: usize, deadline: Duration) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    printed(shell, terminal::device(), limit, deadline)
}

/// The same of a program and its arguments, which no shell sees.
pub fn output_of(
    program: &str,
    arguments: &[String],
    limit: usize,
    deadline: Duration,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    printed(command, terminal::device(), limit, deadline)
}

fn printed(
    mut command: Command,
    terminal: Option<File>,
    limit: usize,
    deadline: Duration,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let group = terminal.is_none();
    command.stderr(terminal.map_or_else(Stdio::null, Stdio::from));
    match run(command, group, limit, deadline)? {
        (printed, status) if status.success() => Ok(printed),
        (_, status) => Err(Failure::Ended(status.to_string())),
    }
}

/// What a program prints, and how it ended. It has no input, and nobody hears its messages.
pub fn answer(mut program: Command, limit: usize, deadline: Duration) -> Result<(Vec<u8>, ExitStatus), Failure> {
    program.stderr(Stdio::null());
    run(program, true, limit, deadline).map(|(mut printed, status)| (std::mem::take(&mut *printed), status))
}

/// All that a program says to a small `input`, however long it takes.
pub fn fed(command: &mut Command, input: &[u8]) -> std::io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input)?;
    }
    child.wait_with_output()
}

fn run(
    command: Command,
    group: bool,
    limit: usize,
    deadline: Duration,
) -> Result<(Zeroizing<Vec<u8>>, ExitStatus), Failure> {
    let started = Instant::now();
    let (mut child, group) = spawn(command, group).map_err(|error| Failure::NotStarted(error.to_string()))?;
    let printed = child.stdout.take().map(|stdout| drain(stdout, limit));
    let left = || deadline.saturating_sub(started.elapsed());
    let printed = printed.and_then(|printed| printed.recv_timeout(left()).ok());
    match (printed, wait(&mut child, left)) {
        (Some(printed), _) if printed.len() > limit => {
            end(&mut child, group);
            Err(Failure::TooMuch(limit))
        }
        (Some(printed), Some(status)) => Ok((printed, status)),
        _ => {
            end(&mut child, group);
            Err(Failure::Late(deadline))
        }
    }
}

/// The child, and whether it leads a process group of its own. With a terminal it stays in git's: a background group
/// may not read the terminal, and Ctrl-C must reach it.
fn spawn(mut command: Command, group: bool) -> std::io::Result<(Child, bool)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    #[cfg(unix)]
    if group {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    command.spawn().map(|child| (child, group && cfg!(unix)))
}

/// Reads on a thread of its own, which nobody waits for when the deadline has passed.
fn drain(stdout: ChildStdout, limit: usize) -> mpsc::Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // All of it reserved at once: growing would leave copies behind that nobody wipes.
        let mut printed = Zeroizing::new(Vec::with_capacity(limit.saturating_add(64)));
        let more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        if stdout.take(more).read_to_end(&mut printed).is_ok() {
            // Nobody listens any more once the deadline has passed.
            let _ = sender.send(printed);
        }
    });
    receiver
}

fn wait(child: &mut Child, left: impl Fn() -> Duration) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if !left().is_zero() => thread::sleep(POLL.min(left())),
            _ => return None,
        }
    }
}

/// Kills the child, and its group if it leads one: its number is not given to another before the child is waited for.
/// `-s KILL --`: of the ways to name signal and group the one that dash and bash both read.
fn end(child: &mut Child, group: bool) {
    if group {
        let _ = Command::new("sh")
            .args(["-c", "kill -s KILL -- \"-$0\"", &child.id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    // It may have ended by itself; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(400);

    #[test]
    fn what_it_prints() {
        assert_eq!(output("printf 'a b\\n'", 10, SOON * 5).unwrap().as_slice(), b"a b\n");
        assert_eq!(output("cat", 10, SOON * 5).unwrap().as_slice(), b"", "its input is empty");
        assert_eq!(output("printf 12345", 5, SOON * 5).unwrap().len(), 5);
    }

    #[test]
    fn what_gives_nothing() {
        assert_eq!(output("printf 123456", 5, SOON * 5), Err(Failure::TooMuch(5)));
        assert_eq!(output("yes", 5, SOON * 5), Err(Failure::TooMuch(5)));
        assert!(matches!(output("echo token; exit 3", 99, SOON * 5), Err(Failure::Ended(_))));
    }

    #[test]
    fn its_children_end_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & echo $! > \"$0\"; wait"]).arg(&file);
        // With a terminal there is no group of its own, and Ctrl-C reaches all.
        assert_eq!(printed(shell, None, 99, SOON), Err(Failure::Late(SOON)));
        let pid = std::fs::read_to_string(file).unwrap();
        let alive = || Command::new("sh").args(["-c", "kill -0 \"$0\"", pid.trim()]).status().unwrap().success();
        let began = Instant::now();
        // Whoever inherits a killed process needs a moment to notice.
        while alive() && began.elapsed() < SOON * 5 {
            thread::sleep(POLL);
        }
        assert!(!alive(), "{pid}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn secrets_are_in_no_image_of_this_process() {
        keep_secrets();
        let found = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(found, rustix::process::DumpableBehavior::NotDumpable);
    }

    #[test]
    fn nobody_keeps_us_waiting() {
        let started = Instant::now();
        for command in ["sleep 60", "sleep 60 | sleep 60", "exec sleep 60", "exec >&-; sleep 60", "sleep 60 & echo hi"]
        {
            assert_eq!(output(command, 99, SOON), Err(Failure::Late(SOON)), "{command}");
        }
        assert!(started.elapsed() < SOON * 12);
    }
}
