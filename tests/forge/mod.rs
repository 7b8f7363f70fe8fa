//! A forge of signed objects: a small Sigstore whose every field, key and window can be set, to make what no honest
//! server makes. It writes the vectors that are not there yet:
//!
//! ```text
//! cargo test --test main -- --ignored write_vectors
//! ```

mod cases;
mod cms;
mod der;
mod log;
mod splices;
mod x509;

use std::path::{Path, PathBuf};

use git_keyless::format::armor::armor;
use git_keyless::format::base64;
use git_keyless::format::entry::Entry;
use git_keyless::format::time::Time;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _};
use serde_json::{Value, json};

use cms::{Cms, LOG_ENTRY, TOKEN, attribute, commit_of, stamp_of};
use log::Log;
use x509::{
    Authority, AuthorityPlan, CODE_SIGNING, Certificate, LONG, MAY_CERTIFY, MAY_SIGN, Sct, TIME_STAMPING,
    authority_key_id, constraints, email, fresh_key, fulcio, fulcio_raw, key_id, key_usage, name, named_key, names,
    sct_list, subject_key_id, usages,
};

pub(crate) const SUBJECT: &str = "alice@example.com";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

/// When everything is signed, and when it is judged, if nothing else is said.
const SIGNED_AT: &str = "2026-11-10T12:00:00Z";
const JUDGED_AT: &str = "2026-11-20T00:00:00Z";

/// `tests/vectors`.
fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn seconds(text: &str) -> i64 {
    Time::parse(text).unwrap().seconds()
}

/// The instance.
pub(crate) struct Forge {
    ca: Authority,
    ct: KeyPair,
    v1: Log,
    v2: Log,
    tsa: TimestampAuthority,
    at: i64,
}

/// A timestamp authority: key, certificate, and what is above it.
struct TimestampAuthority {
    key: KeyPair,
    chain: Vec<Vec<u8>>,
}

impl TimestampAuthority {
    /// Its certificates are made once: tokens are bound to them.
    fn kept(name: &'static str, edit: impl FnOnce(&mut Certificate)) -> Self {
        let key = named_key(&format!("{name} signer"), &PKCS_ECDSA_P256_SHA256);
        let place = vectors().join("trust").join(format!("{name}.der"));
        if let Ok(kept) = std::fs::read(&place) {
            return Self { key, chain: der::inside(&der::sequence(&[&kept])) };
        }
        let root_key = named_key(&format!("{name} root"), &PKCS_ECDSA_P384_SHA384);
        let root_name = self::name(&format!("{name} root"));
        let mut root = Certificate::new(root_name.clone(), root_name.clone(), root_key.subject_public_key_info(), LONG);
        root.extensions = vec![key_usage(MAY_CERTIFY), constraints(true, Some(0)), subject_key_id(&key_id(&root_key))];
        let mut signer = Certificate::new(root_name, self::name(name), key.subject_public_key_info(), LONG);
        signer.extensions = vec![
            key_usage(MAY_SIGN),
            usages(true, &[TIME_STAMPING]),
            subject_key_id(&key_id(&key)),
            authority_key_id(&key_id(&root_key)),
        ];
        edit(&mut signer);
        let chain = vec![signer.signed(&root_key), root.signed(&root_key)];
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, chain.concat()).unwrap();
        Self { key, chain }
    }

    /// A token over `info`.
    fn token(&self, info: &[u8]) -> Cms {
        let mut token = Cms::token(info, &self.chain[0]);
        token.signer().sign(&self.key);
        token
    }
}

impl Forge {
    fn new() -> Self {
        Self {
            ca: AuthorityPlan::new("ca").made(),
            ct: named_key("ct", &PKCS_ECDSA_P256_SHA256),
            v1: Log { key: named_key("v1", &PKCS_ECDSA_P256_SHA256), host: "rekor.example.com", tiled: false },
            v2: Log { key: named_key("v2", &PKCS_ED25519), host: "log2026.rekor.example.com", tiled: true },
            tsa: TimestampAuthority::kept("tsa", |_| ()),
            at: seconds(SIGNED_AT),
        }
    }

