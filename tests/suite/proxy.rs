//! A hostile stretch of road in front of the real servers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{self, Message};
use super::stack::{Route, Service, Stack};
use crate::support::Repo;

/// Turns one message into another.
pub(crate) type Change = Arc<dyn Fn(Message) -> Message + Send + Sync>;

/// What a proxy does to a POST. Everything else it forwards, unless it refuses or hangs.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Forward,
    /// Nobody listens.
    Refuse,
    /// Accepts, reads, and never says anything.
    Hang,
    /// Bytes that are not HTTP.
    Noise,
    /// A whole reply, in place of the server's.
    Answer(Message),
    /// The same, to the first request only.
    AnswerOnce(Message),
    /// The body never ends, and comes as fast as it is read.
    Endless,
    /// One byte of the body every so often.
    Drip(Duration),
    /// Half of the server's own body, then the connection is gone.
    DieMidBody,
    /// The server hears the first one twice, and its second answer counts: its own way to say "I have that already".
    Twice,
    /// The server hears something else.
    Ask(Change),
    /// The server's answer is not what arrives.
    Alter(Change),
    /// The server hears it, and its answer is lost on the way, once.
    LoseAnswerOnce,
}

/// One request that came by, with the answer that went back, if one was made.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Message,
    pub(crate) reply: Option<Message>,
}

/// Stands in front of one service.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    upstream: u16,
    behaviour: Behaviour,
    seen: Mutex<Vec<Exchange>>,
    ended: AtomicBool,
}

impl Proxy {
    pub(crate) fn new(upstream: u16, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let refuses = matches!(behaviour, Behaviour::Refuse);
        let seen = Mutex::new(Vec::new());
        let state = Arc::new(State { upstream, behaviour, seen, ended: AtomicBool::new(false) });
        if !refuses {
            let state = Arc::clone(&state);
            std::thread::spawn(move || state.serve(&listener));
        }
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What came by so far.
    pub(crate) fn seen(&self) -> Vec<Exchange> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many requests of this method came by.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.seen().iter().filter(|exchange| exchange.request.method() == method).count()
    }

    /// The server's answer to the first POST.
    pub(crate) fn recorded(&self) -> Message {
        let seen = self.seen();
        let exchange = seen.iter().find(|exchange| exchange.request.method() == "POST").expect("a request came by");
        exchange.reply.clone().expect("it was answered")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl State {
    fn serve(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            let state = Arc::clone(self);
            std::thread::spawn(move || state.converse(&stream));
        }
    }

    /// A client that gave up closes its end: every write may fail, and that is no concern of ours.
    fn converse(&self, mut stream: &TcpStream) -> Option<()> {
        let request = Message::read(stream)?;
        let nth = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Exchange { request: request.clone(), reply: None });
            seen.iter().filter(|exchange| exchange.request.method() == request.method()).count()
        };
        let forward = || http::ask(self.upstream, &request);
        let behaviour = match &self.behaviour {
            Behaviour::Hang => &Behaviour::Hang,
            other if request.method() == "POST" => other,
            _ => &Behaviour::Forward,
        };
        let reply = match behaviour {
            Behaviour::Answer(reply) => reply.clone(),
            Behaviour::AnswerOnce(reply) if nth == 1 => reply.clone(),
            Behaviour::Twice if nth == 1 => forward().and_then(|_| forward())?,
            Behaviour::Forward | Behaviour::AnswerOnce(_) | Behaviour::Twice => forward()?,
            Behaviour::Ask(change) => http::ask(self.upstream, &change(request.clone()))?,
            Behaviour::Alter(change) => change(forward()?),
            Behaviour::LoseAnswerOnce if nth == 1 => {
                forward()?;
                return stream.shutdown(Shutdown::Both).ok();
            }
            Behaviour::LoseAnswerOnce => forward()?,
            Behaviour::Refuse | Behaviour::Hang => return self.until_gone(stream),
            Behaviour::Noise => {
                stream.write_all(b"\x16\x03\x01 mail.example.test ESMTP\r\n\r\n").ok()?;
                return stream.shutdown(Shutdown::Both).ok();
            }
            Behaviour::Endless => {
                stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n").ok()?;
                stream.write_all(b"Connection: close\r\n\r\n{\"padding\": \"").ok()?;
                while !self.ended.load(Ordering::Relaxed) {
                    stream.write_all(&[b'a'; 1 << 16]).ok()?;
                }
                return None;
            }
            Behaviour::Drip(pause) => {
                let reply = forward()?;
                stream.write_all(&reply.head(reply.body.len())).ok()?;
                for byte in reply.body {
                    stream.write_all(&[byte]).ok()?;
                    std::thread::sleep(*pause);
                }
                return None;
            }
            Behaviour::DieMidBody => {
                let reply = forward()?;
                stream.write_all(&reply.head(reply.body.len())).ok()?;
                stream.write_all(&reply.body[..reply.body.len() / 2]).ok()?;
                return stream.shutdown(Shutdown::Both).ok();
            }
        };
        let bytes = reply.to_bytes();
        if let Some(exchange) = self.seen.lock().unwrap().iter_mut().find(|known| known.request.body == request.body) {
            exchange.reply = Some(reply);
        }
        stream.write_all(&bytes).ok()
    }

    fn until_gone(&self, mut stream: &TcpStream) -> Option<()> {
        stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
        while !self.ended.load(Ordering::Relaxed) {
            match stream.read(&mut [0]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                }
                Err(_) => break,
            }
        }
        None
    }
}

/// All four services of a stack behind proxies, of which one may misbehave.
pub(crate) struct Front {
    pub(crate) fulcio: Proxy,
    pub(crate) rekor_v1: Proxy,
    pub(crate) rekor_v2: Proxy,
    pub(crate) tsa: Proxy,
    signing_config: String,
}

impl Front {
    pub(crate) fn new(stack: &Stack, route: Route, at: Service, behaviour: &Behaviour) -> Self {
        let proxy = |service| {
            let behaviour = if service == at { behaviour.clone() } else { Behaviour::Forward };
            Proxy::new(stack.port(service), behaviour)
        };
        let [fulcio, rekor_v1, rekor_v2, tsa] = [Service::Fulcio, Service::RekorV1, Service::RekorV2, Service::Tsa]
            .map(|service| (service, proxy(service)));
        let mut signing_config = std::fs::read_to_string(stack.dir.join(route.signing_config())).unwrap();
        for (service, proxy) in [&fulcio, &rekor_v1, &rekor_v2, &tsa] {
            signing_config = signing_config.replace(&stack.url(*service), &proxy.url());
        }
        Self { fulcio: fulcio.1, rekor_v1: rekor_v1.1, rekor_v2: rekor_v2.1, tsa: tsa.1, signing_config }
    }

    pub(crate) fn proxy(&self, service: Service) -> &Proxy {
        match service {
            Service::Fulcio => &self.fulcio,
            Service::RekorV1 => &self.rekor_v1,
            Service::RekorV2 => &self.rekor_v2,
            Service::Tsa => &self.tsa,
            Service::Oidc => unreachable!("tokens do not come through here"),
        }
    }

    /// Leads a repository that was set up for this stack through here.
    pub(crate) fn lead(&self, repo: &Repo) -> PathBuf {
        let path = repo.file("signing_config_front.json", &self.signing_config);
        repo.config("keyless.signingConfig", &path);
        path
    }

    pub(crate) fn all(&self) -> [&Proxy; 4] {
        [&self.fulcio, &self.rekor_v1, &self.rekor_v2, &self.tsa]
    }

    pub(crate) fn signing_config(&self) -> &str {
        &self.signing_config
    }
}
