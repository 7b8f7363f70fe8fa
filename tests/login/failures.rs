//! Every way a login ends badly: cleanly, with a message on the page and in the terminal, and nothing signed.

use std::time::Duration;

use git_keyless::outside::oidc::{Opener, Person, Way};
use git_keyless::sandbox::{Fault, Service};
use serde_json::json;

use super::server::{Server, reply};
use super::web::{get, log_in};
use super::{ALICE, PATIENCE, Room, Running, asked};

const SOON: Duration = Duration::from_millis(400);

/// What the browser brings, made from what it should have brought.
type Forgery = fn(&str) -> String;

#[test]
fn what_the_browser_brings_must_be_this_logins() {
    let room = Room::new();
    let forgeries: [(&str, Forgery, &str); 9] = [
        ("wrong state", |callback| callback.replace("&state=", "&state=x"), "its state is another"),
        ("no state", |callback| callback.split("&state=").next().unwrap().to_owned(), "its state is another"),
        ("two states", |callback| format!("{callback}&state=x"), "a parameter stands in it twice"),
        ("two codes", |callback| format!("{callback}&code=x"), "a parameter stands in it twice"),
        ("no code", |callback| callback.replace("code=", "kode="), "there is no code in it"),
        ("empty code", |callback| edited(callback, "code", "code="), "there is no code in it"),
        ("another provider", |callback| format!("{callback}&iss=https%3A%2F%2Fevil.test"), "another identity provider"),
        ("made-up code", |callback| edited(callback, "code", "code=made-up"), "refused (invalid_grant)"),
        (
            "denied",
            |callback| edited(callback, "code", "error=access_denied&error_description=%1B%5B2J%3Cb%3Eno"),
            "was denied (access_denied",
        ),
    ];
    for (name, forge, expected) in forgeries {
        let (token, page) = attempt(&room, &room.person(Way::Browser), forge);
        let why = token.expect_err(name);
        assert!(why.contains(expected) && why.contains("; "), "{name}: {why}");
        assert!(!why.contains('\u{1b}'), "{name}: {why}");
        assert!(page.contains("role=\"alert\"") && page.contains("What to do:"), "{name}: {page}");
        assert!(!page.contains("<b>no") && page.contains("a/&lt;b&gt; on here"), "{name}: {page}");
    }
}

/// A refusal without the right state is nobody's.
#[test]
fn a_denial_must_be_this_logins_too() {
    let room = Room::new();
    let forge: Forgery = |callback| format!("{}?error=access_denied", callback.split('?').next().unwrap());
    let (token, _) = attempt(&room, &room.person(Way::Browser), forge);
    assert!(token.unwrap_err().contains("its state is another"));
}

#[test]
fn a_code_is_good_once() {
    let room = Room::new();
    // Somebody was faster: the provider has seen the code already.
    let spend: Forgery = |callback| callback.to_owned();
    let (token, ()) = asked(&room.person(Way::Browser), PATIENCE, || {
        let callback = log_in(&room.address(), ALICE);
        let code = super::web::parameter(&callback, "code").unwrap();
        let form = format!("grant_type=authorization_code&code={code}");
        assert_eq!(super::web::post(&format!("{}/token", room.issuer()), &form).status, 400);
        assert_eq!(get(&spend(&callback)).status, 400);
    });
    assert!(token.unwrap_err().contains("refused (invalid_grant)"));
}

#[test]
fn a_provider_that_lies_is_not_believed() {
    let room = Room::new();
    for (fault, expected) in [
        (Fault::WrongNonce, "its nonce is another"),
        (Fault::WrongSignature, "Signature verification failed"),
        (Fault::Garbage, "cannot be used"),
        (Fault::Error, "answered 500"),
        (Fault::Redirects, "answered 307"),
        (Fault::Endless, "more than"),
        (Fault::Hangs, "did not answer within"),
        (Fault::Dies, "broke off its answer"),
    ] {
        // From the moment on when the person has logged in.
        let (token, page) = asked(&room.person(Way::Browser), SOON, || {
            let callback = log_in(&room.address(), ALICE);
            room.sandbox.switch(Service::IdentityProvider, fault);
            get(&callback).body
        });
        room.sandbox.switch(Service::IdentityProvider, Fault::None);
        let _ = std::fs::remove_file(room.repo.home().join("address"));
        let why = token.expect_err("it was believed");
        assert!(why.contains(expected), "{fault:?}: {why}");
        assert!(page.contains("You are not logged in") && !page.contains("eyJ"), "{fault:?}: {page}");
    }
}

