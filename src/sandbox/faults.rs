//! What goes wrong on purpose: per service one fault at a time, switched while it runs.
//!
//! Some happen to connections (here, in [`Gate`]), some to whole answers (here, in [`answer`]); lies are told by the
//! service that tells them.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// One of the four kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Fulcio, with its CT log.
    CertificateAuthority,
    /// The OpenID provider.
    IdentityProvider,
    /// The RFC 3161 authority.
    TimestampAuthority,
    /// Both versions of Rekor.
    TransparencyLog,
}

/// What a service does instead of its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it works.
    #[default]
    None,
    /// Answers 503 once, then works.
    BusyOnce,
    /// Does its work, begins to answer and breaks off.
    Dies,
    /// Answers and never ends.
    Endless,
    /// Answers 500.
    Error,
    /// Certificate authority: with an SCT of a log that no trust root lists.
    ForeignSct,
    /// Answers 200 with bytes that mean nothing.
    Garbage,
    /// Takes the request and never answers.
    Hangs,
    /// Transparency log: gives an entry about something else. Timestamp authority: stamps something else.
    OtherEntry,
    /// Certificate authority and identity provider: names somebody else.
    OtherIdentity,
    /// Certificate authority: certifies another key.
    OtherKey,
    /// Answers 307, to itself on another path.
    Redirects,
    /// Its port is closed.
    Refuses,
    /// Works with a clock that is so many seconds ahead; negative is behind.
    Skewed(i64),
    /// Waits before it works.
    Slow(Duration),
    /// Identity provider and timestamp authority: answers somebody else's nonce.
    WrongNonce,
    /// Transparency log: a proof that leads elsewhere.
    WrongProof,
    /// Signs (its SCT, checkpoint and promise, token) with a key that is not its own.
    WrongSignature,
}

/// A fault for a service, as the command line says it: `fulcio=hang`, `rekor=slow:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Which service.
    pub service: Service,
    /// What it does.
    pub fault: Fault,
}

/// Words that name no fault, or none of that service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault(String);

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Failing {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        use Service::*;
        let unknown = |why: String| UnknownFault(why);
        let (service, how) = text.split_once('=').ok_or_else(|| unknown(format!("`{text}` is not SERVICE=HOW")))?;
        let service = match service {
            "fulcio" => CertificateAuthority,
            "oidc" => IdentityProvider,
            "rekor" => TransparencyLog,
            "tsa" => TimestampAuthority,
            other => return Err(unknown(format!("`{other}` is none of fulcio, oidc, rekor, tsa"))),
        };
        let number = |text: &str| text.parse().map_err(|_| unknown(format!("`{text}` is no whole number of seconds")));
        let fault = match how.split_once(':') {
            Some(("skewed", seconds)) => Fault::Skewed(number(seconds)?),
            Some(("slow", seconds)) => Fault::Slow(Duration::from_secs(number(seconds)?.unsigned_abs())),
            _ => *FAULTS
                .iter()
                .find(|(word, services, _)| *word == how && (services.is_empty() || services.contains(&service)))
                .map(|(_, _, fault)| fault)
                .ok_or_else(|| unknown(format!("`{how}` is not {}", words(service))))?,
        };
        Ok(Self { service, fault })
    }
}

/// The words of the command line; without services, every service does it.
const FAULTS: [(&str, &[Service], Fault); 15] = [
    ("busy-once", &[], Fault::BusyOnce),
    ("dies", &[], Fault::Dies),
    ("endless", &[], Fault::Endless),
    ("error", &[], Fault::Error),
    ("foreign-sct", &[Service::CertificateAuthority], Fault::ForeignSct),
    ("garbage", &[], Fault::Garbage),
    ("hangs", &[], Fault::Hangs),
    ("other-entry", &[Service::TransparencyLog, Service::TimestampAuthority], Fault::OtherEntry),
    ("other-identity", &[Service::CertificateAuthority, Service::IdentityProvider], Fault::OtherIdentity),
    ("other-key", &[Service::CertificateAuthority], Fault::OtherKey),
    ("redirects", &[], Fault::Redirects),
    ("refuses", &[], Fault::Refuses),
    ("wrong-nonce", &[Service::IdentityProvider, Service::TimestampAuthority], Fault::WrongNonce),
    ("wrong-proof", &[Service::TransparencyLog], Fault::WrongProof),
    ("wrong-signature", &[], Fault::WrongSignature),
];

fn words(service: Service) -> String {
    let words = FAULTS.iter().filter(|(_, services, _)| services.is_empty() || services.contains(&service));
    let words: Vec<_> = words.map(|(word, _, _)| *word).collect();
    format!("one of {}, skewed:SECONDS, slow:SECONDS", words.join(", "))
}

