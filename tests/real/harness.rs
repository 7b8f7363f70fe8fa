//! The harness by itself: before anything is signed, does what we stand on hold?

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::suite::http::{self, Message};
use crate::suite::proxy::{Behaviour, Proxy};
use crate::suite::stack::{DEV, PEOPLE, Service, Stack};
use crate::support::{Git, Repo, installed};

#[test]
fn both_stacks_answer_and_mint_every_kind_of_token() {
    let (Some(whole), Some(without)) = (Stack::shared(), Stack::without_ct()) else { return };
    for stack in [whole, without] {
        for (service, path) in
            [(Service::Fulcio, "/healthz"), (Service::RekorV1, "/api/v1/log"), (Service::Tsa, "/ping")]
        {
            assert_eq!(http::get(stack.port(service), path).status, 200, "{service:?}");
        }
        for person in &PEOPLE {
            assert_eq!(stack.token(person).split('.').count(), 3);
        }
        let root = std::fs::read_to_string(stack.trusted_root()).unwrap();
        assert_eq!(root.contains("\"ctlogs\": []"), std::ptr::eq(stack, without));
    }
}

#[test]
fn repositories_see_no_setting_of_ours() {
    for git in Git::all() {
        for hash in ["sha1", "sha256"] {
            let repo = Repo::init(&git, hash);
            repo.commit("one");
            assert_eq!(repo.id("HEAD").len(), if hash == "sha1" { 40 } else { 64 });
            let settings = repo.ok(["config", "--list", "--show-origin"]);
            assert!(settings.lines().all(|line| line.starts_with("file:.git/config")), "{settings}");
        }
    }
}

#[test]
fn the_proxy_forwards_records_and_misbehaves() {
    let Some(stack) = Stack::shared() else { return };
    let upstream = stack.port(Service::Oidc);
    let post = Message {
        start: format!("POST /{}/mint HTTP/1.1", DEV.provider),
        headers: vec![("Host".into(), "127.0.0.1".into()), ("Content-Type".into(), "application/json".into())],
        body: b"{}".to_vec(),
        ..Message::default()
    };
    let proxy = Proxy::new(upstream, Behaviour::Forward);
    assert_eq!(http::ask(proxy.port, &post).unwrap().status, 200);
    assert_eq!((proxy.count("POST"), proxy.recorded().status), (1, 200));

    assert!(http::ask(Proxy::new(upstream, Behaviour::Refuse).port, &post).is_none());
    assert!(http::ask(Proxy::new(upstream, Behaviour::Noise).port, &post).is_none_or(|reply| reply.status == 0));
    let refusal = Message::reply(503, &[], "later");
    let once = Proxy::new(upstream, Behaviour::AnswerOnce(refusal));
    assert_eq!([(); 2].map(|()| http::ask(once.port, &post).unwrap().status), [503, 200]);
    let died = http::ask(Proxy::new(upstream, Behaviour::DieMidBody).port, &post).unwrap();
    assert!(died.body.len() < died.header("content-length").unwrap().parse().unwrap());

    let hanging = Proxy::new(upstream, Behaviour::Hang);
    let stream = std::net::TcpStream::connect(("127.0.0.1", hanging.port)).unwrap();
    std::io::Write::write_all(&mut &stream, &post.to_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let began = Instant::now();
    assert!(Message::read(&stream).is_none() && began.elapsed() >= Duration::from_millis(300));
}

/// The promise of `stack/hold.sh`: whoever holds it may be killed at any moment, and no server is left.
#[test]
fn servers_end_when_their_holder_is_killed() {
    let (Some(_), Some(sleep)) = (Stack::shared(), installed("sleep")) else { return };
    let top = tempfile::tempdir().unwrap();
    let inner = top.path().join("t");
    std::fs::create_dir(&inner).unwrap();
    let hold = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/stack/hold.sh");
    // The pipe's other end is in the hands of a process that is killed while the servers still start.
    let mut victim = Command::new(sleep).arg("60").stdout(Stdio::piped()).spawn().unwrap();
    let mut holder = Command::new(hold)
        .arg(&inner)
        .args(["32000", "32010"])
        .stdin(Stdio::from(victim.stdout.take().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    victim.kill().unwrap();
    victim.wait().unwrap();
    holder.wait().unwrap();
    assert!(!inner.exists(), "the folder is left");
    let listening = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(![32000, 32001, 32002, 32010, 32011].into_iter().any(listening), "servers are left");
}
