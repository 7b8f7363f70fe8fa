//! Timestamps by the letter of RFC 3161: what is asked, what answers, what stands in a token.

use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Any, Decode as _, Encode as _, Tag};
use git_keyless::format::armor;
use git_keyless::format::cms::{self, SignedData};
use git_keyless::format::hex;
use git_keyless::format::timestamp::{self, CertificateHash, TstInfo};
use x509_cert::attr::Attribute;

use crate::parts::unhex;
use crate::vectors::Vector;

/// A token of a real authority, and the nonce that it answers: 16 bytes behind a 1.
fn token() -> (Vec<u8>, [u8; 16]) {
    let tokens = Vector::of("good").into_iter().filter_map(|vector| {
        let cms = SignedData::parse(&armor::dearmor(vector.parts().signature()).ok()?).ok()?;
        let (_, values) = cms::values(cms.signer()?.unsigned(), cms::TIMESTAMP_TOKEN);
        let token = values.first()?.to_der().unwrap();
        let nonce = TstInfo::of(&SignedData::parse(&token).ok()?).ok()?.nonce?;
        Some((token, nonce.strip_prefix(&[1])?.try_into().ok()?))
    });
    tokens.into_iter().next().expect("no token of ours among the vectors")
}

/// RFC 3161 section 2.4.1: version, imprint, nonce, certReq. And what is not ours to choose is not in it.
#[test]
fn a_timestamp_query() {
    let written = timestamp::query(&[0xab; 32], &[0xcd; 16]).unwrap();
    let expected = [
        "304a020101",
        // SHA-256 without parameters (RFC 5754 section 2), and the digest.
        "302f300b0609608648016503040201",
        "0420",
        &"ab".repeat(32),
        // No leading zero can be lost.
        "021101",
        &"cd".repeat(16),
        "0101ff",
    ];
    assert_eq!(hex(&written), expected.concat());
}

/// RFC 3161 section 2.4.2.
#[test]
fn a_timestamp_reply_answers_its_nonce() {
    let (token, nonce) = token();
    let reply = timestamp::reply_around(&token).unwrap();
    assert_eq!(timestamp::token_of_reply(&reply, &nonce).unwrap(), token);
    let mut other = nonce;
    other[15] ^= 1;
    let why = timestamp::token_of_reply(&reply, &other).unwrap_err().to_string();
    assert!(why.contains("does not answer the nonce"), "{why}");
    // PKIStatus: granted, grantedWithMods, rejection, waiting.
    let at = reply.len() - token.len() - 1;
    for (status, granted) in [(0, true), (1, true), (2, false), (3, false), (0x7f, false)] {
        let mut reply = reply.clone();
        reply[at] = status;
        let found = timestamp::token_of_reply(&reply, &nonce);
        assert_eq!(found.is_ok(), granted, "{status}: {found:?}");
        assert!(granted || found.unwrap_err().to_string().contains(&format!("PKIStatus {status}")));
    }
    for wrong in [&reply[..reply.len() - 1], &[&reply[..], b"x"].concat(), &token, b""] {
        assert!(timestamp::token_of_reply(wrong, &nonce).is_err());
    }
}

/// RFC 3161 section 2.4.2: accuracy, ordering, nonce, tsa, extensions, each at most once and in that order.
#[test]
fn what_a_timestamp_may_say_beside_the_time() {
    const ACCURACY: &str = "3003020101";
    const ORDERING: &str = "0101ff";
    const NONCE: &str = "02020123";
    // A directoryName.
    const TSA: &str = "a004a4023000";
    const EXTENSIONS: &str = "a10430020500";
    let info = |fields: &[&str]| {
        let fixed = [
            "020101",
            "06022a03",
            "302f300b0609608648016503040201",
            "0420",
            &"ab".repeat(32),
            "020105",
            // 20260708172717Z
            "180f",
            &hex(b"20260708172717Z"),
        ]
        .concat();
        let content = unhex(&(fixed + &fields.concat()));
        TstInfo::parse(&Any::new(Tag::Sequence, content).unwrap().to_der().unwrap())
    };
    let with_nonce = Some(unhex("0123"));
    for (fields, nonce) in [
        (&[][..], None),
        (&[ACCURACY], None),
        (&[NONCE], with_nonce.clone()),
        (&[ACCURACY, ORDERING, NONCE, TSA, EXTENSIONS], with_nonce),
        (&[ORDERING, EXTENSIONS], None),
    ] {
        let found = info(fields).unwrap_or_else(|why| panic!("{fields:?}: {why}"));
        assert_eq!((found.nonce, found.imprint.as_slice()), (nonce, &[0xab; 32][..]), "{fields:?}");
        assert_eq!(found.time.to_string(), "2026-07-08T17:27:17Z");
    }
    for fields in [
        &[NONCE, NONCE][..],
        &[ORDERING, ACCURACY],
        &[NONCE, ORDERING],
        &[TSA, NONCE],
        &[EXTENSIONS, TSA],
        &[ACCURACY, ACCURACY],
        &["0500"],
        &["a2020500"],
        &["0402ab"],
    ] {
        assert!(info(fields).is_err(), "{fields:?}");
    }
}

/// RFC 2634 section 5.4.1: SHA-1. RFC 5035 section 3: SHA-256 unless it says otherwise.
#[test]
fn which_certificate_a_token_is_bound_to() {
    const V1: &str = "1.2.840.113549.1.9.16.2.12";
    const V2: &str = "1.2.840.113549.1.9.16.2.47";
    let attribute = |id: &str, value: &str| {
        let value = Any::from_der(&unhex(value)).unwrap();
        let values = SetOfVec::try_from(vec![value]).unwrap();
        Attribute { oid: ObjectIdentifier::new_unwrap(id), values }
    };
    let first = attribute(V1, &format!("301a3018301604 14{}", "11".repeat(20)).replace(' ', ""));
    let second = attribute(V2, &format!("302630243022 0420{}", "22".repeat(32)).replace(' ', ""));
    // Its algorithm is written out: SHA-512.
    let longer = format!("3053 3051 304f 300b0609608648016503040203 0440{}", "33".repeat(64)).replace(' ', "");
    let longer = attribute(V2, &longer);
    let bound = |algorithm: Option<&str>, byte: u8, length: usize| CertificateHash {
        algorithm: algorithm.map(ObjectIdentifier::new_unwrap),
        hash: vec![byte; length],
    };
    let (sha_256, sha_512) = ("2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.3");
    for (attributes, expected) in [
        (vec![first.clone()], bound(None, 0x11, 20)),
        (vec![second.clone()], bound(Some(sha_256), 0x22, 32)),
        (vec![longer], bound(Some(sha_512), 0x33, 64)),
        // The stronger one counts.
        (vec![first.clone(), second.clone()], bound(Some(sha_256), 0x22, 32)),
    ] {
        assert_eq!(timestamp::signing_certificate(&attributes), Ok(expected));
    }
    assert!(timestamp::signing_certificate(&[]).is_err());
    assert!(timestamp::signing_certificate(&[second.clone(), second]).is_err());
    assert!(timestamp::signing_certificate(&[first.clone(), first]).is_err());
}
