//! What is kept between signatures: a few secret bytes under a name, in a keyring of the operating system and nowhere
//! else, for as long as they are good.
//!
//! Every call has a deadline: a keyring that is locked, asks or hangs costs a moment and never a commit.

#[cfg(target_os = "linux")]
mod keyutils;
mod service;
mod turn;

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

pub use turn::{NoTurn, Turn};

/// How everything of ours is called in a keyring.
const SERVICE: &str = "git-keyless";
/// Most bytes that are kept under one name; Credential Manager takes 2,560.
pub const MAX_KEPT_BYTES: usize = 2560;
/// How long a keyring may take for one call. Kernel and unlocked keyrings take milliseconds; one that asks for its
/// password waits for a person, who may then be asked to log in instead.
const DEADLINE: Duration = Duration::from_secs(3);

/// A keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyring {
    /// Windows Credential Manager.
    CredentialManager,
    /// macOS Keychain.
    Keychain,
    /// The kernel's keyring of this user: memory only, and it forgets by itself.
    Keyutils,
    /// Whatever answers for `org.freedesktop.secrets` on the session bus: GNOME Keyring, KWallet, KeePassXC.
    SecretService,
}

impl Keyring {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Keyutils, Self::Keychain, Self::CredentialManager, Self::SecretService];

    /// As settings and people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CredentialManager => "credential-manager",
            Self::Keychain => "keychain",
            Self::Keyutils => "keyutils",
            Self::SecretService => "secret-service",
        }
    }

    /// What is kept under `name`.
    pub fn read(self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unusable> {
        let name = name.to_owned();
        self.within(move || match self {
            #[cfg(target_os = "linux")]
            Self::Keyutils => keyutils::read(&name),
            _ => service::read(self, &name),
        })
    }

    /// Keeps `bytes` under `name` in place of what was there. The kernel forgets them after `life`; other keyrings have
    /// no such thing.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only the kernel forgets by itself"))]
    pub fn write(self, name: &str, bytes: &[u8], life: Duration) -> Result<(), Unusable> {
        if bytes.len() > MAX_KEPT_BYTES {
            return Err(Unusable::new(self, format!("more than {MAX_KEPT_BYTES} bytes")));
        }
        let (name, bytes) = (name.to_owned(), Zeroizing::new(bytes.to_vec()));
        self.within(move || match self {
            #[cfg(target_os = "linux")]
            Self::Keyutils => keyutils::write(&name, &bytes, life),
            _ => service::write(self, &name, &bytes),
        })
    }

    /// Forgets what is kept under `name`.
    pub fn forget(self, name: &str) -> Result<(), Unusable> {
        let name = name.to_owned();
        self.within(move || match self {
            #[cfg(target_os = "linux")]
            Self::Keyutils => keyutils::forget(&name),
            _ => service::forget(self, &name),
        })
    }

    /// Forgets everything of ours: how many there were.
    pub fn forget_all(self) -> Result<usize, Unusable> {
        self.within(move || match self {
            #[cfg(target_os = "linux")]
            Self::Keyutils => keyutils::forget_all(),
            _ => service::forget_all(self),
        })
    }

    /// On a thread of its own, which nobody waits for when the deadline has passed.
    fn within<T: Send + 'static>(
        self,
        call: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Unusable> {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .spawn(move || {
                // Nobody listens any more once the deadline has passed.
                let _ = sender.send(call());
            })
            .map_err(|error| Unusable::new(self, error.to_string()))?;
        match receiver.recv_timeout(DEADLINE) {
            Ok(answer) => answer.map_err(|why| Unusable::new(self, why)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Unusable::new(self, format!("no answer within {} s; is it locked?", DEADLINE.as_secs())))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Unusable::new(self, "its library failed".to_owned())),
        }
    }
}

impl fmt::Display for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CredentialManager => "Windows Credential Manager",
            Self::Keychain => "the macOS keychain",
            Self::Keyutils => "the kernel's keyring",
            Self::SecretService => "the Secret Service",
        })
    }
}

/// A keyring that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    keyring: Keyring,
    why: String,
}

impl Unusable {
    fn new(keyring: Keyring, why: String) -> Self {
        Self { keyring, why }
    }

    /// Whether this machine has such a keyring at all.
    pub fn is_here(&self) -> bool {
        self.why != ABSENT
    }
}

/// What a keyring of another system says of itself.
const ABSENT: &str = "not on this system";

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be used: {}", self.keyring, self.why)
    }
}

impl std::error::Error for Unusable {}
