//! Step 6.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA256};
use serde_json::json;

use git_keyless::format::base64;
use git_keyless::format::entry::{Entry, InclusionProof};
use git_keyless::key::sha256;

use super::super::cms::{LOG_ENTRY, attribute};
use super::super::der::{INTEGER, content, element, inside, octets, text};
use super::super::log::{Log, body, head, leaf_hash};
use super::super::x509::{fresh_key, signature};
use super::super::{Case, Draft, Forge};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [attributes(forge), bodies(forge), checkpoints(forge), proofs(forge), promises(forge), logs(forge)].concat()
}

fn case(folder: &'static str, name: &str, draft: &Draft<'_>) -> Case {
    Case::new(folder, name, 6, draft.object())
}

/// The entry that `draft` should have.
fn entry(draft: &Draft<'_>, log: &Log) -> Entry {
    log.entry(&draft.body(log.tiled), draft.forge.at + 1)
}

fn attributes(forge: &Forge) -> Vec<Case> {
    let with = |folder: &'static str, name: &str, values: &dyn Fn(&Draft<'_>) -> Vec<Vec<u8>>| {
        let draft = forge.draft();
        let values = values(&draft);
        case(folder, name, &draft.with(attribute(LOG_ENTRY, &values)))
    };
    let own = |draft: &Draft<'_>| octets(&entry(draft, &forge.v1).to_bytes());
    let foreign = octets(&entry(&forge.draft(), &forge.v1).to_bytes());
    let malformed =
        |name: &str, bytes: &[u8]| with("entry-malformed", name, &|_| vec![octets(bytes)]).class("F11 L8 K2");
    let mut long = entry(&forge.draft(), &forge.v1);
    long.proof.as_mut().unwrap().hashes = vec![vec![0; 32]; 65];
    let mut anonymous = entry(&forge.draft(), &forge.v1).to_bytes();
    anonymous.drain(..inside_of_first_fields(&anonymous));
    let draft = forge.draft();
    let twice = [own(&draft), foreign.clone()].map(|value| attribute(LOG_ENTRY, &[value]));
    let draft = twice.into_iter().fold(draft, Draft::with);
    vec![
        case("entry-missing", "none", &forge.draft()).unknown().sole().class("K3"),
        case("entry-missing", "prototype", &forge.draft().with(attribute("1.3.6.1.4.1.57264.3.5", &[text("1")])))
            .unknown()
            .class("A4")
            .comment("attributes of 2023 that prove nothing"),
        case(
            "entry-missing",
            "prototype-beside-an-entry",
            &forge.good_v1().with(attribute("1.3.6.1.4.1.57264.3.5", &[text("1")])),
        )
        .unknown()
        .class("A4"),
        case("entry-missing", "with-a-token", &forge.draft().stamped()).unknown().class("A6 K3"),
        malformed("garbage", b"\xff\xff\xff\xff"),
        malformed("empty", b""),
        malformed("truncated", &entry(&forge.draft(), &forge.v1).to_bytes()[..200]),
        malformed("no-log-id", &anonymous),
        malformed("sixty-five-hashes", &long.to_bytes()).class("L1"),
        malformed("too-long", &Entry { body: vec![b'x'; 140_000], ..entry(&forge.draft(), &forge.v1) }.to_bytes())
            .class("L1 L6"),
        with("entry-malformed", "not-octets", &|_| vec![text("an entry")]).class("K2"),
        with("entry-repeated", "two-values", &|draft| vec![own(draft), foreign.clone()]).class("A1 F6 H13"),
        with("entry-repeated", "no-value", &|_| Vec::new()).class("K3"),
        case("entry-repeated", "two-attributes", &draft)
            .class("A1 F6 F7 H13")
            .comment("the right one and one of another signature"),
    ]
}

