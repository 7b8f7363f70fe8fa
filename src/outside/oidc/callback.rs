//! Where the browser sets out and comes back to: two paths on this machine, each good once (RFC 8252 section 7.3).
//!
//! Every user of this machine can read what a browser is started with. So that is a short address of ours which leads
//! to the provider: state, nonce and challenge stand in no command line. Nor does it lead another user there, who would
//! log in as somebody else in this person's place. The answer's page waits until the login is decided, so that it can say
//! how that ended.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, LOCATION, REFERRER_POLICY,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use openidconnect::CsrfToken;
use openidconnect::url::{Url, form_urlencoded};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

use super::failure::LoginFailure;
use super::pages::{self, Page};
use super::peer;
use crate::outside::terminal;

/// As every client of Sigstore has it, and some providers have it registered.
const PATH: &str = "/auth/callback";
/// What is behind it nobody can guess.
const START: &str = "/login/";
/// How often another port is tried when the one that IPv4 gave is taken under IPv6.
const TRIES: usize = 16;
/// How long a connection may take to send its head.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// How long the last page may take to leave.
const LAST_PAGE_DEADLINE: Duration = Duration::from_secs(2);
/// Most connections at once; a browser opens a few.
const MAX_CONNECTIONS: usize = 64;
/// Most bytes of a request's head; codes and states have hundreds.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The open place.
pub(super) struct Listener {
    place: Arc<Place>,
    answers: mpsc::Receiver<Answer>,
    /// Ends with this.
    _connections: JoinSet<()>,
}

/// What a browser brought: parameters of RFC 6749 section 4.1.2.
pub(super) struct Answer {
    parameters: Vec<(String, String)>,
    page: oneshot::Sender<Page>,
}

impl Answer {
    /// A parameter that is there once.
    pub(super) fn parameter(&self, name: &'static str) -> Result<Option<&str>, LoginFailure> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(LoginFailure::NotThisLogin { why: "a parameter stands in it twice" }),
        }
    }
}

impl Listener {
    /// The same free port under IPv4 and IPv6, on loopback alone. A machine without IPv6 has the one.
    /// `forwarded` is whether somebody else's program may bring the browser's connections.
    pub(super) async fn open(forwarded: bool) -> Result<Self, LoginFailure> {
        let closed = |why: std::io::Error| LoginFailure::NoBrowser { why: format!("no port can be opened: {why}") };
        let mut last = None;
        for _ in 0..TRIES {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(closed)?;
            let port = v4.local_addr().map_err(closed)?.port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
                Ok(v6) => return Ok(Self::serve(port, forwarded, vec![v4, v6])),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => last = Some(error),
                Err(_) => return Ok(Self::serve(port, forwarded, vec![v4])),
            }
        }
        Err(closed(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())))
    }

    fn serve(port: u16, forwarded: bool, listeners: Vec<TcpListener>) -> Self {
        let (sender, answers) = mpsc::channel(1);
        let place = Arc::new(Place {
            port,
            forwarded,
            start: OnceLock::new(),
            started: AtomicBool::new(false),
            intruded: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            answers: sender,
            gone: Notify::new(),
        });
        let mut connections = JoinSet::new();
        for listener in listeners {
            connections.spawn(accept(listener, place.clone()));
        }
        Self { place, answers, _connections: connections }
    }

    /// What the provider is told to send the browser back to.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}{PATH}", self.place.port)
    }

    /// Another address of `provider`'s, which may be seen: it leads there once.
    pub(super) fn start_uri(&self, provider: &Url) -> String {
        let make =
            || Start { path: format!("{START}{}", CsrfToken::new_random().secret()), leads_to: provider.clone() };
        format!("http://localhost:{}{}", self.place.port, self.place.start.get_or_init(make).path)
    }

    /// The one answer.
    pub(super) async fn answer(&mut self) -> Result<Answer, LoginFailure> {
        let closed = || LoginFailure::NoBrowser { why: "the port was closed".to_owned() };
        self.answers.recv().await.ok_or_else(closed)
    }

    /// Shows the last page, and closes.
    pub(super) async fn close(self, answer: Answer, page: Page) {
        // Nobody waits for it where the window was closed.
        if answer.page.send(page).is_ok() {
            let _ = tokio::time::timeout(LAST_PAGE_DEADLINE, self.place.gone.notified()).await;
        }
    }
}

struct Place {
    port: u16,
    forwarded: bool,
    start: OnceLock<Start>,
    started: AtomicBool,
    /// The person was told that another user was here.
    intruded: AtomicBool,
    answered: AtomicBool,
    answers: mpsc::Sender<Answer>,
    gone: Notify,
}

/// Where the browser sets out.
struct Start {
    path: String,
    leads_to: Url,
}

