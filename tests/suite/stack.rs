//! The servers that the suite runs on, whichever they are. How they are started each test binary says for itself, with
//! `Stack::shared()` and `Stack::without_ct()`.

use std::path::{Path, PathBuf};

use crate::support::{PROGRAM, Repo};

/// One running instance.
pub(crate) struct Stack {
    /// With `trusted_root.json`, `signing_config_v1.json`, `client_trust_config.json`, and both for v2.
    pub(crate) dir: PathBuf,
    /// In the order of [`Service`].
    pub(crate) ports: [u16; 5],
    /// The CT log's SubjectPublicKeyInfo in base64, listed or not.
    pub(crate) ct_key: String,
    pub(crate) mint: Box<dyn Fn(&Person) -> String + Send + Sync>,
}

/// Its services.
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
    pub(crate) fn port(&self, service: Service) -> u16 {
        self.ports[service as usize]
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

    /// An ID token, good for ten minutes or longer.
    pub(crate) fn token(&self, person: &Person) -> String {
        (self.mint)(person)
    }

    /// Sets `repo` up as the documentation tells a user to, and gives the token.
    pub(crate) fn set_up(&self, repo: &Repo, route: Route, person: &Person) -> String {
        self.lead(repo, route);
        let token = self.token(person);
        repo.config("keyless.idTokenFile", private(&repo.file("token", &token)));
        token
    }

    /// Makes `repo` sign here, by whoever that is.
    pub(crate) fn lead(&self, repo: &Repo, route: Route) {
        repo.config("gpg.format", "x509");
        repo.config("gpg.x509.program", PROGRAM);
        repo.config("commit.gpgSign", "true");
        repo.config("tag.gpgSign", "true");
        repo.config("keyless.trustedRoot", self.trusted_root());
        repo.config("keyless.signingConfig", self.dir.join(route.signing_config()));
        repo.config("keyless.timestamp", if route == Route::V1Token { "always" } else { "needed" });
    }
}

/// A secret is nobody else's to read.
fn private(path: &Path) -> &Path {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}
