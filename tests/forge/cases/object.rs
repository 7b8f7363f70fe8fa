//! Step 1.

use super::super::cms::commit;
use super::super::{Case, Forge};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    let good = forge.good_v1();
    let case = |folder, name: &str, object| Case::new(folder, name, 1, object);
    let around = |name: &str, armor: String| {
        case("armor-surrounded", name, commit(&good.payload, &armor))
            .class("H9 I5")
            .comment("one PEM block is one PEM block")
    };
    let malformed = |name: &str, armor: &str| case("armor-malformed", name, commit(&good.payload, armor)).class("K2");
    let armor = good.armor();
    let (first, _) = armor.split_once("-----END").unwrap();
    let more = |header: &str| {
        let text = String::from_utf8(good.object()).unwrap();
        text.replacen("\ngpgsig ", &format!("\n{header}\ngpgsig "), 1).into_bytes()
    };
    let second = forge.good_v1().armor().trim_end().replace('\n', "\n ");
    vec![
        case("signature-missing", "unsigned", good.payload.clone()).unknown().class("K3"),
        case("not-cms", "openpgp", commit(&good.payload, OPENPGP)).unknown(),
        case("not-cms", "ssh", commit(&good.payload, SSH)).unknown(),
        malformed("another-label", &armor.replace("SIGNED MESSAGE", "CERTIFICATE")),
        malformed("no-end", first),
        malformed("not-base64", &armor.replacen("MII", "M!I", 1)),
        malformed("words", "not signed, but with a header that says so"),
        around("text-before", format!("good signature\n{armor}")),
        around("text-behind", format!("{armor}good signature\n")),
        around("two-blocks", format!("{armor}{armor}")),
        around("carriage-returns", armor.replace('\n', "\r\n")),
        case("signatures-several", "two-headers", more(&format!("gpgsig {second}")))
            .sole()
            .line("parts", "bad armor-surrounded")
            .class("I4")
            .comment("git joins the two"),
        case("signature-header-unknown", "dropped-header", more("gpgsig-note git drops this"))
            .sole()
            .line("parts", "good")
            .class("I1")
            .comment("git drops the header from the payload, so nobody signs in it; its own door cannot see it"),
        case("object-id-mismatch", "another-id", good.object())
            .sole()
            .line("object", "0123456789abcdef0123456789abcdef01234567")
            .line("parts", "good")
            .class("I15")
            .comment("asked for by an id that these bytes do not have"),
    ]
}

const OPENPGP: &str = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n=aaaa\n-----END PGP SIGNATURE-----\n";
const SSH: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n";
