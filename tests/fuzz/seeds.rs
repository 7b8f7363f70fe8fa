//! What the fuzzers begin with: the good vectors and some of the corpus, taken apart.

use std::path::{Path, PathBuf};

use git_keyless::format::armor;
use git_keyless::format::cms::{self, SignedData};
use git_keyless::format::entry::Entry;
use git_keyless::format::object::Object;
use git_keyless::format::timestamp::{TstInfo, reply_around};
use git_keyless::key::sha256;

use crate::corpus::rows;

/// Objects of the corpus that are taken: every thirtieth.
const STRIDE: usize = 30;

/// Of a real Rekor.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaChzY6SBykENWFeVkYZev5sFlf73\n\
                   9fuEZFUV+a0zner/qws2k/aqxkmTeNPnfkBG99myyhorFXdgAS+83P5llw==\n-----END PUBLIC KEY-----\n";

/// A folder for each target, a file for each seed; named by its hash, so that nothing is there twice.
struct Seeds(PathBuf);

impl Seeds {
    fn put(&self, target: &str, bytes: &[u8]) {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        let name = git_keyless::format::hex(&sha256(bytes)[..8]);
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    fn take_apart(&self, object: &Object) {
        self.put("object", &object.stored().unwrap().raw);
        self.put("armor", object.signature());
        let Some(der) = armor::dearmor_leniently(object.signature()) else { return };
        self.put("cms", &der);
        let Ok(cms) = SignedData::parse_unsorted(&der) else { return };
        for certificate in cms.certificates() {
            self.put("cert", certificate.der());
            certificate.sct_list().iter().for_each(|list| self.put("sct", list));
            let signature = cms.signer().map(|signer| signer.signature()).unwrap_or_default();
            // The fuzzer reads several byte strings from the end: lengths in four bytes, the last one takes the rest.
            certificate.spki().iter().for_each(|spki| self.put("key", &[spki, &b"message"[..], signature].concat()));
        }
        for attribute in cms.signer().map(|signer| signer.unsigned()).unwrap_or_default() {
            let values = attribute.values.iter();
            match attribute.oid {
                cms::LOG_ENTRY => {
                    values.filter_map(|value| cms::octets(value).ok()).for_each(|entry| self.entry(entry))
                }
                cms::TIMESTAMP_TOKEN => values.for_each(|token| self.token(&der::Encode::to_der(token).unwrap())),
                _ => {}
            }
        }
    }

    fn entry(&self, bytes: &[u8]) {
        self.put("entry", bytes);
        let checkpoint = Entry::parse(bytes).ok().and_then(|entry| entry.proof?.checkpoint);
        checkpoint.iter().for_each(|note| self.put("checkpoint", note.as_bytes()));
    }

    fn token(&self, der: &[u8]) {
        self.put("timestamp", der);
        self.put("timestamp", &reply_around(der).unwrap());
        let token = SignedData::parse_unsorted(der).unwrap();
        // What a stranger calls a token may be none.
        if TstInfo::of(&token).is_ok() {
            self.put("timestamp", cms::octets(token.content().unwrap()).unwrap());
        }
    }
}

/// `GIT_KEYLESS_SEEDS=DIR cargo test --test main -- --ignored write_fuzz_seeds`
#[test]
#[ignore = "writes files; tests/fuzz/run calls it"]
fn write_fuzz_seeds() {
    let seeds = Seeds(std::env::var_os("GIT_KEYLESS_SEEDS").expect("GIT_KEYLESS_SEEDS names the folder").into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    names.retain(|name| name.extension().is_some_and(|ending| ending == "object"));
    for (at, name) in names.iter().enumerate() {
        let raw = std::fs::read(name).unwrap();
        let kind = git_keyless::format::object::Kind::guess(&raw);
        let format = git_keyless::format::object::ObjectFormat::guess(&raw);
        let object = Object::split(raw, kind, format, None);
        seeds.take_apart(&object);
        let at = u8::try_from(at).unwrap();
        (0..5).for_each(|how| seeds.put("verifier", &[at, how, 0, 200, 0, 1]));
        let der = armor::dearmor(object.signature()).unwrap();
        seeds.put("verifier", &[&[at, 5], der.as_slice()].concat());
    }
    rows().unwrap_or_default().iter().step_by(STRIDE).for_each(|row| seeds.take_apart(&row.object));
    for name in ["trusted_root.json", "trusted_root_no_ct.json"] {
        seeds.put("trust_root", &std::fs::read(folder.join(name)).unwrap());
    }
    seeds.put("trust_root", git_keyless::trust::PUBLIC_GOOD);
    seeds.put("signing_config", include_bytes!("signing_config.json"));
    seeds.put("id_token", b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.AA");
    for text in ["alice@example.com https://issuer.test/a%20b", "alice%40example.com x\ny", "\u{202e}"] {
        seeds.put("identity", text.as_bytes());
    }
    let good =
        format!("GOODSIG {0} /CN=Carol\n[GNUPG:] VALIDSIG {0} 2026-11-21 1795262400 0 0 0 1 8 00", "AB".repeat(20));
    for said in
        [good.as_str(), "BADSIG 00 x", "REVKEYSIG 00 x", "ERRSIG 00 0 0 00 0 9", "GOODSIG 00 x\n[GNUPG:] BADSIG 00 x"]
    {
        for trust in ["UNDEFINED", "FULLY 0 shell", "NEVER"] {
            seeds.put("status", format!("[GNUPG:] NEWSIG\n[GNUPG:] {said}\n[GNUPG:] TRUST_{trust}\n").as_bytes());
        }
    }
    let pem = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
    };
    seeds.put(
        "parts",
        [pem("leaf.pem"), KEY.into(), KEY.into(), pem("leaf.pem"), "https://x.test".into()].join("\0").as_bytes(),
    );
    for text in ["2026-11-21T11:59:59.5+01:00", "20261121115959.25Z"] {
        seeds.put("time", &[&1_700_000_000_i64.to_le_bytes(), &9_u64.to_le_bytes(), text.as_bytes()].concat());
    }
}
