//! Step 8.

use rcgen::PKCS_ECDSA_P256_SHA256;
use serde_json::{Value, json};

use super::super::x509::{Authority, AuthorityPlan, LONG, fresh_key};
use super::super::{Case, Draft, Forge, authority_json};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [leaves(forge), authorities(forge), roots(forge)].concat()
}

fn case(folder: &'static str, name: &str, draft: &Draft<'_>) -> Case {
    Case::new(folder, name, 8, draft.object())
}

fn leaves(forge: &Forge) -> Vec<Case> {
    let case = |name: &str, draft: Draft<'_>| case("certificate-not-valid", name, &draft);
    let promised = |seconds: i64| forge.draft().v1_at(forge.at + seconds);
    let stamped = |at: &str| forge.draft().v2_with(|_| ()).stamped_at(at);
    let tokens = |times: [&str; 2]| {
        let draft = forge.draft().v2_with(|_| ());
        let tokens = times.map(|time| draft.token_at(time).der());
        draft.with_tokens(&tokens)
    };
    vec![
        case("one-second-early", promised(-1)).sole().class("B12"),
        case("one-second-late", promised(601)).sole().class("B2 B12"),
        case("one-millisecond-early", stamped("20261110115959.999Z")).class("B12"),
        case("one-millisecond-late", stamped("20261110121000.001Z")).class("B12"),
        case("days-late", promised(1_000_000))
            .class("B2 B8")
            .line("at", "2027-01-01T00:00:00Z")
            .line("git", "unknown time-in-future"),
        case("one-of-two-tokens", tokens(["20261110120001Z", "20261110130000Z"])).class("B3"),
        case("the-other-of-two-tokens", tokens(["20261110110000Z", "20261110120001Z"])).class("B3"),
        case("promise-good-token-late", forge.good_v1().stamped_at("20261110130000Z")).class("B3"),
        case("milliseconds-for-seconds", promised(forge.at / 1000 - forge.at)).class("B14"),
    ]
}

/// A commit under a leaf of `ca`, which a root lists in place of ours.
fn under<'f>(forge: &'f Forge, ca: &Authority) -> (Draft<'f>, Value) {
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let leaf = forge.issued(&forge.certificate(ca, &key), ca);
    let mut root = forge.root();
    root["certificateAuthorities"] = json!([authority_json("https://fulcio.example.com", &ca.chain)]);
    (forge.draft_of(leaf, key), root)
}

/// Authorities whose own certificates end between the issue of the leaf and the time of the signature.
fn authorities(forge: &Forge) -> Vec<Case> {
    let end = forge.at + 300;
    let outside = |file: &str, ca: &Authority, finish: &dyn Fn(Draft<'_>) -> Vec<u8>| {
        let (draft, root) = under(forge, ca);
        let place = file.rsplit_once('-').map_or(file, |(place, _)| place);
        Case::new("authority-outside-window", file, 8, finish(draft)).under(place, &root).class("B7 B12")
    };
    let lower = AuthorityPlan { lower: [LONG[0], end], ..AuthorityPlan::new("ca that ends") }.made();
    let upper = AuthorityPlan { root: [LONG[0], end], ..AuthorityPlan::new("ca under a root that ends") }.made();
    let after = forge.at + 300;
    let lower_later = AuthorityPlan { lower: [after, LONG[1]], ..AuthorityPlan::new("ca that starts") }.made();
    let upper_later =
        AuthorityPlan { root: [after, LONG[1]], ..AuthorityPlan::new("ca under a root that starts") }.made();
    let early = |draft: Draft<'_>| draft.v1_at(after - 1).object();
    let nearly = |draft: Draft<'_>| draft.v2_with(|_| ()).stamped_at("20261110120459.999Z").object();
    let late = |draft: Draft<'_>| draft.v1_at(end + 1).object();
    let barely = |draft: Draft<'_>| draft.v2_with(|_| ()).stamped_at("20261110120500.001Z").object();
    vec![
        outside("intermediate-ends-second", &lower, &late).line("sole", "8"),
        outside("intermediate-ends-millisecond", &lower, &barely),
        outside("root-ends-second", &upper, &late).line("sole", "8"),
        outside("root-ends-millisecond", &upper, &barely),
        outside("intermediate-starts-second", &lower_later, &early),
        outside("intermediate-starts-millisecond", &lower_later, &nearly),
        outside("root-starts-second", &upper_later, &early),
        outside("root-starts-millisecond", &upper_later, &nearly),
    ]
}

