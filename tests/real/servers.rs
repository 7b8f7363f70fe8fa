//! Two stacks of real servers for the whole test binary: one as the public instance is built, one without CT log.
//!
//! `stack/hold.sh` starts them and stops them when its standard input closes. We hold the other end in a static and
//! never close it: the kernel does, when this process ends, in whatever way it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::suite::http;
use crate::suite::stack::{Person, Service, Stack};

impl Stack {
    /// The whole one, or none with a notice.
    pub(crate) fn shared() -> Option<&'static Self> {
        stacks().map(|[whole, _]| whole)
    }

    /// The one whose certificates carry no SCT and whose trust root lists no CT log.
    pub(crate) fn without_ct() -> Option<&'static Self> {
        stacks().map(|[_, without]| without)
    }

    /// The port that the servers see each other on and that is nobody's yet.
    pub(crate) fn guest(&self) -> u16 {
        self.port(Service::Oidc) + 7
    }

    /// The one that `stack/` runs in `dir` on the ports from `base`.
    fn running(dir: PathBuf, base: u16) -> Self {
        let pem = std::fs::read_to_string(dir.join("keys/ct.pub")).unwrap();
        let ct_key = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let mint = move |person: &Person| {
            let path = format!("/{}/mint?{}", person.provider, person.query.replace('+', "%2B"));
            let reply = http::get(base, &path);
            assert_eq!(reply.status, 200, "{reply:?}");
            String::from_utf8(reply.body).unwrap()
        };
        Self { dir, ports: [0, 1, 2, 3, 4].map(|offset| base + offset), ct_key, mint: Box::new(mint) }
    }
}

/// Skips the test, aloud, when the servers are not installed.
fn stacks() -> Option<&'static [Stack; 2]> {
    static STACKS: OnceLock<Option<([Stack; 2], Child)>> = OnceLock::new();
    let found = STACKS.get_or_init(|| servers().map(|bin| start(&bin)));
    if found.is_none() {
        crate::support::skipped("no Sigstore servers in $RS_BIN or ~/.cache/realstack: see tests/real/README.md");
    }
    found.as_ref().map(|(stacks, _)| stacks)
}

fn servers() -> Option<PathBuf> {
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/realstack"));
    let bin = std::env::var_os("RS_BIN").map(PathBuf::from).or(cache).filter(|bin| bin.join("fulcio").is_file());
    let required = std::env::var_os("GIT_KEYLESS_REAL").is_some_and(|value| value == "require");
    assert!(bin.is_some() || !required, "GIT_KEYLESS_REAL=require, and no servers: see tests/real/README.md");
    bin
}

fn start(bin: &Path) -> ([Stack; 2], Child) {
    let mut said = String::new();
    // Between finding a port free and opening it somebody else may take it.
    for _ in 0..4 {
        let top = tempfile::Builder::new().prefix("keyless-real-").tempdir().unwrap().keep();
        let bases = free_bases();
        let mut holder = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/stack/hold.sh"))
            .arg(&top)
            .args(bases.map(|base| base.to_string()))
            .env("RS_BIN", bin)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the tests; the holder must live on to clean up behind them.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line == "up\n" {
            return (
                [("ct", bases[0]), ("no-ct", bases[1])].map(|(name, base)| Stack::running(top.join(name), base)),
                holder,
            );
        }
        holder.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        holder.wait().unwrap();
    }
    panic!("the servers do not start:\n{said}");
}

/// Two runs of eight free ports each. Where to look first depends on the process, so that two runs seldom meet.
fn free_bases() -> [u16; 2] {
    let first = u16::try_from(std::process::id() % 500).unwrap();
    let candidates = (0..500).map(|n| 22_000 + (first + n) % 500 * 20);
    let free = |base: u16| (base..base + 8).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let mut found = candidates.filter(|&base| free(base) && free(base + 10)).map(|base| [base, base + 10]);
    found.next().expect("no free ports between 22000 and 32000")
}
