//! Every flag once: parser, help and man page read this.

use std::path::PathBuf;

#[cfg(feature = "sandbox")]
use clap::ArgGroup;
use clap::{Args, Parser, Subcommand};

/// Sign git commits with the identity you already have, and verify them anywhere, offline.
#[derive(Debug, Parser)]
#[command(
    name = "git-keyless",
    bin_name = "git keyless",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    before_help = "\
Examples:
  git keyless verify                            judge the commit HEAD
  git keyless verify v1.0 --identity alice@example.com --issuer https://accounts.google.com
  git keyless verify --json HEAD | jq .verdict  the same for machines
  git keyless show HEAD                         everything in one signature, step by step

Let git itself sign and verify with it:
  git config gpg.format x509
  git config gpg.x509.program git-keyless"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// This process's arguments; help, version and usage errors (exit code 2) end it.
    pub fn read() -> Self {
        Self::parse()
    }
}

/// The commands of a person.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge commits and tags: exit code 0 when all are good, 1 when one is not, 2 without a verdict
    Verify(Verify),
    /// Print everything in one signature, step by step
    Show(Show),
    /// Log in now, for the next minutes' signatures
    Login,
    /// Forget every login that is kept
    Logout,
    /// Say who signs here without another login: exit code 1 when nobody does
    Whoami(Whoami),
    /// See the main job in a minute: sign, verify, tamper and refuse, on a sandbox, touching nothing of yours
    #[cfg(feature = "sandbox")]
    Demo(Demo),
    /// Run a whole Sigstore on this machine, for trial, training and tests
    #[cfg(feature = "sandbox")]
    Sandbox(Sandbox),
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Commits and annotated tags to judge, each for itself [default: HEAD]
    #[arg(value_name = "REV")]
    pub revs: Vec<String>,
    /// Judge the raw bytes of one object, from a file or - for standard input; needs no repository
    #[arg(long, value_name = "FILE", conflicts_with = "revs")]
    pub object: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Accept this subject; with --issuer, repeatable, replaces keyless.trustedIdentity
    #[arg(long = "identity", value_name = "SUBJECT", requires = "issuers")]
    pub identities: Vec<String>,
    /// Issuer of the --identity at the same place
    #[arg(long = "issuer", value_name = "URL", requires = "identities")]
    pub issuers: Vec<String>,
    /// Refuse when nobody said whose signatures are accepted
    #[arg(long)]
    pub require_identity: bool,
    /// How it is trusted.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The commit or annotated tag
    #[arg(value_name = "REV", default_value = "HEAD")]
    pub rev: String,
    /// Print the signature as a Sigstore bundle v0.3
    #[arg(long)]
    pub bundle: bool,
    /// How it is trusted.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Arguments of `whoami`.
#[derive(Debug, Args)]
pub struct Whoami {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of everything that verifies.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// Judge under this trusted root (JSON) instead of keyless.trustedRoot or the built-in one
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
}

/// Arguments of `demo`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave repository and sandbox in this folder, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Arguments of `sandbox`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Sandbox {
    /// What else than running it.
    #[command(subcommand)]
    pub command: Option<SandboxCommand>,
    /// Its directory, new or empty or an earlier sandbox's, which goes on
    #[arg(long, value_name = "DIR", required = true)]
    pub dir: Option<PathBuf>,
    /// Which Rekor its signing config names
    #[arg(long, value_name = "VERSION", value_parser = ["v1", "v2"], default_value = "v1")]
    pub rekor: String,
    /// Let a service (fulcio, oidc, rekor, tsa) fail: busy-once, dies, endless, error, garbage, hangs, redirects,
    /// refuses, skewed:SECONDS, slow:SECONDS, or lie: foreign-sct, other-entry, other-identity, other-key,
    /// wrong-nonce, wrong-proof, wrong-signature; repeatable
    #[arg(long = "fail", value_name = "SERVICE=HOW")]
    pub failing: Vec<crate::sandbox::Failing>,
}

/// What a sandbox's directory is good for beside running it.
#[cfg(feature = "sandbox")]
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Print an ID token of the sandbox, good for an hour
    Token(SandboxToken),
}

/// Arguments of `sandbox token`.
#[cfg(feature = "sandbox")]
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["email", "spiffe", "uri", "workflow"]).required(true))]
pub struct SandboxToken {
    /// The sandbox's directory
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// For this e-mail address
    #[arg(long, value_name = "EMAIL")]
    pub email: Option<String>,
    /// As if this other provider had vouched for the address; certificates name it as their issuer
    #[arg(long, value_name = "URL", requires = "email", conflicts_with_all = ["spiffe", "uri", "workflow"])]
    pub connector: Option<String>,
    /// For this SPIFFE id
    #[arg(long, value_name = "ID")]
    pub spiffe: Option<String>,
    /// For this URI
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,
    /// For a run of this workflow of GitHub Actions
    #[arg(long, value_name = "OWNER/REPOSITORY/PATH@REF")]
    pub workflow: Option<String>,
}