async fn accept(listener: TcpListener, place: Arc<Place>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, there)) if is_foreign(&stream, there, &place) => turn_away(&stream, &place),
            Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(connection(stream, place.clone()));
            }
            Ok(_) => {}
            // Out of descriptors, or a caller who has gone: the next one may do better.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, place: Arc<Place>) {
    let brought_it = Arc::new(AtomicBool::new(false));
    let service = hyper::service::service_fn(|request| {
        let (place, brought_it) = (place.clone(), brought_it.clone());
        async move { Ok::<_, Infallible>(reply(&request, &place, &brought_it).await) }
    });
    // A broken connection is the browser's own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if brought_it.load(Ordering::Relaxed) {
        place.gone.notify_one();
    }
}

/// Whether another user's program is at the other end.
fn is_foreign(stream: &TcpStream, there: SocketAddr, place: &Place) -> bool {
    !place.forwarded && !stream.local_addr().is_ok_and(|here| peer::is_own(there, here))
}

/// Nothing of what another user brings is read, and nobody waits for it.
fn turn_away(stream: &TcpStream, place: &Place) {
    const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // Whoever is gone is not told.
    let _ = stream.try_write(FORBIDDEN);
    if !place.intruded.swap(true, Ordering::SeqCst) {
        terminal::say(
            "git-keyless: another user of this machine came to the address of this login, and was turned away",
        );
    }
}

async fn reply(request: &Request<Incoming>, place: &Place, brought_it: &AtomicBool) -> Response<Full<Bytes>> {
    // A name that merely leads here (DNS rebinding) is not this place.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host != Some(&format!("localhost:{}", place.port)) {
        return response(StatusCode::MISDIRECTED_REQUEST, &pages::refused("That is not this address's name."));
    }
    let start = place.start.get().filter(|start| start.path == request.uri().path());
    if start.is_none() && request.uri().path() != PATH {
        return response(StatusCode::NOT_FOUND, &pages::refused("There is nothing here."));
    }
    if request.method() != Method::GET {
        return response(StatusCode::METHOD_NOT_ALLOWED, &pages::refused("This page is only for reading."));
    }
    // A page that tries addresses of this machine does it out of sight (Fetch Metadata: Sec-Fetch-Dest, Sec-Purpose).
    let headers = request.headers();
    let is_part = headers.get("sec-fetch-dest").is_some_and(|part| part != "document");
    if is_part || headers.contains_key("sec-purpose") {
        return response(StatusCode::FORBIDDEN, &pages::refused("This page is no part of another one."));
    }
    if let Some(start) = start {
        return set_out(start, place);
    }
    if place.answered.swap(true, Ordering::SeqCst) {
        return response(StatusCode::GONE, &pages::refused("This login was answered already; nothing was done."));
    }
    brought_it.store(true, Ordering::Relaxed);
    let query = request.uri().query().unwrap_or_default();
    let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (sender, page) = oneshot::channel();
    let over = || response(StatusCode::GONE, &pages::refused("This login is over; nothing was done."));
    if place.answers.send(Answer { parameters, page: sender }).await.is_err() {
        return over();
    }
    match page.await {
        Ok(page) => response(if page.good { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page),
        Err(_) => over(),
    }
}

/// To the provider, the first time; for whoever comes later it leads nowhere, so that a stranger who was faster is seen.
fn set_out(start: &Start, place: &Place) -> Response<Full<Bytes>> {
    let Ok(location) = HeaderValue::from_str(start.leads_to.as_str()) else {
        return response(StatusCode::NOT_FOUND, &pages::refused("There is nothing here."));
    };
    if place.started.swap(true, Ordering::SeqCst) {
        let why = "This address was used already. If that was not you, do not log in: end the command and begin again.";
        return response(StatusCode::GONE, &pages::refused(why));
    }
    let mut response = response(StatusCode::FOUND, &pages::refused("The login is elsewhere."));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// No asset from anywhere, no frame around it, nothing kept, and no address told to the next page.
fn response(status: StatusCode, page: &Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.html.clone())));
    *response.status_mut() = status;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; \
                  base-uri 'none'; form-action 'none'";
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The first line of the answer to a request with a head of so many bytes.
    async fn asked(port: u16, bytes: usize) -> String {
        let start = format!("GET / HTTP/1.1\r\nhost: localhost:{port}\r\nx: ");
        let head = format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Bytes of ours that nobody read may reset the connection behind the answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_head_beyond_the_limit_is_refused() {
        let listener = Listener::open(false).await.unwrap();
        let port = listener.place.port;
        for (bytes, expected) in [(100, "404"), (MAX_HEAD_BYTES, "404"), (MAX_HEAD_BYTES + 1, "431")] {
            let answer = asked(port, bytes).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{bytes}: {answer}");
        }
    }
}
