//! As much HTTP/1.1 as a test needs: one request per connection, bodies whole and in memory.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;

/// A request or a reply; `start` is its first line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
}

impl Message {
    /// A reply.
    pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { start: format!("HTTP/1.1 {status} As You Wish"), headers, body: body.into(), status }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// Everything up to the body, which is announced as `length` bytes long.
    pub(crate) fn head(&self, length: usize) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let ours = ["content-length", "transfer-encoding", "connection", "expect"];
            if !ours.contains(&name.to_ascii_lowercase().as_str()) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        (head + &format!("Content-Length: {length}\r\nConnection: close\r\n\r\n")).into_bytes()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.head(self.body.len()), self.body.clone()].concat()
    }

    /// None when the other side says nothing or something else than HTTP.
    pub(crate) fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = || -> Option<String> {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
            Some(line.trim_end().to_owned())
        };
        let mut message = Self { start: line()?, ..Self::default() };
        loop {
            let header = line()?;
            let Some((name, value)) = header.split_once(':') else { break };
            message.headers.push((name.to_owned(), value.trim().to_owned()));
        }
        message.status = message.path().parse().unwrap_or_default();
        message.body = message.read_body(&mut reader)?;
        Some(message)
    }

    fn read_body(&self, reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                let length = usize::from_str_radix(line.trim(), 16).ok()?;
                let mut chunk = vec![0; length + 2];
                reader.read_exact(&mut chunk).ok()?;
                if length == 0 {
                    return Some(body);
                }
                body.extend_from_slice(&chunk[..length]);
            }
        }
        match self.header("content-length").map(str::parse) {
            Some(length) => reader.take(length.ok()?).read_to_end(&mut body).ok()?,
            None if self.start.starts_with("HTTP/") => reader.read_to_end(&mut body).ok()?,
            None => 0,
        };
        Some(body)
    }
}

/// Asks a service on this machine.
pub(crate) fn ask(port: u16, request: &Message) -> Option<Message> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(&request.to_bytes()).ok()?;
    Message::read(&stream)
}

pub(crate) fn get(port: u16, path: &str) -> Message {
    let host = ("Host".to_owned(), format!("127.0.0.1:{port}"));
    let request = Message { start: format!("GET {path} HTTP/1.1"), headers: vec![host], ..Message::default() };
    ask(port, &request).expect("the service answers")
}
