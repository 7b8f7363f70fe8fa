//! Where a server is, and what it is to us.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::failure::{Failure, Fault, excerpt};
use crate::format::printable;

/// Whom we speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Fulcio.
    CertificateAuthority,
    /// An OpenID provider.
    IdentityProvider,
    /// What tells a workload in a cloud who it is.
    MetadataServer,
    /// An RFC 3161 authority.
    TimestampAuthority,
    /// Rekor.
    TransparencyLog,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority",
            Self::IdentityProvider => "identity provider",
            Self::MetadataServer => "metadata server",
            Self::TimestampAuthority => "timestamp authority",
            Self::TransparencyLog => "transparency log",
        })
    }
}

/// Where a server is: a URL that may be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) server: Server,
    pub(super) url: Url,
    loopback: bool,
    /// Never through a proxy.
    pub(super) direct: bool,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.server, printable(self.url.as_str()))
    }
}

/// Where every cloud has its metadata server, which speaks plain http to its own machines alone (RFC 3927).
const METADATA_ADDRESS: &str = "169.254.169.254";

impl Endpoint {
    /// https anywhere, http on loopback alone; no user, password or fragment.
    pub fn parse(server: Server, text: &str) -> Result<Self, Failure> {
        let refuse =
            |why: &str| Failure { server, url: printable(text), fault: Fault::NotAnEndpoint { why: why.to_owned() } };
        // Never quoted: a password could stand in it.
        let secret = |why: &str| Failure { url: "(its URL)".to_owned(), ..refuse(why) };
        let url = Url::parse(text).map_err(|error| match text.contains('@') {
            true => secret(&error.to_string()),
            false => refuse(&error.to_string()),
        })?;
        let metadata = server == Server::MetadataServer && url.host_str() == Some(METADATA_ADDRESS);
        let loopback = url.host_str().is_some_and(is_loopback);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(secret("a user or password stands in it"));
        }
        match url.scheme() {
            "https" => {}
            "http" if loopback || metadata => {}
            "http" => return Err(refuse("plain http beyond this machine")),
            _ => return Err(refuse("neither https nor http")),
        }
        if url.fragment().is_some() {
            return Err(refuse("a fragment stands in it"));
        }
        Ok(Self { server, url, loopback, direct: loopback || metadata })
    }

    /// The name or address that it is at.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether it is this very machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// One more parameter of its query.
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.url.query_pairs_mut().append_pair(name, value);
        with
    }

    /// A path below it.
    pub fn below(&self, path: &str) -> Self {
        let mut below = self.clone();
        below.url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        below
    }

    /// The path that a `Location` names, if that is on this very server.
    pub fn path_of(&self, location: &str) -> Option<String> {
        let target = self.url.join(location).ok()?;
        let clean = target.username().is_empty() && target.password().is_none();
        (clean && target.origin() == self.url.origin()).then(|| target.path().to_owned())
    }

    /// A failure of this server.
    pub fn failure(&self, fault: Fault) -> Failure {
        Failure { server: self.server, url: printable(self.url.as_str()), fault }
    }

    /// Its answer is not what its interface promises.
    pub fn unreadable(&self, why: impl fmt::Display) -> Failure {
        self.failure(Fault::Unreadable { why: excerpt(&why.to_string()) })
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_goes() {
        let allowed = |url: &str| Endpoint::parse(Server::CertificateAuthority, url).is_ok();
        for url in [
            "https://fulcio.test",
            "https://fulcio.test:8443/a/b",
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://[::1]:80/",
            "http://localhost",
        ] {
            assert!(allowed(url), "{url}");
        }
        for url in [
            "http://fulcio.test",
            "http://127.0.0.1.test",
            "http://localhost.test",
            "http://128.0.0.1",
            "http://[::ffff:127.0.0.1]",
            "http://127.0.0.1@fulcio.test",
            "https://user@fulcio.test",
            "https://:word@fulcio.test",
            "https://fulcio.test/#x",
            "ftp://fulcio.test",
            "file:///etc/passwd",
            "fulcio.test",
            "",
        ] {
            assert!(!allowed(url), "{url}");
        }
        let metadata = "http://169.254.169.254/x";
        assert!(!allowed(metadata) && Endpoint::parse(Server::MetadataServer, metadata).is_ok());
        assert!(Endpoint::parse(Server::MetadataServer, "http://169.254.169.253/x").is_err());
        let failure = Endpoint::parse(Server::CertificateAuthority, "https://me:hunter2@fulcio.test").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
    }

    #[test]
    fn below_and_beside() {
        let log = Endpoint::parse(Server::TransparencyLog, "https://log.test:8443/base/").unwrap().below("api/v1");
        assert_eq!(log.url.as_str(), "https://log.test:8443/base/api/v1");
        assert_eq!(log.path_of("/x/y?z").as_deref(), Some("/x/y"));
        assert_eq!(log.path_of("https://log.test:8443/x").as_deref(), Some("/x"));
        for elsewhere in [
            "https://evil.test/x",
            "//evil.test/x",
            "http://log.test:8443/x",
            "https://log.test/x",
            "https://a@log.test:8443/x",
            "file:///x",
        ] {
            assert_eq!(log.path_of(elsewhere), None, "{elsewhere}");
        }
    }
}
