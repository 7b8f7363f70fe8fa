//! Step 9.

use serde_json::json;

use super::super::cms::Cms;
use super::super::x509::{email, fulcio, names, uri};
use super::super::{Case, Forge, ISSUER, SUBJECT};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    let case = |folder, name: &str, object| Case::new(folder, name, 9, object);
    let named = |name: &str, accepted: &str| {
        case("identity-not-accepted", name, forge.good_v1().object()).line("accepted", accepted)
    };
    let by = |name: &str, san: Vec<u8>| {
        let object = forge.draft_with(|leaf| leaf.extensions[4] = names(std::slice::from_ref(&san))).v1().object();
        case("identity-not-accepted", name, object)
    };
    let mut bare = forge.root();
    bare["tlogs"] = json!([]);
    let victim = forge.draft_with(|leaf| leaf.extensions[4] = names(&[email("victim@example.com")])).leaf;
    let first = forge.good_v1().edited(|cms: &mut Cms| cms.certificates.push(victim.clone()));
    let issued = forge.draft_with(|leaf| {
        leaf.extensions.truncate(5);
        leaf.extensions.push(fulcio(8, "https://accounts.example.com.evil.example"));
    });
    // A tag says its own name.
    let text = format!(
        "object {}\ntype commit\ntag v1.0\ntagger Alice <{SUBJECT}> 1794312000 +0000\n\nA release\n",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    );
    let mut tag = forge.draft();
    tag.payload = text.into_bytes();
    tag.cms = Cms::over(&tag.payload, &tag.leaf, forge.at);
    let tag = tag.signed().v1();
    let tag = [tag.payload.clone(), tag.armor().into_bytes()].concat();
    vec![
        named("another-subject", "bob@example.com https://accounts.example.com").sole().class("D9"),
        named("another-issuer", "alice@example.com https://issuer.example.com").class("D11"),
        named("part-of-the-subject", "alice@example.co https://accounts.example.com").class("D9"),
        named("upper-case", "Alice@example.com https://accounts.example.com").class("D12"),
        named("pattern", ".*@example.com https://accounts.example.com").class("D9"),
        named("star", "*@example.com https://accounts.example.com").class("D9"),
        by("longer-subject", email("alice@example.com.evil.example")).class("D9"),
        by("longer-local-part", email("malice@example.com")).class("D9"),
        by("quoted", email("\"alice@example.com\"@example.org")).class("D12"),
        by("punycode", email("alice@xn--exmple-cua.com")).class("D12"),
        by("uri", uri("mailto:alice@example.com")).class("D11"),
        case("identity-not-accepted", "longer-issuer", issued.v1().object()).class("D9"),
        case("identity-not-accepted", "certificate-of-another-in-the-bag", first.object())
            .line("accepted", format!("victim@example.com {ISSUER}"))
            .class("D19 D15"),
        case("identity-not-named", "required", forge.good_v1().object())
            .unknown()
            .sole()
            .line("accepted", "nobody")
            .line("required", "yes")
            .line("git", "good")
            .class("K9 K3")
            .comment("git's door says U of it"),
        case("identity-not-named", "no-log", forge.good_v2().object())
            .unknown()
            .line("accepted", "nobody")
            .under("no-log", &bare)
            .class("K9 A6")
            .comment("without a log nothing but a list of identities stands between anybody and good"),
        case("identity-denied", "by-name", forge.good_v1().object())
            .sole()
            .line("denied", format!("{SUBJECT} {ISSUER}"))
            .class("K4")
            .comment("accepted and denied: denied"),
        case("tag-name-mismatch", "another-reference", tag)
            .sole()
            .line("type", "tag")
            .line("tag", "v2.0")
            .line("git", "good")
            .class("I12")
            .comment("git's own door does not know the reference"),
    ]
}
