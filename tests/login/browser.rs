//! The road that goes well, and who else may knock on the way.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use git_keyless::outside::oidc::Way;
use git_keyless::sandbox::{Fault, Service};

use super::web::{get, get_as, get_at, get_with, log_in, parameter};
use super::{ALICE, PATIENCE, Room, Running, asked};
use crate::support::skipped;

#[test]
fn a_commit_is_signed_by_who_logs_in() {
    let room = Room::new();
    // A browser that runs on for long keeps nobody waiting.
    room.repo.config("keyless.browser", room.browser("exec sleep 3"));
    room.repo.config("keyless.connectorId", "https://github.com/login/oauth");
    let running = Running::start(room.commit());
    let address = room.address();
    assert!(address.starts_with(&format!("{}/auth?", room.issuer())), "{address}");
    assert_eq!(parameter(&address, "connector_id").unwrap(), "https%3A%2F%2Fgithub.com%2Flogin%2Foauth");
    assert_eq!(parameter(&address, "code_challenge_method").unwrap(), "S256");
    for secret in ["state", "nonce", "code_challenge"] {
        assert!(parameter(&address, secret).unwrap().len() >= 20, "{secret} in {address}");
    }
    let callback = log_in(&address, ALICE);
    assert!(callback.starts_with("http://localhost:"), "{callback}");
    let page = get(&callback);
    assert_eq!(page.status, 200, "{}", page.body);
    for part in [ALICE, &room.issuer(), "checkout", "lang=\"en\"", "role=\"status\"", "aria-live"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    for header in ["cache-control: no-store", "content-security-policy: default-src 'none'", "no-referrer"] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    let answer = running.end();
    assert_eq!((answer.code, answer.text().as_str()), (0, ""), "{}", answer.stderr);
    room.check_signed();
    assert!(get_at(&callback, "127.0.0.1").is_err(), "the port is still open");
}

#[test]
fn knocks_at_the_open_port_change_nothing() {
    let room = Room::new();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let address = room.address();
        let redirect = parameter(&address, "redirect_uri").unwrap().replace("%3A", ":").replace("%2F", "/");
        let port = redirect.split([':', '/']).nth(4).unwrap().to_owned();
        let place = format!("http://localhost:{port}");
        assert_eq!(redirect, format!("{place}/auth/callback"));
        for path in ["/", "/auth", "/auth/callback/", "/favicon.ico", "/../auth/callback?code=x", "//evil.test/"] {
            assert_eq!(get(&format!("{place}{path}")).status, 404, "{path}");
        }
        let callback = log_in(&address, ALICE);
        for host in ["evil.test", &format!("evil.test:{port}"), &format!("127.0.0.1:{port}"), "localhost", ""] {
            assert_eq!(get_as(&callback, host, "GET").status, 421, "{host}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "PUT"] {
            assert_eq!(get_as(&callback, &format!("localhost:{port}"), method).status, 405, "{method}");
        }
        // The same port under both addresses, where there are both.
        assert_eq!(get_at(&place, "127.0.0.1").unwrap().status, 404);
        if std::net::TcpListener::bind("[::1]:0").is_ok() {
            assert_eq!(get_at(&place, "[::1]").unwrap().status, 404);
        }
        assert_eq!(get(&callback).status, 200);
    });
    assert!(token.unwrap().split('.').count() == 3);
}

/// Every user of the machine can read a command line.
#[test]
fn a_browser_is_started_with_nothing_that_helps_others() {
    let room = Room::new();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let start = room.start();
        let secret = start.strip_prefix("http://localhost:").and_then(|rest| rest.split_once("/login/")).unwrap().1;
        assert!(secret.len() >= 20 && !start.contains(['?', '#']), "{start}");
        assert_eq!(get(&format!("{start}x")).status, 404);
        let (host, _) = start.strip_prefix("http://").unwrap().split_once('/').unwrap();
        assert_eq!(get_as(&start, "evil.test", "GET").status, 421);
        assert_eq!(get_as(&start, host, "POST").status, 405);
        let reply = get(&start);
        assert!(reply.status == 302 && reply.head.contains("no-referrer") && reply.head.contains("no-store"));
        assert!(reply.location().starts_with(&format!("{}/auth?", room.issuer())), "{}", reply.head);
        // Whoever comes second learns nothing, and the person is told that somebody was here.
        let again = get(&start);
        assert!(again.status == 410 && !again.head.contains("location:"), "{}", again.head);
        assert!(again.body.contains("used already"), "{}", again.body);
        assert_eq!(get(&log_in(&reply.location(), ALICE)).status, 200);
    });
    assert!(token.is_ok());
}

/// Another user of this machine who asks first is not sent to the provider, and what they bring back is not taken: they
/// would log in as themselves, in this person's place.
#[cfg(target_os = "linux")]
#[test]
fn another_user_logs_in_for_nobody() {
    let ask = |address: &str| {
        let (host, path) = address.strip_prefix("http://localhost:").unwrap().split_once('/').unwrap();
        let script = "exec 3<>/dev/tcp/127.0.0.1/$0; printf 'GET /%s HTTP/1.1\\r\\nhost: localhost:%s\\r\\n\\r\\n' \"$1\" \"$0\" >&3; cat <&3";
        let mut bash = Command::new("bash");
        bash.uid(65_534).args(["-c", script, host, path]).output()
    };
    if Command::new("true").uid(65_534).status().is_err() {
        skipped("only root can give a process to another user: logins of others are not tried");
        return;
    }
    let room = Room::new();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let start = room.start();
        let turned_away = |address: &str| {
            let reply = String::from_utf8(ask(address).unwrap().stdout).unwrap();
            // Nobody waits for what they send.
            assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 403") && !reply.contains("location:"), "{reply}");
        };
        turned_away(&start);
        let callback = log_in(&super::web::set_out(&start), ALICE);
        turned_away(&callback);
        turned_away(&callback.replace("code=", "code=x"));
        assert_eq!(get(&callback).status, 200);
    });
    assert!(token.is_ok());
}

/// A page of somebody's that tries the ports of this machine, in pictures, frames and scripts, ends no login.
#[test]
fn a_page_out_of_sight_ends_no_login() {
    let room = Room::new();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let start = room.start();
        let callback = |address: &str| address.split_once("/login/").unwrap().0.to_owned() + "/auth/callback?state=x";
        let parts = ["image", "iframe", "empty", "script", "object"].map(|part| format!("sec-fetch-dest: {part}"));
        let ahead =
            ["prefetch", "prefetch;prerender"].map(|why| format!("sec-fetch-dest: document\r\nsec-purpose: {why}"));
        for header in parts.iter().chain(&ahead) {
            for address in [&start, &callback(&start)] {
                assert_eq!(get_with(address, header).status, 403, "{header}");
            }
        }
        let page = "sec-fetch-dest: document";
        let reply = get_with(&start, page);
        assert_eq!(get_with(&log_in(&reply.location(), ALICE), page).status, 200);
    });
    assert!(token.is_ok());
}

#[test]
fn an_answer_is_taken_once() {
    let room = Room::new();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let callback = log_in(&room.address(), ALICE);
        // While the first answer is still with the provider.
        room.sandbox.switch(Service::IdentityProvider, Fault::Slow(Duration::from_millis(400)));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| get(&callback));
            std::thread::sleep(Duration::from_millis(150));
            let second = get(&callback);
            assert!(second.status == 410 && second.body.contains("answered already"), "{}", second.body);
            let other = get(&callback.replace("code=", "code=x"));
            assert_eq!(other.status, 410);
            assert_eq!(first.join().unwrap().status, 200);
        });
    });
    assert!(token.is_ok());
}
