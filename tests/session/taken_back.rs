//! What is kept is judged anew: only what would be signed with is taken back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use git_keyless::format::id_token::IdToken;
use git_keyless::format::time::Time;
use git_keyless::outside::oidc::{self, DEFAULT_AUDIENCE};
use git_keyless::sandbox::{Fault, Identity, Options, Rekor, Sandbox, Service};
use git_keyless::sign::{self, Credential, LEAST_LIFE, NotTaken, Signer};
use git_keyless::trust::{SigningConfig, TrustRoot};

fn start(directory: &tempfile::TempDir) -> Sandbox {
    let directory = directory.path().join("s");
    let program = env!("CARGO_BIN_EXE_git-keyless").into();
    Sandbox::start(&Options { directory, rekor: Rekor::V1, failing: Vec::new(), program }).unwrap()
}

fn now() -> Time {
    Time::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).unwrap()).unwrap()
}

fn later(by: Duration) -> Time {
    Time::from_unix(now().since_unix().unwrap() + by).unwrap()
}

/// A sandbox, its trust root and how to sign with it.
struct Home {
    sandbox: Sandbox,
    root: TrustRoot,
    options: sign::Options,
    _directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sandbox = start(&directory);
        let root = TrustRoot::parse(sandbox.trusted_root(), "custom").unwrap();
        let services = SigningConfig::parse(sandbox.signing_config()).unwrap().services(now()).unwrap();
        Self { sandbox, root, options: sign::Options::new(services), _directory: directory }
    }

    fn signer(&self) -> Signer<'_> {
        Signer::new(&self.root, &self.options).unwrap()
    }

    fn certify(&self, signer: &Signer<'_>, email: &str) -> Credential {
        let token = self.sandbox.mint(&Identity::Email(email.into())).unwrap();
        let token = oidc::check(IdToken::parse(&token).unwrap(), DEFAULT_AUDIENCE, now()).unwrap();
        runtime().block_on(signer.certify(token, now())).unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn it_signs_as_often_as_it_lives_and_asks_nobody_for_it() {
    let home = Home::new();
    let kept = home.certify(&home.signer(), "alice@example.test").to_bytes().unwrap();
    assert!(kept.len() < 2048, "{}", kept.len());
    // Nobody would give another one.
    home.sandbox.switch(Service::CertificateAuthority, Fault::Error);
    let signer = home.signer();
    let credential = signer.take_back(&kept, now()).unwrap();
    assert_eq!(credential.identity().subject.name(), "alice@example.test");
    assert_eq!(credential.to_bytes().unwrap(), kept);
    let signed: Vec<_> = (0..3u8)
        .map(|n| runtime().block_on(signer.sign(&[n], &credential, now())).unwrap())
        .map(|signed| signed.facts.fingerprint.unwrap())
        .collect();
    assert!(signed.iter().all(|fingerprint| *fingerprint == signed[0]));
    let shown = format!("{credential:?}");
    assert!(shown.len() < 120 && shown.contains("alice@example.test"), "{shown}");
}

#[test]
fn a_minute_before_its_end_it_is_over() {
    let home = Home::new();
    let signer = home.signer();
    let credential = home.certify(&signer, "alice@example.test");
    let (kept, left) = (credential.to_bytes().unwrap(), credential.window().left(now()));
    let at = |time| signer.take_back(&kept, time);
    assert!(at(later(left - LEAST_LIFE - Duration::from_secs(2))).is_ok());
    for time in [left - LEAST_LIFE + Duration::from_secs(2), left, left * 100] {
        assert!(matches!(at(later(time)), Err(NotTaken::Expired(_))), "{time:?}");
    }
    let before = Time::from_unix(now().since_unix().unwrap() - Duration::from_secs(3600)).unwrap();
    assert!(matches!(at(before), Err(NotTaken::Expired(_))));
}

#[test]
fn of_another_instance_with_another_key_or_with_one_bit_turned_it_is_not_taken() {
    let (home, other) = (Home::new(), Home::new());
    let signer = home.signer();
    let kept = home.certify(&signer, "alice@example.test").to_bytes().unwrap();
    let refused = |bytes: &[u8]| match signer.take_back(bytes, now()) {
        Err(NotTaken::Refused(why)) => why,
        Err(NotTaken::Expired(window)) => panic!("expired {window}"),
        Ok(credential) => panic!("taken: {credential:?}"),
    };
    let foreign = other.certify(&other.signer(), "alice@example.test").to_bytes().unwrap();
    assert!(matches!(refused(&foreign), sign::Failure::Certificate(_)));
    // The key of one and the certificate of the other.
    let bob = home.certify(&signer, "bob@example.test").to_bytes().unwrap();
    let key = 3 + usize::from(u16::from_be_bytes([kept[1], kept[2]]));
    assert_eq!(refused(&[&kept[..key], &bob[key..]].concat()), sign::Failure::Key);
    for broken in [&[][..], &kept[..2], &kept[..key], &kept[..kept.len() - 1], &[kept.as_slice(), &[0]].concat()] {
        refused(broken);
    }
    for at in 0..kept.len() {
        let mut turned = kept.to_vec();
        turned[at] ^= 1 << (at % 8);
        refused(&turned);
    }
}
