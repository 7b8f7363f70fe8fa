//! The person, if there is one. git keeps our stdout for itself and throws our stderr away when all went well, so people
//! are spoken to on the terminal device and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::format::printable;

#[cfg(windows)]
const DEVICE: &str = "CONOUT$";
#[cfg(not(windows))]
const DEVICE: &str = "/dev/tty";
#[cfg(windows)]
const KEYBOARD: &str = "CONIN$";
#[cfg(not(windows))]
const KEYBOARD: &str = "/dev/tty";
/// Most bytes of an answer.
const MAX_ANSWER: u64 = 256;
/// How long an answer is waited for, as for a login in a browser.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a person waits without asking what for.
const QUIET: Duration = Duration::from_secs(2);
/// How often the seconds are counted.
const TICK: Duration = Duration::from_secs(1);

/// The terminal that this process belongs to; under a CI or an IDE there is none.
pub fn device() -> Option<File> {
    OpenOptions::new().write(true).open(DEVICE).ok()
}

/// Says one line, if anybody can hear it: whether somebody could. Nothing in it can steer the terminal.
pub fn say(line: &str) -> bool {
    device().is_some_and(|mut device| writeln!(device, "{}", printable(line)).is_ok())
}

/// Asks, and waits for a line: trimmed, in lower case. None where nobody can be asked or nobody answers: no terminal, in
/// the background, or `GIT_TERMINAL_PROMPT=0` as git has it.
pub fn ask(question: &str) -> Option<String> {
    if std::env::var("GIT_TERMINAL_PROMPT").is_ok_and(|value| is_no(&value)) {
        return None;
    }
    let (keyboard, mut device) = (File::open(KEYBOARD).ok()?, device()?);
    if !is_in_front(&keyboard) {
        return None;
    }
    write!(device, "{}", printable(question)).and_then(|()| device.flush()).ok()?;
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more after the deadline.
        let _ = sender.send(line(keyboard));
    });
    answer.recv_timeout(PATIENCE).ok().flatten()
}

fn line(keyboard: impl Read) -> Option<String> {
    let mut line = String::new();
    BufReader::new(keyboard.take(MAX_ANSWER)).read_line(&mut line).ok()?;
    Some(line.trim().to_ascii_lowercase())
}

/// False as git reads it.
pub fn is_no(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off")
}

/// Whether this process may read the terminal; one in the background would be stopped for it, and git with it.
#[cfg(unix)]
fn is_in_front(terminal: &File) -> bool {
    rustix::termios::tcgetpgrp(terminal).is_ok_and(|front| front == rustix::process::getpgrp())
}

/// There is no background there.
#[cfg(not(unix))]
fn is_in_front(_: &File) -> bool {
    true
}

/// What this machine is called.
pub fn host() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name
}

/// One line that is written over and over, such as a countdown; gone with this. A terminal that cannot move its cursor
/// (`TERM=dumb`) gets none.
#[derive(Debug)]
pub struct Status {
    device: Option<File>,
    width: usize,
}

impl Status {
    /// On the terminal, if there is one.
    pub fn open() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self { device: if dumb { None } else { device() }, width: 0 }
    }

    /// Instead of what it said before.
    pub fn show(&mut self, text: &str) {
        let Some(device) = &mut self.device else { return };
        let text = printable(text);
        // Who no longer hears it needs no countdown either.
        let _ = write!(device, "\r{text:<width$}", width = self.width).and_then(|()| device.flush());
        self.width = text.chars().count();
    }
}

/// Does the work, and says what it is waiting for once that takes long: `told` gets the seconds.
pub async fn watched<T>(told: impl Fn(u64) -> String, work: impl Future<Output = T>) -> T {
    let (mut work, began, mut status) = (std::pin::pin!(work), Instant::now(), None);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(if status.is_none() { QUIET } else { TICK }) => {}
        }
        status.get_or_insert_with(Status::open).show(&told(began.elapsed().as_secs()));
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        let width = self.width;
        if let Some(device) = &mut self.device {
            let _ = write!(device, "\r{:<width$}\r", "").and_then(|()| device.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line_of_limited_length() {
        let padded = |length: usize| format!("{}yes", " ".repeat(length - 3));
        let most = usize::try_from(MAX_ANSWER).unwrap();
        for (typed, expected) in [
            (" Yes \nno\n".to_owned(), "yes"),
            (String::new(), ""),
            (padded(most), "yes"),
            (padded(most + 1), "ye"),
            (padded(100 * most), ""),
        ] {
            assert_eq!(line(typed.as_bytes()).as_deref(), Some(expected), "{} bytes", typed.len());
        }
        assert_eq!(line(std::io::repeat(b'y')).unwrap().len(), most);
        assert_eq!(line(&b"\xff\n"[..]), None);
    }
}
