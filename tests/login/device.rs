//! A code on the terminal: three streams that are files, a terminal of its own, and a browser somewhere else.

use std::time::{Duration, Instant};

use git_keyless::sandbox::{Fault, Service};

use super::web::answer_device;
use super::{ALICE, Room, Terminal};

const SSH: (&str, &str) = ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22");
const COMMIT: &str = "git commit -q --allow-empty -m one";

#[test]
fn a_commit_over_ssh_asks_on_the_terminal() {
    let room = Room::new();
    room.repo.config("keyless.qr", "true");
    let Some(terminal) = Terminal::start(&room, COMMIT, &[SSH]) else { return };
    let address = terminal.shown("address  ");
    let code = terminal.shown("code     ");
    assert!(address.starts_with(&room.issuer()) && address.ends_with(&format!("user_code={code}")), "{address}");
    assert!(terminal.shown("waiting for you, ").starts_with("4:5") || terminal.screen().contains("5:00 left"));
    answer_device(&address, ALICE, "allow");
    let (status, screen, out, err) = terminal.end(&room);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "", ""), "{screen}");
    for part in [
        "to sign a commit in the repository checkout, on ",
        "Go on only if the page is of 127.0.0.1",
        "\u{2588}",
        "signing as alice@",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    room.check_signed();
}

#[test]
fn who_says_no_or_nothing() {
    let room = Room::new();
    for (answer, expected) in [("deny", "was denied"), ("late", "before it expired"), ("moved", "answered 307")] {
        let Some(terminal) = Terminal::start(&room, COMMIT, &[SSH]) else { return };
        let address = terminal.shown("address  ");
        match answer {
            "late" => room.sandbox.switch(Service::IdentityProvider, Fault::Skewed(400)),
            "moved" => room.sandbox.switch(Service::IdentityProvider, Fault::Redirects),
            answer => answer_device(&address, ALICE, answer),
        }
        let (status, screen, out, err) = terminal.end(&room);
        room.sandbox.switch(Service::IdentityProvider, Fault::None);
        let _ = std::fs::remove_file(room.repo.home().join("screen"));
        assert_eq!((status, out.as_str()), (128, ""), "{screen}");
        assert!(screen.contains(expected), "{answer}: {err} {screen}");
        room.check_unsigned();
    }
}

/// RFC 8628 section 3.5: whoever is told to slow down asks five seconds later than before, from then on.
#[test]
fn who_is_told_to_slow_down_does() {
    let room = Room::new();
    let Some(terminal) = Terminal::start(&room, COMMIT, &[SSH]) else { return };
    let address = terminal.shown("address  ");
    terminal.shown("waiting for you, ");
    std::thread::sleep(Duration::from_millis(300));
    // By this clock the next question, a second later, comes before the first.
    room.sandbox.switch(Service::IdentityProvider, Fault::Skewed(-30));
    std::thread::sleep(Duration::from_millis(1500));
    let told = Instant::now();
    answer_device(&address, ALICE, "allow");
    let (status, screen, ..) = terminal.end(&room);
    assert_eq!(status, 0, "{screen}");
    assert!(told.elapsed() > Duration::from_secs(4), "{:?}", told.elapsed());
    room.check_signed();
}

#[test]
fn a_browser_that_does_not_open_gives_way_to_a_code() {
    let room = Room::new();
    room.repo.config("keyless.browser", "false");
    let Some(terminal) = Terminal::start(&room, COMMIT, &[]) else { return };
    answer_device(&terminal.shown("address  "), ALICE, "allow");
    let (status, screen, ..) = terminal.end(&room);
    assert!(status == 0 && screen.contains("no browser can be opened (false ended with"), "{screen}");
    assert!(!screen.contains('\u{2588}'), "nobody wanted a picture: {screen}");
    room.check_signed();
}

/// What a server sends is words, whatever is in them.
#[test]
fn a_dumb_terminal_gets_lines_alone() {
    let room = Room::new();
    let Some(terminal) = Terminal::start(&room, COMMIT, &[SSH, ("TERM", "dumb")]) else { return };
    answer_device(&terminal.shown("address  "), ALICE, "allow");
    let (status, screen, ..) = terminal.end(&room);
    assert!(status == 0 && !screen.contains("left") && !screen.replace("\r\n", "").contains('\r'), "{screen}");
}
