//! HTTP to four kinds of servers: the only file that names `reqwest`.
//!
//! Encrypted, except on loopback, which no proxy ever sees. Redirects are not followed, nothing is unpacked, no cookie
//! is kept. A reply has a size and an exchange a deadline, from the first byte sent to the last one read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::{Client, ClientBuilder, Method, Response, Url, header, redirect};

use super::terminal;
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
    server: Server,
    url: Url,
    loopback: bool,
    /// Never through a proxy.
    direct: bool,
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

/// One request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// To whom.
    pub endpoint: &'a Endpoint,
    /// POST with a body of a content type; GET without.
    pub body: Option<(&'static str, &'a [u8])>,
    /// What is wanted back.
    pub accept: &'static str,
    /// Further headers. Their values may be secrets: nothing prints them.
    pub headers: &'a [(&'a str, &'a str)],
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
    /// The `Date` header: what time it is there.
    pub date: Option<String>,
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

/// The client. Its parts are made when they are first needed: plain http loads no certificates.
#[derive(Debug, Default)]
pub struct Http {
    plain: OnceLock<Result<Client, String>>,
    loopback: OnceLock<Result<Client, String>>,
    beyond: OnceLock<Result<Client, String>>,
}

impl Http {
    /// Nothing is opened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One exchange. On a terminal it says whom it waits for, should that take long.
    pub async fn send(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let (server, host, most) = (request.endpoint.server, request.endpoint.host(), request.deadline.as_secs());
        let told = |seconds| format!("git-keyless: waiting for the {server} {host}, {seconds} of at most {most} s");
        terminal::watched(told, self.exchange(request)).await
    }

    async fn exchange(&self, request: Request<'_>) -> Result<Reply, Failure> {
        let Request { endpoint, body, accept, headers, limit, deadline } = request;
        let late = || endpoint.failure(Fault::Late { deadline });
        let started = Instant::now();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut builder = self.client(endpoint)?.request(method, endpoint.url.clone()).header(header::ACCEPT, accept);
        for (name, value) in headers {
            let mut value = header::HeaderValue::from_str(value).map_err(|_| {
                endpoint.failure(Fault::NotAnEndpoint { why: format!("no value for the header {name}") })
            })?;
            value.set_sensitive(true);
            builder = builder.header(*name, value);
        }
        if let Some((content_type, body)) = body {
            builder = builder.header(header::CONTENT_TYPE, content_type).body(body.to_vec());
        }
        let response = tokio::time::timeout(deadline, builder.send())
            .await
            .map_err(|_| late())?
            .map_err(|error| endpoint.failure(Fault::Unreachable { why: causes(error) }))?;
        let status = response.status().as_u16();
        let [location, date] = [header::LOCATION, header::DATE].map(|name| text_of(&response, name));
        let body = tokio::time::timeout(deadline.saturating_sub(started.elapsed()), read(response, limit))
            .await
            .map_err(|_| late())?
            .map_err(|fault| endpoint.failure(fault))?;
        Ok(Reply { endpoint: endpoint.clone(), status, location, date, body })
    }

