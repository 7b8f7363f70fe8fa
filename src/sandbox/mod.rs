//! A whole Sigstore in one process, on loopback: for trial, training and tests, and for nothing else.
//!
//! ```text
//! faults    what goes wrong on purpose: switches, ports that misbehave
//! fulcio    certificate requests       -> authority (chains, leaves) -> ct (SCTs)
//! rekor_v1  entries, promises, proofs  \
//! rekor_v2  entries, checkpoint, tiles  > log (entries in a file) -> tree (Merkle)
//! timestamp RFC 3161
//! login     pages and endpoints        -> oidc (tokens, codes, devices) -> identity (claims, whom they are about)
//! state     the directory: lock, keys, ports      clients   the files for clients
//! http, der answers in the real servers' shapes, DER by hand
//! ```
//!
//! Nothing in here is shared with [`crate::verify`]: what one builds the other reads, and neither helps the other. One
//! clock of whole seconds serves all, so that notBefore <= SCT <= promise and token.
//!
//! # Unlike the real servers
//!
//! - The identity provider believes every address; the certificate authority takes any URI and any SPIFFE id as a
//!   subject, since it has no configuration to compare hosts and trust domains with, and of forges knows GitHub alone.
//! - The CT log and the writers of Rekor v2 integrate at once: no batch, no wait, no witness. The CT log answers nobody.
//! - Rekor v1 knows `hashedrekord` alone, has no search index and no `entries/retrieve`; both Rekors refuse Ed25519,
//!   which the real ones take prehashed. Its global index is 1,000 ahead of its tree's, as after an earlier shard.
//! - rcgen orders a leaf's extensions in its own way: authority key identifier, names and usages come first.
//! - JSON is read strictly: no snake_case names, no URL-safe base64. What is wrong with broken JSON is said in other
//!   words than Go's, and the fields of an error stand in the alphabet's order. Connections end with their answer.

mod authority;
mod clients;
mod ct;
mod der;
mod faults;
mod fulcio;
mod http;
mod identity;
mod log;
mod login;
mod oidc;
mod rekor_v1;
mod rekor_v2;
mod state;
mod timestamp;
mod tree;

use std::fmt;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use tokio::sync::oneshot;

use self::authority::Authority;
use self::clients::ClientFiles;
use self::faults::{Gate, Switch, Switches};
use self::oidc::Provider;
use self::rekor_v1::RekorV1;
use self::rekor_v2::RekorV2;
use self::state::{Directory, READY};
use self::timestamp::TimestampAuthority;

pub use faults::{Failing, Fault, Service, UnknownFault};
pub use identity::Identity;

/// Of every certificate of its authorities: by this a trust root is known to be a sandbox's.
const ORGANIZATION: &str = "git-keyless sandbox";
/// How old its authorities and windows are at their first start, so that a clock that is wrong on purpose is outside of
/// nothing else: a day.
const AGE_SECONDS: i64 = 86_400;
/// How long a port may take to close or to open.
const PORT_DEADLINE: Duration = Duration::from_secs(2);

/// How to run one.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its directory: a new or empty one, or that of an earlier sandbox, which goes on.
    pub directory: PathBuf,
    /// Which Rekor its signing config names; both run.
    pub rekor: Rekor,
    /// What goes wrong from the start.
    pub failing: Vec<Failing>,
    /// The program that its `gitconfig` names; this one.
    pub program: PathBuf,
}

/// A version of Rekor's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rekor {
    /// With a promise.
    #[default]
    V1,
    /// With tiles; needs timestamps.
    V2,
}

/// Where its servers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// The identity provider; its issuers are `/dex`, `/email`, `/github`, `/spiffe` and `/uri` below.
    pub oidc: String,
    /// Fulcio.
    pub fulcio: String,
    /// Rekor v1.
    pub rekor_v1: String,
    /// Rekor v2.
    pub rekor_v2: String,
    /// The timestamp authority, the whole URL.
    pub timestamp: String,
}

/// Why there is no sandbox, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// A sandbox that runs, on a thread of its own, until this is dropped.
pub struct Sandbox {
    world: Arc<World>,
    urls: Urls,
    files: ClientFiles,
    directory: Directory,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("directory", &self.directory.path()).field("urls", &self.urls).finish()
    }
}

impl Sandbox {
    /// Starts one. When this returns it answers, and `ready` stands in its directory.
    pub fn start(options: &Options) -> Result<Self, Failure> {
        let directory = Directory::open(&options.directory)?;
        let [oidc, fulcio, rekor_v1, rekor_v2, timestamp] = directory.ports::<5>()?;
        let urls = Urls {
            oidc: url(&oidc)?,
            fulcio: url(&fulcio)?,
            rekor_v1: url(&rekor_v1)?,
            rekor_v2: url(&rekor_v2)?,
            timestamp: format!("{}/api/v1/timestamp", url(&timestamp)?),
        };
        let clock = Clock::default();
        let since = directory.keep("since", || Ok((clock.now() - AGE_SECONDS).to_string().into_bytes()))?;
        let since = String::from_utf8(since).ok().and_then(|text| text.parse().ok());
        let since = since.ok_or_else(|| Failure::new("the file `since` is no number of seconds"))?;
        let world = Arc::new(World {
            authority: Authority::open(&directory, since)?,
            provider: Provider::open(&directory, urls.oidc.clone())?,
            rekor_v1: RekorV1::open(&directory)?,
            rekor_v2: RekorV2::open(&directory)?,
            timestamps: TimestampAuthority::open(&directory, since)?,
            switches: Switches::new(),
            clock,
        });
        let files = ClientFiles::new(&world, &urls, options.rekor, since)?;
        let (stop, stopped) = oneshot::channel();
        let services = [
            (Service::IdentityProvider, oidc, login::router(world.clone())),
            (Service::CertificateAuthority, fulcio, fulcio::router(world.clone())),
            (Service::TransparencyLog, rekor_v1, rekor_v1::router(world.clone())),
            (Service::TransparencyLog, rekor_v2, rekor_v2::router(world.clone())),
            (Service::TimestampAuthority, timestamp, timestamp::router(world.clone())),
        ];
        let thread = serve(services, world.switches.clone(), stopped)?;
        let sandbox = Self { world, urls, files, directory, stop: Some(stop), thread: Some(thread) };
        options.failing.iter().for_each(|failing| sandbox.switch(failing.service, failing.fault));
        let program = options.program.to_str().ok_or_else(|| Failure::new("this program's path is not UTF-8"))?;
        sandbox.files.write(&sandbox.directory, &sandbox.urls, program)?;
        Ok(sandbox)
    }

