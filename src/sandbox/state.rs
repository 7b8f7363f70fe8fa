//! The directory of one sandbox: a lock, keys, certificates, ports, logs, and the files that it writes for clients.
//!
//! It is 0700 and belongs to who runs the sandbox. Everything is written beside its place and renamed into it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SignatureAlgorithm};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::Failure;
use crate::key;

/// First of the ports that a sandbox takes. All of them are below what systems give to outgoing connections, so that
/// nobody has taken them when it starts again.
const FIRST_PORT: u16 = 10_240;
/// How many there are to choose from.
const PORTS: u16 = 22_000;
/// How often a taken port is answered with another one.
const ATTEMPTS: usize = 200;

/// How long a lock or a port may still be in use after its sandbox has ended in this very process: a child that another
/// thread is starting holds a copy of all our descriptors until it has become its program.
const RELEASE_DEADLINE: Duration = Duration::from_millis(500);

/// What is written last and taken away first.
pub(super) const READY: &str = "ready";

/// A directory that nobody else runs a sandbox on, as long as this lives.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes it or takes it over.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |why: &dyn std::fmt::Display| Failure::new(format!("{}: {why}", path.display()));
        if !path.exists() {
            private_folders().create(path).map_err(|error| failed(&error))?;
        }
        let path = fs::canonicalize(path).map_err(|error| failed(&error))?;
        let fresh = fs::read_dir(&path).map_err(|error| failed(&error))?.next().is_none();
        if !fresh && !path.join("lock").exists() {
            return Err(failed(&"there are files in it and it is no sandbox's; name a new or empty directory"));
        }
        let lock = private_file().append(true).open(path.join("lock"));
        let lock = lock.map_err(|error| failed(&error))?;
        if when_free(|| lock.try_lock()).is_err() {
            return Err(failed(&"another sandbox runs on it; stop that one, or name another directory"));
        }
        close(&path, &lock).map_err(|error| failed(&error))?;
        let directory = Self { path, _lock: lock };
        directory.remove(READY);
        Ok(directory)
    }

    /// Where it is, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What stands in one of its files; none when there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        read(&self.path, name)
    }

    /// Writes one of its files, for nobody else's eyes.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let (place, draft) = (self.path.join(name), self.path.join(format!(".{}", name.replace('/', "."))));
        let written = (|| {
            if let Some(parent) = place.parent() {
                private_folders().create(parent)?;
            }
            let mut file = private_file().write(true).truncate(true).open(&draft)?;
            file.write_all(bytes)?;
            fs::rename(&draft, &place)
        })();
        written.map_err(|error: std::io::Error| Failure::new(format!("{}: {error}", place.display())))
    }

    /// Opens a file that only grows.
    pub(super) fn append(&self, name: &str) -> Result<File, Failure> {
        let place = self.path.join(name);
        let opened = private_file().append(true).open(&place);
        opened.map_err(|error| Failure::new(format!("{}: {error}", place.display())))
    }

    /// Takes a file away; one that is not there is gone already.
    pub(super) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.path.join(name));
    }

    /// The key of that name, made when there is none.
    pub(super) fn key(&self, name: &str, algorithm: &'static SignatureAlgorithm) -> Result<KeyPair, Failure> {
        let file = key_file(name);
        if let Some(key) = load_key(&self.path, &file, algorithm)? {
            return Ok(key);
        }
        let key = KeyPair::generate_for(algorithm).map_err(Failure::new)?;
        self.write(&file, key.serialized_der())?;
        Ok(key)
    }

    /// The file of that name, made when there is none.
    pub(super) fn keep(&self, name: &str, make: impl FnOnce() -> Result<Vec<u8>, Failure>) -> Result<Vec<u8>, Failure> {
        if let Some(bytes) = self.read(name)? {
            return Ok(bytes);
        }
        let bytes = make()?;
        self.write(name, &bytes)?;
        Ok(bytes)
    }

    /// Ports that are bound: those of the last time, since certificates and configurations name them, else free ones.
    pub(super) fn ports<const N: usize>(&self) -> Result<[std::net::TcpListener; N], Failure> {
        let known: Option<Vec<u16>> = match self.read("ports.json")? {
            Some(json) => Some(serde_json::from_slice(&json).map_err(Failure::new)?),
            None => None,
        };
        let listeners = match &known {
            Some(ports) => ports.iter().map(|port| bind_again(*port)).collect::<Result<Vec<_>, _>>()?,
            None => (0..N).map(|_| bind_free()).collect::<Result<_, _>>()?,
        };
        if known.is_none() {
            let ports: Vec<u16> = listeners
                .iter()
                .map(|listener| listener.local_addr().map(|address| address.port()))
                .collect::<Result<_, _>>()
                .map_err(Failure::new)?;
            self.write("ports.json", &serde_json::to_vec(&ports).map_err(Failure::new)?)?;
        }
        listeners.try_into().map_err(|_| Failure::new("ports.json: another number of ports"))
    }
}

