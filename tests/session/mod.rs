//! The kept credential: one login for many signatures, in each keyring that this machine has, and never a wrong one.

mod desk;
mod keyring;
mod one_login;
mod publicity;
mod refresh;
mod taken_back;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git_keyless::outside::session::Keyring;

use crate::support::{cache, installed, skipped};

/// Set where a test runs once more, in a room whose keyring is its own.
const INSIDE: &str = "GIT_KEYLESS_TESTS_INSIDE";

/// Whether this is the inner run of `room`; else runs the test called `test` (below `session::`) in there, or says that
/// there is no such room here.
#[track_caller]
fn inside(room: Room, test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("run")).unwrap();
    let Some(mut command) = room.command(home.path()) else { return false };
    command.arg(std::env::current_exe().unwrap()).args(["--exact", &format!("session::{test}"), "--nocapture"]);
    command.env(INSIDE, "1").env("HOME", home.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// A place with a keyring.
#[derive(Clone, Copy, Debug)]
enum Room {
    /// One whose kernel keyring nobody else has, if this machine can make it; else the user's own, in which everything
    /// has a name that nobody else has and forgets itself.
    Kernel,
    /// The first of these, or none.
    KernelApart,
    /// A private D-Bus session with a gnome-keyring that is locked, and nobody to unlock it.
    Locked,
    /// Just so.
    Nothing,
    /// A private D-Bus session with an unlocked gnome-keyring.
    SecretService,
    /// The same, and no kernel keyring but its own.
    SecretServiceApart,
}

impl Room {
    /// Runs the words behind it in the room; none, with a notice, where there is none.
    fn command(self, home: &Path) -> Option<Command> {
        let just_so = || Command::new("env");
        let kernel = || Keyring::Keyutils.read("a test").is_ok();
        match self {
            Self::Nothing => Some(just_so()),
            Self::Kernel | Self::KernelApart if !kernel() => {
                skipped("the kernel's keyring cannot be used here");
                None
            }
            Self::Kernel => Some(apart().unwrap_or_else(just_so)),
            Self::KernelApart => apart_or_skipped(),
            Self::SecretServiceApart => {
                let (bus, mut room) = (Self::SecretService.command(home)?, apart_or_skipped()?);
                room.arg(bus.get_program()).args(bus.get_args());
                room.envs(bus.get_envs().filter_map(|(name, value)| Some((name, value?))));
                Some(room)
            }
            Self::Locked => bus("\"$0\" --start --components=secrets", home),
            Self::SecretService => bus("printf secret | \"$0\" --unlock --components=secrets", home),
        }
    }

    /// As the settings name its keyring.
    fn keyring(self) -> Option<Keyring> {
        match self {
            Self::Kernel | Self::KernelApart => Some(Keyring::Keyutils),
            Self::Locked | Self::SecretService | Self::SecretServiceApart => Some(Keyring::SecretService),
            Self::Nothing => None,
        }
    }
}

/// A user namespace has a kernel keyring of its own. In one of an ordinary user root's files are nobody's, and trust
/// rests on nothing that is nobody's.
fn apart() -> Option<Command> {
    let room = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--"]);
        command
    };
    let owner = room().args(["stat", "-c", "%u", "/"]).stderr(Stdio::null()).output().ok()?;
    (owner.stdout == b"0\n").then(room)
}

fn apart_or_skipped() -> Option<Command> {
    let room = apart();
    if room.is_none() {
        skipped("no user namespace with all of root's files here, so no kernel keyring apart from yours");
    }
    room
}

/// `home` is where the daemon keeps what it is told.
fn bus(start: &str, home: &Path) -> Option<Command> {
    let daemon = Some(cache().join("gnome-keyring/daemon")).filter(|daemon| daemon.is_file());
    let daemon = daemon.map(PathBuf::into_os_string);
    let (Some(bus), Some(daemon)) =
        (installed("dbus-run-session"), daemon.or_else(|| installed("gnome-keyring-daemon")))
    else {
        skipped("no gnome-keyring with a D-Bus session here (tests/session/gnome-keyring.sh)");
        return None;
    };
    let mut command = Command::new(bus);
    command.env("XDG_DATA_HOME", home.join("keyrings")).env("XDG_RUNTIME_DIR", home.join("run"));
    // It answers a moment after it says that it does.
    let owned = "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
                 string:org.freedesktop.secrets 2>&1 | grep -q true";
    let lines = format!("{start} >/dev/null 2>&1; until {owned}; do sleep 0.02; done; exec \"$@\"");
    command.args(["--", "sh", "-c", &lines]).arg(daemon);
    Some(command)
}
