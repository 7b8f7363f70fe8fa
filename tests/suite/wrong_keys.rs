//! Trust roots with one key wrong: signing refuses where that key is first needed, and nothing is written.

use std::path::PathBuf;

use serde_json::Value;

use super::good::signing;
use super::proxy::{Behaviour, Front};
use super::stack::{DEV, Route, Service, Stack};
use crate::support::{Git, Repo};

/// What is wrong, on which route, what the message names, and how many requests a log may have seen.
struct Case {
    name: &'static str,
    change: fn(&mut Value, &Other),
    route: Route,
    says: &'static str,
    logged: bool,
}

/// Another stack's keys.
struct Other {
    root: Value,
    ct_key: Value,
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn key(log: &mut Value) -> &mut Value {
    &mut log["publicKey"]["rawBytes"]
}

const CASES: [Case; 9] = [
    Case {
        name: "certificate authority",
        change: |root, other| root["certificateAuthorities"] = other.root["certificateAuthorities"].clone(),
        route: Route::V1,
        says: "issuer-unknown",
        logged: false,
    },
    Case {
        name: "key of the CT log",
        change: |root, other| *key(&mut root["ctlogs"][0]) = other.ct_key.clone(),
        route: Route::V1,
        says: "sct",
        logged: false,
    },
    Case {
        name: "CT log",
        change: |root, other| {
            *key(&mut root["ctlogs"][0]) = other.ct_key.clone();
            root["ctlogs"][0].as_object_mut().unwrap().remove("logId");
        },
        route: Route::V2,
        says: "sct",
        logged: false,
    },
    Case {
        name: "key of Rekor v1",
        change: |root, other| *key(&mut root["tlogs"][0]) = other.root["tlogs"][0]["publicKey"]["rawBytes"].clone(),
        route: Route::V1,
        says: "log",
        logged: true,
    },
    Case {
        name: "Rekor v1",
        change: |root, other| root["tlogs"][0] = other.root["tlogs"][0].clone(),
        route: Route::V1,
        says: "log",
        logged: true,
    },
    Case {
        name: "key of Rekor v2",
        change: |root, other| *key(&mut root["tlogs"][1]) = other.root["tlogs"][1]["publicKey"]["rawBytes"].clone(),
        route: Route::V2,
        says: "log",
        logged: true,
    },
    Case {
        name: "Rekor v2",
        change: |root, other| root["tlogs"][1] = other.root["tlogs"][1].clone(),
        route: Route::V2,
        says: "log",
        logged: true,
    },
    Case {
        name: "timestamp authority with Rekor v1",
        change: |root, other| root["timestampAuthorities"] = other.root["timestampAuthorities"].clone(),
        route: Route::V1Token,
        says: "time",
        logged: true,
    },
    Case {
        name: "timestamp authority with Rekor v2",
        change: |root, other| root["timestampAuthorities"] = other.root["timestampAuthorities"].clone(),
        route: Route::V2,
        says: "time",
        logged: true,
    },
];

#[test]
fn signing_refuses() {
    let (Some(stack), Some(another)) = (Stack::shared(), Stack::without_ct()) else { return };
    let other = Other { root: read(another.trusted_root()), ct_key: another.ct_key.clone().into() };
    for case in &CASES {
        let repo = signing(&Git::installed(), "sha1", stack, case.route, &DEV);
        let front = Front::new(stack, case.route, Service::Oidc, &Behaviour::Forward);
        front.lead(&repo);
        let mut root = read(stack.trusted_root());
        (case.change)(&mut root, &other);
        repo.config("keyless.trustedRoot", repo.file("root.json", root.to_string()));
        let answer = repo.sign(b"payload\n");
        println!("{}: {}", case.name, answer.stderr.trim_end());
        assert_ne!(answer.code, 0, "{}", case.name);
        assert!(answer.stdout.is_empty(), "{}", case.name);
        assert!(answer.stderr.contains(case.says) && !answer.stderr.contains("SIG_CREATED"), "{}", case.name);
        let logged = front.rekor_v1.seen().len() + front.rekor_v2.seen().len();
        assert_eq!(logged > 0, case.logged, "{}: {logged} requests to a log", case.name);
        nothing_is_committed(&repo);
    }
}

/// git reports the failure, and there is neither a commit nor a tag.
#[track_caller]
pub(crate) fn nothing_is_committed(repo: &Repo) {
    let committed = repo.run(["commit", "--allow-empty", "-m", "one"]);
    assert_eq!(committed.code, 128, "{}", committed.stderr);
    assert!(committed.stderr.contains("gpg failed to sign the data"), "{}", committed.stderr);
    assert_ne!(repo.run(["rev-parse", "-q", "--verify", "HEAD"]).code, 0);
    // The empty tree at most, and nothing that points to it.
    let objects = repo.ok(["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]);
    assert!(objects.is_empty() || objects == "tree", "{objects}");
}
