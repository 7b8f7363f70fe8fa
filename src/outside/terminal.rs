//! The person, if there is one. git keeps our stdout for itself and throws our stderr away when all went well, so people
//! are spoken to on the terminal device and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

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

/// The terminal that this process belongs to; under a CI or an IDE there is none.
pub fn device() -> Option<File> {
    OpenOptions::new().write(true).open(DEVICE).ok()
}

/// Says one line, if anybody can hear it: whether somebody could. Nothing in it can steer the terminal.
pub fn say(line: &str) -> bool {
    device().is_some_and(|mut device| writeln!(device, "{}", printable(line)).is_ok())
}

/// Asks, and waits for a line: trimmed, in lower case. None where nobody can be asked: no terminal, or
/// `GIT_TERMINAL_PROMPT=0` as git has it.
pub fn ask(question: &str) -> Option<String> {
    if std::env::var_os("GIT_TERMINAL_PROMPT").is_some_and(|value| value == "0") {
        return None;
    }
    let (keyboard, mut device) = (File::open(KEYBOARD).ok()?, device()?);
    write!(device, "{}", printable(question)).and_then(|()| device.flush()).ok()?;
    let mut line = String::new();
    BufReader::new(keyboard.take(MAX_ANSWER)).read_line(&mut line).ok()?;
    Some(line.trim().to_ascii_lowercase())
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

impl Drop for Status {
    fn drop(&mut self) {
        let width = self.width;
        if let Some(device) = &mut self.device {
            let _ = write!(device, "\r{:<width$}\r", "").and_then(|()| device.flush());
        }
    }
}