/// Windows of the trust root that end between issue and time.
fn roots(forge: &Forge) -> Vec<Case> {
    let ended = |folder: &'static str, name: &str, place: &str, at: &str, draft: Draft<'_>| {
        let mut root = forge.root();
        root.pointer_mut(place).unwrap()["end"] = json!(at);
        case(folder, name, &draft).under(name, &root)
    };
    let starts = |folder: &'static str, name: &str, place: &str, at: &str, draft: Draft<'_>| {
        let mut root = forge.root();
        root.pointer_mut(place).unwrap()["start"] = json!(at);
        case(folder, name, &draft).under(name, &root)
    };
    let (ca, tsa) = ("/certificateAuthorities/0/validFor", "/timestampAuthorities/0/validFor");
    let (v1, v2) = ("/tlogs/0/publicKey/validFor", "/tlogs/1/publicKey/validFor");
    // Two authorities of timestamps: one that ended, and one that did not and signed nothing.
    let mut two = forge.root();
    let open = super::super::TimestampAuthority::kept("tsa-two", |_| ());
    two["timestampAuthorities"][0]["validFor"]["end"] = json!("2026-11-10T11:00:00Z");
    two["timestampAuthorities"].as_array_mut().unwrap().push(authority_json("https://tsa.example.org", &open.chain));
    let mut hollow = forge.root();
    hollow["timestampAuthorities"][0]["validFor"]["end"] = json!("2026-11-10T11:00:00Z");
    hollow["timestampAuthorities"].as_array_mut().unwrap().push(authority_json("https://tsa.example.org", &[]));
    vec![
        ended(
            "authority-outside-window",
            "authority-ended-a-second-before",
            ca,
            "2026-11-10T12:00:00Z",
            forge.good_v1(),
        )
        .sole()
        .class("B12 C2"),
        ended(
            "authority-outside-window",
            "authority-ended-a-millisecond-before",
            ca,
            "2026-11-10T12:00:00.999Z",
            forge.good_v1(),
        )
        .class("B12"),
        ended("log-outside-window", "log-ended-a-second-before", v1, "2026-11-10T12:00:00Z", forge.good_v1())
            .sole()
            .class("B6 B12 C2"),
        ended("log-outside-window", "log-ended-a-millisecond-before", v1, "2026-11-10T12:00:00.999Z", forge.good_v1())
            .class("B6 B12"),
        starts("log-outside-window", "log-starts-a-millisecond-later", v1, "2026-11-10T12:00:01.001Z", forge.good_v1())
            .class("B6 B12"),
        ended("log-outside-window", "v2-log-ended-a-second-before", v2, "2026-11-10T12:00:00Z", forge.good_v2())
            .class("B6 B12"),
        ended(
            "authority-outside-window",
            "timestamps-ended-a-second-before",
            tsa,
            "2026-11-10T12:00:00Z",
            forge.good_v2(),
        )
        .sole()
        .class("G2 B12"),
        ended(
            "authority-outside-window",
            "timestamps-ended-a-millisecond-before",
            tsa,
            "2026-11-10T12:00:00.999Z",
            forge.good_v2(),
        )
        .class("G2 B12"),
        starts(
            "authority-outside-window",
            "timestamps-start-a-millisecond-later",
            tsa,
            "2026-11-10T12:00:01.001Z",
            forge.good_v2(),
        )
        .class("G2 B12"),
        case("authority-outside-window", "timestamps-of-the-one-that-ended", &forge.good_v2())
            .under("two-timestamp-authorities", &two)
            .class("G2"),
        case("authority-outside-window", "beside-an-empty-authority", &forge.good_v2())
            .under("hollow-timestamp-authority", &hollow)
            .class("G2"),
    ]
}
