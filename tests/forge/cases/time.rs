//! Step 7.

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _};
use serde_json::{Value, json};

use git_keyless::key::{sha1_of, sha256};

use super::super::cms::{
    CONTENT_TYPE, Cms, ID_DATA, MESSAGE_DIGEST, SHA256, SIGNING_CERTIFICATE_V2, TOKEN, attribute, stamp_of, tst_info,
};
use super::super::der::{algorithm, bits, octets, oid, sequence};
use super::super::x509::{CODE_SIGNING, Certificate, TIME_STAMPING, constraints, fresh_key, name, named_key, usages};
use super::super::{Case, Draft, Forge, TimestampAuthority, authority_json};

/// When tokens are made.
const STAMP: &str = "20261110120001Z";

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [missing(forge), clocks(forge), malformed(forge), invalid(forge), authorities(forge)].concat()
}

fn case(folder: &'static str, name: &str, draft: &Draft<'_>) -> Case {
    Case::new(folder, name, 7, draft.object())
}

fn missing(forge: &Forge) -> Vec<Case> {
    let case = |name: &str, draft: Draft<'_>| case("time-missing", name, &draft).unknown();
    let mut untimed = forge.root();
    untimed["timestampAuthorities"] = json!([]);
    let stranger = TimestampAuthority { key: fresh_key(&PKCS_ECDSA_P256_SHA256), chain: vec![forge.draft().leaf] };
    let mut beside = forge.root();
    let mut second = beside["timestampAuthorities"][0].clone();
    second["certChain"]["certificates"][0]["rawBytes"] = json!("MAA=");
    let unreadable = {
        let mut root = forge.root();
        root["timestampAuthorities"] = json!([second]);
        root
    };
    beside["timestampAuthorities"].as_array_mut().unwrap().push(second);
    let namesake = TimestampAuthority::kept("tsa-of-a-namesake", |signer| signer.issuer = name("tsa root"));
    vec![
        case("v1-without-promise", forge.draft().v1_with(|entry| entry.promise = None))
            .sole()
            .class("B1 B5 B10 B11")
            .comment(
                "a handsome time in the entry, in the attributes and in the commit, and nobody who vouches for it",
            ),
        case("v2-without-token", forge.draft().v2_with(|_| ())).sole().class("B10 B11 K3"),
        case("v2-with-a-time", forge.draft().v2_with(|entry| entry.integrated_time = forge.at)).class("B9"),
        case("no-authority-listed", forge.good_v2()).under("no-timestamp-authority", &untimed).class("G3"),
        case("nothing-under-an-unreadable-authority", forge.draft().v2_with(|_| ()))
            .under("unreadable-timestamp-authority", &unreadable)
            .class("D17")
            .comment("no authority could help what has no token"),
        {
            let draft = forge.draft().v2_with(|_| ());
            let token = stranger.token(&stamp_of(draft.signature(), STAMP)).der();
            case("token-of-a-stranger-beside-an-unreadable-authority", draft.with_tokens(&[token]))
                .under("beside-an-unreadable-timestamp-authority", &beside)
                .class("G3 D17")
        },
        {
            let draft = forge.draft().v2_with(|_| ());
            let token = namesake.token(&stamp_of(draft.signature(), STAMP)).der();
            case("token-below-a-namesake", draft.with_tokens(&[token]))
                .under("namesake-of-an-authority", &with_authority(forge, &forge.tsa.chain[1..]))
                .class("G3 C19")
                .comment("its certificate names the listed authority as issuer, which never issued it")
        },
        {
            let draft = forge.draft().v2_with(|_| ());
            let token = stranger.token(&stamp_of(draft.signature(), STAMP)).der();
            case("token-of-a-stranger", draft.with_tokens(&[token])).class("G3")
        },
    ]
}

