//! The small parts of the library one by one: keys, moments, names, what is printed. Expected values come from standards,
//! or are written out.

use std::time::Duration;

use der::asn1::{BitString, Null, ObjectIdentifier, OctetString};
use der::{Any, Encode as _};
use git_keyless::format::checkpoint::Checkpoint;
use git_keyless::format::object::{Kind, MAX_OBJECT_BYTES, Object, ObjectFormat, committer_email};
use git_keyless::format::sct::{self, SctAlgorithm};
use git_keyless::format::time::{Time, Window};
use git_keyless::format::{hex, printable};
use git_keyless::key::{EphemeralKey, Hash, Invalid, KeyKind, MEMO_ENTRIES, Memo, PublicKey, random, sha1_of};
use git_keyless::key::{sha256, sha256_of};
use git_keyless::policy::{Accepted, Policy};
use git_keyless::trust::{PUBLIC_GOOD, TrustRoot};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::vectors::vectors;

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const ED25519: &str = "1.3.101.112";

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn spki(algorithm: &str, parameters: Option<Any>, key: &[u8]) -> Vec<u8> {
    let algorithm = AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(algorithm), parameters };
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(key).unwrap() }.to_der().unwrap()
}

fn oid(text: &str) -> Option<Any> {
    Some(Any::encode_from(&ObjectIdentifier::new_unwrap(text)).unwrap())
}

/// RFC 6979 appendix A.2.5: the point, and what it signs "sample" with.
fn rfc_6979() -> (Vec<u8>, [(Hash, Vec<u8>); 2]) {
    let point = unhex(concat!(
        "04",
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    ));
    let with_256 = concat!(
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    );
    let with_384 = concat!(
        "304402200eafea039b20e9b42309fb1d89e213057cbf973dc0cfc8f129edddc800ef7719",
        "02204861f0491e6998b9455193e34e7b0d284ddd7149a74b95b9261f13abde940954"
    );
    (point, [(Hash::Sha256, unhex(with_256)), (Hash::Sha384, unhex(with_384))])
}