    /// Starts one and runs it until the process is told to end. `announce` is called when it answers.
    pub fn run(options: &Options, announce: impl FnOnce(&Self)) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
        runtime.block_on(async {
            // Before anybody can know that it runs.
            let told_to_end = told_to_end().map_err(Failure::new)?;
            let sandbox = Self::start(options)?;
            announce(&sandbox);
            told_to_end.await;
            Ok(())
        })
    }

    /// Where its servers are.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `trusted_root.json`.
    pub fn trusted_root(&self) -> &[u8] {
        &self.files.trusted_root
    }

    /// `signing_config.json`.
    pub fn signing_config(&self) -> &[u8] {
        &self.files.signing_config
    }

    /// An ID token, good for an hour.
    pub fn mint(&self, identity: &Identity) -> Result<String, Failure> {
        self.world.provider.mint(identity, self.world.clock.now())
    }

    /// How many entries the logs of Rekor v1 and v2 hold.
    pub fn sizes(&self) -> [usize; 2] {
        [self.world.rekor_v1.size(), self.world.rekor_v2.size()]
    }

    /// Lets a service go wrong, or right again; holds when this returns.
    pub fn switch(&self, service: Service, fault: Fault) {
        let before = self.world.switches.of(service);
        self.world.switches.set(service, fault);
        if (before == Fault::Refuses) != (fault == Fault::Refuses) {
            self.await_ports(service, fault != Fault::Refuses);
        }
    }

    fn await_ports(&self, service: Service, open: bool) {
        let urls: &[&str] = match service {
            Service::CertificateAuthority => &[&self.urls.fulcio],
            Service::IdentityProvider => &[&self.urls.oidc],
            Service::TimestampAuthority => &[&self.urls.timestamp],
            Service::TransparencyLog => &[&self.urls.rekor_v1, &self.urls.rekor_v2],
        };
        let port = |url: &&str| url.split(['/', ':']).find_map(|part| part.parse::<u16>().ok());
        let until = Instant::now() + PORT_DEADLINE;
        for port in urls.iter().filter_map(port) {
            while TcpStream::connect(faults::loopback(port)).is_ok() != open && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// SIGTERM or Ctrl-C, from the moment on when this is called.
#[cfg(unix)]
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-C, from the moment on when this is called.
#[cfg(windows)]
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move { _ = interrupt.recv().await })
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.directory.remove(READY);
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An ID token of the sandbox in `directory`, whether it runs or not.
pub fn mint(directory: &Path, identity: &Identity) -> Result<String, Failure> {
    let none = || Failure::new(format!("{}: no sandbox; start one: git keyless sandbox", directory.display()));
    let ports = state::read(directory, "ports.json")?.ok_or_else(none)?;
    let ports: Vec<u16> = serde_json::from_slice(&ports).map_err(Failure::new)?;
    let base = format!("http://{}", faults::loopback(*ports.first().ok_or_else(none)?));
    Provider::of(directory, base)?.mint(identity, Clock::default().now())
}

/// All there is in it.
struct World {
    authority: Authority,
    provider: Provider,
    rekor_v1: RekorV1,
    rekor_v2: RekorV2,
    timestamps: TimestampAuthority,
    switches: Switches,
    clock: Clock,
}

impl World {
    /// The time as a service tells it.
    fn now(&self, service: Service) -> i64 {
        self.clock.now() + self.switches.skew(service)
    }
}

/// The one clock: whole seconds that never go back.
#[derive(Default)]
struct Clock(AtomicI64);

impl Clock {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
        self.0.fetch_max(seconds, Ordering::Relaxed).max(seconds)
    }
}

fn url(listener: &TcpListener) -> Result<String, Failure> {
    listener.local_addr().map(|address| format!("http://{address}")).map_err(Failure::new)
}

/// All services on one thread, until the other end of `stopped` goes away.
fn serve(
    services: [(Service, TcpListener, Router); 5],
    switches: Switches,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    for (service, listener, router) in services {
        let switch = Switch { switches: switches.clone(), service };
        let gate = {
            let _context = runtime.enter();
            Gate::new(listener, &switch).map_err(Failure::new)?
        };
        let router = router.layer(axum::middleware::from_fn_with_state(switch, faults::answer));
        runtime.spawn(async move { axum::serve(gate, router).await });
    }
    let run = move || {
        let _ = runtime.block_on(stopped);
        // Whoever still waits for an answer on purpose waits no longer.
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("sandbox".to_owned()).spawn(run).map_err(Failure::new)
}
