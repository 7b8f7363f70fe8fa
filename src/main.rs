//! The program: git calls it as `gpg.x509.program`, people call it as `git keyless`.

use std::ffi::OsString;
use std::process::ExitCode;

use git_keyless::cli::{Cli, Command};
use git_keyless::commands;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if commands::gpg::is_call(&args) {
        return commands::gpg::run(&args);
    }
    match Cli::read().command {
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Setup(args) => commands::setup::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Login => commands::session::login(),
        Command::Logout => commands::session::logout(),
        Command::Whoami(args) => commands::session::whoami(&args),
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => commands::demo::run(&args),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => commands::sandbox::run(&args),
    }
}
