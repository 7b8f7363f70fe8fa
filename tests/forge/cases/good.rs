//! What is good, at its edges: the other side of what the other vectors are refused for.

use serde_json::json;

use super::super::cms::stamp_of;
use super::super::cms::{Cms, attribute};
use super::super::der::{context, element, octets, oid, text};
use super::super::x509::{AuthorityPlan, LONG, Sct, email, fresh_key, fulcio, key_id, names, sct_list};
use super::super::{Case, Draft, Forge, ISSUER, SUBJECT, TimestampAuthority, authority_json};
use git_keyless::format::time::Time;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData as _};

/// A good vector: who, when, and the entry.
fn case(name: &str, draft: &Draft<'_>, times: &[&str], entry: &str) -> Case {
    let mut case = Case::new("good", format!("made-{name}"), 9, draft.object())
        .line("expect", "good")
        .line("subject", SUBJECT)
        .line("subject-type", "email")
        .line("issuer", ISSUER)
        .line("entry", entry);
    case.lines.retain(|(key, _)| !matches!(*key, "step" | "accepted"));
    case.lines.extend(times.iter().map(|time| ("time", (*time).to_owned())));
    case
}

const V1: &str = "hashedrekord/0.0.1 1000004 https://rekor.example.com";
const V2: &str = "hashedrekord/0.0.2 4 https://log2026.rekor.example.com";

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [edges(forge), clocks(forge), shapes(forge), roots(forge)].concat()
}

fn promise(seconds: i64) -> String {
    format!("promise {}", Time::from_seconds(seconds).unwrap())
}

fn edges(forge: &Forge) -> Vec<Case> {
    let promised = |name: &str, seconds: i64| {
        case(name, &forge.draft().v1_at(forge.at + seconds), &[&promise(forge.at + seconds)], V1).class("B12")
    };
    let stamped = |name: &str, at: &str, time: &str| {
        case(name, &forge.draft().v2_with(|_| ()).stamped_at(at), &[time], V2).class("B12")
    };
    vec![
        promised("first-second", 0),
        promised("last-second", 600),
        stamped("first-millisecond", "20261110120000.001Z", "timestamp 2026-11-10T12:00:00.001Z"),
        stamped("last-millisecond", "20261110120959.999Z", "timestamp 2026-11-10T12:09:59.999Z"),
        case("judged-at-its-time", &forge.good_v1(), &[&promise(forge.at + 1)], V1)
            .line("at", "2026-11-10T12:00:01Z")
            .class("B4 B12"),
    ]
}

fn clocks(forge: &Forge) -> Vec<Case> {
    let v1 = |name: &str| case(name, &forge.good_v1(), &[&promise(forge.at + 1)], V1);
    let ended = AuthorityPlan {
        lower: [LONG[0], forge.at + 300],
        root: [LONG[0], forge.at + 300],
        ..AuthorityPlan::new("ca that ended")
    }
    .made();
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let leaf = forge.issued(&forge.certificate(&ended, &key), &ended);
    let mut root = forge.root();
    root["certificateAuthorities"] = json!([authority_json("https://fulcio.example.com", &ended.chain)]);
    let tsa = TimestampAuthority::kept("tsa-ended-later", |signer| {
        signer.validity = [super::super::der::time(LONG[0]), super::super::der::time(forge.at + 1)];
    });
    let stamped = forge.draft().v2_with(|_| ());
    let token = tsa.token(&stamp_of(stamped.signature(), "20261110120001Z")).der();
    let mut timed = forge.root();
    timed["timestampAuthorities"] = json!([authority_json("https://tsa.example.com", &tsa.chain)]);
    vec![
        v1("clock-of-2100").line("at", "2100-01-01T00:00:00Z").class("B8 B13"),
        case(
            "authority-ended-at-its-time",
            &forge.draft_of(leaf, key).v1_at(forge.at + 300),
            &[&promise(forge.at + 300)],
            V1,
        )
        .under("authority-ended-at-the-time", &root)
        .class("B7 B8 B12"),
        case(
            "timestamp-authority-ended-at-its-time",
            &stamped.with_tokens(&[token]),
            &["timestamp 2026-11-10T12:00:01Z"],
            V2,
        )
        .under("timestamp-authority-ended-at-the-time", &timed)
        .class("G11 B12"),
    ]
}

