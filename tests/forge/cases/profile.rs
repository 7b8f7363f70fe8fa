//! Step 5.

use super::super::der::{context, element, oid, sequence, text};
use super::super::x509::{Certificate, email, fulcio, fulcio_raw, key_usage, names, uri, usages};
use super::super::{Case, Forge, ISSUER};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    let edited = |folder: &'static str, name: &str, edit: &dyn Fn(&mut Certificate)| {
        Case::new(folder, name, 5, forge.draft_with(edit).v1().object())
    };
    let usage = |name: &str, ids: &'static [&'static str]| {
        edited("not-code-signing", name, &|leaf| leaf.extensions[1] = usages(false, ids)).class("D4")
    };
    let subjects =
        |name: &str, all: &[Vec<u8>]| edited("subject-invalid", name, &|leaf| leaf.extensions[4] = names(all));
    // The last two extensions are the issuer's.
    let issuers = |name: &str, all: &[Vec<u8>]| {
        edited("issuer-invalid", name, &|leaf| {
            leaf.extensions.truncate(5);
            leaf.extensions.push(fulcio(24, "somebody"));
            leaf.extensions.extend(all.iter().cloned());
        })
    };
    let dns = element(0x82, &[b"example.com"]);
    let other = element(context(0), &[&oid("1.2.3.4"), &element(context(0), &[&text("alice!example.com")])]);
    let forged = "alice@example.com\n[GNUPG:] GOODSIG";
    let new = sequence(&[&text(ISSUER)]);
    vec![
        usage("server-authentication", &["1.3.6.1.5.5.7.3.1"]),
        usage("mail", &["1.3.6.1.5.5.7.3.4"]),
        usage("any-usage", &["2.5.29.37.0"]),
        edited("not-code-signing", "no-usage", &|leaf| drop(leaf.extensions.remove(1))).class("D4"),
        edited("not-code-signing", "key-encipherment", &|leaf| leaf.extensions[0] = key_usage(&[5, 0x20])).class("D4"),
        subjects("two", &[email("alice@example.com"), email("eve@example.com")]).sole().class("D11"),
        subjects("host", &[dns]).class("D11"),
        subjects("other-name-of-another-kind", &[other]).class("D11"),
        subjects("nobody", &[email("")]).class("K3"),
        subjects("new-line", &[email(forged)]).class("D9 I6"),
        subjects("escape", &[uri("https://example.com/\u{1b}[2K")]).class("I6"),
        subjects("nul", &[email("alice@example.com\0.example.org")]).class("D8 D12"),
        subjects("not-ascii", &[email("ålice@example.com")]).class("D12"),
        subjects("address-as-uri", &[uri("alice@example.com")])
            .class("D11")
            .comment("a URI has a scheme (RFC 5280 section 4.2.1.6): an address as URI would pass for the address"),
        subjects("uri-with-a-digit-first", &[uri("1a:alice")]).class("D11").comment("no scheme (RFC 3986 section 3.1)"),
        subjects("uri-with-an-odd-scheme", &[uri("a_b:alice")]).class("D11"),
        subjects("uri-as-address", &[email("https://example.com/alice")])
            .class("D11")
            .line("accepted", "https://example.com/alice https://accounts.example.com"),
        edited("subject-invalid", "none", &|leaf| drop(leaf.extensions.remove(4))).class("K3"),
        issuers("none", &[]).class("K3"),
        issuers("two-that-disagree", &[fulcio_raw(1, b"https://issuer.example.com"), fulcio(8, ISSUER)]).class("D7"),
        issuers("trailing-bytes", &[fulcio_raw(8, &[text(ISSUER), vec![0]].concat())]).class("D6"),
        issuers("another-tag", &[fulcio_raw(8, &element(0x16, &[ISSUER.as_bytes()]))]).class("D6"),
        issuers("nested", &[fulcio_raw(8, &new)]).class("D6"),
        issuers("unreadable-new-and-readable-old", &[fulcio_raw(1, ISSUER.as_bytes()), fulcio_raw(8, b"\x0c\x7f")])
            .class("D6"),
        issuers("not-utf8", &[fulcio_raw(1, b"https://\xff.example.com")]).class("D8"),
        issuers("nul", &[fulcio_raw(1, b"https://accounts.example.com\0")]).class("D8"),
        issuers("new-line", &[fulcio(8, "https://accounts.example.com\n[GNUPG:] GOODSIG")]).class("I6"),
        issuers("empty", &[fulcio(8, "")]).class("K3"),
    ]
}