/// logIndex and logId are the first fields of the message: a tag and a varint, a tag and a length and its bytes.
fn inside_of_first_fields(message: &[u8]) -> usize {
    let index = 1 + message[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    index + 2 + usize::from(message[index + 1])
}

fn bodies(forge: &Forge) -> Vec<Case> {
    let v1 =
        |folder: &'static str, name: &str, edit: &dyn Fn(&mut Entry)| case(folder, name, &forge.draft().v1_with(edit));
    let v2 = |folder: &'static str, name: &str, edit: &dyn Fn(&mut Entry)| {
        case(folder, name, &forge.draft().v2_with(edit).stamped())
    };
    let stored = |name: &str, edit: &dyn Fn(String) -> String| {
        let draft = forge.draft();
        let own = String::from_utf8(draft.body(false)).unwrap();
        case("entry-body-mismatch", name, &draft.v1_with(|entry| entry.body = edit(own).into_bytes())).class("A16")
    };
    let other = forge.draft().body(false);
    vec![
        v1("entry-body-mismatch", "of-another-signature", &|entry| entry.body = other.clone()).class("A5 A7"),
        stored("duplicate-key", &|own| own.replacen("{\"apiVersion\"", "{\"spec\":{},\"apiVersion\"", 1)),
        stored("blank", &|own| own.replacen(':', ": ", 1)),
        stored("order", &|own| {
            own.replacen(
                "\"apiVersion\":\"0.0.1\",\"kind\":\"hashedrekord\"",
                "\"kind\":\"hashedrekord\",\"apiVersion\":\"0.0.1\"",
                1,
            )
        }),
        v2("entry-body-mismatch", "malformed-v2-body", &|entry| entry.body = b"{}".to_vec()).class("F11"),
        v1("entry-kind-unsupported", "envelope", &|entry| entry.kind = "dsse".to_owned()).unknown().class("A14 A13"),
        v1("entry-kind-unsupported", "version", &|entry| entry.version = "0.0.3".to_owned()).unknown().class("A14"),
        v2("entry-kind-unsupported", "no-version", &|entry| entry.version.clear()).unknown().class("A14 L9"),
        v1("checkpoint-signature-invalid", "v1-entry-as-v2", &|entry| {
            (entry.version, entry.promise) = ("0.0.2".to_owned(), None)
        })
        .class("A14"),
        v2("checkpoint-signature-invalid", "v2-entry-as-v1", &|entry| {
            entry.version = "0.0.1".to_owned();
            entry.proof.as_mut().unwrap().checkpoint = Some(forge.v1.checkpoint(7, &[0; 32]));
        })
        .class("A14"),
    ]
}

