//! Temporary folders that nobody else may enter, gone when they are dropped, and when a signal ends this process.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All that there are now.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary folder.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// `name` is random: nobody else can have made it before.
    pub fn new(name: &str) -> Result<Self, String> {
        let folder = Self(std::env::temp_dir().join(format!("git-keyless-{name}")));
        // Before it is made: a signal in between finds it too.
        folders().push(folder.0.clone());
        #[cfg(unix)]
        signals::watch();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(false);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder.path()).map_err(|error| format!("{}: {error}", folder.0.display()))?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A new file in it; where that is.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        let written = File::create_new(&path).and_then(|mut file| file.write_all(bytes));
        written.map(|()| path.clone()).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        folders().retain(|folder| *folder != self.0);
    }
}

fn folders() -> MutexGuard<'static, Vec<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
mod signals {
    use std::sync::Once;
    use std::thread;
    use std::time::Duration;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    /// How often a folder is removed in which a child still writes: the signal was for it too.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(25);

    /// From now on whoever interrupts this process ends it as before, a moment later.
    pub(super) fn watch() {
        static WATCHED: Once = Once::new();
        WATCHED.call_once(|| {
            let ignored = ignored();
            let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
            // Without it the folders stay behind, and nothing else is different.
            let Ok(mut signals) = Signals::new(heard) else { return };
            thread::spawn(move || {
                for signal in signals.forever() {
                    remove();
                    let _ = emulate_default_handler(signal);
                }
            });
        });
    }

    fn remove() {
        for folder in super::folders().iter() {
            for _ in 0..TRIES {
                let _ = std::fs::remove_dir_all(folder);
                if !folder.exists() {
                    break;
                }
                thread::sleep(PAUSE);
            }
        }
    }

    /// What whoever started this process had it ignore, as nohup does; a bit for each signal, from 1 (proc_pid_status(5)).
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
    }
}
