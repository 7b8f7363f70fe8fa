//! Step 3.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::json;

use super::super::der::{element, sequence, time};
use super::super::x509::{
    Authority, AuthorityPlan, CODE_SIGNING, Certificate, ECDSA_WITH_SHA256, authority_key_id, constraints, email,
    extension, fresh_key, fulcio, key_id, name, names, uri, usages,
};
use super::super::{Case, Forge, authority_json};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [authorities(forge), certificates(forge), constrained(forge)].concat()
}

/// A complete commit under a leaf of `ca`.
fn under(forge: &Forge, ca: &Authority, edit: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let mut leaf = forge.certificate(ca, &key);
    edit(&mut leaf);
    forge.draft_of(forge.issued(&leaf, ca), key).v1().object()
}

fn authorities(forge: &Forge) -> Vec<Case> {
    let case = |folder, name: &str, object| Case::new(folder, name, 3, object);
    let other = AuthorityPlan::new("another ca").made();
    let twin = AuthorityPlan { common: "ca", ..AuthorityPlan::new("twin of ca") }.made();
    let id = key_id(&forge.ca.key);
    let claimed = under(forge, &twin, |leaf| leaf.extensions[3] = authority_key_id(&id));
    // A leaf that plays authority.
    let fake = Authority { key: fresh_key(&PKCS_ECDSA_P256_SHA256), name: forge.ca.name.clone(), chain: Vec::new() };
    let below = under(forge, &fake, |leaf| leaf.extensions.retain(|one| one != &authority_key_id(&key_id(&fake.key))));
    let nameless = Authority { key: fresh_key(&PKCS_ECDSA_P256_SHA256), name: name(""), chain: Vec::new() };
    let below_leaf = under(forge, &nameless, |_| ());
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let own = forge.certificate(&other, &key);
    let mut carried = forge.draft_of(forge.issued(&own, &other), key).v1();
    carried.cms.certificates.extend(other.chain.clone());
    let public = under(forge, &other, |leaf| {
        leaf.extensions.truncate(5);
        leaf.extensions.push(fulcio(8, "https://accounts.google.com"));
    });
    let edwards = AuthorityPlan { kind: &PKCS_ED25519, ..AuthorityPlan::new("ca of another kind") }.made();
    let mut another_kind = forge.root();
    another_kind["certificateAuthorities"] = json!([authority_json("https://fulcio.example.com", &edwards.chain)]);
    let mut late = forge.root();
    late["certificateAuthorities"][0]["validFor"]["start"] = json!("2026-11-10T12:00:01Z");
    let mut early = forge.root();
    early["certificateAuthorities"][0]["validFor"]["end"] = json!("2026-11-10T11:59:59Z");
    let mut unreadable = forge.root();
    unreadable["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = json!("MAA=");
    let mut empty = forge.root();
    empty["certificateAuthorities"][0]["certChain"]["certificates"] = json!([]);
    vec![
        case("issuer-unknown", "another-authority", under(forge, &other, |_| ()))
            .unknown()
            .sole()
            .class("K7 C21")
            .comment("logs and times of one instance, authority of another"),
        case("issuer-unknown", "public-issuer-by-a-private-authority", public)
            .unknown()
            .class("C21")
            .line("accepted", "alice@example.com https://accounts.google.com")
            .comment("any authority can write any issuer"),
        case("issuer-unknown", "same-name", under(forge, &twin, |_| ())).unknown().class("C19"),
        case("issuer-unknown", "root-in-the-signature", carried.object()).unknown().class("D15 H16"),
        case("issuer-unknown", "below-a-leaf", below_leaf).unknown().class("D5"),
        case("issuer-unknown", "by-a-leaf", below).unknown().class("D5"),
        case("certificate-forged", "same-name-and-key-id", claimed).class("C19 D5"),
        case("authority-outside-window", "issued-before-the-start", forge.good_v1().object())
            .under("authority-starts-late", &late)
            .class("B12"),
        case("authority-outside-window", "issued-after-the-end", forge.good_v1().object())
            .under("authority-ended-early", &early)
            .class("B12"),
        case("trust-root-unusable", "authority", forge.good_v1().object())
            .under("unreadable-authority", &unreadable)
            .unknown()
            .class("K3"),
        case("trust-root-unusable", "authority-of-another-kind", under(forge, &edwards, |_| ()))
            .under("authority-of-another-kind", &another_kind)
            .unknown()
            .class("D17")
            .comment("the only authority has a key of a kind that signs no certificates here"),
        case("trust-root-unusable", "authority-without-certificates", forge.good_v1().object())
            .under("empty-authority", &empty)
            .unknown()
            .class("K3"),
    ]
}

fn certificates(forge: &Forge) -> Vec<Case> {
    let edited = |folder: &'static str, name: &str, edit: &dyn Fn(&mut Certificate)| {
        Case::new(folder, name, 3, forge.draft_with(edit).v1().object())
    };
    let invalid = |name: &str, edit: &dyn Fn(&mut Certificate)| edited("chain-invalid", name, edit);
    let early = element(0x18, &[b"20261110120000Z"]);
    vec![
        invalid("subject-twice", &|leaf| leaf.extensions.push(names(&[email("eve@example.com")]))).class("D13"),
        invalid("issuer-twice", &|leaf| leaf.extensions.push(fulcio(8, "https://issuer.example.com"))).class("D13"),
        invalid("usage-twice", &|leaf| leaf.extensions.push(usages(false, &[CODE_SIGNING]))).class("D13"),
        invalid("two-sct-lists", &|leaf| {
            let list = super::super::x509::sct_list(&[forge.sct(leaf, &forge.ca)]);
            leaf.extensions.push(list);
        })
        .class("D13"),
        invalid("unknown-critical-extension", &|leaf| leaf.extensions.push(extension("1.2.3.4", true, &[5, 0])))
            .class("D14"),
        invalid("algorithms-differ", &|leaf| leaf.outer = Some(ECDSA_WITH_SHA256)).class("D20"),
        invalid("dates-reversed", &|leaf| leaf.validity = [time(forge.at + 600), time(forge.at)]).class("D21"),
        invalid("an-authority", &|leaf| leaf.extensions.push(constraints(true, None))).class("D4 D5"),
        invalid("unreadable-constraints", &|leaf| leaf.extensions.push(extension("2.5.29.19", false, &[4, 0])))
            .class("D6"),
        Case::new(
            "cms-malformed",
            "serial-without-octets",
            2,
            forge.draft_with(|leaf| leaf.serial = Vec::new()).v1().object(),
        )
        .class("D21"),
        Case::new("cms-malformed", "serial-padded", 2, forge.draft_with(|leaf| leaf.serial = vec![0, 1]).v1().object())
            .class("D21"),
        Case::new(
            "cms-malformed",
            "date-in-the-wrong-form",
            2,
            forge.draft_with(|leaf| leaf.validity[0] = early.clone()).v1().object(),
        )
        .class("D21"),
    ]
}