fn clocks(forge: &Forge) -> Vec<Case> {
    let at = |name: &str, at: &str, draft: Draft<'_>| {
        case("time-in-future", name, &draft).unknown().line("at", at).line("git", "good")
    };
    vec![
        at("one-second", "2026-11-10T12:00:00Z", forge.good_v1()).sole().class("B4"),
        at("one-millisecond", "2026-11-10T12:00:01Z", forge.draft().v2_with(|_| ()).stamped_at("20261110120001.001Z"))
            .class("B4 B12"),
        at("one-of-two", "2026-11-10T12:00:01Z", forge.good_v1().stamped_at("20261110120005Z")).class("B4"),
        at("clock-of-1970", "1970-01-01T00:00:00Z", forge.good_v1())
            .class("B13")
            .comment("a machine whose clock was never set"),
    ]
}

fn malformed(forge: &Forge) -> Vec<Case> {
    let values = |name: &str, values: &dyn Fn(&Draft<'_>) -> Vec<Vec<u8>>| {
        let draft = forge.draft().v2_with(|_| ());
        let values = values(&draft);
        case("timestamp-malformed", name, &draft.with_tokens(&values))
    };
    let edited = |name: &str, edit: &dyn Fn(&mut Cms)| {
        values(name, &|draft| {
            let mut token = draft.token_at(STAMP);
            edit(&mut token);
            token.signer().sign(&forge.tsa.key);
            vec![token.der()]
        })
    };
    let info = |name: &str, info: &dyn Fn(&Draft<'_>) -> Vec<u8>| {
        values(name, &|draft| vec![forge.tsa.token(&info(draft)).der()])
    };
    let twice = forge.good_v2();
    let again = attribute(TOKEN, &[twice.token_at("20261110120002Z").der()]);
    let imprint = |draft: &Draft<'_>| sha256(draft.signature());
    vec![
        values("octets", &|_| vec![octets(b"a token")]).class("G14"),
        values("reply", &|draft| vec![sequence(&[&sequence(&[&[2, 1, 0]]), &draft.token_at(STAMP).der()])])
            .class("G14")
            .comment("a reply where a token belongs"),
        values("reply-that-rejects", &|draft| {
            vec![sequence(&[&sequence(&[&[2, 1, 2]]), &draft.token_at(STAMP).der()])]
        })
        .class("G10"),
        values("no-value", &|_| Vec::new()).class("K3"),
        case("timestamp-malformed", "two-attributes", &twice.with(again)).class("H13"),
        edited("detached", &|token| token.content = None).class("G15"),
        edited("content-of-another-kind", &|token| token.content_type = ID_DATA).class("G15"),
        edited("content-not-octets", &|token| token.content = Some(sequence(&[]))).class("G15"),
        edited("no-binding", &|token| token.signer().signed.truncate(2)).class("G8"),
        edited("binding-with-two-values", &|token| {
            token.signer().replace(SIGNING_CERTIFICATE_V2, &[sequence(&[]), sequence(&[&[5, 0]])])
        })
        .class("G8"),
        info("empty-info", &|_| sequence(&[])).class("G15"),
        info("date-without-zone", &|draft| tst_info(SHA256, &imprint(draft), "20261110120001")).class("D21 B12"),
        info("fraction-with-zero", &|draft| tst_info(SHA256, &imprint(draft), "20261110120001.10Z")).class("D21 B12"),
        info("thirteenth-month", &|draft| tst_info(SHA256, &imprint(draft), "20261310120001Z")).class("D21"),
    ]
}