fn checkpoints(forge: &Forge) -> Vec<Case> {
    let noted = |folder: &'static str, name: &str, note: &dyn Fn(&Entry, &str) -> Option<String>| {
        case(
            folder,
            name,
            &forge.draft().v1_with(|entry| {
                let own = entry.proof.as_ref().unwrap().checkpoint.clone().unwrap();
                entry.proof.as_mut().unwrap().checkpoint = note(entry, &own);
            }),
        )
    };
    let edited = |name: &str, edit: &dyn Fn(&str) -> String| {
        noted("checkpoint-malformed", name, &|_, own| {
            let text = own.split_once("\n\n").unwrap().0;
            Some(forge.v1.note(&edit(&format!("{text}\n"))))
        })
        .class("F4")
    };
    let line = |text: &str, at: usize| {
        text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != at).map(|(_, line)| line).collect::<String>()
    };
    let stranger = Log { key: fresh_key(&PKCS_ECDSA_P256_SHA256), host: "rekor.example.com", tiled: false };
    let text_of = |own: &str| format!("{}\n", own.split_once("\n\n").unwrap().0);
    let hinted = |own: &str| {
        let text = text_of(own);
        let blob = [&forge.v1.id()[..4], &signature(&stranger.key, text.as_bytes())].concat();
        format!("\u{2014} rekor.example.com {}\n", base64(&blob))
    };
    vec![
        noted("checkpoint-missing", "none", &|_, _| None).unknown().sole().class("L8"),
        noted("checkpoint-missing", "empty", &|_, _| Some(String::new())).unknown(),
        edited("no-origin", &|text| line(text, 0)),
        edited("no-size", &|text| line(text, 1)),
        edited("no-root", &|text| line(text, 2)),
        edited("empty-line", &|text| text.replacen("\n7\n", "\n\n7\n", 1)),
        edited("carriage-returns", &|text| text.replace('\n', "\r\n")).class("F4 F14"),
        edited("size-with-zero", &|text| text.replacen("\n7\n", "\n07\n", 1)),
        edited("size-too-large", &|text| text.replacen("\n7\n", "\n18446744073709551616\n", 1)).class("F1"),
        noted("checkpoint-malformed", "garbage", &|_, _| Some("\u{2014}\n\n\n\u{2014} \u{2014}".to_owned()))
            .class("F5"),
        noted("checkpoint-malformed", "no-signature", &|_, own| Some(text_of(own))).class("K3"),
        noted("checkpoint-malformed", "sixty-five-lines", &|_, own| {
            Some(format!("{own}{}", stranger.line(&text_of(own)).repeat(64)))
        })
        .class("L1"),
        noted("checkpoint-signature-invalid", "by-another-key", &|_, own| {
            Some(format!("{}\n{}", text_of(own), stranger.line(&text_of(own))))
        })
        .sole()
        .class("F3"),
        noted("checkpoint-signature-invalid", "by-another-key-with-our-hint", &|_, own| {
            Some(format!("{}\n{}", text_of(own), hinted(own)))
        })
        .class("F3"),
        noted("checkpoint-signature-invalid", "second-of-two-lines", &|_, own| Some(format!("{own}{}", hinted(own))))
            .class("F6"),
        noted("checkpoint-signature-invalid", "another-origin", &|_, own| {
            Some(forge.v1.note(&text_of(own).replacen("rekor.example.com - 1", "rekor.example.org - 1", 1)))
        })
        .class("F3"),
        noted("checkpoint-signature-invalid", "changed-after-signing", &|_, own| {
            Some(own.replacen("\n7\n", "\n8\n", 1))
        })
        .class("F2"),
        noted("checkpoint-mismatch", "root", &|_, _| Some(forge.v1.checkpoint(7, &sha256(b"another tree"))))
            .class("F2")
            .comment("the proof leads to its own root, and the log signed another"),
        noted("checkpoint-mismatch", "size", &|entry, _| {
            Some(forge.v1.checkpoint(8, &entry.proof.as_ref().unwrap().root))
        })
        .class("F2"),
        case(
            "checkpoint-signature-invalid",
            "v2-under-another-name",
            &forge
                .draft()
                .v2_with(|entry| {
                    let proof = entry.proof.as_mut().unwrap();
                    let text = format!("rekor.example.com\n7\n{}\n", base64(&proof.root));
                    let blob = [&forge.v2.id()[..4], &signature(&forge.v2.key, text.as_bytes())].concat();
                    proof.checkpoint = Some(format!("{text}\n\u{2014} rekor.example.com {}\n", base64(&blob)));
                })
                .stamped(),
        )
        .class("F3"),
    ]
}

