//! Files that decide something: read whole, up to a limit, and only when nobody else could have written them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use rustix::fs::OFlags;

/// At most `limit` bytes; one more is an error, and nothing beyond that is read.
pub fn read_limited(mut from: impl Read, limit: usize, what: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let cap = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.by_ref().take(cap).read_to_end(&mut bytes).map_err(|error| format!("{what} cannot be read: {error}"))?;
    if bytes.len() > limit { Err(format!("{what} has more than {limit} bytes")) } else { Ok(bytes) }
}

/// A file on which trust rests: it and every folder above it belong to this user, to root or to `owner_of`'s owner,
/// and nobody else can write to them (folders with the sticky bit aside).
pub fn read_trusted(path: &Path, limit: usize, owner_of: Option<&Path>) -> Result<Vec<u8>, String> {
    let what = path.display().to_string();
    let real = path.canonicalize().map_err(|error| format!("{what} cannot be read: {error}"))?;
    check_safe(&real, owner_of)?;
    let file = open(&real).map_err(|error| format!("{what} cannot be read: {error}"))?;
    read_limited(file, limit, &what)
}

/// A file and nothing else: a pipe would keep the caller waiting.
pub fn open(path: &Path) -> std::io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file")),
    }
}

/// A path out of the settings: from `/` or `~/`. A relative one would be looked up in the working tree, whose content is
/// whoever's who wrote it.
pub fn absolute(path: &str) -> Result<PathBuf, String> {
    let expanded = expand(path)?;
    match expanded.is_absolute() {
        true => Ok(expanded),
        false => Err(format!("`{path}` is a relative path; name it from / or ~/")),
    }
}

/// `~/` is the home folder; anything else stands as it is.
pub fn expand(path: &str) -> Result<PathBuf, String> {
    match path.strip_prefix("~/") {
        None => Ok(PathBuf::from(path)),
        Some(rest) => match std::env::var_os("HOME") {
            Some(home) if !home.is_empty() => Ok(PathBuf::from(home).join(rest)),
            _ => Err(format!("`{path}` needs HOME, which is not set")),
        },
    }
}

/// Whether a standard stream was closed by the caller. The runtime opens `/dev/null` for reading and writing in its
/// place, so that no file can slip into it; whoever throws output away opens it for writing alone.
#[cfg(unix)]
pub fn was_closed(stream: impl std::os::fd::AsFd) -> bool {
    let null = rustix::fs::stat("/dev/null").map(|stat| stat.st_rdev);
    let stat = rustix::fs::fstat(&stream).map(|stat| stat.st_rdev);
    let both = rustix::fs::fcntl_getfl(&stream).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    both && matches!((null, stat), (Ok(null), Ok(stat)) if null == stat)
}

/// Cannot be seen there.
#[cfg(not(unix))]
pub fn was_closed(_: impl Sized) -> bool {
    false
}

#[cfg(unix)]
fn check_safe(path: &Path, owner_of: Option<&Path>) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    const STICKY: u32 = 0o1000;
    const GROUP_WRITES: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owner = owner_of.and_then(|path| path.metadata().ok()).map(|meta| meta.uid());
    for link in path.ancestors().filter(|link| !link.as_os_str().is_empty()) {
        let meta = link.metadata().map_err(|error| format!("{} cannot be read: {error}", link.display()))?;
        if ![user, 0].contains(&meta.uid()) && Some(meta.uid()) != owner {
            return Err(format!(
                "{} belongs to another user, so trust cannot rest on {}",
                link.display(),
                path.display()
            ));
        }
        let sticky = meta.is_dir() && meta.mode() & STICKY != 0;
        // A user's own group is the user; any other group is others.
        let foreign_group = meta.mode() & GROUP_WRITES != 0 && meta.gid() != group && meta.gid() != 0;
        if !sticky && (meta.mode() & OTHERS_WRITE != 0 || foreign_group) {
            let mend = format!("chmod go-w {}", link.display());
            return Err(format!(
                "{} can be written by others, so trust cannot rest on {}: {mend}",
                link.display(),
                path.display()
            ));
        }
    }
    Ok(())
}

/// Access lists decide elsewhere, and nothing here can read them.
#[cfg(not(unix))]
fn check_safe(_: &Path, _: Option<&Path>) -> Result<(), String> {
    Ok(())
}
