//! One directory, one sandbox; it goes on where it was.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use git_keyless::sandbox::{Rekor, Sandbox, mint};
use git_keyless::sign::Timestamp;

use super::{alice, options, root, signed, start, verified};

#[test]
fn it_goes_on_after_a_restart() {
    let home = start(Rekor::V1);
    let before = signed(&home.sandbox, &alice(), Timestamp::Always).unwrap();
    let (urls, trusted_root) = (home.sandbox.urls().clone(), home.sandbox.trusted_root().to_vec());
    drop(home.sandbox);
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap();
    assert_eq!((sandbox.urls(), sandbox.trusted_root()), (&urls, trusted_root.as_slice()));
    assert_eq!(sandbox.sizes(), [1, 0]);
    let after = signed(&sandbox, &alice(), Timestamp::Always).unwrap();
    assert_eq!(sandbox.sizes(), [2, 0]);
    for armor in [&before.armor, &after.armor] {
        assert!(verified(&root(&sandbox), armor).checks().iter().all(|check| check.holds()));
    }
    drop(sandbox);
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V2)).unwrap();
    signed(&sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    assert_eq!(sandbox.sizes(), [2, 1]);
}

/// A line without its end was never answered for.
#[test]
fn a_torn_entry_is_dropped() {
    let home = start(Rekor::V1);
    signed(&home.sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    let file = home.sandbox.directory().join("rekor-v1.jsonl");
    drop(home.sandbox);
    let mut text = fs::read(&file).unwrap();
    text.extend(b"{\"time\":17");
    fs::write(&file, text).unwrap();
    let sandbox = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap();
    signed(&sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    assert_eq!(sandbox.sizes(), [2, 0]);
}

#[test]
fn two_on_one_directory_are_refused_and_two_on_two_are_not() {
    let home = start(Rekor::V1);
    let second = Sandbox::start(&options(home.directory.path(), Rekor::V1)).unwrap_err().to_string();
    assert!(second.contains("another sandbox runs on it"), "{second}");
    let ready = home.sandbox.directory().join("ready");
    assert!(ready.exists());
    start(Rekor::V1);
}

#[test]
fn the_directory_is_its_own_and_says_when_it_runs() {
    let home = start(Rekor::V1);
    let directory = home.sandbox.directory().to_path_buf();
    for name in ["trusted_root.json", "signing_config.json", "client_trust_config.json", "gitconfig", "env", "ready"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let address = home.sandbox.urls().fulcio.strip_prefix("http://").unwrap().to_owned();
    drop(home.sandbox);
    assert!(!directory.join("ready").exists());
    assert!(TcpStream::connect(address).is_err());
    assert!(mint(&directory, &alice()).is_ok());

    let other = tempfile::tempdir().unwrap();
    fs::create_dir(other.path().join("s")).unwrap();
    fs::write(other.path().join("s/thesis.tex"), "").unwrap();
    let refused = Sandbox::start(&options(other.path(), Rekor::V1)).unwrap_err().to_string();
    assert!(refused.contains("no sandbox's"), "{refused}");
}
