//! Which repository is around a folder, and whether git would work in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gix::bstr::{BStr, ByteSlice as _};
use gix::discover::upwards;
use gix::sec::Trust;

use super::{Unreadable, absolute};

/// What is around a folder. It is decided before anything of a repository's configuration is read, since that is for its
/// owner to write: it could name itself anything, or never end.
pub(super) enum Around {
    Nothing,
    /// By `GIT_DIR`: whoever names it means it, whose it may be, and git asks no more. Absolute, since hooks are told `.`.
    Named(PathBuf),
    Trusted,
    /// Git would refuse to work in it.
    Untrusted(PathBuf),
}

impl Around {
    /// `directory` is absolute: found from a relative one, a bare repository comes in another spelling, and that may be
    /// another repository's.
    pub(super) fn of(directory: &Path) -> Result<Self, Unreadable> {
        if let Some(named) = std::env::var_os("GIT_DIR") {
            return absolute(Path::new(&named)).map(Self::Named);
        }
        let Ok((path, trust)) = gix::discover::upwards_opts(directory, discovery()) else { return Ok(Self::Nothing) };
        let (git_dir, _) = path.into_repository_and_work_tree_directories();
        let plainly_ours = trust == Trust::Full && !is_found_bare(directory, &git_dir);
        // Whatever `safe.directory` and `safe.bareRepository` say, git says.
        Ok(match plainly_ours || is_gits(directory, &git_dir) {
            true => Self::Trusted,
            false => Self::Untrusted(git_dir),
        })
    }
}

/// Found because one stands in it, and neither in a checkout nor in the `.git` of one: what `safe.bareRepository` is
/// about. By its path alone, as git has it: what a repository says of itself is its owner's to write.
fn is_found_bare(directory: &Path, git_dir: &Path) -> bool {
    let (Ok(directory), Ok(git_dir)) = (directory.canonicalize(), git_dir.canonicalize()) else { return true };
    let parts: Vec<_> = git_dir.components().map(|part| part.as_os_str()).collect();
    let of_a_checkout = parts.last().is_some_and(|last| *last == ".git")
        || parts
            .windows(2)
            .any(|pair| matches!(pair, [git, of] if *git == ".git" && (*of == "worktrees" || *of == "modules")));
    directory.starts_with(&git_dir) && !of_a_checkout
}

/// Whether git finds this repository from there, and is willing to work in it.
fn is_gits(directory: &Path, git_dir: &Path) -> bool {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).args(["rev-parse", "--absolute-git-dir"]).stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(output) = git.output() else { return false };
    let found = output.stdout.trim_end_with(|c| c == '\n').to_path().ok().and_then(|path| path.canonicalize().ok());
    output.status.success() && found.is_some() && found == git_dir.canonicalize().ok()
}

/// As git discovers: `GIT_CEILING_DIRECTORIES`, `GIT_DISCOVERY_ACROSS_FILESYSTEM`.
pub(super) fn discovery() -> upwards::Options<'static> {
    let across = std::env::var("GIT_DISCOVERY_ACROSS_FILESYSTEM").ok();
    let across = across.and_then(|text| gix::config::Boolean::try_from(BStr::new(&text)).ok());
    let options = upwards::Options { match_ceiling_dir_or_error: false, ..upwards::Options::default() };
    let options = options.apply_environment();
    match across {
        Some(across) => upwards::Options { cross_fs: across.0, ..options },
        None => options,
    }
}
