//! `git keyless completions SHELL`: for the installation, on standard output.

use std::process::ExitCode;

use super::{print, stopped};
use crate::cli;

/// Prints them.
pub fn run(shell: cli::Shell) -> ExitCode {
    match print(String::from_utf8_lossy(&cli::completions(shell)).trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stopped(&stop),
    }
}
