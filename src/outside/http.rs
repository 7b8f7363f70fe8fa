//! HTTP to four kinds of servers: the only file that names `reqwest`.
//!
//! Encrypted, except on loopback, which no proxy ever sees. Redirects are not followed, nothing is unpacked, no cookie
//! is kept. A reply has a size and an exchange a deadline, from the first byte sent to the last one read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::{Client, ClientBuilder, Method, Response, Url, header, redirect};

use crate::format::printable;

/// Most characters of an answer that an error quotes.
pub const MAX_EXCERPT_CHARS: usize = 300;

/// Whom we speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Fulcio.
    CertificateAuthority,
    /// An OpenID provider.
    IdentityProvider,
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
            Self::TimestampAuthority => "timestamp authority",
            Self::TransparencyLog => "transparency log",
        })
    }
}

/// Where a server is: a URL that may be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    server: Server,
    url: Url,
    loopback: bool,
}

impl Endpoint {
    /// https anywhere, http on loopback alone; no user, password or fragment.
    pub fn parse(server: Server, text: &str) -> Result<Self, Failure> {
        let refuse =
            |why: &str| Failure { server, url: printable(text), fault: Fault::NotAnEndpoint { why: why.to_owned() } };
        let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
        let loopback = url.host_str().is_some_and(is_loopback);
        if !url.username().is_empty() || url.password().is_some() {
            // Never quoted: a password could stand in it.
            return Err(Failure { url: "(its URL)".to_owned(), ..refuse("a user or password stands in it") });
        }
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(refuse("plain http beyond this machine")),
            _ => return Err(refuse("neither https nor http")),
        }
        if url.fragment().is_some() {
            return Err(refuse("a fragment stands in it"));
        }
        Ok(Self { server, url, loopback })
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

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// To whom.
    pub endpoint: &'a Endpoint,
    /// POST with a body of a content type; GET without.
    pub body: Option<(&'static str, &'a [u8])>,
    /// What is wanted back.
    pub accept: &'static str,
    /// Most bytes of the reply.
    pub limit: usize,
    /// Of the whole exchange.
    pub deadline: Duration,
}

/// An answer, whatever its status.
pub struct Reply {
    endpoint: Endpoint,
    /// HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body of an answer of the 2xx class; any other is a failure.
    pub fn success(self) -> Result<Vec<u8>, Failure> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(self.refusal()) }
    }

    /// The failure that the status says. grpc-gateway, Rekor and the timestamp authority all answer with `message`.
    pub fn refusal(&self) -> Failure {
        #[derive(serde::Deserialize)]
        struct Refusal {
            message: String,
        }
        let said = serde_json::from_slice::<Refusal>(&self.body)
            .map(|refusal| refusal.message)
            .unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned());
        self.endpoint.failure(Fault::Status { status: self.status, said: excerpt(&said) })
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

/// The client. Its halves are made when they are first needed: a loopback one loads no certificates.
#[derive(Debug, Default)]
pub struct Http {
    loopback: OnceLock<Result<Client, String>>,
    beyond: OnceLock<Result<Client, String>>,
}

impl Http {
    /// Nothing is opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One exchange.
    pub async fn send(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let Request { endpoint, body, accept, limit, deadline } = request;
        let late = |answered| endpoint.failure(Fault::Late { deadline, answered });
        let started = Instant::now();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut builder = self.client(endpoint)?.request(method, endpoint.url.clone()).header(header::ACCEPT, accept);
        if let Some((content_type, body)) = body {
            builder = builder.header(header::CONTENT_TYPE, content_type).body(body.to_vec());
        }
        let response = tokio::time::timeout(deadline, builder.send())
            .await
            .map_err(|_| late(false))?
            .map_err(|error| endpoint.failure(Fault::Unreachable { why: causes(error) }))?;
        let (status, location) = (response.status().as_u16(), location(&response));
        let body = tokio::time::timeout(deadline.saturating_sub(started.elapsed()), read(response, limit))
            .await
            .map_err(|_| late(true))?
            .map_err(|fault| endpoint.failure(fault))?;
        Ok(Reply { endpoint: endpoint.clone(), status, location, body })
    }

