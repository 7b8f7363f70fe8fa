//! One login at a time: whoever needs a credential first logs in, the others wait and take what it kept.
//!
//! A lock on a file in a folder of the user's own. The kernel lets go of it when its holder ends, however that is.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How often somebody who waits looks again.
const POLL: Duration = Duration::from_millis(50);

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

/// Why there is no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// Somebody else's took too long.
    Late(Duration),
    /// There is no private place for the lock, or it cannot be locked.
    NoPlace(String),
}

impl fmt::Display for NoTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(deadline) => write!(f, "another login took longer than {} s", deadline.as_secs()),
            Self::NoPlace(why) => write!(f, "logins cannot wait for each other: {why}"),
        }
    }
}

impl std::error::Error for NoTurn {}

impl Turn {
    /// Waits for it, `deadline` at most; `waiting` is called once if there is somebody to wait for.
    pub fn take(deadline: Duration, waiting: impl FnOnce()) -> Result<Self, NoTurn> {
        let folder = folder().ok_or("neither XDG_RUNTIME_DIR nor a home folder is set");
        Self::take_in(&folder.map_err(|why| NoTurn::NoPlace(why.to_owned()))?, deadline, waiting)
    }

    /// A turn at what is in `folder`, for whoever asks for it in the same way; no file is left there.
    pub fn take_at(folder: &Path, deadline: Duration, waiting: impl FnOnce()) -> Result<Self, NoTurn> {
        let file = File::open(folder).map_err(|error| NoTurn::NoPlace(format!("{}: {error}", folder.display())))?;
        Self::wait(file, deadline, waiting)
    }

    fn take_in(folder: &Path, deadline: Duration, waiting: impl FnOnce()) -> Result<Self, NoTurn> {
        Self::wait(lock_file(folder).map_err(NoTurn::NoPlace)?, deadline, waiting)
    }

    fn wait(file: File, deadline: Duration, waiting: impl FnOnce()) -> Result<Self, NoTurn> {
        let began = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(NoTurn::NoPlace(error.to_string())),
                Err(TryLockError::WouldBlock) if began.elapsed() >= deadline => return Err(NoTurn::Late(deadline)),
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    thread::sleep(POLL);
                }
            }
        }
    }
}

fn lock_file(folder: &Path) -> Result<File, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    create_private(folder).map_err(failed)?;
    check_private(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(folder.join("login.lock")).map_err(failed)
}

/// A folder of this user's and machine's, better one that goes when the user logs out.
fn folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match () {
        () if cfg!(windows) => absolute("LOCALAPPDATA"),
        () => absolute("XDG_RUNTIME_DIR")
            .or_else(|| absolute("XDG_STATE_HOME"))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state"))),
    };
    base.map(|base| base.join("git-keyless"))
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Nobody else may hold the lock, or put a link in its place: neither in the folder nor for the folder.
#[cfg(unix)]
fn check_private(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let user = rustix::process::geteuid().as_raw();
    let above = folder.parent().unwrap_or(folder);
    if above.metadata().map_err(failed)?.uid() != user {
        return Err(format!("{} is another user's", above.display()));
    }
    let meta = folder.symlink_metadata().map_err(failed)?;
    match meta.is_dir() && meta.uid() == user && meta.mode() & 0o077 == 0 {
        true => Ok(()),
        false => Err(format!("{0} is open to others: chmod 700 {0}", folder.display())),
    }
}

/// The profile's folder is the user's own.
#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn nobody_waits_for_a_turn_beyond_the_deadline() {
        const SOON: Duration = Duration::from_millis(120);
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("git-keyless");
        let held = Turn::take_in(&folder, SOON, || panic!("nobody else is there")).unwrap();
        // On a thread of its own, so that who waits for good is seen.
        let take = |deadline| {
            let (folder, (sender, taken)) = (folder.clone(), mpsc::channel());
            thread::spawn(move || {
                let (began, mut waited) = (Instant::now(), 0);
                let turn = Turn::take_in(&folder, deadline, || waited += 1);
                sender.send((turn.map(drop), waited, began.elapsed() >= deadline)).unwrap();
            });
            taken.recv_timeout(Duration::from_secs(10)).expect("it waits on")
        };
        assert_eq!(take(SOON), (Err(NoTurn::Late(SOON)), 1, true));
        assert_eq!(take(Duration::ZERO), (Err(NoTurn::Late(Duration::ZERO)), 0, true));
        drop(held);
        assert_eq!(take(SOON), (Ok(()), 0, false));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_open_to_others_is_no_place() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        for mode in [0o710, 0o701, 0o720, 0o755, 0o777] {
            std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = Turn::take_in(home.path(), Duration::ZERO, || ()).unwrap_err().to_string();
            assert!(refused.contains("is open to others: chmod 700"), "{mode:o}: {refused}");
        }
    }
}
