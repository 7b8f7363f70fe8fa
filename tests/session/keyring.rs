//! The keyrings themselves, as the machine has them.

use std::time::{Duration, Instant};

use git_keyless::outside::session::{Keyring, MAX_KEPT_BYTES};

use super::{Room, inside};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn the_kernels() {
    if inside(Room::KernelApart, "keyring::the_kernels") {
        a_life(Keyring::Keyutils);
        forgets_by_itself();
    }
}

#[test]
fn the_secret_service() {
    if inside(Room::SecretService, "keyring::the_secret_service") {
        a_life(Keyring::SecretService);
    }
}

#[test]
fn a_locked_one_is_given_up() {
    if inside(Room::Locked, "keyring::a_locked_one_is_given_up") {
        let began = Instant::now();
        let answer = Keyring::SecretService.write("a", b"1", LONG);
        let why = answer.unwrap_err();
        assert!(why.is_here(), "{why}");
        assert!(began.elapsed() < LONG / 2);
        println!("{why}, after {:.2} s", began.elapsed().as_secs_f64());
    }
}

#[test]
fn those_of_other_systems_are_not_here() {
    for keyring in Keyring::ALL.into_iter().filter(|keyring| !matches!(keyring.name(), "keyutils" | "secret-service")) {
        let Err(why) = keyring.read("a") else { continue };
        assert!(!why.is_here() && why.to_string().contains("not on this system"), "{why}");
    }
}

fn a_life(keyring: Keyring) {
    assert_eq!(keyring.read("a").unwrap(), None);
    keyring.write("a", b"first", LONG).unwrap();
    keyring.write("b", &[0xff; MAX_KEPT_BYTES], LONG).unwrap();
    assert_eq!(keyring.read("a").unwrap().unwrap().as_slice(), b"first");
    keyring.write("a", b"\0second\xff", LONG).unwrap();
    assert_eq!(keyring.read("a").unwrap().unwrap().as_slice(), b"\0second\xff");
    assert_eq!(keyring.read("b").unwrap().unwrap().len(), MAX_KEPT_BYTES);
    assert_eq!(keyring.read("c").unwrap(), None);
    assert!(keyring.write("c", &[0; MAX_KEPT_BYTES + 1], LONG).is_err());
    keyring.forget("a").unwrap();
    keyring.forget("a").unwrap();
    assert_eq!(keyring.read("a").unwrap(), None);
    keyring.write("c", b"third", LONG).unwrap();
    assert_eq!(keyring.forget_all().unwrap(), 2);
    assert_eq!((keyring.read("b").unwrap(), keyring.read("c").unwrap()), (None, None));
    assert_eq!(keyring.forget_all().unwrap(), 0);
    println!("{}", measured(keyring));
}

/// Milliseconds for one call, the best of a few.
fn measured(keyring: Keyring) -> String {
    let best = |call: &dyn Fn()| {
        let once = || {
            let began = Instant::now();
            call();
            began.elapsed()
        };
        (0..9).map(|_| once()).min().unwrap().as_secs_f64() * 1e3
    };
    let write = best(&|| keyring.write("m", &[7; 1100], LONG).unwrap());
    let read = best(&|| drop(keyring.read("m").unwrap().unwrap()));
    format!("{keyring}: read {read:.2} ms, write {write:.2} ms")
}

fn forgets_by_itself() {
    Keyring::Keyutils.write("a", b"first", Duration::from_secs(1)).unwrap();
    Keyring::Keyutils.write("b", b"first", LONG).unwrap();
    let began = Instant::now();
    while Keyring::Keyutils.read("a").unwrap().is_some() {
        assert!(began.elapsed() < LONG / 2);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Keyring::Keyutils.read("b").unwrap().is_some());
}
