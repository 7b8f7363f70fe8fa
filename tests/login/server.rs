//! A server that answers as its script says, and remembers what it was asked.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub(super) struct Server {
    pub(super) host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Each connection gets what `answer` makes of its request.
    pub(super) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = String::new();
                let mut bytes = [0; 8192];
                while !whole(&request) {
                    match stream.read(&mut bytes) {
                        Ok(length) if length > 0 => request += &String::from_utf8_lossy(&bytes[..length]),
                        _ => break,
                    }
                }
                log.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answer(&request));
            }
        });
        Self { host, asked }
    }

    /// The same answer to everybody.
    pub(super) fn saying(status: &str, kind: &str, body: &str) -> Self {
        let reply = reply(status, kind, body);
        Self::start(move |_| reply.clone())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// All requests so far, heads in lower case.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub(super) fn reply(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// JSON with blanks behind it, `bytes` altogether.
pub(super) fn padded(json: &str, bytes: usize) -> String {
    json.to_owned() + &" ".repeat(bytes.saturating_sub(json.len()))
}

/// Head and, when it says how long it is, body.
fn whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
