//! The Workload API as its standard and its protobuf file have it, on a socket of the test.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git_keyless::outside::http::Http;
use git_keyless::outside::oidc::{self, Asking, DEFAULT_AUDIENCE, Source, Surroundings, ambient};
use git_keyless::sandbox::Identity;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Room, Running};

const ID: &str = "spiffe://example.org/ci/signer";

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// Headers, path and body.
type Call = (HeaderMap, String, Vec<u8>);

/// An agent: what it answers, and what it was asked.
struct Agent {
    socket: std::path::PathBuf,
    asked: Arc<Mutex<Vec<Call>>>,
}

impl Agent {
    fn start(folder: &Path, answer: impl Fn() -> Response<Body> + Send + Sync + 'static) -> Self {
        let socket = folder.join("agent.sock");
        let _ = std::fs::remove_file(&socket);
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _entered = runtime.enter();
            tokio::net::UnixListener::bind(&socket).unwrap()
        };
        let (log, answer) = (asked.clone(), Arc::new(answer));
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (log, answer) = (log.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes().to_vec();
                        log.lock().unwrap().push((head.headers, head.uri.path().to_owned(), body));
                        Ok::<_, std::convert::Infallible>(answer())
                    }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        };
        std::thread::spawn(move || runtime.block_on(serve));
        Self { socket, asked }
    }

    fn ask(&self) -> Result<String, String> {
        let name = format!("spiffe:unix://{}", self.socket.display());
        let source: Source = ambient::named(&name, &Surroundings::default(), DEFAULT_AUDIENCE).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = Http::new();
        let asking = Asking { http: &http, audience: DEFAULT_AUDIENCE, deadline: Duration::from_secs(1) };
        let token = runtime.block_on(oidc::request(&source, asking));
        token.map(|token| token.reveal().to_owned()).map_err(|failure| failure.to_string())
    }
}

/// Field `number` with a length before it, as protobuf writes strings and messages.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        bytes.push((length % 128) as u8 | 128);
        length /= 128;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

fn svids(tokens: &[&str]) -> Vec<u8> {
    let svid = |token: &&str| field(1, &[field(1, ID.as_bytes()), field(2, token.as_bytes())].concat());
    tokens.iter().flat_map(svid).collect()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// Messages, then the status in trailers.
fn grpc(body: Vec<u8>, status: &str, message: &str) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", message.parse().unwrap());
    let trailers = async move { Some(Ok(trailers)) };
    let body = Full::new(Bytes::from(body)).with_trailers(trailers).boxed();
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

#[test]
fn a_workload_signs_as_its_spiffe_id() {
    let room = Room::new();
    let token = room.sandbox.mint(&Identity::Spiffe(ID.into())).unwrap();
    let agent = Agent::start(room.repo.home(), move || grpc(framed(&svids(&[&token, "a.b.c"])), "0", ""));
    room.repo.config("keyless.tokenSource", "spiffe");
    room.repo.config("keyless.trustedIdentity", format!("{ID} {}/spiffe", room.sandbox.urls().oidc));
    let mut git = room.commit();
    git.env("SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", agent.socket.display()));
    let answer = Running::start(git).end();
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let answer = room.repo.keyless(["verify", "--require-identity", "HEAD"]);
    assert!(answer.code == 0 && answer.text().contains(ID), "{} {}", answer.text(), answer.stderr);
    let asked = agent.asked.lock().unwrap();
    let (headers, path, body) = &asked[0];
    assert_eq!(path, "/SpiffeWorkloadAPI/FetchJWTSVID");
    for (name, value) in [("workload.spiffe.io", "true"), ("content-type", "application/grpc"), ("te", "trailers")] {
        assert_eq!(headers.get(name).unwrap(), value);
    }
    assert_eq!(*body, framed(&field(1, b"sigstore")));
}

/// 128 KiB, filled with a field that nobody knows.
#[test]
fn the_longest_answer_of_an_agent() {
    const LIMIT: usize = 128 << 10;
    let room = Room::new();
    let asked = |bytes: usize| {
        let bare = framed(&[svids(&["a.b.c"]), field(15, &[b'x'; 20_000])].concat()).len() - 20_000;
        let body = framed(&[svids(&["a.b.c"]), field(15, &vec![b'x'; bytes - bare])].concat());
        assert_eq!(body.len(), bytes);
        Agent::start(room.repo.home(), move || grpc(body.clone(), "0", "")).ask()
    };
    assert_eq!(asked(LIMIT).as_deref(), Ok("a.b.c"));
    let why = asked(LIMIT + 1).unwrap_err();
    assert!(why.contains("length limit"), "{why}");
}

/// A message that never ends.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1 << 14])))))
    }
}

#[test]
fn an_agent_that_gives_none() {
    let room = Room::new();
    let check = |answer: fn() -> Response<Body>, expected: &str| {
        let why = Agent::start(room.repo.home(), answer).ask().unwrap_err();
        assert!(why.contains(expected), "{why}, not {expected}");
    };
    check(|| grpc(Vec::new(), "7", "no identity issued"), "status 7: no identity issued");
    check(|| grpc(framed(&[]), "0", ""), "it knows no identity");
    check(|| grpc(framed(&svids(&["not a token"])), "0", ""), "not two");
    check(|| grpc(framed(b"\xff\xff\xff"), "0", ""), "gave no ID token");
    check(|| grpc(b"\x00\x00\x00\x00\x09x".to_vec(), "0", ""), "not one message");
    check(|| grpc(b"\x01\x00\x00\x00\x01x".to_vec(), "0", ""), "not one message");
    check(|| Response::builder().status(500).body(Full::new(Bytes::new()).boxed()).unwrap(), "answered 500");
    check(|| Response::new(Full::new(Bytes::from(framed(&[]))).boxed()), "did not end its answer");
    check(|| grpc(framed(&vec![0; 1 << 20]), "0", ""), "length limit");
    check(|| Response::new(Endless.boxed()), "length limit");
    let nobody = ambient::named("spiffe:/nonexistent.sock", &Surroundings::default(), "a").unwrap();
    assert!(format!("{nobody:?}").contains("SPIFFE"));
    let silent = room.repo.home().join("silent.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let agent = Agent { socket: silent, ..Agent::start(room.repo.home(), || grpc(Vec::new(), "0", "")) };
    assert!(agent.ask().unwrap_err().contains("did not answer within"));
}
