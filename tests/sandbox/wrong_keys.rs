//! A trust root with one key of somebody else's: signing refuses at the step that needs the key, and hands nothing over.
//! A trust root that lists no certificate log asks for none.

use git_keyless::sandbox::{Identity, Rekor};
use git_keyless::sign::{self, Failure, Timestamp};
use git_keyless::trust::TrustRoot;
use serde_json::Value;

use super::{Home, alice, signed_under, start};

fn json(home: &Home) -> Value {
    serde_json::from_slice(home.sandbox.trusted_root()).unwrap()
}

/// Signs on `home` under its own trust root with the field at `place` taken from another sandbox.
fn with_foreign(home: &Home, place: &str) -> Result<sign::Signed, Failure> {
    let (mut root, other) = (json(home), json(&start(Rekor::V1)));
    *root.pointer_mut(place).unwrap() = other.pointer(place).unwrap().clone();
    sign_under(home, &root)
}

fn sign_under(home: &Home, root: &Value) -> Result<sign::Signed, Failure> {
    let root = TrustRoot::parse(&serde_json::to_vec(root).unwrap(), "custom").unwrap();
    signed_under(&root, &home.sandbox, &alice(), Timestamp::Always)
}

#[test]
fn each_wrong_key_is_noticed_where_it_is_needed() {
    // The last column: whether anything may have been logged by then.
    for (rekor, place, named, logged) in [
        (Rekor::V1, "/certificateAuthorities/0/certChain", "certificate-forged|issuer-unknown", false),
        (Rekor::V1, "/ctlogs/0", "sct-log-unknown", false),
        (Rekor::V1, "/ctlogs/0/publicKey", "sct-invalid", false),
        (Rekor::V1, "/tlogs/0", "step 6|transparency log", true),
        (Rekor::V1, "/tlogs/0/publicKey", "step 6|transparency log", true),
        (Rekor::V2, "/tlogs/1/publicKey", "step 6", true),
        (Rekor::V2, "/timestampAuthorities/0/certChain", "step 7", true),
    ] {
        let home = start(rekor);
        let before = home.sandbox.sizes();
        let refused = with_foreign(&home, place).unwrap_err().to_string();
        assert!(named.split('|').any(|named| refused.contains(named)), "{place}: {refused}");
        assert!(logged || home.sandbox.sizes() == before, "{place}: logged before the certificate was judged");
    }
}

#[test]
fn a_root_without_certificate_logs_asks_for_no_sct() {
    for rekor in [Rekor::V1, Rekor::V2] {
        let home = start(rekor);
        let mut root = json(&home);
        root["ctlogs"] = Value::Array(Vec::new());
        let signed = sign_under(&home, &root).unwrap();
        assert_eq!(signed.facts.identity.unwrap().subject.name(), "alice@example.test");
    }
}

#[test]
fn the_identity_is_the_tokens() {
    let home = start(Rekor::V1);
    let uri = "http://127.0.0.1/agents/builder-7";
    for (identity, name) in [(alice(), "alice@example.test"), (Identity::Uri(uri.into()), uri)] {
        let root = TrustRoot::parse(home.sandbox.trusted_root(), "custom").unwrap();
        let signed = signed_under(&root, &home.sandbox, &identity, Timestamp::AsNeeded).unwrap();
        assert_eq!(signed.facts.identity.unwrap().subject.name(), name);
    }
}