fn invalid(forge: &Forge) -> Vec<Case> {
    let stamped = |name: &str, token: &dyn Fn(&Draft<'_>) -> Vec<u8>| {
        let draft = forge.draft().v2_with(|_| ());
        let token = token(&draft);
        case("timestamp-invalid", name, &draft.with_tokens(&[token]))
    };
    let info =
        |name: &str, info: &dyn Fn(&Draft<'_>) -> Vec<u8>| stamped(name, &|draft| forge.tsa.token(&info(draft)).der());
    let edited = |name: &str, edit: &dyn Fn(&mut Cms)| {
        stamped(name, &|draft| {
            let mut token = draft.token_at(STAMP);
            edit(&mut token);
            token.signer().sign(&forge.tsa.key);
            token.der()
        })
    };
    let unsigned = |name: &str, edit: &dyn Fn(&mut Cms)| {
        stamped(name, &|draft| {
            let mut token = draft.token_at(STAMP);
            edit(&mut token);
            token.der()
        })
    };
    let binding = |parts: &[&[u8]]| sequence(&[&sequence(&[&sequence(parts)])]);
    let stranger = fresh_key(&PKCS_ECDSA_P256_SHA256);
    let other = forge.draft();
    let second = forge.tsa.token(&stamp_of(b"x", STAMP)).signers[0].clone();
    let sha1 = |bytes: &[u8]| sha1_of(&[bytes]).to_vec();
    vec![
        info("over-the-payload", &|draft| stamp_of(&draft.payload, STAMP)).sole().class("G9"),
        info("of-another-signature", &|_| stamp_of(other.signature(), STAMP)).class("B15 G4"),
        info("imprint-sha1", &|draft| tst_info("1.3.14.3.2.26", &sha1(draft.signature()), STAMP)).class("G9 A18"),
        info("imprint-sha512-by-name", &|draft| tst_info("2.16.840.1.101.3.4.2.3", &sha256(draft.signature()), STAMP))
            .class("A18"),
        info("empty-imprint", &|_| tst_info(SHA256, &[], STAMP)).class("A8"),
        unsigned("by-another-key", &|token| token.signer().sign(&stranger)).class("G1"),
        unsigned("time-changed-after-signing", &|token| token.content = Some(octets(&stamp_of(b"y", STAMP))))
            .class("G15"),
        edited("bound-to-another-certificate", &|token| {
            token.signer().replace(SIGNING_CERTIFICATE_V2, &[binding(&[&octets(&sha256(&other.leaf))])])
        })
        .class("G8 G1"),
        edited("bound-by-sha1-named-sha256", &|token| {
            token.signer().replace(SIGNING_CERTIFICATE_V2, &[binding(&[&octets(&sha1(&forge.tsa.chain[0]))])]);
        })
        .class("G8"),
        edited("content-type-data", &|token| token.signer().replace(CONTENT_TYPE, &[oid(ID_DATA)])).class("H7 G15"),
        edited("digest-of-nothing", &|token| token.signer().replace(MESSAGE_DIGEST, &[octets(&sha256(&[]))]))
            .class("G15 H6"),
        edited("no-attributes", &|token| token.signer().signed.clear()).class("H1"),
        edited("two-signers", &|token| token.signers.push(second.clone())).class("H3 H4"),
        edited("certificate-of-another-inside", &|token| token.certificates = vec![other.leaf.clone()]).class("G1"),
        edited("digests-differ", &|token| token.digests = vec![algorithm("2.16.840.1.101.3.4.2.3")]).class("G5 H11"),
        edited("digest-named-sha512", &|token| {
            token.digests = vec![algorithm("2.16.840.1.101.3.4.2.3")];
            token.signer().digest = algorithm("2.16.840.1.101.3.4.2.3");
        })
        .class("G5"),
        edited("rsa-with-a-curve", &|token| token.signer().algorithm = algorithm("1.2.840.113549.1.1.11")).class("H11"),
        edited("version-one", &|token| token.version = 1).class("H11"),
        {
            let draft = forge.draft().v2_with(|_| ());
            let tokens = [draft.token_at(STAMP).der(), forge.tsa.token(&stamp_of(&draft.payload, STAMP)).der()];
            case("timestamp-invalid", "wrong-beside-a-right-one", &draft.with_tokens(&tokens)).class("B3 G9")
        },
    ]
}

/// The trust root with another timestamp authority.
fn with_authority(forge: &Forge, chain: &[Vec<u8>]) -> Value {
    let mut root = forge.root();
    root["timestampAuthorities"] = json!([authority_json("https://tsa.example.com", chain)]);
    root
}

fn authorities(forge: &Forge) -> Vec<Case> {
    let by = |name: &'static str, edit: &dyn Fn(&mut Certificate)| {
        let tsa = TimestampAuthority::kept(name, edit);
        let draft = forge.draft().v2_with(|_| ());
        let token = tsa.token(&stamp_of(draft.signature(), STAMP)).der();
        let root = with_authority(forge, &tsa.chain);
        case("timestamp-invalid", name, &draft.with_tokens(&[token])).under(name, &root)
    };
    // The same authorities, made below, with their own certificate as all that is listed.
    let alone = |name: &'static str| {
        let tsa = TimestampAuthority::kept(name, |_| ());
        let draft = forge.draft().v2_with(|_| ());
        let token = tsa.token(&stamp_of(draft.signature(), STAMP)).der();
        let (case_name, root) = (format!("{name}-alone"), with_authority(forge, &tsa.chain[..1]));
        case("timestamp-invalid", &case_name, &draft.with_tokens(&[token])).under(&case_name, &root)
    };
    let ended = [super::super::der::time(1_577_836_800), super::super::der::time(forge.at)];
    // The only authority has a key of a kind that nobody here knows; what stands for its signature does not matter.
    let unknown_key = sequence(&[&algorithm("2.16.840.1.101.3.4.3.18"), &bits(&[0; 1952])]);
    let future = TimestampAuthority::kept("tsa-of-another-kind", |signer| signer.spki = unknown_key);
    let edwards = named_key("tsa-with-ed25519", &PKCS_ED25519).subject_public_key_info();
    let edwards = TimestampAuthority::kept("tsa-with-ed25519", |signer| signer.spki = edwards);
    let stamped = forge.draft().v2_with(|_| ());
    let unstamped = forge.draft().v2_with(|_| ());
    let by_edwards = edwards.token(&stamp_of(unstamped.signature(), STAMP)).der();
    let token = future.token(&stamp_of(stamped.signature(), STAMP)).der();
    let mut unreadable = forge.root();
    unreadable["timestampAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = json!("MAA=");
    let nine = forge.draft().v2_with(|_| ());
    let tokens: Vec<_> = (10..19).map(|second| nine.token_at(&format!("202611101200{second}Z")).der()).collect();
    vec![
        by("tsa-usage-not-critical", &|signer| signer.extensions[1] = usages(false, &[TIME_STAMPING])).class("G6"),
        by("tsa-of-two-usages", &|signer| signer.extensions[1] = usages(true, &[TIME_STAMPING, CODE_SIGNING]))
            .class("G6"),
        by("tsa-of-any-usage", &|signer| signer.extensions[1] = usages(true, &["2.5.29.37.0"])).class("G6"),
        by("tsa-without-usage", &|signer| drop(signer.extensions.remove(1))).class("G6"),
        by("tsa-that-certifies", &|signer| signer.extensions.push(constraints(true, None))).class("G7"),
        alone("tsa-that-certifies").class("G7").comment("listed with nothing above it, so that no path is validated"),
        alone("tsa-that-ended").class("G11 B12"),
        by("tsa-that-ended", &|signer| signer.validity = ended.clone())
            .class("G11 B12")
            .comment("its certificate ended a second before the token's time"),
        case("limit-exceeded", "nine-tokens", &nine.with_tokens(&tokens)).class("L1 L3"),
        case("trust-root-unusable", "timestamp-authority", &forge.good_v2())
            .under("unreadable-timestamp-authority", &unreadable)
            .unknown()
            .sole()
            .class("D17"),
        case("trust-root-unusable", "timestamp-authority-with-ed25519", &unstamped.with_tokens(&[by_edwards]))
            .under("timestamp-authority-with-ed25519", &with_authority(forge, &edwards.chain))
            .unknown()
            .class("D17"),
        case("trust-root-unusable", "timestamp-authority-of-another-kind", &stamped.with_tokens(&[token]))
            .under("timestamp-authority-of-another-kind", &with_authority(forge, &future.chain))
            .unknown()
            .class("D17"),
    ]
}
