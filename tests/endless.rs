//! What never ends, at the doors and from servers: refused without being read whole.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use git_keyless::format::cert::Certificate;
use git_keyless::format::hex;
use git_keyless::format::id_token::IdToken;
use git_keyless::format::object::MAX_OBJECT_BYTES;
use git_keyless::key::sha1_of;
use git_keyless::outside::http::{Endpoint, Fault as HttpFault, Http, Request, Server};
use git_keyless::outside::rekor::{self, Statement};
use git_keyless::outside::{fulcio, tsa};

use crate::door::exclusive;
use crate::limits::good;
use crate::support::{Answer, Git, PROGRAM, Repo};

/// Inputs without end, with no more memory than the largest good one needs.
#[test]
fn endless_input() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let signature = repo.file("signature", good().signature());
    let shell = |script: &str| {
        let mut command = repo.command("sh");
        // Kilobytes: four times the largest object, which growing by doubling may need, and what libraries map.
        command.args(["-c", &format!("ulimit -v 1200000; {script}")]).env("P", PROGRAM).env("S", &signature);
        Answer::of(command.output().unwrap())
    };
    for script in [
        "exec \"$P\" --status-fd=1 --verify \"$S\" - </dev/zero",
        "exec \"$P\" --status-fd=1 --verify \"$S\" /dev/zero",
        "exec \"$P\" --status-fd=1 --verify /dev/zero \"$S\"",
    ] {
        let answer = shell(script);
        assert_eq!((answer.code, exclusive(&(answer.text() + "\n")).as_str()), (1, "ERRSIG"), "{}", answer.stderr);
        assert!(answer.stderr.contains("has more than "), "{}", answer.stderr);
    }
    for script in [
        "exec \"$P\" --status-fd=2 -bsau key </dev/zero",
        "exec \"$P\" verify --object - </dev/zero",
        "exec \"$P\" verify --object /dev/zero",
    ] {
        let answer = shell(script);
        assert!(answer.code != 0 && answer.stdout.is_empty(), "{}", answer.stderr);
        assert!(answer.stderr.contains("has more than 134217728 bytes"), "{}", answer.stderr);
    }
}

/// An object's size stands before its bytes: what is too large is not unpacked.
#[test]
fn a_stored_object_beyond_the_limit() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let loose = |size: usize| {
        let id = format!("{size:040x}");
        let folder = repo.path.join(".git/objects").join(&id[..2]);
        std::fs::create_dir_all(&folder).unwrap();
        let file = std::fs::File::create(folder.join(&id[2..])).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(file, flate2::Compression::fast());
        zlib.write_all(format!("commit {size}\0tree ").as_bytes()).unwrap();
        zlib.finish().unwrap();
        let mut command = repo.command("sh");
        command.args(["-c", "ulimit -v 1200000; exec \"$0\" verify --json \"$1\"", PROGRAM, &id]);
        Answer::of(command.output().unwrap())
    };
    for size in [MAX_OBJECT_BYTES + 1, 20 << 30] {
        let answer = loose(size);
        let limit = format!("it has {size} bytes, more than {MAX_OBJECT_BYTES}");
        assert!(answer.code == 2 && answer.text().contains(&limit), "{} {}", answer.text(), answer.stderr);
    }
    // At the limit it is unpacked, and is not what it says it is.
    let answer = loose(MAX_OBJECT_BYTES);
    assert!(answer.code == 2 && !answer.text().contains("more than"), "{} {}", answer.text(), answer.stderr);
}

