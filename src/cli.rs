//! Every flag once: parser, help and man page read this.

use std::path::PathBuf;

#[cfg(feature = "sandbox")]
use clap::ArgGroup;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
pub use clap_complete::Shell;

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

  git keyless setup                             let git itself sign and verify with it; --undo takes it back"
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

/// What makes `shell` complete `git-keyless` and `git keyless`.
pub fn completions(shell: Shell) -> Vec<u8> {
    // For bash the generator gives a program with a hyphen functions that do not find each other (clap_complete 4.6.11), so
    // there it gets another name. git's completion looks for `_git_keyless`, and has words of its own before ours.
    const IN_BASH: &[u8] = br#"
complete -r keyless
complete -F _keyless -o bashdefault -o default git-keyless
_git_keyless() {
    local at=0
    while [[ $at -lt ${#COMP_WORDS[@]} && ${COMP_WORDS[at]} != keyless ]]; do at=$((at + 1)); done
    local -a rest=("${COMP_WORDS[@]:at}")
    local COMP_CWORD=$((COMP_CWORD - at))
    local -a COMP_WORDS=("${rest[@]}")
    _keyless keyless "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
}
"#;
    let name = if shell == Shell::Bash { "keyless" } else { "git-keyless" };
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), name, &mut written);
    if shell == Shell::Bash {
        written.extend_from_slice(IN_BASH);
    }
    written
}

/// The commands of a person.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Let git sign and verify with this program, in one command; --undo puts back what was there
    Setup(Setup),
    /// Judge commits and tags: exit code 0 when all are good, 1 when one is not, 2 without a verdict
    Verify(Verify),
    /// Print everything in one signature, step by step
    Show(Show),
    /// Say whether git will sign and verify here, and what mends what is wrong: exit code 1 when signing will not work
    Doctor(Doctor),
    /// Print completions, for the installation
    #[command(hide = true)]
    Completions {
        /// bash, zsh or fish
        shell: Shell,
    },
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

/// Arguments of `setup`.
#[derive(Debug, Args)]
pub struct Setup {
    /// Write the user's configuration (the default)
    #[arg(long, conflicts_with_all = ["local", "system"])]
    pub global: bool,
    /// Write this repository's configuration
    #[arg(long, conflicts_with = "system")]
    pub local: bool,
    /// Write the machine's configuration; then nobody is asked to log in
    #[arg(long)]
    pub system: bool,
    /// The instance to sign with and to judge under, from its client trust config (JSON)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "signing_config"])]
    pub client_trust_config: Option<PathBuf>,
    /// The instance to judge under: its trusted root (JSON)
    #[arg(long, value_name = "FILE")]
    pub trusted_root: Option<PathBuf>,
    /// The instance to sign with: its signing config (JSON)
    #[arg(long, value_name = "FILE")]
    pub signing_config: Option<PathBuf>,
    /// Take over what gitsign is configured with (gitsign.*, GITSIGN_*, SIGSTORE_*), and say what is left
    #[arg(long)]
    pub from_gitsign: bool,
    /// Only let git verify with this program; who signs, and how, stays as it is
    #[arg(long)]
    pub verify_only: bool,
    /// Set what it shows without asking
    #[arg(long)]
    pub yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not log in, and make no trial signature
    #[arg(long)]
    pub no_login: bool,
    /// Put back what was there before
    #[arg(long, conflicts_with_all = ["client_trust_config", "trusted_root", "signing_config", "from_gitsign", "verify_only", "no_login"])]
    pub undo: bool,
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

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Ask no server
    #[arg(long)]
    pub offline: bool,
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