    fn client(&self, endpoint: &Endpoint) -> Result<&Client, Failure> {
        let client = match (endpoint.direct, endpoint.url.scheme()) {
            (true, "http") => self.plain.get_or_init(|| built(direct(builder()).tls_certs_only([]))),
            (true, _) => self.loopback.get_or_init(|| built(direct(builder()))),
            (false, _) => self.beyond.get_or_init(|| built(builder())),
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
fn direct(builder: ClientBuilder) -> ClientBuilder {
    let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
    builder.no_proxy().resolve_to_addrs("localhost", &here)
}

fn built(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(causes)
}

fn text_of(response: &Response, name: header::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
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
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    for word in text.split_inclusive(|c| !of_token(c)) {
        let stem = word.trim_end_matches(|c| !of_token(c));
        let secret = stem.split('.').any(|part| part.len() >= 32);
        quoted.push_str(if secret { "(withheld)" } else { stem });
        quoted.push_str(word.strip_prefix(stem).unwrap_or_default());
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

    /// Whether the same request may well succeed in a moment. Who did not answer in a whole deadline will not.
    pub fn may_pass(&self) -> bool {
        match &self.fault {
            Fault::Unreachable { .. } => true,
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
            (Fault::Status { .. }, Server::IdentityProvider | Server::MetadataServer) => {
                "check that this is the identity provider that you mean, and that it knows this client"
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_millis(500);

    /// A server that reads what comes first and answers each connection with `pieces`, a pause after each.
    fn server(pieces: Vec<Vec<u8>>, pause: Duration) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, pieces) = (stream.unwrap(), pieces.clone());
                let _ = stream.read(&mut [0; 4096]);
                thread::spawn(move || {
                    for piece in pieces {
                        if stream.write_all(&piece).is_err() {
                            return;
                        }
                        thread::sleep(pause);
                    }
                });
            }
        });
        Endpoint::parse(Server::TransparencyLog, &format!("http://{address}/base/")).unwrap()
    }

    fn says(answer: &str) -> Endpoint {
        server(vec![answer.as_bytes().to_vec()], Duration::ZERO)
    }

    fn send(endpoint: &Endpoint) -> Result<Reply, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = Request { endpoint, body: None, accept: "*/*", headers: &[], limit: 100, deadline: SOON };
        runtime.block_on(async { Http::new().send(request).await })
    }

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

    #[test]
    fn answers_of_every_kind() {
        let reply = send(&says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")).unwrap();
        assert_eq!((reply.status, reply.success().unwrap().as_slice()), (200, &b"hi"[..]));

        let zipped = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(send(&says(zipped)).unwrap().body, b"hi", "nothing is unpacked");

        let moved = says("HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n");
        let reply = send(&moved).unwrap();
        assert_eq!((reply.status, reply.location.as_deref()), (307, Some("http://127.0.0.1:9/")));
        assert!(!reply.success().unwrap_err().may_pass());

        let said = r#"{"code":3,"message":"no\u001b[2J"}"#;
        for (status, passes) in [(400, false), (405, false), (429, true), (500, true), (503, true)] {
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{said}", said.len());
            let failure = send(&says(&answer)).unwrap().refusal();
            assert_eq!(failure.may_pass(), passes, "{status}");
            assert!(failure.to_string().contains(&format!("answered {status}: no\\u{{1b}}[2J")), "{failure}");
        }
    }

    #[test]
    fn too_much_too_slow_too_short() {
        let large = format!("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n{}", "x".repeat(101));
        assert_eq!(send(&says(&large)).unwrap_err().fault(), &Fault::TooLarge { limit: 100 });

        let mut endless = vec![b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()];
        endless.extend(vec![b"1f\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".to_vec(); 1000]);
        assert_eq!(send(&server(endless, Duration::ZERO)).unwrap_err().fault(), &Fault::TooLarge { limit: 100 });

        let mut drip = vec![b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n".to_vec()];
        drip.extend(vec![b"x".to_vec(); 90]);
        let started = Instant::now();
        let failure = send(&server(drip, SOON / 10)).unwrap_err();
        assert_eq!(failure.fault(), &Fault::Late { deadline: SOON });
        assert!(started.elapsed() < SOON * 2 && !failure.may_pass());

        let silent = send(&server(Vec::new(), Duration::ZERO).below("closes at once")).unwrap_err();
        assert!(matches!(silent.fault(), Fault::Unreachable { .. }), "{silent}");
        let dumb = send(&server(vec![Vec::new()], SOON * 4)).unwrap_err();
        assert_eq!(dumb.fault(), &Fault::Late { deadline: SOON });
        assert!(!dumb.may_pass());

        let short = send(&says("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhi")).unwrap_err();
        assert!(matches!(short.fault(), Fault::Broken { .. }), "{short}");

        let nobody = Endpoint::parse(Server::TimestampAuthority, "http://127.0.0.1:1").unwrap();
        assert!(send(&nobody).unwrap_err().may_pass());
    }

    #[test]
    fn what_is_quoted() {
        let token = format!("{}.{}.{}", "eyJhbGciOi".repeat(5), "eyJpc3MiOi".repeat(9), "c2lnbmF0".repeat(9));
        for around in [format!("bad token {token}"), format!("{{\"t\":\"{token}\"}}"), format!("a={token}&b"), token] {
            assert!(!excerpt(&around).contains("eyJhbGciOi"), "{}", excerpt(&around));
            assert!(!excerpt(&around).contains("c2lnbmF0"), "{}", excerpt(&around));
        }
        assert_eq!(excerpt(" a\nb\u{202e}c "), "a\\u{a}b\\u{202e}c");
        assert_eq!(excerpt(&"ab ".repeat(500)).len(), MAX_EXCERPT_CHARS + 3);
        assert_eq!(excerpt("https://fulcio.corp.example.test/x"), "https://fulcio.corp.example.test/x");
    }
}