    /// Its trust root.
    fn root(&self) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log_json(&self.v1), log_json(&self.v2)],
            "certificateAuthorities": [authority_json("https://fulcio.example.com", &self.ca.chain)],
            "ctlogs": [key_json("https://ctfe.example.com", &self.ct, None)],
            "timestampAuthorities": [authority_json("https://tsa.example.com", &self.tsa.chain)],
        })
    }

    /// Fulcio's certificate for Alice and `key`, without SCT.
    fn certificate(&self, ca: &Authority, key: &KeyPair) -> Certificate {
        let spki = key.subject_public_key_info();
        let mut leaf = Certificate::new(ca.name.clone(), name(""), spki, [self.at, self.at + 600]);
        leaf.extensions = vec![
            key_usage(MAY_SIGN),
            usages(false, &[CODE_SIGNING]),
            subject_key_id(&key_id(key)),
            authority_key_id(&key_id(&ca.key)),
            names(&[email(SUBJECT)]),
            fulcio_raw(1, ISSUER.as_bytes()),
            fulcio(8, ISSUER),
        ];
        leaf
    }

    /// An SCT of this instance's log.
    fn sct(&self, leaf: &Certificate, ca: &Authority) -> Sct {
        let millis = u64::try_from(self.at).unwrap() * 1000 + 123;
        Sct::over(&leaf.tbs(&ca.key), &ca.key.subject_public_key_info(), &self.ct, millis, &[])
    }

    /// The certificate with the SCT it should have, signed.
    fn issued(&self, leaf: &Certificate, ca: &Authority) -> Vec<u8> {
        let mut leaf = leaf.clone();
        leaf.extensions.push(sct_list(&[self.sct(&leaf, ca)]));
        leaf.signed(&ca.key)
    }

    /// A commit under a certificate as it should be.
    fn draft(&self) -> Draft<'_> {
        self.draft_with(|_| ())
    }

    /// A commit under a certificate that `edit` has changed before it was logged and signed.
    fn draft_with(&self, edit: impl FnOnce(&mut Certificate)) -> Draft<'_> {
        let key = fresh_key(&PKCS_ECDSA_P256_SHA256);
        let mut leaf = self.certificate(&self.ca, &key);
        edit(&mut leaf);
        self.draft_of(self.issued(&leaf, &self.ca), key)
    }

    /// A commit under `leaf`, signed.
    fn draft_of(&self, leaf: Vec<u8>, key: KeyPair) -> Draft<'_> {
        let payload = payload("A commit\n\nWith a body.\n");
        let mut cms = Cms::over(&payload, &leaf, self.at);
        cms.signer().sign(&key);
        Draft { forge: self, payload, leaf, key, cms }
    }

    /// A complete v1 commit.
    fn good_v1(&self) -> Draft<'_> {
        self.draft().v1()
    }

    /// A complete v2 commit.
    fn good_v2(&self) -> Draft<'_> {
        self.draft().v2()
    }
}

/// A commit's bytes without signature.
fn payload(message: &str) -> Vec<u8> {
    let who = "Alice <alice@example.com> 1794312000 +0000";
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}").into_bytes()
}

/// A signature in the making.
struct Draft<'f> {
    forge: &'f Forge,
    payload: Vec<u8>,
    leaf: Vec<u8>,
    key: KeyPair,
    cms: Cms,
}

