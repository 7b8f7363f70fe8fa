//! `git keyless completions SHELL`: for the installation, on standard output.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{Stop, stopped};
use crate::cli;

/// Prints them.
pub fn run(shell: cli::Shell) -> ExitCode {
    match io::stdout().lock().write_all(&cli::completions(shell)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => stopped(&Stop::new(format!("cannot write to standard output: {error}"))),
    }
}
