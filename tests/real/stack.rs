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

use crate::http;
use crate::support::Repo;

/// One running instance.
pub(crate) struct Stack {
    pub(crate) dir: PathBuf,
    base: u16,
}

/// Its services, by their offset from the base port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Oidc = 0,
    Fulcio = 1,
    RekorV1 = 2,
    RekorV2 = 3,
    Tsa = 4,
}

/// Which log, and whether a timestamp is asked for where the log would not need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    V1,
    V1Token,
    V2,
}

impl Route {
    pub(crate) const ALL: [Self; 3] = [Self::V1, Self::V1Token, Self::V2];

    /// The authenticated times that a signature of this route carries.
    pub(crate) fn sources(self) -> &'static [&'static str] {
        match self {
            Self::V1 => &["promise"],
            Self::V1Token => &["promise", "timestamp"],
            Self::V2 => &["timestamp"],
        }
    }

    /// Its entry's kind.
    pub(crate) fn kind(self) -> &'static str {
        if self == Self::V2 { "hashedrekord/0.0.2" } else { "hashedrekord/0.0.1" }
    }

    /// The file of a stack that leads there.
    pub(crate) fn signing_config(self) -> &'static str {
        if self == Self::V2 { "signing_config_v2.json" } else { "signing_config_v1.json" }
    }
}

/// One form of identity: the provider that vouches for it, what to ask of it, and what the certificate then says.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) provider: &'static str,
    pub(crate) query: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) kind: &'static str,
    /// None: the provider itself.
    pub(crate) issuer: Option<&'static str>,
}

const fn person(provider: &'static str, query: &'static str, subject: &'static str, kind: &'static str) -> Person {
    Person { provider, query, subject, kind, issuer: None }
}

/// Who signs when it does not matter.
pub(crate) const DEV: Person = person("email", "email=dev@example.test", "dev@example.test", "email");

/// All forms that the provider knows.
pub(crate) const PEOPLE: [Person; 5] = [
    DEV,
    Person {
        issuer: Some("https://github.com/login/oauth"),
        ..person("dex", "email=dex+tag@example.test", "dex+tag@example.test", "email")
    },
    person(
        "github",
        "repository=example/project",
        "https://github.com/example/project/.github/workflows/release.yml@refs/heads/main",
        "uri",
    ),
    person("uri", "sub=http://127.0.0.1/agents/builder-7", "http://127.0.0.1/agents/builder-7", "uri"),
    person("spiffe", "sub=spiffe://local.test/ci/signer", "spiffe://local.test/ci/signer", "uri"),
];

impl Stack {
    /// The whole one, or none with a notice.
    pub(crate) fn shared() -> Option<&'static Self> {
        stacks().map(|[whole, _]| whole)
    }

    /// The one whose certificates carry no SCT and whose trust root lists no CT log.
    pub(crate) fn without_ct() -> Option<&'static Self> {
        stacks().map(|[_, without]| without)
    }

    pub(crate) fn port(&self, service: Service) -> u16 {
        self.base + service as u16
    }

    pub(crate) fn url(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.port(service))
    }

    pub(crate) fn trusted_root(&self) -> PathBuf {
        self.dir.join("trusted_root.json")
    }

    /// The issuer that this person's certificates name.
    pub(crate) fn issuer(&self, person: &Person) -> String {
        person.issuer.map_or_else(|| format!("{}/{}", self.url(Service::Oidc), person.provider), str::to_owned)
    }

    /// An ID token, good for ten minutes.
    pub(crate) fn token(&self, person: &Person) -> String {
        let path = format!("/{}/mint?{}", person.provider, person.query.replace('+', "%2B"));
        let reply = http::get(self.port(Service::Oidc), &path);
        assert_eq!(reply.status, 200, "{reply:?}");
        String::from_utf8(reply.body).unwrap()
    }

    /// Sets `repo` up as the documentation tells a user to, and gives the token.
    pub(crate) fn set_up(&self, repo: &Repo, route: Route, person: &Person) -> String {
        repo.config("gpg.format", "x509");
        repo.config("gpg.x509.program", crate::support::PROGRAM);
        repo.config("commit.gpgSign", "true");
        repo.config("tag.gpgSign", "true");
        repo.config("keyless.trustedRoot", self.trusted_root());
        repo.config("keyless.signingConfig", self.dir.join(route.signing_config()));
        repo.config("keyless.timestamp", if route == Route::V1Token { "always" } else { "needed" });
        let token = self.token(person);
        repo.config("keyless.idTokenFile", private(&repo.file("token", &token)));
        token
    }
}

/// A secret is nobody else's to read.
fn private(path: &Path) -> &Path {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
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
            let stack = |name: &str, base| Stack { dir: top.join(name), base };
            return ([stack("ct", bases[0]), stack("no-ct", bases[1])], holder);
        }
        holder.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        holder.wait().unwrap();
    }
    panic!("the servers do not start:\n{said}");
}

/// Two runs of seven free ports each. Where to look first depends on the process, so that two runs seldom meet.
fn free_bases() -> [u16; 2] {
    let first = u16::try_from(std::process::id() % 500).unwrap();
    let candidates = (0..500).map(|n| 22_000 + (first + n) % 500 * 20);
    let free = |base: u16| (base..base + 7).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let mut found = candidates.filter(|&base| free(base) && free(base + 10)).map(|base| [base, base + 10]);
    found.next().expect("no free ports between 22000 and 32000")
}
