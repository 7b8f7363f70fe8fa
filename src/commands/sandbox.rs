//! `git keyless sandbox`: a whole Sigstore on this machine, until it is told to end.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{Stop, complain, print, stopped};
use crate::cli::{self, SandboxCommand, SandboxToken};
use crate::sandbox::{self, Identity, Options, Rekor, Sandbox};

/// Runs it, or prints one of its tokens.
pub fn run(args: &cli::Sandbox) -> ExitCode {
    let done = match &args.command {
        Some(SandboxCommand::Token(args)) => token(args),
        None => serve(args),
    };
    done.map_or_else(|stop| stopped(&stop), |()| ExitCode::SUCCESS)
}

fn serve(args: &cli::Sandbox) -> Result<(), Stop> {
    let directory = args.dir.clone().ok_or_else(|| Stop::new("where? --dir DIR"))?;
    let program = std::env::current_exe().map_err(|error| Stop::new(format!("this program: {error}")))?;
    let rekor = if args.rekor == "v2" { Rekor::V2 } else { Rekor::V1 };
    let options = Options { directory, rekor, failing: args.failing.clone(), program };
    Sandbox::run(&options, announce).map_err(Stop::new)
}

fn announce(sandbox: &Sandbox) {
    let (directory, urls) = (sandbox.directory().display(), sandbox.urls());
    complain("a sandbox is running, for trial, training and tests only: it believes everybody");
    let where_what = format!(
        "  identity provider    {}\n  Fulcio               {}\n  Rekor v1, v2         {}  {}\n  timestamp authority  {}\n\
         Use it in a repository:  git config include.path '{directory}/gitconfig'\n",
        urls.oidc, urls.fulcio, urls.rekor_v1, urls.rekor_v2, urls.timestamp
    );
    let _ = io::stderr().write_all(where_what.as_bytes());
}

fn token(args: &SandboxToken) -> Result<(), Stop> {
    let identity = identity(args.clone()).ok_or_else(|| Stop::new("for whom? --email EMAIL, or see -h"))?;
    let token = sandbox::mint(&args.dir, &identity).map_err(Stop::new)?;
    print(&token)
}

fn identity(args: SandboxToken) -> Option<Identity> {
    let address = args.email.map(|email| match args.connector {
        Some(connector) => Identity::Federated { email, connector },
        None => Identity::Email(email),
    });
    let spiffe = || args.spiffe.map(Identity::Spiffe);
    address.or_else(spiffe).or(args.uri.map(Identity::Uri)).or(args.workflow.map(Identity::Workflow))
}