impl Draft<'_> {
    /// Signs anew, after something that is signed has changed.
    fn signed(mut self) -> Self {
        self.cms.signer().sign(&self.key);
        self
    }

    fn signature(&self) -> &[u8] {
        &self.cms.signers[0].signature
    }

    /// The body that a log has of this.
    fn body(&self, tiled: bool) -> Vec<u8> {
        log::body(tiled, &self.cms.signers[0].attributes(), self.signature(), &self.leaf, log::P256_DETAILS)
    }

    /// Logged in Rekor v1 with proof and promise.
    fn v1(self) -> Self {
        let at = self.forge.at + 1;
        self.v1_at(at)
    }

    fn v1_at(self, at: i64) -> Self {
        let entry = self.forge.v1.entry(&self.body(false), at);
        self.with_entry(&entry)
    }

    /// Logged in Rekor v1, the entry changed.
    fn v1_with(self, edit: impl FnOnce(&mut Entry)) -> Self {
        let mut entry = self.forge.v1.entry(&self.body(false), self.forge.at + 1);
        edit(&mut entry);
        self.with_entry(&entry)
    }

    /// Logged in Rekor v2 with proof and token.
    fn v2(self) -> Self {
        self.v2_with(|_| ()).stamped()
    }

    /// Logged in Rekor v2 without token, the entry changed.
    fn v2_with(self, edit: impl FnOnce(&mut Entry)) -> Self {
        let mut entry = self.forge.v2.entry(&self.body(true), self.forge.at);
        edit(&mut entry);
        self.with_entry(&entry)
    }

    fn with_entry(self, entry: &Entry) -> Self {
        let bytes = entry.to_bytes();
        self.with(attribute(LOG_ENTRY, &[der::octets(&bytes)]))
    }

    /// With a token of this instance's authority.
    fn stamped(self) -> Self {
        let at = der::generalized(self.forge.at + 1);
        self.stamped_at(&at)
    }

    /// The same at a GeneralizedTime.
    fn stamped_at(self, at: &str) -> Self {
        let token = self.token_at(at).der();
        self.with_tokens(&[token])
    }

    fn token_at(&self, at: &str) -> Cms {
        self.forge.tsa.token(&stamp_of(self.signature(), at))
    }

    fn with_tokens(self, tokens: &[Vec<u8>]) -> Self {
        self.with(attribute(TOKEN, tokens))
    }

    /// One more unsigned attribute.
    fn with(mut self, attribute: Vec<u8>) -> Self {
        self.cms.signer().unsigned.push(attribute);
        self
    }

    /// Something in the CMS changed, nothing signed anew.
    fn edited(mut self, edit: impl FnOnce(&mut Cms)) -> Self {
        edit(&mut self.cms);
        self
    }

    fn armor(&self) -> String {
        armor(&self.cms.der()).unwrap()
    }

    fn object(&self) -> Vec<u8> {
        commit_of(&self.payload, &self.cms.der())
    }
}

fn window(start: &str, end: Option<&str>) -> Value {
    match end {
        Some(end) => json!({ "start": start, "end": end }),
        None => json!({ "start": start }),
    }
}

fn key_json(url: &str, key: &KeyPair, id: Option<&[u8]>) -> Value {
    let details = if key.algorithm() == &PKCS_ED25519 { "PKIX_ED25519" } else { log::P256_DETAILS };
    let spki = key.subject_public_key_info();
    let mut json = json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": base64(&spki),
            "keyDetails": details,
            "validFor": window("2020-01-01T00:00:00Z", None),
        },
    });
    let id = id.map_or_else(|| git_keyless::key::sha256(&spki).to_vec(), <[u8]>::to_vec);
    json["logId"] = json!({ "keyId": base64(&id) });
    json
}

fn log_json(log: &Log) -> Value {
    key_json(&log.url(), &log.key, Some(&log.id()))
}

fn authority_json(uri: &str, chain: &[Vec<u8>]) -> Value {
    let certificates: Vec<_> = chain.iter().map(|der| json!({ "rawBytes": base64(der) })).collect();
    json!({
        "subject": { "organization": "example.com", "commonName": "made for tests" },
        "uri": uri,
        "certChain": { "certificates": certificates },
        "validFor": window("2020-01-01T00:00:00Z", None),
    })
}

