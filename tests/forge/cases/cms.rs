//! Step 2.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _};

use super::super::cms::{
    CONTENT_TYPE, Cms, ID_DATA, ID_SIGNED_DATA, MESSAGE_DIGEST, SHA256, SIGNING_TIME, attribute, commit_of,
};
use super::super::der::{INTEGER, SEQUENCE, algorithm, bits, context, element, integer, octets, oid, sequence, time};
use super::super::x509::{ECDSA_WITH_SHA384, curve_spki, fresh_key, names, rsa_spki, signature};
use super::super::{Case, Draft, Forge};
use git_keyless::format::armor::armor;
use git_keyless::key::sha256;

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [malformed(forge), profile(forge), algorithms(forge), attributes(forge), signatures(forge), signers(forge)].concat()
}

fn case(folder: &'static str, name: &str, draft: &Draft<'_>) -> Case {
    Case::new(folder, name, 2, draft.object())
}

fn malformed(forge: &Forge) -> Vec<Case> {
    let good = forge.good_v1();
    let der = good.cms.der();
    let case = |name: &str, der: Vec<u8>| Case::new("cms-malformed", name, 2, commit_of(&good.payload, &der));
    let content = super::super::der::content(&der).to_vec();
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let nested = (0..10_000).fold(Vec::new(), |inside, _| element(SEQUENCE, &[&inside]));
    let mut shuffled = forge.draft();
    shuffled.cms.signer().in_disorder = true;
    shuffled.cms.signer().signed.sort();
    shuffled.cms.signer().signed.reverse();
    vec![
        case("garbage", b"not a CMS at all".to_vec()).class("K2"),
        case("empty-content-info", sequence(&[&oid(ID_SIGNED_DATA)])).class("H5"),
        case("null-content", sequence(&[&oid(ID_SIGNED_DATA), &element(context(0), &[&[5, 0]])])).class("H5"),
        case("trailing-bytes", [&der[..], &[0]].concat()).class("H9"),
        case("indefinite-length", [&[0x30, 0x80][..], &content, &[0, 0]].concat()).class("H8"),
        case("long-length", [&[0x30, 0x84][..], &length, &content].concat()).class("H8"),
        case("length-of-two-gigabytes", [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff][..], &content].concat()).class("H14"),
        case("nested-ten-thousand-times", nested).class("H14"),
        Case::new("cms-malformed", "attributes-not-sorted", 2, shuffled.signed().v1().object())
            .class("H8")
            .comment("signed as they stand, and not in the order of DER"),
    ]
}

fn profile(forge: &Forge) -> Vec<Case> {
    let edited = |name: &str, edit: &dyn Fn(&mut Cms)| case("cms-profile", name, &forge.good_v1().edited(edit));
    let stranger = forge.good_v1().cms;
    let bare = forge.draft();
    let unattributed = |payload: &[u8]| {
        let mut draft = forge.draft();
        draft.cms.signer().signed.clear();
        draft.cms.signer().signature = signature(&draft.key, payload);
        draft
    };
    // What its signature is over is a payload too, if the attributes are forgotten.
    let taken = bare.cms.signers[0].attributes();
    let mut confused = bare.cms.clone();
    confused.signer().signed.clear();
    vec![
        edited("no-signer", &|cms| cms.signers.clear()).class("A20 H5 K3"),
        edited("two-signers", &|cms| cms.signers.extend(stranger.signers.clone())).class("A20 H3 H4"),
        edited("the-same-signer-twice", &|cms| cms.signers.extend(cms.signers.clone())).class("A20 H4"),
        edited("content-inside", &|cms| cms.content = Some(octets(b"tree 0\n\nanother commit\n"))).class("H10"),
        edited("signed-data-inside", &|cms| cms.content_type = ID_SIGNED_DATA).class("H7"),
        edited("version-three", &|cms| cms.version = 3).class("H11"),
        edited("signer-version-three", &|cms| cms.signer().version = 3).class("H11 H12"),
        edited("two-digest-algorithms", &|cms| {
            cms.digests.push(sequence(&[&oid(SHA256), &[5, 0]]));
        })
        .class("H11"),
        edited("revocation-lists", &|cms| {
            let algorithm = algorithm(ECDSA_WITH_SHA384);
            let list = sequence(&[&integer(1), &algorithm, &forge.ca.name, &time(0)]);
            cms.crls = Some(sequence(&[&list, &algorithm, &bits(&[0])]));
        })
        .class("H13"),
        case("cms-profile", "no-attributes", &unattributed(&bare.payload)).class("H1"),
        Case::new("cms-profile", "payload-of-attributes", 2, armor(&confused.der()).unwrap().into_bytes())
            .payload(taken)
            .class("H1")
            .comment("the payload is the attributes of a good signature, and the signature is over them"),
    ]
}