#[test]
fn digests() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((hex(&sha256(b"abc")), hex(&sha256_of(&[b"a", b"", b"bc"]))), (abc.to_owned(), abc.to_owned()));
    assert_eq!(hex(&sha1_of(&[b"a", b"bc"])), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

#[test]
fn an_ecdsa_key_checks_with_the_hash_that_is_named() {
    let (point, signatures) = rfc_6979();
    let bytes = spki(EC, oid(P256), &point);
    let key = PublicKey::from_spki(&bytes).unwrap();
    assert_eq!((key.kind(), key.spki(), key.raw()), (KeyKind::P256, &*bytes, &*point));
    assert_eq!(format!("{key:?}"), "PublicKey(P256)");
    let memo = Memo::new();
    for (hash, signature) in &signatures {
        assert_eq!(memo.check_signature(&key, *hash, b"sample", signature), Ok(()), "{hash:?}");
        for other in [Hash::Sha256, Hash::Sha384, Hash::Sha512].into_iter().filter(|other| other != hash) {
            assert_eq!(memo.check_signature(&key, other, b"sample", signature), Err(Invalid), "{hash:?} {other:?}");
        }
        assert_eq!(memo.check_signature(&key, *hash, b"samplf", signature), Err(Invalid));
        assert_eq!(memo.check_signature(&key, *hash, b"sample", &signature[1..]), Err(Invalid));
    }
    let (_, signature) = &signatures[0];
    assert_eq!(key.check_digest(Hash::Sha256, &sha256(b"sample"), signature), Ok(()));
    assert_eq!(key.check_digest(Hash::Sha256, &sha256(b"samplf"), signature), Err(Invalid));
    assert_eq!(key.check_digest(Hash::Sha384, &sha256(b"sample"), signature), Err(Invalid));
    assert_eq!(key.check_digest(Hash::Sha256, b"sample", signature), Err(Invalid), "no digest at all");
}

/// RFC 8032 section 7.1, test 1; its key has no parameters, not even NULL (RFC 8410 section 3).
#[test]
fn an_ed25519_key_has_no_parameters() {
    let point = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = unhex(concat!(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f",
        "b8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ));
    let key = PublicKey::from_spki(&spki(ED25519, None, &point)).unwrap();
    let memo = Memo::new();
    assert_eq!((key.kind(), key.raw()), (KeyKind::Ed25519, &*point));
    assert_eq!(memo.check_signature(&key, Hash::Sha512, b"", &signature), Ok(()));
    assert_eq!(memo.check_signature(&key, Hash::Sha256, b"", &signature), Err(Invalid));
    let null = Some(Any::encode_from(&Null).unwrap());
    for (algorithm, parameters, point) in [
        (ED25519, null.clone(), &*point),
        (ED25519, oid(P256), &point),
        (ED25519, None, &point[1..]),
        (EC, null, &rfc_6979().0),
        (EC, oid(ED25519), &rfc_6979().0),
        (EC, oid(P256), &rfc_6979().0[..33]),
        ("1.2.3", None, &point),
    ] {
        let why = PublicKey::from_spki(&spki(algorithm, parameters, point)).unwrap_err();
        assert!(why.to_string().contains("not supported") || why.to_string().contains("uncompressed"), "{why}");
    }
    assert!(PublicKey::from_spki(b"no key").unwrap_err().to_string().starts_with("SubjectPublicKeyInfo: "));
}

#[test]
fn a_key_that_is_kept_is_the_same_key() {
    let key = EphemeralKey::generate().unwrap();
    let kept = EphemeralKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    assert_eq!(kept.public().unwrap(), key.public().unwrap());
    assert_ne!(key.public().unwrap(), EphemeralKey::generate().unwrap().public().unwrap());
    let signature = kept.sign(b"message").unwrap();
    let check = |message| Memo::new().check_signature(&key.public().unwrap(), Hash::Sha256, message, &signature);
    assert_eq!((check(b"message"), check(b"another")), (Ok(()), Err(Invalid)));
    for wrong in [&b""[..], &[0; 138]] {
        assert!(EphemeralKey::from_pkcs8(wrong).unwrap_err().to_string().contains("no key"));
    }
    assert_eq!((format!("{key:?}").as_str(), format!("{:?}", Memo::new()).as_str()), ("EphemeralKey", "Memo"));
    let (one, other): ([u8; 16], [u8; 16]) = (random().unwrap(), random().unwrap());
    assert!(one != other && one.iter().any(|byte| *byte != one[0]));
}

/// Forty commits under one certificate cost one check: a few hundred bytes would not be worth it, a gigabyte too much.
#[test]
fn a_memo_is_worth_having() {
    const { assert!(MEMO_ENTRIES >= 1 << 12 && MEMO_ENTRIES <= 1 << 20) };
}

#[test]
fn moments_and_windows() {
    let at = |text: &str| Time::parse(text).unwrap();
    let (start, end) = (at("2026-07-08T17:27:17.5Z"), at("2026-07-08T17:37:17Z"));
    assert_eq!((start.date().as_str(), start.whole()), ("2026-07-08", at("2026-07-08T17:27:17Z")));
    let window = Window { start, end: Some(end) };
    assert_eq!(window.to_string(), "2026-07-08T17:27:17.5Z to 2026-07-08T17:37:17Z");
    assert_eq!(window.left(start), Duration::from_secs(600));
    assert_eq!(window.left(at("2026-07-08T17:37:16Z")), Duration::from_secs(1));
    for outside in ["2026-07-08T17:27:17Z", "2026-07-08T17:37:17.001Z", "1970-01-01T00:00:00Z"] {
        assert_eq!(window.left(at(outside)), Duration::ZERO, "{outside}");
    }
    let open = Window { end: None, ..window };
    assert_eq!((open.to_string().as_str(), open.left(end)), ("2026-07-08T17:27:17.5Z onwards", Duration::MAX));
    assert_eq!(open.left(at("2020-01-01T00:00:00Z")), Duration::ZERO);
    assert_eq!((Time::from_seconds(-1).unwrap().since_unix(), start.since_unix().unwrap().subsec_nanos()), (None, 0));
}

/// RFC 3161 section 2.4.2, and X.690 section 11.7 for the fraction.
#[test]
fn times_of_timestamps() {
    for (text, time) in [
        ("20261110120001Z", "2026-11-10T12:00:01Z"),
        ("20261110120001.5Z", "2026-11-10T12:00:01.5Z"),
        ("20261110120001.123456789Z", "2026-11-10T12:00:01.123456789Z"),
    ] {
        assert_eq!(Time::parse_generalized(text).unwrap().to_string(), time);
    }
    for wrong in [
        "2026111012000Z",
        "202611101200011Z",
        "2026111012000xZ",
        "20261110120001.Z",
        "20261110120001.50Z",
        "20261110120001.5xZ",
        "20261110120001.1234567891Z",
        "20261110120001",
        "20261110120001+0100",
        "20261310120001Z",
        "Z",
    ] {
        assert!(Time::parse_generalized(wrong).is_err(), "{wrong}");
    }
}

/// Of a tag: what begins with a blank belongs to the header before it, and falls out with a foreign signature alone.
#[test]
fn lines_that_go_on() {
    let armor = "-----BEGIN SIGNED MESSAGE-----\n-----END SIGNED MESSAGE-----\n";
    let split = |headers: &str| {
        let raw = format!("object x\n{headers}\nmessage\n{armor}").into_bytes();
        let object = Object::split(raw, Kind::Tag, ObjectFormat::Sha1, None);
        String::from_utf8(object.payload().to_vec()).unwrap()
    };
    assert_eq!(split("note a\n more\n"), "object x\nnote a\n more\n\nmessage\n");
    assert_eq!(split("gpgsig-sha256 a\n more\nnote b\n and\n"), "object x\nnote b\n and\n\nmessage\n");
}

/// RFC 6962 section 3.3: a list of one timestamp by RSA with SHA-256 (RFC 5246 section 7.4.1.4.1: 4, 1).
#[test]
fn a_certificate_logs_promise_by_rsa() {
    let sct = |hash: u8, scheme: u8| {
        let fixed = [&[0][..], &[7; 32], &1_794_312_001_000_u64.to_be_bytes(), &[0, 0, hash, scheme, 0, 3, 1, 2, 3]];
        let one = fixed.concat();
        let length = u16::try_from(one.len()).unwrap();
        let list = [&(length + 2).to_be_bytes()[..], &length.to_be_bytes(), &one].concat();
        let list = OctetString::new(list).unwrap().to_der().unwrap();
        sct::parse_list(&list).unwrap().remove(0)
    };
    let by_rsa = sct(4, 1);
    assert_eq!((by_rsa.algorithm, by_rsa.millis), (SctAlgorithm::RsaSha256, 1_794_312_001_000));
    assert_eq!(sct(4, 3).algorithm, SctAlgorithm::EcdsaSha256);
    for (hash, scheme) in [(5, 3), (2, 1), (4, 2)] {
        assert_eq!(sct(hash, scheme).algorithm, SctAlgorithm::Other);
    }
    // What is signed has three bytes for the length of the certificate.
    assert!(sct::signed_struct(&by_rsa, &[0; 32], &vec![0; (1 << 24) - 1]).is_ok());
    assert!(sct::signed_struct(&by_rsa, &[0; 32], &vec![0; 1 << 24]).is_err());
}

#[test]
fn what_is_printed_moves_no_cursor_and_hides_nothing() {
    assert_eq!(printable("Zo\u{eb} \u{1f511} a-b"), "Zo\u{eb} \u{1f511} a-b");
    for (dangerous, shown) in [
        ("\u{1b}[2J", "\\u{1b}[2J"),
        ("a\nb\r\0", "a\\u{a}b\\u{d}\\u{0}"),
        ("\u{9b}x", "\\u{9b}x"),
        // A soft hyphen, something turned around, of no width, a tag, an annotation.
        ("\u{ad}", "\\u{ad}"),
        ("\u{202e}", "\\u{202e}"),
        ("\u{200b}", "\\u{200b}"),
        ("\u{2066}", "\\u{2066}"),
        ("\u{feff}", "\\u{feff}"),
        ("\u{fff9}", "\\u{fff9}"),
        ("\u{e0041}", "\\u{e0041}"),
    ] {
        assert_eq!(printable(dangerous), shown);
    }
}

#[test]
fn whose_commit_tag_or_push_it_is() {
    let commit = b"tree x\nauthor A <a@example.test> 0 +0000\ncommitter C <c@example.test> 0 +0000\n\ntagger T <t@t> 0";
    assert_eq!(committer_email(commit).as_deref(), Some("c@example.test"));
    assert_eq!(committer_email(b"object x\ntagger T <t@example.test> 0 +0000\n").as_deref(), Some("t@example.test"));
    assert_eq!(
        committer_email(b"certificate version 0.1\npusher P <p@example.test> 0").as_deref(),
        Some("p@example.test")
    );
    for nobody in
        [&b"tree x\n\ncommitter C <c@example.test> 0"[..], b"committer C", b"committer C <c", b"", b"committers <c>"]
    {
        assert_eq!(committer_email(nobody), None, "{}", String::from_utf8_lossy(nobody));
    }
}

#[test]
fn what_an_object_is_by_its_first_header() {
    for (raw, kind) in [
        (&b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"[..], Kind::Commit),
        (b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", Kind::Tag),
        (b"certificate version 0.1\n", Kind::PushCertificate),
        (b"trees", Kind::Other),
        (b"certificate of something\n", Kind::Other),
        (b"", Kind::Other),
    ] {
        assert_eq!(Kind::guess(raw), kind, "{}", String::from_utf8_lossy(raw));
    }
    let shown = format!("{:?}", Object::of(b"payload".to_vec(), b"signature".to_vec()));
    assert!(!shown.is_empty() && shown.len() < 200, "{shown}");
}

/// As long as the limit says is not too long; one byte more is not even split.
#[test]
fn the_longest_object() {
    let mut raw = vec![b'x'; MAX_OBJECT_BYTES];
    raw[0] = b'\n';
    let object = |raw: &[u8]| Object::split(raw.to_vec(), Kind::Commit, ObjectFormat::Sha1, None);
    assert_eq!(object(&raw).payload().len(), MAX_OBJECT_BYTES);
    raw.push(b'x');
    assert_eq!(object(&raw).payload().len(), 0);
}

/// C2SP signed-note: a name without blanks and pluses, four bytes of a key's id, a signature.
#[test]
fn signature_lines_of_a_checkpoint() {
    let note = |line: &str| Checkpoint::parse(&format!("log.example.test\n1\n{}\n\n{line}\n", "A".repeat(43) + "="));
    let good = note("\u{2014} log.example.test AAAAAAA=").unwrap();
    let line = good.signatures.first().unwrap();
    assert_eq!((line.name.as_str(), line.hint, line.signature.as_slice()), ("log.example.test", [0; 4], &[0][..]));
    for wrong in [
        "\u{2014} log+test AAAAAAA=",
        "\u{2014}  AAAAAAA=",
        // A key's id and no signature; not even that.
        "\u{2014} log.example.test AAAAAA==",
        "\u{2014} log.example.test AAAA",
        "\u{2014} log.example.test",
        "- log.example.test AAAAAAA=",
    ] {
        assert!(note(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn pairs_are_read_as_they_are_written() {
    let pair = Accepted { subject: "a b%@example.test".into(), issuer: "https://issuer.test/x".into() };
    assert_eq!(pair.to_string(), "a%20b%25@example.test https://issuer.test/x");
    assert_eq!(Accepted::parse(&pair.to_string()), Ok(pair.clone()));
    for wrong in ["", "one", "a b c", "a%ff b"] {
        let why = Accepted::parse(wrong).unwrap_err().to_string();
        assert!(why.contains(&format!("`{wrong}` is not `<subject> <issuer>`")), "{why}");
    }
    assert!(Policy::new(vec![pair], false).names_anybody() && !Policy::default().names_anybody());
}

/// Only the bytes of the public instance are called so; whoever's authority says that it is a sandbox is one.
#[test]
fn what_an_instance_is_called() {
    let called = |json: &[u8]| TrustRoot::parse(json, "custom").unwrap().instance;
    assert_eq!(called(PUBLIC_GOOD), "public");
    assert_eq!(called(&[PUBLIC_GOOD, b"\n"].concat()), "custom");
    let forged = std::fs::read(vectors().join("trust/forge.json")).unwrap();
    assert_eq!(called(&forged), "custom");
    assert!(!TrustRoot::parse(&forged, "custom").unwrap().is_public());
    assert!(TrustRoot::parse(&forged, "public").unwrap().is_public());
    assert!(TrustRoot::parse(&[PUBLIC_GOOD, b"\n"].concat(), "custom").unwrap().is_public());
    let sandbox = std::fs::read(vectors().join("trust/sandbox.json")).unwrap();
    assert_eq!(called(&sandbox), "sandbox");
}

#[test]
fn a_trust_root_names_each_log_once() {
    let forged = std::fs::read_to_string(vectors().join("trust/forge.json")).unwrap();
    let root: serde_json::Value = serde_json::from_str(&forged).unwrap();
    let parse = |root: &serde_json::Value| TrustRoot::parse(root.to_string().as_bytes(), "custom");
    let mut twice = root.clone();
    let [log, ct_log] = ["tlogs", "ctlogs"].map(|list| root[list][0].clone());
    twice["tlogs"].as_array_mut().unwrap().push(log.clone());
    let (once, both) = (parse(&root).unwrap(), parse(&twice).unwrap());
    assert_eq!((both.logs.len(), both.logs[0].windows.len()), (once.logs.len(), once.logs[0].windows.len() + 1));
    // Two keys under one id: nobody could say which of them a name means.
    let mut mixed = log;
    assert_ne!(mixed["publicKey"]["rawBytes"], ct_log["publicKey"]["rawBytes"]);
    mixed["publicKey"] = ct_log["publicKey"].clone();
    twice["tlogs"][root["tlogs"].as_array().unwrap().len()] = mixed;
    let why = parse(&twice).unwrap_err().to_string();
    assert!(why.contains("two logs with the id ") && why.contains("different keys"), "{why}");
}

#[test]
fn a_client_trust_config_is_read_by_its_media_type() {
    let forged: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors().join("trust/forge.json")).unwrap()).unwrap();
    let config = |version: &str| {
        let media_type = format!("application/vnd.dev.sigstore.clienttrustconfig.{version}+json");
        let config = serde_json::json!({ "mediaType": media_type, "trustedRoot": forged, "signingConfig": {} });
        TrustRoot::parse(config.to_string().as_bytes(), "custom")
    };
    assert_eq!(config("v0.1").unwrap().authorities.len(), forged["certificateAuthorities"].as_array().unwrap().len());
    assert!(config("v0.9").unwrap_err().to_string().contains("is not supported"));
}