/// What a small object is a delta of must be unpacked for it: no larger than an object either.
#[test]
fn a_small_object_made_of_a_large_one() {
    let repo = Repo::init(&Git::installed(), "sha1");
    let zlib = |bytes: &[u8]| {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(bytes).unwrap();
        zlib.finish().unwrap()
    };
    // Seven bits a byte, the lowest first; of a pack's entry the first byte has the type and four bits (gitformat-pack).
    let varint = |mut rest: usize| {
        let mut bytes = Vec::new();
        while rest > 0x7f {
            bytes.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    let head = |kind: u8, size: usize| [vec![0x80 | kind << 4 | (size & 15) as u8], varint(size >> 4)].concat();
    let verified = |size: usize| {
        let base = vec![0; size];
        let small = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nx";
        let insert = [&[small.len() as u8][..], small].concat();
        let delta = [varint(size), varint(small.len()), insert].concat();
        let base_id = sha1_of(&[format!("commit {size}\0").as_bytes(), &base]);
        let entries = [head(1, size), zlib(&base), head(7, delta.len()), base_id.to_vec(), zlib(&delta)].concat();
        let pack = [b"PACK\0\0\0\x02\0\0\0\x02".to_vec(), entries].concat();
        let pack = [pack.clone(), sha1_of(&[&pack]).to_vec()].concat();
        repo.run_with(["index-pack", "--stdin"], &pack).ok();
        let id = hex(&sha1_of(&[format!("commit {}\0", small.len()).as_bytes(), small]));
        repo.keyless(["verify", "--json", &id])
    };
    let answer = verified(1 << 20);
    assert!(answer.code == 1 && answer.text().contains("signature-missing"), "{} {}", answer.text(), answer.stderr);
    let answer = verified(MAX_OBJECT_BYTES + 1);
    assert!(answer.code == 2 && answer.text().contains("object-unreadable"), "{} {}", answer.text(), answer.stderr);
}

/// Heads without end, all at once or drop by drop, end with the deadline or before.
#[test]
fn endless_heads_of_replies() {
    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(30);
    let fault = |piece: &'static [u8], pause: Duration, deadline: Duration| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // An answer before its question would be refused as such.
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            // Until the other side has had enough.
            while stream.write_all(piece).is_ok() {
                std::thread::sleep(pause);
            }
        });
        let endpoint = Endpoint::parse(Server::CertificateAuthority, &url).unwrap();
        let request = Request { endpoint: &endpoint, headers: &[], body: None, accept: "*/*", limit: 100, deadline };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(async { Http::new().send(request).await }).unwrap_err();
        drop(runtime);
        server.join().unwrap();
        failure.fault().clone()
    };
    assert!(matches!(fault(b"x-more: more\r\n", Duration::ZERO, LONG), HttpFault::Unreachable { .. }));
    assert!(matches!(fault(&[b'x'; 4096], Duration::ZERO, LONG), HttpFault::Unreachable { .. }));
    assert_eq!(fault(b"x", SHORT / 20, SHORT), HttpFault::Late { deadline: SHORT });
    assert_eq!(fault(b"x: y\r\n", SHORT / 20, SHORT), HttpFault::Late { deadline: SHORT });
}

/// A server that says the same to everybody.
fn saying(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut request) = (stream.unwrap(), Vec::new());
            // All of it: a connection that is closed over unread bytes is reset, and the answer with it.
            while !is_whole(&request) {
                let mut piece = [0; 4096];
                let length = stream.read(&mut piece).unwrap();
                assert!(length > 0);
                request.extend(&piece[..length]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.unwrap().parse().unwrap()
}

/// At its limit an answer is read, and none of these makes sense; one byte beyond, nobody looks.
#[test]
fn the_longest_replies() {
    const SOME: Duration = Duration::from_secs(30);
    let leaf = Certificate::parse_pem(include_str!("data/leaf.pem")).unwrap();
    let statement = Statement { digest: &[1; 32], signature: &[2; 70], leaf: &leaf };
    let token = IdToken::parse("a.b.c").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (server, limit) in [
        (Server::CertificateAuthority, fulcio::MAX_REPLY_BYTES),
        (Server::TimestampAuthority, tsa::MAX_REPLY_BYTES),
        (Server::TransparencyLog, rekor::MAX_REPLY_BYTES),
    ] {
        for beyond in [0, 1] {
            let body = format!("{{}}{}", " ".repeat(limit - 2 + beyond)).into_bytes();
            let (http, endpoint) = (Http::new(), Endpoint::parse(server, &saying(body)).unwrap());
            let failures = match server {
                Server::CertificateAuthority => {
                    let asking = fulcio::request_certificate(&http, &endpoint, &token, "csr", SOME);
                    vec![runtime.block_on(asking).unwrap_err()]
                }
                Server::TimestampAuthority => {
                    let asking = tsa::request_token(&http, &endpoint, &[0; 32], &[0; 16], SOME);
                    vec![runtime.block_on(asking).unwrap_err()]
                }
                _ => {
                    let v1 = rekor::v1::submit(&http, &endpoint, &statement, &[], SOME);
                    let v2 = rekor::v2::submit(&http, &endpoint, &statement, SOME);
                    vec![runtime.block_on(v1).unwrap_err(), runtime.block_on(v2).unwrap_err()]
                }
            };
            for failure in failures {
                let fault = failure.fault();
                match beyond {
                    0 => assert!(matches!(fault, HttpFault::Unreadable { .. }), "{failure}"),
                    _ => assert_eq!(*fault, HttpFault::TooLarge { limit }, "{failure}"),
                }
            }
        }
    }
}