fn algorithms(forge: &Forge) -> Vec<Case> {
    let case = |name: &str, draft: Draft<'_>| case("algorithm-unsupported", name, &draft).unknown();
    let edited = |name: &str, edit: &dyn Fn(&mut Cms)| case(name, forge.good_v1().edited(edit)).class("H11 A18");
    let keyed = |name: &str, spki: Vec<u8>| case(name, forge.draft_with(|leaf| leaf.spki = spki.clone()).v1());
    let edwards = fresh_key(&PKCS_ED25519);
    let leaf = forge.issued(&forge.certificate(&forge.ca, &edwards), &forge.ca);
    let mut edwards = forge.draft_of(leaf, edwards);
    edwards.cms.signer().algorithm = algorithm("1.3.101.112");
    let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let rsa = |name: &str, algorithm: Vec<u8>| {
        let mut draft = forge.draft_with(|leaf| leaf.spki = rsa_spki(&[0xc1; 256], &[1, 0, 1]));
        draft.cms.signer().algorithm = algorithm;
        case(name, draft.v1()).class("H11")
    };
    let with_one = |id: &str| sequence(&[&oid(id), &element(INTEGER, &[&[1]])]);
    let compressed: Vec<_> = std::iter::once(2).chain(key.der_bytes()[1..33].iter().copied()).collect();
    vec![
        edited("digest-sha512", &|cms| {
            cms.digests = vec![algorithm("2.16.840.1.101.3.4.2.3")];
            cms.signer().digest = algorithm("2.16.840.1.101.3.4.2.3");
        }),
        edited("digest-with-parameters", &|cms| {
            cms.digests = vec![with_one(SHA256)];
            cms.signer().digest = with_one(SHA256);
        }),
        edited("digests-differ", &|cms| cms.digests = vec![algorithm("2.16.840.1.101.3.4.2.2")]),
        edited("digest-sha1", &|cms| cms.signer().digest = algorithm("1.3.14.3.2.26")),
        edited("ecdsa-with-sha1", &|cms| cms.signer().algorithm = algorithm("1.2.840.10045.4.1")),
        edited("ecdsa-with-sha384", &|cms| cms.signer().algorithm = algorithm(ECDSA_WITH_SHA384)),
        edited("rsa-with-a-curve", &|cms| cms.signer().algorithm = algorithm("1.2.840.113549.1.1.11")),
        edited("ecdsa-with-null", &|cms| {
            cms.signer().algorithm = sequence(&[&oid("1.2.840.10045.4.3.2"), &[5, 0]]);
        }),
        rsa("rsa-with-sha512", algorithm("1.2.840.113549.1.1.13")),
        rsa("rsa-with-parameters", with_one("1.2.840.113549.1.1.11")),
        rsa("rsa-with-ecdsa", algorithm("1.2.840.10045.4.3.2")),
        edited("rsa-pss", &|cms| cms.signer().algorithm = algorithm("1.2.840.113549.1.1.10")).class("D17"),
        case("ed25519", edwards.signed().v1()).class("D17"),
        keyed("ed448", sequence(&[&algorithm("1.3.101.113"), &element(3, &[&[0; 58]])])).class("D17"),
        keyed("x25519", sequence(&[&algorithm("1.3.101.110"), &element(3, &[&[0; 33]])])).class("D16"),
        keyed("ml-dsa-65", sequence(&[&algorithm("2.16.840.1.101.3.4.3.18"), &element(3, &[&[0; 1953]])])).class("D17"),
        keyed("secp256k1", curve_spki("1.3.132.0.10", key.der_bytes())).class("D16"),
        keyed("p256-point-as-p384", curve_spki("1.3.132.0.34", key.der_bytes())).class("D16"),
        keyed("compressed-point", curve_spki("1.2.840.10045.3.1.7", &compressed)).class("D16"),
        keyed("point-at-infinity", curve_spki("1.2.840.10045.3.1.7", &[0])).class("D16"),
    ]
}

