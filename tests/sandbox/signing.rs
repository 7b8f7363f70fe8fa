//! What is signed with a sandbox verifies, under its own trust root and no other.

use git_keyless::format::cert::Subject;
use git_keyless::report::TimeSource;
use git_keyless::sandbox::{Identity, Rekor};
use git_keyless::sign::Timestamp;
use git_keyless::trust::TrustRoot;

use super::{alice, root, signed, start, verified};

#[test]
fn either_rekor_and_either_identity() {
    use TimeSource::{Promise, Timestamp as Token};
    let uri = "https://ci.example.test/org/repo/.workflow@refs/heads/main";
    for (rekor, timestamp, kind, sources) in [
        (Rekor::V1, Timestamp::AsNeeded, "hashedrekord/0.0.1", vec![Promise]),
        (Rekor::V1, Timestamp::Always, "hashedrekord/0.0.1", vec![Promise, Token]),
        (Rekor::V2, Timestamp::AsNeeded, "hashedrekord/0.0.2", vec![Token]),
    ] {
        let home = start(rekor);
        let (sandbox, root) = (&home.sandbox, root(&home.sandbox));
        for (identity, subject, issuer) in [
            (alice(), Subject::Email("alice@example.test".into()), "email"),
            (Identity::Uri(uri.into()), Subject::Uri(uri.into()), "uri"),
        ] {
            let signature = signed(sandbox, &identity, timestamp).unwrap();
            let verified = verified(&root, &signature.armor);
            assert!(verified.checks().iter().all(|check| check.holds()), "{:#?}", verified.checks());
            let facts = verified.facts();
            let identity = facts.identity.as_ref().unwrap();
            assert_eq!(identity.subject, subject);
            assert_eq!(identity.issuer, format!("{}/{issuer}", sandbox.urls().oidc));
            assert_eq!(facts.times.iter().map(|(source, _)| *source).collect::<Vec<_>>(), sources);
            assert_eq!(facts.entries[0].kind, kind);
            assert_eq!(facts.instance, "sandbox");
        }
    }
}

#[test]
fn under_another_trust_root_it_is_unknown() {
    let (one, other) = (start(Rekor::V1), start(Rekor::V1));
    let signature = signed(&one.sandbox, &alice(), Timestamp::AsNeeded).unwrap();
    for root in [root(&other.sandbox), TrustRoot::public_good().unwrap()] {
        assert!(verified(&root, &signature.armor).checks().iter().any(|check| !check.holds()));
    }
}

/// Proofs of every shape: into a tree of any size up to eight, of any entry.
#[test]
fn a_growing_log() {
    for rekor in [Rekor::V1, Rekor::V2] {
        let home = start(rekor);
        let root = root(&home.sandbox);
        for size in 1..9usize {
            let signature = signed(&home.sandbox, &alice(), Timestamp::AsNeeded).unwrap();
            assert!(verified(&root, &signature.armor).checks().iter().all(|check| check.holds()), "{size}");
            assert_eq!(home.sandbox.sizes().into_iter().max(), Some(size));
        }
    }
}
