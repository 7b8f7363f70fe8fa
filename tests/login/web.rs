//! As much of a browser as a login needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What a server answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Where it sends the browser.
    pub(crate) fn location(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("location: "));
        line.unwrap_or_else(|| panic!("no location: {} {}", self.head, self.body)).to_owned()
    }
}

pub(crate) fn get(address: &str) -> Reply {
    let (host, path) = parts(address);
    ask(&host, &host, "GET", &path, "").unwrap()
}

/// GET under another `Host`, or with another method.
pub(crate) fn get_as(address: &str, host: &str, method: &str) -> Reply {
    let (server, path) = parts(address);
    ask(&server, host, method, &path, "").unwrap()
}

/// GET with one more header, as browsers say what for.
pub(crate) fn get_with(address: &str, header: &str) -> Reply {
    let (host, path) = parts(address);
    ask(&host, &format!("{host}\r\n{header}"), "GET", &path, "").unwrap()
}

/// GET from an address of this machine instead of its name.
pub(crate) fn get_at(address: &str, ip: &str) -> std::io::Result<Reply> {
    let (host, path) = parts(address);
    ask(&host.replace("localhost", ip), &host, "GET", &path, "")
}

pub(crate) fn post(address: &str, form: &str) -> Reply {
    let (host, path) = parts(address);
    ask(&host, &host, "POST", &path, form).unwrap()
}

/// A parameter of an address, as it stands there.
pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v.to_owned())
}

/// Where the address leads that a browser is started with.
pub(crate) fn set_out(start: &str) -> String {
    let reply = get(start);
    assert_eq!(reply.status, 302, "{start}: {}", reply.body);
    reply.location()
}

/// The person types an address into the sandbox's page; gives where the browser is sent then.
pub(crate) fn log_in(address: &str, email: &str) -> String {
    assert_eq!(get(address).status, 200, "{address}");
    let (page, query) = address.split_once('?').unwrap();
    let reply = post(page, &format!("{query}&email={}", email.replace('@', "%40")));
    assert_eq!(reply.status, 303, "{}", reply.body);
    reply.location()
}

/// The person allows, or denies, the device whose page this is.
pub(crate) fn answer_device(address: &str, email: &str, answer: &str) {
    assert_eq!(get(address).status, 200, "{address}");
    let (page, query) = address.split_once('?').unwrap();
    let reply = post(page, &format!("{query}&email={}&answer={answer}", email.replace('@', "%40")));
    assert_eq!(reply.status, 200, "{}", reply.body);
}

fn parts(address: &str) -> (String, String) {
    let rest = address.strip_prefix("http://").unwrap_or_else(|| panic!("not http: {address}"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host.to_owned(), format!("/{path}"))
}

fn ask(server: &str, host: &str, method: &str, path: &str, form: &str) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let kind = "content-type: application/x-www-form-urlencoded";
    let length = form.len();
    stream.write_all(
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{form}")
            .as_bytes(),
    )?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8(reply).unwrap();
    let Some((head, body)) = reply.split_once("\r\n\r\n") else {
        return Err(std::io::Error::other(format!("no answer: {reply:?}")));
    };
    Ok(Reply { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() })
}