fn attributes(forge: &Forge) -> Vec<Case> {
    let resigned = |folder: &'static str, name: &str, edit: &dyn Fn(&mut Cms)| {
        case(folder, name, &forge.draft().edited(edit).signed().v1())
    };
    let invalid = |name: &str, edit: &dyn Fn(&mut Cms)| resigned("attribute-invalid", name, edit);
    let digest = octets(&sha256(&forge.draft().payload));
    let other = octets(&sha256(b"another payload"));
    let mut changed = forge.good_v1();
    changed.payload = super::super::payload("Another commit\n");
    let mut moved = forge.good_v1();
    moved.payload = String::from_utf8(moved.payload)
        .unwrap()
        .replacen("\nauthor", "\ntree 0123456789abcdef0123456789abcdef01234567\nauthor", 1)
        .into_bytes();
    let mut dated = forge.good_v1();
    dated.payload = String::from_utf8(dated.payload).unwrap().replace("1794312000", "1794312001").into_bytes();
    vec![
        invalid("no-message-digest", &|cms| cms.signer().signed.truncate(2)).class("H6"),
        invalid("message-digest-twice", &|cms| {
            cms.signer().signed.push(attribute(MESSAGE_DIGEST, std::slice::from_ref(&other)));
        })
        .class("H6"),
        invalid("message-digest-with-two-values", &|cms| {
            cms.signer().replace(MESSAGE_DIGEST, &[digest.clone(), other.clone()]);
        })
        .class("H6"),
        invalid("message-digest-without-value", &|cms| cms.signer().replace(MESSAGE_DIGEST, &[])).class("H6"),
        invalid("message-digest-as-text", &|cms| cms.signer().replace(MESSAGE_DIGEST, &[super::super::der::text("x")]))
            .class("H6"),
        invalid("no-content-type", &|cms| drop(cms.signer().signed.remove(0))).class("H7"),
        invalid("content-type-signed-data", &|cms| cms.signer().replace(CONTENT_TYPE, &[oid(ID_SIGNED_DATA)]))
            .class("H7"),
        invalid("content-type-twice", &|cms| {
            cms.signer().signed.push(attribute(CONTENT_TYPE, &[oid(ID_DATA), oid(ID_SIGNED_DATA)]));
        })
        .class("H7"),
        invalid("signing-time-twice", &|cms| {
            cms.signer().signed.push(attribute(SIGNING_TIME, &[time(0)]));
        })
        .class("H6"),
        resigned("limit-exceeded", "attributes", &|cms| {
            let more = (1..=30).map(|last| attribute(&format!("1.2.3.{last}"), &[vec![5, 0]]));
            cms.signer().signed.extend(more);
        })
        .class("L1")
        .comment("thirty-three signed attributes"),
        case("digest-mismatch", "message", &changed).class("A7 I16").comment("a signature under another commit"),
        case("digest-mismatch", "second-tree", &moved).class("I1").comment("one more header after signing"),
        case("digest-mismatch", "commit-date", &dated).class("B11"),
        resigned("digest-mismatch", "hint", &|cms| cms.signer().replace(MESSAGE_DIGEST, std::slice::from_ref(&other)))
            .class("A9"),
        resigned("digest-mismatch", "short", &|cms| cms.signer().replace(MESSAGE_DIGEST, &[octets(&[])])).class("A8"),
        Case::new("digest-mismatch", "nothing", 2, forge.good_v1().armor().into_bytes())
            .payload(Vec::new())
            .class("A8"),
    ]
}

