//! The road that goes well, and who else may knock on the way.

use std::time::Duration;

use git_keyless::outside::oidc::Way;
use git_keyless::sandbox::{Fault, Service};

use super::web::{get, get_as, get_at, log_in, parameter};
use super::{ALICE, PATIENCE, Room, Running, asked};

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