/// The switches of all services.
#[derive(Clone, Debug)]
pub(super) struct Switches(Arc<[watch::Sender<Fault>; 4]>);

impl Switches {
    pub(super) fn new() -> Self {
        Self(Arc::new(std::array::from_fn(|_| watch::Sender::new(Fault::None))))
    }

    pub(super) fn set(&self, service: Service, fault: Fault) {
        if let Some(switch) = self.0.get(service as usize) {
            switch.send_replace(fault);
        }
    }

    pub(super) fn of(&self, service: Service) -> Fault {
        self.0.get(service as usize).map(|switch| *switch.borrow()).unwrap_or_default()
    }

    /// Seconds that this service's clock is ahead.
    pub(super) fn skew(&self, service: Service) -> i64 {
        match self.of(service) {
            Fault::Skewed(seconds) => seconds,
            _ => 0,
        }
    }

    fn watch(&self, service: Service) -> Option<watch::Receiver<Fault>> {
        self.0.get(service as usize).map(watch::Sender::subscribe)
    }
}

/// One service's switch, for [`answer`].
#[derive(Clone)]
pub(super) struct Switch {
    pub(super) switches: Switches,
    pub(super) service: Service,
}

/// The faults of whole answers. Every answer ends its connection, so that a closed port is closed for all.
pub(super) async fn answer(State(switch): State<Switch>, request: Request, next: Next) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = match switch.switches.of(switch.service) {
        Fault::BusyOnce => {
            switch.switches.set(switch.service, Fault::None);
            (StatusCode::SERVICE_UNAVAILABLE, json, r#"{"code":14,"message":"busy, on purpose"}"#).into_response()
        }
        Fault::Error => {
            (StatusCode::INTERNAL_SERVER_ERROR, json, r#"{"code":13,"message":"broken, on purpose"}"#).into_response()
        }
        Fault::Garbage => (json, [0xff, b'{', b'"', 0x00, 0x30, 0x80, b'\n'].repeat(50)).into_response(),
        Fault::Redirects => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere/on/purpose")]).into_response()
        }
        Fault::Slow(wait) => {
            tokio::time::sleep(wait).await;
            next.run(request).await
        }
        _ => next.run(request).await,
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A port whose connections can go wrong.
pub(super) struct Gate {
    address: SocketAddr,
    listener: Option<TcpListener>,
    fault: watch::Receiver<Fault>,
}

impl Gate {
    /// Of `service`, on a port that is bound already.
    pub(super) fn new(listener: std::net::TcpListener, switch: &Switch) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let fault = switch.switches.watch(switch.service).ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { address: listener.local_addr()?, listener: Some(TcpListener::from_std(listener)?), fault })
    }

    /// Closes the port while it refuses, and opens it again.
    async fn follow(&mut self) {
        let refuses = *self.fault.borrow_and_update() == Fault::Refuses;
        match (refuses, &self.listener) {
            (true, Some(_)) => self.listener = None,
            (false, None) => self.listener = TcpListener::bind(self.address).await.ok(),
            _ => {}
        }
    }
}

impl axum::serve::Listener for Gate {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            self.follow().await;
            let Some(listener) = &self.listener else {
                // Refusing, or the port is not free again yet.
                let _ = tokio::time::timeout(Duration::from_millis(20), self.fault.changed()).await;
                continue;
            };
            let accepted = tokio::select! {
                _ = self.fault.changed() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else { continue };
            match *self.fault.borrow() {
                Fault::Hangs => drop(tokio::spawn(hold(stream))),
                Fault::Endless => drop(tokio::spawn(pour(stream))),
                fault => return (Connection { stream, dies: fault == Fault::Dies, dead: false }, peer),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Reads what comes and says nothing.
async fn hold(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// An answer without end, until nobody reads it.
async fn pour(mut stream: TcpStream) {
    let mut bytes = [0; 4096];
    let _ = stream.read(&mut bytes).await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    if stream.write_all(head).await.is_ok() {
        while stream.write_all(&chunk).await.is_ok() {}
    }
}

/// A connection that may break off within the body of its answer.
pub(super) struct Connection {
    stream: TcpStream,
    dies: bool,
    dead: bool,
}

/// How much of a body is sent before the connection dies.
const LAST_WORDS: usize = 10;

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.dead {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let head = buf.windows(4).position(|four| four == b"\r\n\r\n").filter(|_| self.dies);
        let last = head.and_then(|head| buf.get(..head + 4 + LAST_WORDS));
        let written = Pin::new(&mut self.stream).poll_write(cx, last.unwrap_or(buf));
        self.dead = last.is_some() && written.is_ready();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The loopback address of a port.
pub(super) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