/// Name constraints in the authority's certificate (RFC 5280 section 4.2.1.10).
fn constrained(forge: &Forge) -> Vec<Case> {
    let limits = |kind: u8, subtree: Vec<u8>| {
        let subtrees = element(0xa0 | kind, &[&sequence(&[&subtree])]);
        extension("2.5.29.30", true, &sequence(&[&subtrees]))
    };
    let judged = |file: &str, name: &'static str, limits: Vec<u8>, san: Vec<u8>| {
        let ca = AuthorityPlan { more: vec![limits], ..AuthorityPlan::new(name) }.made();
        let mut root = forge.root();
        root["certificateAuthorities"] = json!([authority_json("https://fulcio.example.com", &ca.chain)]);
        let object = under(forge, &ca, |leaf| leaf.extensions[4] = names(&[san]));
        Case::new("chain-invalid", file, 3, object).under(file, &root)
    };
    vec![
        judged(
            "uri-outside-its-constraint",
            "ca for uris",
            limits(0, element(0x86, &[b"example.org"])),
            uri("https://example.com/alice"),
        )
        .class("D1"),
        judged(
            "mail-outside-its-constraint",
            "ca for mail",
            limits(0, element(0x81, &[b"example.org"])),
            email("alice@example.com"),
        )
        .class("D2"),
        judged(
            "mail-excluded",
            "ca without mail",
            limits(1, element(0x81, &[b"example.com"])),
            email("alice@example.com"),
        )
        .class("D2"),
        judged(
            "mail-inside-a-constraint",
            "ca for example.com",
            limits(0, element(0x81, &[b"example.com"])),
            email("alice@example.com"),
        )
        .class("D2")
        .comment("constraints on addresses are not understood here, so nothing under them counts"),
    ]
}