/// A vector to be.
#[derive(Clone)]
struct Case {
    folder: &'static str,
    name: String,
    lines: Vec<(&'static str, String)>,
    /// The object; the signature, where the payload is apart.
    object: Vec<u8>,
    payload: Option<Vec<u8>>,
}

impl Case {
    /// What every vector says, as it is if nothing else is said: bad for the reason of its folder.
    fn new(folder: &'static str, name: impl Into<String>, step: u8, object: Vec<u8>) -> Self {
        let lines = vec![
            ("expect", format!("bad {folder}")),
            ("step", step.to_string()),
            ("type", "commit".to_owned()),
            ("at", JUDGED_AT.to_owned()),
            ("trust", "trust/forge.json".to_owned()),
            ("accepted", format!("{SUBJECT} {ISSUER}")),
        ];
        Self { folder, name: name.into(), lines, object, payload: None }
    }

    /// No object: this payload, and the armor beside it.
    fn payload(self, payload: Vec<u8>) -> Self {
        Self { payload: Some(payload), ..self }
    }

    /// Something is missing or not known.
    fn unknown(self) -> Self {
        let reason = format!("unknown {}", self.folder);
        self.line("expect", reason)
    }

    /// Another value for a line, or one more line.
    fn line(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.lines.retain(|(known, _)| *known != key);
        self.lines.push((key, value.into()));
        self
    }

    /// Which classes of attack it stands for.
    fn class(self, ids: &str) -> Self {
        self.line("class", ids)
    }

    /// Nothing but its own step refuses it.
    fn sole(self) -> Self {
        let step = self.lines.iter().find(|(key, _)| *key == "step").unwrap().1.clone();
        self.line("sole", step)
    }

    fn comment(self, comment: &str) -> Self {
        self.line("comment", comment)
    }

    /// Judged under a trust root that `edit` has changed.
    fn under(self, name: &str, root: &Value) -> Self {
        let place = vectors().join("trust").join(format!("{name}.json"));
        write_missing(&place, format!("{root:#}\n").as_bytes());
        self.line("trust", format!("trust/{name}.json"))
    }

    fn write(&self) -> bool {
        let place = vectors().join(self.folder).join(&self.name);
        let known = self.lines.iter().any(|(key, _)| *key == "source");
        let source = (!known).then_some(("source", "tests/forge".to_owned()));
        let order = [
            "expect",
            "step",
            "sole",
            "type",
            "object",
            "tag",
            "at",
            "trust",
            "accepted",
            "denied",
            "required",
            "subject",
            "subject-type",
            "issuer",
            "time",
            "entry",
            "parts",
            "git",
            "class",
            "source",
            "comment",
        ];
        let mut lines: Vec<_> = self.lines.iter().chain(&source).collect();
        lines.sort_by_key(|(key, _)| order.iter().position(|known| known == key).unwrap());
        let text: String = lines.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        // What is said of a vector may be said anew; its bytes are random and stay.
        let written = match &self.payload {
            None => write_missing(&place.with_extension("object"), &self.object),
            Some(payload) => {
                write_missing(&place.with_extension("payload"), payload)
                    | write_missing(&place.with_extension("signature"), &self.object)
            }
        };
        std::fs::write(place.with_extension("txt"), text).unwrap();
        written
    }
}

fn write_missing(place: &Path, bytes: &[u8]) -> bool {
    if place.exists() {
        return false;
    }
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, bytes).unwrap();
    true
}

/// `FORGE_AGAIN=FOLDER/NAME` takes that vector away first; `FORGE_AGAIN=all` all that the forge makes.
#[test]
#[ignore = "writes the vectors of tests/vectors that are missing"]
fn write_vectors() {
    let again = std::env::var("FORGE_AGAIN").unwrap_or_default();
    let forge = Forge::new();
    write_missing(&vectors().join("trust/forge.json"), format!("{:#}\n", forge.root()).as_bytes());
    let cases = [cases::all(&forge), splices::all()].concat();
    for case in &cases {
        let place = vectors().join(case.folder).join(&case.name);
        if again == "all" || again == format!("{}/{}", case.folder, case.name) {
            for ending in ["object", "payload", "signature"] {
                let _ = std::fs::remove_file(place.with_extension(ending));
            }
        }
        if case.write() {
            println!("written: {}/{}", case.folder, case.name);
        }
    }
    println!("{} vectors are the forge's", cases.len());
}