fn proofs(forge: &Forge) -> Vec<Case> {
    let v1 = |folder: &'static str, name: &str, edit: &dyn Fn(&mut InclusionProof)| {
        case(folder, name, &forge.draft().v1_with(|entry| edit(entry.proof.as_mut().unwrap())))
    };
    let invalid = |name: &str, edit: &dyn Fn(&mut InclusionProof)| v1("proof-invalid", name, edit);
    // An entry that the log really has, about something else.
    let about = |name: &str, body: &dyn Fn(&Draft<'_>, &Draft<'_>) -> Vec<u8>| {
        let (draft, other) = (forge.draft(), forge.draft());
        let entry = forge.v1.entry(&body(&draft, &other), forge.at + 1);
        case("proof-invalid", name, &draft.with_entry(&entry)).class("A2 A3 A5")
    };
    let sized = |name: &str, index: i64, size: i64, hashes: usize| {
        invalid(name, &|proof| {
            (proof.index, proof.size, proof.hashes) = (index, size, vec![vec![7; 32]; hashes]);
            proof.checkpoint = Some(forge.v1.checkpoint(size.cast_unsigned(), &proof.root));
        })
        .class("F1 F9")
    };
    let of = |draft: &Draft<'_>| (draft.cms.signers[0].attributes(), draft.signature().to_vec(), draft.leaf.clone());
    let tiled = |name: &str, details: &str| {
        let draft = forge.draft();
        let (attributes, signature, leaf) = of(&draft);
        let entry = forge.v2.entry(&body(true, &attributes, &signature, &leaf, details), forge.at);
        case("proof-invalid", name, &draft.with_entry(&entry).stamped()).class("A18")
    };
    // The signature with its second half turned round: it verifies too, and is not the one that was logged.
    let mut turned = forge.good_v1();
    let halves = inside(turned.signature());
    turned.cms.signer().signature =
        super::super::der::sequence(&[&halves[0], &element(INTEGER, &[&negated(content(&halves[1]))])]);
    let draft = forge.draft();
    let own = draft.body(false);
    // Without its prefix the hash of a leaf is a node's.
    let unprefixed = (sha256(&own), leaf_hash(b"another entry"));
    let root = head(&[unprefixed.0, unprefixed.1]);
    let confused = draft.v1_with(|entry| {
        entry.proof = Some(InclusionProof {
            index: 0,
            root: root.to_vec(),
            size: 2,
            hashes: vec![unprefixed.1.to_vec()],
            checkpoint: Some(forge.v1.checkpoint(2, &root)),
        });
    });
    vec![
        about("entry-of-another-signature", &|_, other| other.body(false)),
        about("another-digest", &|own, _| {
            let (_, s, l) = of(own);
            body(false, b"other attributes", &s, &l, "")
        }),
        about("another-signature", &|own, other| {
            let ((a, _, l), (_, s, _)) = (of(own), of(other));
            body(false, &a, &s, &l, "")
        }),
        about("another-certificate", &|own, other| {
            let ((a, s, _), (.., l)) = (of(own), of(other));
            body(false, &a, &s, &l, "")
        }),
        about("sha512-body", &|own, _| {
            String::from_utf8(own.body(false)).unwrap().replace("sha256", "sha512").into_bytes()
        })
        .class("A18"),
        case("proof-invalid", "turned-signature", &turned).class("A19"),
        case("proof-invalid", "leaf-as-node", &confused).class("F8"),
        invalid("no-hashes", &|proof| proof.hashes.clear()).sole().class("F1"),
        invalid("one-hash-less", &|proof| drop(proof.hashes.pop())).class("F1"),
        invalid("one-hash-more", &|proof| proof.hashes.push(vec![0; 32])).class("F1"),
        invalid("short-hash", &|proof| proof.hashes[0].truncate(31)).class("F1"),
        invalid("another-index", &|proof| proof.index = 5).class("F1"),
        invalid("negative-index", &|proof| proof.index = -1).class("F1 B14"),
        invalid("global-index", &|proof| proof.index = 1_000_004).class("F10"),
        sized("size-zero", 0, 0, 0),
        sized("index-is-size", 7, 7, 3),
        sized("greatest-size", i64::MAX - 1, i64::MAX, 63),
        v1("checkpoint-mismatch", "negative-size", &|proof| proof.size = -7).class("F1"),
        v1("checkpoint-mismatch", "no-root", &|proof| proof.root.clear()).class("F2"),
        tiled("another-curve-in-the-entry", "PKIX_ECDSA_P384_SHA_384"),
        tiled("another-key-in-the-entry", "PKIX_ED25519"),
        case("proof-missing", "promise-alone", &forge.draft().v1_with(|entry| entry.proof = None))
            .unknown()
            .class("A4")
            .comment("an index and a promise are no proof"),
        case(
            "proof-missing",
            "index-alone",
            &forge.draft().v1_with(|entry| (entry.proof, entry.promise) = (None, None)),
        )
        .unknown()
        .class("A4"),
        case("proof-missing", "v2", &forge.draft().v2_with(|entry| entry.proof = None).stamped())
            .unknown()
            .sole()
            .class("A4"),
    ]
}

