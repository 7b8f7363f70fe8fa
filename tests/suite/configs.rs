//! Signing configs and trust roots that cannot end well: refused before the certificate authority, and with it the
//! public, hears of it.

use serde_json::{Value, json};

use super::good::signing;
use super::judge::{Expected, check_good};
use super::proxy::{Behaviour, Front};
use super::stack::{DEV, Route, Service, Stack};
use crate::support::Git;

type Change = fn(&mut Value);

fn past(window: &mut Value) {
    *window = json!({ "start": "2020-01-01T00:00:00Z", "end": "2020-02-01T00:00:00Z" });
}

fn again(list: &mut Value, operator: &str) {
    let mut second = list[0].clone();
    second["operator"] = operator.into();
    list.as_array_mut().unwrap().push(second);
}

const REFUSED: [(&str, Route, Change); 22] = [
    ("no certificate authority", Route::V1, |config| config["caUrls"] = json!([])),
    ("no log", Route::V1, |config| config["rekorTlogUrls"] = json!([])),
    ("no timestamp authority for Rekor v2", Route::V2, |config| config["tsaUrls"] = json!([])),
    ("no timestamp authority for a timestamp", Route::V1Token, |config| config["tsaUrls"] = json!([])),
    ("an authority of the past", Route::V1, |config| past(&mut config["caUrls"][0]["validFor"])),
    ("a log of the past", Route::V1, |config| past(&mut config["rekorTlogUrls"][0]["validFor"])),
    ("a log of the future", Route::V1, |config| {
        config["rekorTlogUrls"][0]["validFor"] = json!({ "start": "2999-01-01T00:00:00Z" });
    }),
    ("a timestamp authority of the past", Route::V2, |config| past(&mut config["tsaUrls"][0]["validFor"])),
    ("two logs wanted, one there", Route::V1, |config| {
        config["rekorTlogConfig"] = json!({ "selector": "EXACT", "count": 2 });
    }),
    ("all logs of two operators", Route::V1, |config| {
        again(&mut config["rekorTlogUrls"], "other.test");
        config["rekorTlogConfig"] = json!({ "selector": "ALL" });
    }),
    ("two timestamps", Route::V2, |config| {
        again(&mut config["tsaUrls"], "other.test");
        config["tsaConfig"] = json!({ "selector": "EXACT", "count": 2 });
    }),
    ("a log of a later version", Route::V1, |config| config["rekorTlogUrls"][0]["majorApiVersion"] = 3.into()),
    ("an authority of a later version", Route::V1, |config| config["caUrls"][0]["majorApiVersion"] = 9.into()),
    ("plain http to another machine", Route::V1, |config| {
        config["rekorTlogUrls"][0]["url"] = "http://192.0.2.1:3000".into();
    }),
    ("plain http for the token", Route::V1, |config| config["caUrls"][0]["url"] = "http://fulcio.example.test".into()),
    ("a name that only begins like this machine", Route::V1, |config| {
        config["caUrls"][0]["url"] = "http://localhost.example.test:5555".into();
    }),
    ("a user in front of the host", Route::V1, |config| {
        config["rekorTlogUrls"][0]["url"] = "http://127.0.0.1@192.0.2.1/".into();
    }),
    ("a file", Route::V1, |config| config["caUrls"][0]["url"] = "file:///etc/passwd".into()),
    ("no URL", Route::V2, |config| config["tsaUrls"][0]["url"] = "".into()),
    ("another media type", Route::V1, |config| config["mediaType"] = "application/json".into()),
    ("the format of 2024", Route::V1, |config| {
        config["mediaType"] = "application/vnd.dev.sigstore.signingconfig.v0.1+json".into();
    }),
    ("not an object", Route::V1, |config| *config = json!([])),
];

#[test]
fn refused_before_anything_is_published() {
    let Some(stack) = Stack::shared() else { return };
    for (what, route, change) in REFUSED {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        let front = Front::new(stack, route, Service::Oidc, &Behaviour::Forward);
        let mut config: Value = serde_json::from_str(front.signing_config()).unwrap();
        change(&mut config);
        repo.config("keyless.signingConfig", repo.file("changed.json", config.to_string()));
        let answer = repo.sign(b"payload\n");
        println!("{what}: {}", answer.stderr.trim_end());
        assert!(answer.code != 0 && answer.stdout.is_empty(), "{what}");
        assert!(answer.stderr.starts_with("git-keyless: ") && answer.stderr.lines().count() == 1, "{what}");
        let asked: usize = front.all().iter().map(|proxy| proxy.seen().len()).sum();
        assert_eq!(asked, 0, "{what}: somebody was asked");
    }
}

const ACCEPTED: [(&str, Route, Change); 6] = [
    ("fields of the future", Route::V1, |config| {
        config["quantumUrls"] = json!([1]);
        config["caUrls"][0]["colour"] = "blue".into();
    }),
    ("no timestamp authority where none is needed", Route::V1, |config| config["tsaUrls"] = json!([])),
    ("an older service beside the one of today", Route::V1, |config| {
        again(&mut config["rekorTlogUrls"], "realstack.test");
        past(&mut config["rekorTlogUrls"][1]["validFor"]);
        config["rekorTlogUrls"][1]["url"] = "http://127.0.0.1:1".into();
    }),
    ("all logs of one operator", Route::V1, |config| config["rekorTlogConfig"] = json!({ "selector": "ALL" })),
    ("exactly one of each", Route::V2, |config| {
        config["rekorTlogConfig"] = json!({ "selector": "EXACT", "count": 1 });
        config["tsaConfig"] = json!({ "selector": "EXACT", "count": 1 });
    }),
    ("slashes at the end", Route::V1, |config| {
        for list in ["caUrls", "rekorTlogUrls"] {
            config[list][0]["url"] = format!("{}/", config[list][0]["url"].as_str().unwrap()).into();
        }
    }),
];

#[test]
fn odd_and_yet_whole() {
    let Some(stack) = Stack::shared() else { return };
    for (what, route, change) in ACCEPTED {
        let repo = signing(&Git::installed(), "sha1", stack, route, &DEV);
        let text = std::fs::read_to_string(stack.dir.join(route.signing_config())).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        change(&mut config);
        repo.config("keyless.signingConfig", repo.file("changed.json", config.to_string()));
        println!("{what}");
        repo.commit(what);
        check_good(&repo, "HEAD", Expected { stack, route, person: &DEV });
    }
}

/// Half of the settings: nobody is asked, and the message names the other half.
#[test]
fn half_of_the_settings() {
    let Some(stack) = Stack::shared() else { return };
    // Without a trust root it is the public instance's, and nobody is asked whom it does not name.
    for (missing, named, most) in [
        ("keyless.trustedRoot", "keyless.trustedRoot", 0),
        ("keyless.signingConfig", "keyless.signingConfig", 0),
        ("keyless.idTokenFile", "keyless.idTokenFile", 0),
    ] {
        let repo = signing(&Git::installed(), "sha1", stack, Route::V1, &DEV);
        let front = Front::new(stack, Route::V1, Service::Oidc, &Behaviour::Forward);
        front.lead(&repo);
        repo.config_unset(missing);
        let answer = repo.sign(b"payload\n");
        println!("without {missing}: {}", answer.stderr.trim_end());
        assert!(answer.code != 0 && answer.stdout.is_empty() && answer.stderr.contains(named), "{}", answer.stderr);
        let asked: usize = front.all().iter().map(|proxy| proxy.seen().len()).sum();
        assert!(asked <= most && asked == front.fulcio.seen().len(), "without {missing}: {asked} requests");
    }
}
