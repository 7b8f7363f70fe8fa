//! The person, if there is one. git keeps our stdout for itself and throws our stderr away when all went well, so people
//! are spoken to on the terminal device and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use crate::format::printable;

#[cfg(windows)]
const DEVICE: &str = "CONOUT$";
#[cfg(not(windows))]
const DEVICE: &str = "/dev/tty";

/// The terminal that this process belongs to; under a CI or an IDE there is none.
pub fn device() -> Option<File> {
    OpenOptions::new().write(true).open(DEVICE).ok()
}

/// Says one line, if anybody can hear it: whether somebody could. Nothing in it can steer the terminal.
pub fn say(line: &str) -> bool {
    device().is_some_and(|mut device| writeln!(device, "{}", printable(line)).is_ok())
}