fn signatures(forge: &Forge) -> Vec<Case> {
    let case = |name: &str, draft: &Draft<'_>| case("signature-invalid", name, draft);
    // The log has the wrong signature too, so nothing but the signature is wrong.
    let signed = |name: &str, signature: &dyn Fn(&Draft<'_>) -> Vec<u8>| {
        let mut draft = forge.draft();
        draft.cms.signer().signature = signature(&draft);
        case(name, &draft.v1())
    };
    let halves = |r: &[u8], s: &[u8]| sequence(&[&element(INTEGER, &[r]), &element(INTEGER, &[s])]);
    let raw = |draft: &Draft<'_>| {
        let parts = super::super::der::inside(draft.signature());
        parts
            .iter()
            .flat_map(|part| {
                let half = super::super::der::content(part);
                let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
                [vec![0; 32 - digits.len()], digits].concat()
            })
            .collect()
    };
    let order = [
        0_u8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut alone = forge.root();
    for list in ["tlogs", "ctlogs", "timestampAuthorities"] {
        alone[list] = serde_json::json!([]);
    }
    let by_another =
        |draft: &Draft<'_>| signature(&fresh_key(&PKCS_ECDSA_P256_SHA256), &draft.cms.signers[0].attributes());
    let enveloped = |draft: &Draft<'_>| {
        let attributes = draft.cms.signers[0].attributes();
        let kind = "application/vnd.in-toto+json";
        let pae = [format!("DSSEv1 {} {kind} {} ", kind.len(), attributes.len()).as_bytes(), &attributes].concat();
        signature(&draft.key, &pae)
    };
    let mut off_the_curve = [9; 65];
    off_the_curve[0] = 4;
    // With exponent 1 a signature is its own padding: anybody can write it.
    let mut modulus = [0x55; 256];
    modulus[0] = 0xc1;
    let mut weak = forge.draft_with(|leaf| leaf.spki = rsa_spki(&modulus, &[1]));
    weak.cms.signer().algorithm = algorithm("1.2.840.113549.1.1.11");
    let info = sequence(&[&sequence(&[&oid(SHA256), &[5, 0]]), &octets(&sha256(&weak.cms.signers[0].attributes()))]);
    weak.cms.signer().signature = [&[0, 1][..], &vec![0xff; 253 - info.len()], &[0], &info].concat();
    vec![
        signed("by-another-key", &by_another)
            .sole()
            .class("H2")
            .comment("everything else is right: the log has this signature"),
        signed("by-another-key-and-only-an-authority", &by_another)
            .under("only-an-authority", &alone)
            .class("H2")
            .comment("under a trust root that demands neither logs nor times"),
        signed("empty", &|_| Vec::new()).class("H15"),
        signed("zeros", &|_| halves(&[0], &[0])).class("H15"),
        signed("ones", &|_| halves(&[1], &[1])).class("H15"),
        signed("order", &|_| halves(&order, &order)).class("H15"),
        signed("negative", &|_| halves(&[0xff], &[0x80, 1])).class("H15"),
        signed("raw-halves", &raw).class("H15"),
        signed("padded", &|draft| [draft.signature(), &[0]].concat()).class("H15"),
        signed("envelope", &enveloped).class("A17").comment("a DSSE signature by the same key over the same bytes"),
        signed("payload-signed", &|draft| signature(&draft.key, &draft.payload)).class("H1"),
        case(
            "point-off-the-curve",
            &forge.draft_with(|leaf| leaf.spki = curve_spki("1.2.840.10045.3.1.7", &off_the_curve)).v1(),
        )
        .class("D16"),
        case("rsa-exponent-one", &weak.v1()).class("D18"),
    ]
}

fn signers(forge: &Forge) -> Vec<Case> {
    let edited =
        |folder: &'static str, name: &str, edit: &dyn Fn(&mut Cms)| case(folder, name, &forge.good_v1().edited(edit));
    let other = forge.draft();
    let plain = forge.draft_with(|leaf| {
        leaf.extensions.truncate(4);
        leaf.extensions.push(names(&[super::super::x509::email("alice@example.com")]));
    });
    let plain = plain.v1();
    let with_a_line = String::from_utf8(plain.object()).unwrap().replacen("MESSAGE-----\n\n", "MESSAGE-----\n \n\n", 1);
    let named = super::super::x509::issuer_and_serial(&other.leaf);
    vec![
        edited("signer-certificate-missing", "another-serial", &|cms| cms.signer().names = named.clone()).class("H12"),
        edited("signer-certificate-missing", "another-certificate", &|cms| cms.certificates = vec![other.leaf.clone()])
            .class("D19"),
        edited("signer-certificate-missing", "another-key-id", &|cms| {
            (cms.version, cms.signer().version) = (3, 3);
            cms.signer().names = element(0x80, &[&[7; 20]]);
        })
        .class("H12"),
        edited("not-keyless", "no-certificate", &|cms| cms.certificates.clear()).unknown().class("H5 K3"),
        case("not-keyless", "mail", &plain).unknown().class("H16").comment("S/MIME: somebody else's to verify"),
        Case::new("not-keyless", "mail-and-an-empty-line", 1, with_a_line.into_bytes())
            .unknown()
            .class("H16 I5")
            .comment("whose it is comes before how well it is written"),
        edited("cms-malformed", "seventeen-certificates", &|cms| {
            cms.certificates.extend((0..16).map(|_| forge.draft().leaf));
        })
        .class("H17 L1"),
    ]
}