    fn client(&self, endpoint: &Endpoint) -> Result<&Client, Failure> {
        let client = match endpoint.loopback {
            true => self.loopback.get_or_init(|| built(on_loopback(builder(), endpoint.url.scheme()))),
            false => self.beyond.get_or_init(|| built(builder())),
        };
        client.as_ref().map_err(|why| endpoint.failure(Fault::Unreachable { why: why.clone() }))
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("git-keyless/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        // Another crate may switch a codec on for everybody; not here.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
}

/// `localhost` is this machine, whatever a name server says; and no proxy is between us and it.
fn on_loopback(builder: ClientBuilder, scheme: &str) -> ClientBuilder {
    let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    let builder = builder.no_proxy().resolve_to_addrs("localhost", &here);
    if scheme == "http" { builder.tls_certs_only([]) } else { builder }
}

fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(causes)
}

fn location(response: &Response) -> Option<String> {
    response.headers().get(header::LOCATION)?.to_str().ok().map(str::to_owned)
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Fault::Broken { why: causes(error) })? {
        if body.len() + chunk.len() > limit {
            return Err(Fault::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error of the library with all that is behind it, without the URL, which we name ourselves.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    excerpt(&text)
}

/// What may be quoted of words that somebody else wrote: short, on one line, nothing that steers a terminal, and no word
/// that could be a token or a part of one.
pub fn excerpt(text: &str) -> String {
    let mut quoted = String::new();
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        let secret = word.split('.').any(|part| part.len() >= 32);
        quoted.push_str(if secret { "(withheld) " } else { word });
        if quoted.chars().count() > MAX_EXCERPT_CHARS {
            quoted = quoted.chars().take(MAX_EXCERPT_CHARS).chain(['.', '.', '.']).collect();
            break;
        }
    }
    printable(quoted.trim())
}

/// An exchange that gave nothing: with whom, what happened, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    server: Server,
    url: String,
    fault: Fault,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection broke within the answer.
    Broken {
        /// As the library says it.
        why: String,
    },
    /// The deadline passed.
    Late {
        /// The deadline.
        deadline: Duration,
        /// Whether an answer had begun.
        answered: bool,
    },
    /// A URL that is not spoken to.
    NotAnEndpoint {
        /// Why not.
        why: String,
    },
    /// An answer with another status than success.
    Status {
        /// The status.
        status: u16,
        /// What the server said.
        said: String,
    },
    /// An answer of more bytes than allowed.
    TooLarge {
        /// How many are allowed.
        limit: usize,
    },
    /// No connection, or none that could be trusted.
    Unreachable {
        /// As the library says it.
        why: String,
    },
    /// An answer that is not what the interface promises.
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
}

impl Failure {
    /// With whom.
    pub fn server(&self) -> Server {
        self.server
    }

    /// What happened.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether the same request may well succeed in a moment.
    pub fn may_pass(&self) -> bool {
        match &self.fault {
            Fault::Unreachable { .. } | Fault::Late { answered: false, .. } => true,
            Fault::Status { status, .. } => matches!(status, 429 | 500..=599),
            _ => false,
        }
    }

    fn advice(&self) -> &'static str {
        match (&self.fault, self.server) {
            (Fault::NotAnEndpoint { .. }, _) => "correct the URL in the configuration",
            (Fault::Unreachable { .. } | Fault::Broken { .. }, _) => "check the network, the proxy and the URL",
            (Fault::Late { .. }, _) => "try again later",
            (Fault::TooLarge { .. } | Fault::Unreadable { .. }, _) => "check that the URL is that server's",
            (Fault::Status { status: 300..=399, .. }, _) => {
                "redirects are not followed: put the address it moved to into the signing config"
            }
            (Fault::Status { status: 429 | 500..=599, .. }, _) => "try again later, or ask who runs it",
            (Fault::Status { status: 404, .. }, _) => "check the URL in the signing config",
            (Fault::Status { status: 405, .. }, Server::TransparencyLog) => {
                "this log takes no more entries: get a newer signing config"
            }
            (Fault::Status { .. }, Server::CertificateAuthority) => {
                "get a new ID token, from an issuer and for an audience that this authority accepts"
            }
            (Fault::Status { .. }, _) => "check that the signing config fits this server",
        }
    }
}

impl fmt::Display for Failure {
    /// What happened, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, url, fault } = self;
        match fault {
            Fault::Broken { why } => write!(f, "the {server} {url} broke off its answer ({why})"),
            Fault::Late { deadline, .. } => {
                write!(f, "the {server} {url} did not answer within {} s", deadline.as_secs_f32())
            }
            Fault::NotAnEndpoint { why } => write!(f, "the {server} {url} is not spoken to ({why})"),
            Fault::Status { status, said } if said.is_empty() => write!(f, "the {server} {url} answered {status}"),
            Fault::Status { status, said } => write!(f, "the {server} {url} answered {status}: {said}"),
            Fault::TooLarge { limit } => write!(f, "the {server} {url} answered with more than {limit} bytes"),
            Fault::Unreachable { why } => write!(f, "the {server} {url} cannot be reached ({why})"),
            Fault::Unreadable { why } => write!(f, "the {server} {url} gave an answer that cannot be used ({why})"),
        }?;
        write!(f, "; {}", self.advice())
    }
}

impl std::error::Error for Failure {}
