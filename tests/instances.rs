//! Instances out of URLs, certificates and keys in PEM, as older clients are configured: read like any other, they are what
//! the built-in root says of the public instance.

use der::pem::{LineEnding, encode_string};
use git_keyless::format::armor;
use git_keyless::format::base64;
use git_keyless::format::cert::Certificate;
use git_keyless::format::cms::SignedData;
use git_keyless::format::time::Time;
use git_keyless::trust::parts::{Pems, Urls, client_trust_config, signing_config, trusted_root};
use git_keyless::trust::{SigningConfig, TrustRoot};

use crate::vectors::Vector;

fn pem(label: &str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).unwrap()
}

/// The certificates of the public instance's authority with more than one, as they are chained.
fn chain() -> Vec<Vec<u8>> {
    let chains = TrustRoot::public_good().unwrap().authorities.into_iter().map(|authority| authority.chain.unwrap());
    let chain = chains.into_iter().find(|chain| chain.len() > 1).unwrap();
    chain.iter().map(|certificate| certificate.der().to_vec()).collect()
}

fn certificates<'a>(all: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
    all.into_iter().map(|der| format!("# a comment\n{}", pem("CERTIFICATE", der))).collect()
}

fn urls() -> Urls<'static> {
    Urls {
        authority: "https://fulcio.example.com",
        log: ("https://rekor.example.com", 1),
        identity_provider: Some("https://login.example.com"),
        timestamp_authority: Some("https://tsa.example.com/api"),
    }
}

/// Rekor's and the certificate log's.
fn keys() -> [String; 2] {
    let root = TrustRoot::public_good().unwrap();
    [&root.logs, &root.ct_logs].map(|logs| pem("PUBLIC KEY", logs.first().unwrap().key.as_ref().unwrap().0.spki()))
}

#[test]
fn what_was_put_together_is_what_it_was_taken_from() {
    let (public, chain, [log, ct_log]) = (TrustRoot::public_good().unwrap(), chain(), keys());
    // In whatever order they stand in the file.
    let authority = certificates(chain.iter().rev());
    let stamps = certificates(&chain);
    let pems = Pems { authority: &authority, log: &log, ct_log: &ct_log, timestamp_authority: Some(&stamps) };
    let root = trusted_root(&urls(), &pems).unwrap();
    let config = client_trust_config(&root, &signing_config(&urls())).to_string();
    for bytes in [root.to_string(), config.clone()] {
        let read = TrustRoot::parse(bytes.as_bytes(), "custom").unwrap();
        let ders = |chain: &Result<Vec<_>, String>| -> Vec<Vec<u8>> {
            let chain: &Vec<Certificate> = chain.as_ref().unwrap();
            chain.iter().map(|certificate| certificate.der().to_vec()).collect()
        };
        let [authority] = read.authorities.as_slice() else { panic!("{} authorities", read.authorities.len()) };
        let [stamps] = read.timestamp_authorities.as_slice() else { panic!("no timestamp authority") };
        assert_eq!((ders(&authority.chain), ders(&stamps.chain)), (chain.clone(), chain.clone()));
        assert_eq!((authority.uri.as_str(), stamps.uri.as_str()), (urls().authority, "https://tsa.example.com/api"));
        let first = authority.chain.as_ref().unwrap()[0].validity().unwrap();
        assert_eq!(authority.window.start, first.start);
        for (read, known) in [(&read.logs, &public.logs), (&read.ct_logs, &public.ct_logs)] {
            let known = known.first().unwrap();
            assert_eq!((read.len(), &read[0].id, &read[0].key), (1, &known.id, &known.key));
        }
        assert_eq!(read.logs[0].base_url, "https://rekor.example.com");
    }
    let services = SigningConfig::parse(config.as_bytes()).unwrap().services(Time::from_seconds(0).unwrap()).unwrap();
    assert_eq!((services.authority.url.as_str(), services.log.url.as_str()), (urls().authority, urls().log.0));
    assert_eq!(services.identity_provider.unwrap().url, "https://login.example.com");
    assert_eq!(services.timestamp_authority.unwrap().url, "https://tsa.example.com/api");
}

#[test]
fn what_is_no_chain_and_what_is_no_key() {
    let (chain, [log, ct_log]) = (chain(), keys());
    let made = |authority: &str, log: &str| {
        let pems = Pems { authority, log, ct_log: &ct_log, timestamp_authority: None };
        trusted_root(&urls(), &pems).map_err(|why| why.to_string())
    };
    let good = certificates(&chain);
    let without_stamps = made(&good, &log).unwrap();
    assert_eq!(without_stamps["timestampAuthorities"].as_array().map(Vec::len), Some(0));
    // A leaf below a chain is no authority's, but it tells the order of three.
    let vector = Vector::of("good").into_iter().find(|vector| vector.name == "good/identity-github").unwrap();
    let leaf =
        SignedData::parse(&armor::dearmor(vector.parts().signature()).unwrap()).unwrap().certificates()[0].clone();
    let above: Vec<_> =
        vector.root.authorities[0].chain.as_ref().unwrap().iter().map(|one| one.der().to_vec()).collect();
    let three = [above.clone(), vec![leaf.der().to_vec()]].concat();
    let ordered = made(&certificates(&three), &log).unwrap();
    let raw = &ordered["certificateAuthorities"][0]["certChain"]["certificates"];
    let expected: Vec<_> = [vec![leaf.der().to_vec()], above].concat().iter().map(|der| base64(der)).collect();
    assert_eq!(expected.len(), 3);
    let found: Vec<_> =
        raw.as_array().unwrap().iter().map(|one| one["rawBytes"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, expected);
    // Twice the same, two that have nothing to do with each other, and nothing.
    let alone = Certificate::parse_pem(include_str!("data/leaf.pem")).unwrap().der().to_vec();
    for (authority, expected) in [
        (certificates([&chain[0], &chain[0]]), "not one chain"),
        (certificates([&chain[0], &alone]), "not one chain"),
        (certificates([&chain[0], &chain[1], &alone]), "not one chain"),
        (String::new(), "no certificate in it"),
    ] {
        let why = made(&authority, &log).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    for (key, expected) in
        [(certificates(&chain[..1]).replace("# a comment\n", ""), "label `CERTIFICATE`"), ("x".to_owned(), "PEM")]
    {
        let why = made(&good, &key).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
}