/// Makes folders for nobody else, where folders have modes.
fn private_folders() -> DirBuilder {
    let mut folders = DirBuilder::new();
    folders.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
    folders
}

/// A file for nobody else, made where there is none.
fn private_file() -> OpenOptions {
    let mut file = OpenOptions::new();
    file.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file
}

/// Lets nobody else into `folder`, which must be of whoever has just opened `lock` in it.
#[cfg(unix)]
fn close(folder: &Path, lock: &File) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    if fs::metadata(folder)?.uid() != lock.metadata()?.uid() {
        return Err(std::io::Error::other("it belongs to somebody else; name a directory of your own"));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// There it inherits who may enter.
#[cfg(not(unix))]
fn close(_: &Path, _: &File) -> std::io::Result<()> {
    Ok(())
}

/// What stands in a file of the sandbox at `path`, whether it runs or not.
pub(super) fn read(path: &Path, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let place = path.join(name);
    match fs::read(&place) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("{}: {error}", place.display()))),
    }
}

/// The key of that name, of a sandbox that has been started once.
pub(super) fn existing_key(path: &Path, name: &str) -> Result<KeyPair, Failure> {
    load_key(path, &key_file(name), &PKCS_ECDSA_P256_SHA256)?.ok_or_else(|| {
        Failure::new(format!("{}: no sandbox; start one: git keyless sandbox --dir {0}", path.display()))
    })
}

/// A key that is kept nowhere.
pub(super) fn fresh_p256() -> Result<KeyPair, Failure> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Failure::new)
}

fn key_file(name: &str) -> String {
    format!("keys/{name}.pk8")
}

fn load_key(path: &Path, file: &str, algorithm: &'static SignatureAlgorithm) -> Result<Option<KeyPair>, Failure> {
    let Some(der) = read(path, file)? else { return Ok(None) };
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der), algorithm)
        .map(Some)
        .map_err(|error| Failure::new(format!("{}: {error}", path.join(file).display())))
}

fn bind_again(port: u16) -> Result<std::net::TcpListener, Failure> {
    when_free(|| std::net::TcpListener::bind(super::faults::loopback(port))).map_err(|error| {
        Failure::new(format!(
            "port {port}, which this sandbox's files name: {error}; stop who has it, or name a new directory"
        ))
    })
}

fn when_free<T, E>(attempt: impl Fn() -> Result<T, E>) -> Result<T, E> {
    let until = Instant::now() + RELEASE_DEADLINE;
    loop {
        match attempt() {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            done => return done,
        }
    }
}

fn bind_free() -> Result<std::net::TcpListener, Failure> {
    for _ in 0..ATTEMPTS {
        let offset = u16::from_be_bytes(key::random().map_err(Failure::new)?) % PORTS;
        if let Ok(listener) = std::net::TcpListener::bind(super::faults::loopback(FIRST_PORT + offset)) {
            return Ok(listener);
        }
    }
    Err(Failure::new("no free port between 10240 and 32239"))
}