/// How often to ask is the provider's to say, within reason: never without a pause, never so seldom that nobody hears.
#[test]
fn a_provider_that_sets_no_sensible_pace_is_refused() {
    let room = Room::new();
    for interval in [0, 61, u64::MAX] {
        let server = Server::start(move |request| {
            let head = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
            let url = format!("http://{head}");
            let body = match request.split(' ').nth(1).unwrap() {
                "/.well-known/openid-configuration" => json!({
                    "issuer": url, "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token"),
                    "jwks_uri": format!("{url}/keys"), "device_authorization_endpoint": format!("{url}/device"),
                    "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }),
                "/keys" => json!({ "keys": [] }),
                "/device" => json!({ "device_code": "d", "user_code": "u", "verification_uri": format!("{url}/page"),
                                     "expires_in": 300, "interval": interval }),
                _ => json!({ "error": "slow_down" }),
            };
            reply("200 OK", "application/json", &body.to_string())
        });
        let mut person = room.person(Way::Device);
        person.login.issuer = server.url();
        let (token, ()) = asked(&person, SOON, || ());
        let why = token.expect_err("it was asked");
        assert!(why.contains(&format!("it wants to be asked every {interval} s")), "{why}");
        assert!(server.asked().iter().all(|request| !request.contains("/token ")));
    }
}

#[test]
fn a_provider_of_another_day_is_not_believed() {
    let room = Room::new();
    for (seconds, expected) in [(7200, "is valid from"), (-7200, "Expired")] {
        room.sandbox.switch(Service::IdentityProvider, Fault::Skewed(seconds));
        let (token, page) = attempt(&room, &room.person(Way::Browser), str::to_owned);
        let why = token.expect_err("it was believed");
        assert!(why.contains(expected) && page.contains("You are not logged in"), "{seconds}: {why}");
    }
}

#[test]
fn a_provider_that_cannot_be_reached_opens_no_browser() {
    let room = Room::new();
    for fault in [Fault::Refuses, Fault::Hangs, Fault::Garbage, Fault::Error, Fault::Redirects, Fault::Endless] {
        room.sandbox.switch(Service::IdentityProvider, fault);
        let (token, ()) = asked(&room.person(Way::Browser), SOON, || ());
        let why = token.expect_err("there was a token");
        assert!(why.contains("identity provider") && why.contains("; "), "{fault:?}: {why}");
        assert!(!room.repo.home().join("address").exists(), "{fault:?}");
    }
}

#[test]
fn issuers_that_are_none() {
    let room = Room::new();
    for (issuer, expected) in [
        ("http://issuer.test", "plain http beyond this machine"),
        ("https://me@issuer.test", "a user or password"),
        ("ftp://issuer.test", "neither https nor http"),
        ("nonsense", "is not spoken to"),
        (&format!("{}/uri", room.sandbox.urls().oidc), "cannot be used"),
        (&format!("{}/email/", room.sandbox.urls().oidc), "cannot be used"),
        (&format!("{}/nothing", room.sandbox.urls().oidc), "404"),
    ] {
        let mut person = room.person(Way::Browser);
        issuer.clone_into(&mut person.login.issuer);
        let why = asked(&person, PATIENCE, || ()).0.unwrap_err();
        assert!(why.contains(expected), "{issuer}: {why}");
    }
}

#[test]
fn a_browser_that_never_comes_back() {
    let room = Room::new();
    let person = Person { browser_limit: SOON, ..room.person(Way::Browser) };
    let (token, address) = asked(&person, PATIENCE, || room.address());
    let why = token.unwrap_err();
    assert!(why.contains("nobody came back from the browser"), "{why}");
    assert!(log_in_late(&address), "the port is still open");
}

/// Whoever comes too late finds nobody.
fn log_in_late(address: &str) -> bool {
    super::web::get_at(&log_in(address, ALICE), "127.0.0.1").is_err()
}

#[test]
fn browsers_that_do_not_open() {
    let room = Room::new();
    let devices = "error:";
    for command in ["false", "/nonexistent/browser", "sh -c 'kill -9 $$'"] {
        let opener = Opener::command(command).unwrap();
        let person = Person { opener, browser_limit: PATIENCE, ..room.person(Way::Browser) };
        // Under a developer's terminal the code would be shown there, and waited for.
        if git_keyless::outside::terminal::device().is_some() {
            return;
        }
        let why = asked(&person, PATIENCE, || ()).0.unwrap_err();
        assert!(why.contains("no browser can be opened") && !why.contains(devices), "{command}: {why}");
        assert!(why.contains("keyless.browser") && why.contains("SIGSTORE_ID_TOKEN"), "{command}: {why}");
    }
}

#[test]
fn git_makes_no_commit_of_it() {
    let room = Room::new();
    room.repo.config("keyless.browser", room.browser(""));
    for (command, code) in [(room.commit(), 128), (room.sign(), 1)] {
        let running = Running::start(command);
        let callback = log_in(&room.address(), ALICE);
        get(&callback.replace("&state=", "&state=x"));
        let answer = running.end();
        assert_eq!((answer.code, answer.text().as_str()), (code, ""), "{}", answer.stderr);
        assert!(code == 128 || answer.stderr.contains("its state is another"), "{}", answer.stderr);
        std::fs::remove_file(room.repo.home().join("address")).unwrap();
    }
    room.check_unsigned();
}

/// Logs in, and brings back what `forge` makes of it; gives the outcome and the page.
fn attempt(room: &Room, person: &Person, forge: Forgery) -> (Result<String, String>, String) {
    let outcome = asked(person, PATIENCE, || get(&forge(&log_in(&room.address(), ALICE))).body);
    let _ = std::fs::remove_file(room.repo.home().join("address"));
    outcome
}

/// `address` with `pair` instead of its parameter `name`.
fn edited(address: &str, name: &str, pair: &str) -> String {
    let value = super::web::parameter(address, name).unwrap();
    address.replace(&format!("{name}={value}"), pair)
}
