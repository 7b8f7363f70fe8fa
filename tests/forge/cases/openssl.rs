//! Tokens of a timestamp authority that others wrote: OpenSSL's, by `openssl.sh`. They are made once, since their keys are
//! gone: what is there is not made again.

use std::process::Command;

use serde_json::json;

use super::super::{Case, Forge, ISSUER, SUBJECT, authority_json, vectors};

/// How a token is made.
struct Kind {
    name: &'static str,
    key: &'static [&'static str],
    digest: &'static str,
    /// The hash by which it names its signer's certificate.
    bound: &'static str,
    imprint: &'static str,
    /// Whether its signer's certificate is inside.
    inside: bool,
    /// Whether the trust root lists that certificate, or only the one above it.
    listed: bool,
}

const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"];

const fn kind(name: &'static str, key: &'static [&'static str], digest: &'static str, bound: &'static str) -> Kind {
    Kind { name, key, digest, bound, imprint: "sha256", inside: true, listed: true }
}

const KINDS: [Kind; 7] = [
    kind("rsa-sha256", RSA, "sha256", "sha1"),
    kind("rsa-sha384", RSA, "sha384", "sha256"),
    Kind { imprint: "sha512", ..kind("rsa-sha512", RSA, "sha512", "sha512") },
    Kind { imprint: "sha384", ..kind("p384-sha384", P384, "sha384", "sha384") },
    kind("p521-sha512", P521, "sha512", "sha256"),
    Kind { inside: false, ..kind("without-certificate", P256, "sha256", "sha256") },
    Kind { listed: false, ..kind("certificate-inside-alone", P256, "sha256", "sha256") },
];

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    KINDS.iter().filter_map(|kind| kind.case(forge)).collect()
}

impl Kind {
    /// None when it is there.
    fn case(&self, forge: &Forge) -> Option<Case> {
        let name = format!("made-openssl-{}", self.name);
        if vectors().join("good").join(&name).with_extension("object").exists() {
            return None;
        }
        let room = tempfile::tempdir().unwrap();
        let draft = forge.draft().v2_with(|_| ());
        std::fs::write(room.path().join("signature"), draft.signature()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/forge/openssl.sh");
        let query = if self.inside { "-cert" } else { "-no_nonce" };
        let output = Command::new(script)
            .arg(room.path())
            .args([self.digest, self.bound, self.imprint, query])
            .args(self.key)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let made = |name: &str| std::fs::read(room.path().join(name)).unwrap();
        let chain = if self.listed { vec![made("tsa.der"), made("root.der")] } else { vec![made("root.der")] };
        let mut root = forge.root();
        root["timestampAuthorities"] = json!([authority_json("https://tsa.example.com", &chain)]);
        let case = Case::new("good", name.clone(), 7, draft.with_tokens(&[made("token")]).object());
        let mut case = case
            .under(&name, &root)
            .line("expect", "good")
            .line("subject", SUBJECT)
            .line("subject-type", "email")
            .line("issuer", ISSUER)
            .line("entry", "hashedrekord/0.0.2 4 https://log2026.rekor.example.com")
            .line("time", "timestamp 2026-11-10T12:00:01Z")
            .class("G5")
            .line("source", "tests/forge, openssl ts");
        case.lines.retain(|(key, _)| !matches!(*key, "step" | "accepted"));
        Some(case)
    }
}
