//! HTTP to five kinds of servers: with the two files below it the only one that names `reqwest`.
//!
//! Encrypted, except on loopback, which no proxy ever sees. Redirects are not followed, nothing is unpacked, no cookie
//! is kept. A reply has a size and an exchange a deadline, from the first byte sent to the last one read.

mod endpoint;
mod failure;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::{Client, ClientBuilder, Method, Response, header, redirect};

use super::terminal;

pub use endpoint::{Endpoint, Server};
pub use failure::{Failure, Fault, MAX_EXCERPT_CHARS, excerpt};

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
        let sized = |size: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size));
        let chunked = |size: usize| {
            let (one, rest) = ("x".repeat(size / 2), "x".repeat(size - size / 2));
            let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", one.len(), rest.len());
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        };
        let until_closed = |size: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(size));
        for answer in [&sized as &dyn Fn(usize) -> String, &chunked, &until_closed] {
            assert_eq!(send(&says(&answer(100))).unwrap().body, [b'x'; 100]);
            assert_eq!(send(&says(&answer(101))).unwrap_err().fault(), &Fault::TooLarge { limit: 100 });
        }

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
}