fn shapes(forge: &Forge) -> Vec<Case> {
    let v1 = |name: &str, draft: &Draft<'_>| case(name, draft, &[&promise(forge.at + 1)], V1);
    let logged = |scts: &dyn Fn(&super::super::x509::Certificate) -> Vec<Sct>| {
        let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
        let mut leaf = forge.certificate(&forge.ca, &key);
        let list = sct_list(&scts(&leaf));
        leaf.extensions.insert(3, list);
        forge.draft_of(leaf.signed(&forge.ca.key), key).v1()
    };
    let millis = u64::try_from(forge.at).unwrap() * 1000;
    let with_extensions = logged(&|leaf| {
        vec![Sct::over(
            &leaf.tbs(&forge.ca.key),
            &forge.ca.key.subject_public_key_info(),
            &forge.ct,
            millis,
            &[0, 0, 5, 0, 0, 0, 0, 1],
        )]
    });
    let repeated = logged(&|leaf| vec![forge.sct(leaf, &forge.ca); 2]);
    let stranger = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let beside = logged(&|leaf| {
        vec![
            Sct::over(&leaf.tbs(&forge.ca.key), &forge.ca.key.subject_public_key_info(), &stranger, millis, &[]),
            forge.sct(leaf, &forge.ca),
        ]
    });
    let mut by_key = forge.draft();
    (by_key.cms.version, by_key.cms.signer().version) = (3, 3);
    by_key.cms.signer().names = element(0x80, &[&key_id(&by_key.key)]);
    let bagged = forge.good_v1().edited(|cms: &mut Cms| cms.certificates.extend(forge.ca.chain.clone()));
    let unknown = forge.good_v1().with(attribute("1.2.3.4", &[octets(b"nobody knows this")]));
    let mislabelled = forge
        .draft()
        .v2_with(|entry| (entry.version, entry.promise) = ("0.0.1".to_owned(), Some(Vec::new())))
        .stamped();
    let witnessed = forge.draft().v1_with(|entry| {
        let note = entry.proof.as_mut().unwrap().checkpoint.as_mut().unwrap();
        note.push_str("\u{2014} witness.example.com AAAAAAAAAAAAAAA=\n");
    });
    let stored = forge.draft();
    let body = stored.body(false);
    let stored = stored.v1_with(|entry| entry.body = body.clone());
    let old = forge.draft_with(|leaf| drop(leaf.extensions.pop()));
    let injected = "https://accounts.example.com/%0a[GNUPG:] GOODSIG";
    let odd = forge.draft_with(|leaf| {
        leaf.extensions.truncate(5);
        leaf.extensions.push(fulcio(8, injected));
    });
    let with_time = forge.draft().v2_with(|entry| entry.integrated_time = 1).stamped();
    let eight = forge.draft().v2_with(|_| ());
    let tokens: Vec<_> = (10..18).map(|second| eight.token_at(&format!("202611101200{second}Z")).der()).collect();
    let serial = forge.draft_with(|leaf| leaf.serial = vec![1]);
    let far = forge.draft_with(|leaf| leaf.validity[1] = element(0x18, &[b"99991231235959Z"]));
    let user = [oid("1.3.6.1.4.1.57264.1.7"), element(context(0), &[&text("alice!example.com")])];
    let named = forge.draft_with(|leaf| leaf.extensions[4] = names(&[element(context(0), &[&user[0], &user[1]])]));
    let url_like = forge.draft_with(|leaf| leaf.extensions[4] = names(&[email("alice+git@example.com")]));
    vec![
        v1("sct-with-extensions", &with_extensions)
            .class("E4 E9")
            .comment("as a static log gives them, and in the middle of the extensions"),
        v1("sct-twice", &repeated).class("E6"),
        v1("sct-beside-a-strangers", &beside).class("E3"),
        v1("signer-by-key-id", &by_key.signed().v1()).class("H12"),
        v1("authorities-in-the-bag", &bagged).class("D15 H17"),
        v1("unknown-attribute", &unknown).class("H13"),
        v1("witnessed", &witnessed).class("F12 F3").comment("a line that nobody knows"),
        v1("stored-body", &stored).class("A16"),
        v1("old-issuer-alone", &old.v1()).class("D7 D8"),
        v1("odd-issuer", &odd.v1())
            .line("issuer", injected)
            .class("I6")
            .comment("what looks like a status line stays inside its field"),
        v1("short-serial", &serial.v1()).class("D21"),
        v1("year-9999", &far.v1()).class("D21"),
        v1("other-name", &named.v1())
            .line("subject", "alice!example.com")
            .line("subject-type", "other-name")
            .class("D11")
            .comment("a user name, as Fulcio writes those of issuers without addresses"),
        v1("plus-address", &url_like.v1()).line("subject", "alice+git@example.com").class("D12"),
        case("v2-labelled-v1", &mislabelled, &["timestamp 2026-11-10T12:00:01Z"], V2).class("A15"),
        case("v2-with-a-time", &with_time, &["timestamp 2026-11-10T12:00:01Z"], V2)
            .class("B9")
            .comment("the entry's own time counts for nothing"),
        {
            let draft = forge.draft().v2_with(|_| ());
            let stranger =
                TimestampAuthority { key: fresh_key(&PKCS_ECDSA_P256_SHA256), chain: vec![forge.draft().leaf] };
            let mut odd = stranger.token(&stamp_of(draft.signature(), "20261110120001Z"));
            odd.content_type = "1.2.840.113549.1.7.1";
            let tokens = [draft.token_at("20261110120001Z").der(), odd.der()];
            let times = ["timestamp 2026-11-10T12:00:01Z"];
            case("with-an-odd-foreign-token", &draft.with_tokens(&tokens), &times, V2)
                .class("G3")
                .comment("a token that is none: what a stranger wrote is not even looked into")
        },
        {
            let times: Vec<_> = (10..18).map(|second| format!("timestamp 2026-11-10T12:00:{second}Z")).collect();
            let times: Vec<_> = times.iter().map(String::as_str).collect();
            case("eight-tokens", &eight.with_tokens(&tokens), &times, V2).class("L1 B3")
        },
    ]
}

fn roots(forge: &Forge) -> Vec<Case> {
    let v1 = |name: &str, draft: &Draft<'_>| case(name, draft, &[&promise(forge.at + 1)], V1);
    let twin = AuthorityPlan { common: "ca", ..AuthorityPlan::new("twin of ca") }.made();
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let leaf = forge.issued(&forge.certificate(&twin, &key), &twin);
    let mut two = forge.root();
    two["certificateAuthorities"]
        .as_array_mut()
        .unwrap()
        .push(authority_json("https://fulcio.example.com", &twin.chain));
    let mut more = forge.root();
    let mut unreadable = more["tlogs"][0].clone();
    unreadable["publicKey"]["keyDetails"] = json!("ML_DSA_65");
    unreadable["logId"]["keyId"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    more["tlogs"].as_array_mut().unwrap().insert(0, unreadable);
    vec![
        v1("second-of-two-namesakes", &forge.draft_of(leaf, key).v1()).under("two-namesakes", &two).class("C19 E2"),
        v1("beside-an-unreadable-log", &forge.good_v1()).under("one-unreadable-log", &more).class("D17"),
    ]
}