/// The order of P-256 minus `half`.
fn negated(half: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
    let half = [vec![0; 32 - digits.len()], digits].concat();
    let (mut out, mut borrow) = (vec![0; 32], 0);
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(half[at]) - borrow;
        borrow = i16::from(difference < 0);
        out[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let digits: Vec<u8> = out.into_iter().skip_while(|byte| *byte == 0).collect();
    if digits[0] >= 0x80 { [vec![0], digits].concat() } else { digits }
}

fn promises(forge: &Forge) -> Vec<Case> {
    let v1 =
        |folder: &'static str, name: &str, edit: &dyn Fn(&mut Entry)| case(folder, name, &forge.draft().v1_with(edit));
    let promised = |folder: &'static str, name: &str, edit: &dyn Fn(&mut Entry)| {
        let draft = forge.draft();
        let body = draft.body(false);
        case(
            folder,
            name,
            &draft.v1_with(|entry| {
                edit(entry);
                entry.promise = Some(forge.v1.promise(entry, &body));
            }),
        )
    };
    let stranger = Log { key: fresh_key(&PKCS_ECDSA_P256_SHA256), host: "rekor.example.com", tiled: false };
    let other = entry(&forge.draft(), &forge.v1).promise;
    vec![
        v1("promise-invalid", "another-time", &|entry| entry.integrated_time += 1).sole().class("B2 B14"),
        v1("promise-invalid", "another-index", &|entry| entry.log_index = 4).class("F10"),
        v1("promise-invalid", "of-another-entry", &|entry| entry.promise = other.clone()).class("A2"),
        v1("promise-invalid", "by-another-key", &|entry| entry.promise = Some(stranger.promise(entry, b"")))
            .class("C1"),
        case("promise-invalid", "in-v2", &forge.draft().v2_with(|entry| entry.promise = Some(vec![1; 64])).stamped())
            .class("B9")
            .comment("Rekor v2 promises nothing"),
        {
            let draft = forge.draft();
            let body = draft.body(true);
            let own = |entry: &mut Entry| {
                entry.integrated_time = forge.at + 1;
                entry.promise = Some(forge.v2.promise(entry, &body));
            };
            case("promise-invalid", "in-v2-by-its-own-log", &draft.v2_with(own).stamped())
                .class("B9")
                .comment("signed by the right key, and still nothing that Rekor v2 says")
        },
        promised("entry-malformed", "time-out-of-range", &|entry| entry.integrated_time = i64::MAX).class("B14"),
        promised("index-mismatch", "negative-global-index", &|entry| entry.log_index = -1).class("B14"),
        case("index-mismatch", "v2", &forge.draft().v2_with(|entry| entry.log_index = 5).stamped()).sole().class("F10"),
    ]
}

fn logs(forge: &Forge) -> Vec<Case> {
    let foreign = Log { key: fresh_key(&PKCS_ECDSA_P256_SHA256), host: "rekor.example.org", tiled: false };
    let logged = |log: &Log| {
        let draft = forge.draft();
        let entry = entry(&draft, log);
        draft.with_entry(&entry)
    };
    let key = fresh_key(&PKCS_ECDSA_P521_SHA256);
    let leaf = forge.issued(&forge.certificate(&forge.ca, &key), &forge.ca);
    let large = forge.draft_of(leaf, key);
    let mut unusable = forge.root();
    for log in unusable["tlogs"].as_array_mut().unwrap() {
        log["publicKey"]["keyDetails"] = json!("ML_DSA_65");
    }
    let mut hashed = forge.root();
    hashed["tlogs"][0]["hashAlgorithm"] = json!("SHA2_512");
    let mut mistaken = forge.root();
    mistaken["tlogs"][0]["publicKey"]["keyDetails"] = json!("PKIX_ECDSA_P384_SHA_384");
    vec![
        case("log-unknown", "another-instance", &logged(&foreign))
            .unknown()
            .sole()
            .class("C1 C21")
            .comment("authority of one instance, log of another"),
        case("log-unknown", "no-id", &forge.draft().v1_with(|entry| entry.log_id.clear())).unknown().class("C20"),
        case("algorithm-unsupported", "p521-in-v2", &large.v2()).unknown().class("D17 A18"),
        case("trust-root-unusable", "logs", &forge.good_v1())
            .under("unusable-logs", &unusable)
            .unknown()
            .sole()
            .class("D16 D17"),
        case("trust-root-unusable", "log-of-another-instance", &logged(&foreign))
            .under("unusable-logs", &unusable)
            .unknown()
            .class("D17"),
        case("trust-root-unusable", "tree-hash", &forge.good_v1())
            .under("unusable-tree-hash", &hashed)
            .unknown()
            .class("D17"),
        case("trust-root-unusable", "key-is-another", &forge.good_v1())
            .under("mistaken-key", &mistaken)
            .unknown()
            .class("D16"),
    ]
}
