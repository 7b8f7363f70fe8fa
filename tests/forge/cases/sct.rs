//! Step 4.

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::json;

use super::super::der::octets;
use super::super::x509::{AuthorityPlan, Certificate, SCT_LIST, Sct, extension, fresh_key, sct_list};
use super::super::{Case, Forge};

/// A complete commit whose leaf has in place of its SCTs what `scts` gives.
fn logged(forge: &Forge, extensions: impl FnOnce(&Certificate) -> Vec<Vec<u8>>) -> Vec<u8> {
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let mut leaf = forge.certificate(&forge.ca, &key);
    let more = extensions(&leaf);
    leaf.extensions.extend(more);
    forge.draft_of(leaf.signed(&forge.ca.key), key).v1().object()
}

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    let case = |folder, name: &str, object| Case::new(folder, name, 4, object);
    let lists = |scts: &dyn Fn(&Certificate) -> Vec<Sct>| logged(forge, |leaf| vec![sct_list(&scts(leaf))]);
    let malformed = |name: &str, value: &[u8]| {
        case("sct-malformed", name, logged(forge, |_| vec![extension(SCT_LIST, false, value)])).class("E7")
    };
    let ours = |leaf: &Certificate| forge.sct(leaf, &forge.ca);
    let millis = u64::try_from(forge.at).unwrap() * 1000;
    let stranger = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let by = |leaf: &Certificate, key| {
        Sct::over(&leaf.tbs(&forge.ca.key), &forge.ca.key.subject_public_key_info(), key, millis, &[])
    };
    let twin = AuthorityPlan { common: "ca", ..AuthorityPlan::new("twin of ca") }.made();
    let for_another = |leaf: &Certificate| {
        let mut other = leaf.clone();
        other.serial[5] ^= 1;
        ours(&other)
    };
    let mut ended = forge.root();
    ended["ctlogs"][0]["publicKey"]["validFor"]["end"] = json!("2026-11-10T12:00:00.122Z");
    let mut late = forge.root();
    late["ctlogs"][0]["publicKey"]["validFor"]["start"] = json!("2026-11-10T12:00:00.124Z");
    let mut beside = forge.root();
    let mut unreadable = beside["ctlogs"][0].clone();
    unreadable["publicKey"]["keyDetails"] = json!("ML_DSA_65");
    unreadable["logId"]["keyId"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    beside["ctlogs"].as_array_mut().unwrap().insert(0, unreadable);
    let mut unusable = forge.root();
    unusable["ctlogs"][0]["publicKey"]["keyDetails"] = json!("ML_DSA_65");
    vec![
        case("sct-missing", "none", logged(forge, |_| Vec::new())).unknown().sole().class("E1"),
        case("sct-log-unknown", "another-log", lists(&|leaf| vec![by(leaf, &stranger)])).unknown().sole().class("E3"),
        case("sct-log-unknown", "another-log-beside-an-unreadable-one", lists(&|leaf| vec![by(leaf, &stranger)]))
            .under("beside-an-unreadable-ct-log", &beside)
            .unknown()
            .class("E3 D17"),
        case("sct-invalid", "of-another-certificate", lists(&|leaf| vec![for_another(leaf)])).sole().class("E5"),
        case(
            "sct-invalid",
            "of-a-namesake-of-the-issuer",
            lists(&|leaf| {
                vec![Sct::over(&leaf.tbs(&forge.ca.key), &twin.key.subject_public_key_info(), &forge.ct, millis, &[])]
            }),
        )
        .class("E2"),
        case(
            "sct-invalid",
            "by-another-key",
            lists(&|leaf| vec![Sct { signature: by(leaf, &stranger).signature, ..ours(leaf) }]),
        )
        .class("E3"),
        case("sct-invalid", "another-time", lists(&|leaf| vec![Sct { millis: millis + 124, ..ours(leaf) }]))
            .class("E8"),
        case(
            "sct-invalid",
            "extensions-taken-away",
            lists(&|leaf| {
                let with = Sct::over(
                    &leaf.tbs(&forge.ca.key),
                    &forge.ca.key.subject_public_key_info(),
                    &forge.ct,
                    millis,
                    &[0, 0, 5, 0, 0, 0, 0, 1],
                );
                vec![Sct { extensions: Vec::new(), ..with }]
            }),
        )
        .class("E4"),
        case("sct-invalid", "second-of-two", lists(&|leaf| vec![ours(leaf), for_another(leaf)])).class("E6"),
        case("sct-invalid", "rsa-by-its-number", lists(&|leaf| vec![Sct { algorithm: [4, 1], ..ours(leaf) }]))
            .class("D17"),
        case("sct-invalid", "sha512-by-its-number", lists(&|leaf| vec![Sct { algorithm: [6, 3], ..ours(leaf) }]))
            .class("D17"),
        malformed("no-list", &[]),
        malformed("empty-list", &octets(&[0, 0])),
        malformed("short-list", &octets(&[0, 9, 0, 1])),
        malformed("short-timestamp", &octets(&[0, 4, 0, 9, 0, 0])),
        malformed("trailing-bytes", &[octets(&[0, 0]), vec![0]].concat()),
        case("sct-malformed", "nine", lists(&|leaf| vec![ours(leaf); 9])).class("L1"),
        case("sct-outside-window", "after-the-end", forge.good_v1().object())
            .under("ct-log-ended", &ended)
            .class("E8 B12 C2"),
        case("sct-outside-window", "before-the-start", forge.good_v1().object())
            .under("ct-log-starts-late", &late)
            .class("E8 B12"),
        case("trust-root-unusable", "ct-log", forge.good_v1().object())
            .under("unusable-ct-log", &unusable)
            .unknown()
            .sole()
            .class("D16 D17"),
    ]
}
