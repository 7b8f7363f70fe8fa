//! Another implementation judges what we judge: `sigstore-verify`, which shares no code with `verify/`.
//!
//! Every keyless object of the corpus, and some of them with one thing about them changed. Where the two answers are
//! not the same the reason stands in a table; a difference without a row fails, and so does a row without a difference.

use std::collections::{BTreeMap, BTreeSet};

use git_keyless::format::armor;
use git_keyless::format::bundle::{self, Parts};
use git_keyless::format::cert::Certificate;
use git_keyless::format::cms::{self, LOG_ENTRY, SignedData};
use git_keyless::format::entry::{Entry, hashedrekord_v001};
use git_keyless::format::object::Object;
use git_keyless::key::{Memo, sha256};
use git_keyless::policy::{Accepted, Circumstance, Policy};
use git_keyless::report::Verdict;
use git_keyless::trust::{PUBLIC_GOOD, TrustRoot};
use git_keyless::verify::{self, Verifier};
use serde_json::Value;
use sigstore_verify::crypto;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, Sha256Hash, SignatureContent};

use crate::cores::on_all_cores;
use crate::corpus::{Row, now, rows};

/// Both verifiers under the same trust root.
struct Judges {
    root: TrustRoot,
    memo: Memo,
    oracle: sigstore_verify::Verifier,
}

/// Ours as `verdict reason`, theirs as the name of the error or `good`.
type Answers = (String, String);

impl Judges {
    fn new() -> Self {
        let theirs = TrustedRoot::from_json(std::str::from_utf8(PUBLIC_GOOD).unwrap()).unwrap();
        Self {
            root: TrustRoot::public_good().unwrap(),
            memo: Memo::new(),
            oracle: sigstore_verify::Verifier::new(&theirs).unwrap(),
        }
    }

    fn ours(&self, object: &Object, who: &Accepted) -> String {
        let policy = Policy::new(vec![who.clone()], true);
        let report =
            Verifier::new(&self.root, &self.memo).verify(object, now()).report(&policy, &Circumstance::default());
        match (report.verdict(), report.reason()) {
            (Verdict::Good, _) => GOOD.to_owned(),
            (verdict, reason) => format!("{} {}", verdict.name(), reason.map_or("", |reason| reason.code())),
        }
    }

    fn theirs(&self, bundle: &Value, artifact: [u8; 32], who: &Accepted) -> String {
        let bundle = match Bundle::from_json(&bundle.to_string()) {
            Ok(bundle) => bundle,
            Err(_) => return "Unreadable".to_owned(),
        };
        let policy = sigstore_verify::VerificationPolicy::new(who.subject.as_str(), who.issuer.as_str());
        match self.oracle.verify(Sha256Hash::new(artifact), &bundle, &policy) {
            Ok(_) => GOOD.to_owned(),
            Err(error) => variant(&error),
        }
    }
}

const GOOD: &str = "good";

/// `Certificate/ChainInvalid`: the names that the error gives itself, without what it found.
fn variant(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let names = text.split('(').map(|part| part.split([' ', ')']).next().unwrap_or_default());
    let names: Vec<_> = names.take_while(|name| name.starts_with(char::is_uppercase)).take(2).collect();
    names.join("/")
}

/// Pairs of answers that stand together, and why they do.
const OBJECTS: [(&str, &str, &str); 6] = [
    (GOOD, GOOD, "agreed"),
    ("bad identity-not-accepted", "IdentityMismatch", "agreed, with another subject asked for"),
    ("bad identity-not-accepted", "IssuerMismatch", "agreed, with another issuer asked for"),
    ("unknown entry-missing", "Bundle/MissingInclusionProof", "agreed"),
    // The oracle looks at a bundle's form first and at certificates last; these have no entry either.
    ("unknown issuer-unknown", "Bundle/MissingInclusionProof", "it ends before the certificate"),
    ("unknown sct-missing", "Bundle/MissingInclusionProof", "it ends before the certificate"),
];

#[test]
fn the_oracle_agrees_on_every_real_signature() {
    let Some(rows) = rows() else { return };
    let judges = Judges::new();
    let answers = on_all_cores(&rows, |row| Some(judge(&judges, row)));
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    settle("real objects", &OBJECTS, answers);
}

/// With the identity that the index names; of good ones also with another subject, and with another issuer.
fn judge(judges: &Judges, row: &Row) -> Vec<Answers> {
    let Some(bundle) = verify::bundle(&row.object).unwrap() else { return Vec::new() };
    let artifact = artifact(&row.object);
    let both = |who: &Accepted| (judges.ours(&row.object, who), judges.theirs(&bundle, artifact, who));
    let who = named(row);
    check_parts(&bundle, artifact, &who);
    let first = both(&who);
    if first.0 != GOOD {
        return vec![first];
    }
    let other_subject = Accepted { subject: "alice@example.com".into(), ..who.clone() };
    let other_issuer = Accepted { issuer: "https://issuer.example.com".into(), ..who };
    vec![first, both(&other_subject), both(&other_issuer)]
}

/// What the oracle can say without an entry: who, and that the signature is over the attributes.
fn check_parts(bundle: &Value, artifact: [u8; 32], who: &Accepted) {
    let bundle = Bundle::from_json(&bundle.to_string()).unwrap();
    let leaf = crypto::parse_certificate_info(bundle.signing_certificate().unwrap()).unwrap();
    let identity = leaf.identity.as_ref().map(|identity| identity.as_str());
    assert_eq!((identity, leaf.issuer.as_deref()), (Some(who.subject.as_str()), Some(who.issuer.as_str())));
    let SignatureContent::MessageSignature(message) = &bundle.content else { panic!("no message signature") };
    let scheme = leaf.key_algorithm.default_signing_scheme();
    crypto::verify_signature_prehashed(&leaf.public_key, &artifact, &message.signature, scheme).unwrap();
}

fn named(row: &Row) -> Accepted {
    Accepted { subject: row.column("san").to_owned(), issuer: row.column("oidc_v1").to_owned() }
}

/// What the entry is about, read here and not taken from the bundle.
fn artifact(object: &Object) -> [u8; 32] {
    let signed = SignedData::parse(&armor::dearmor(object.signature()).unwrap()).unwrap();
    sha256(signed.signer().unwrap().signed_attributes().unwrap())
}

/// Counts, prints, and holds every pair against the table.
fn settle(what: &str, table: &[(&str, &str, &str)], answers: Vec<Answers>) {
    let mut counts = BTreeMap::<Answers, usize>::new();
    answers.into_iter().for_each(|pair| *counts.entry(pair).or_default() += 1);
    let row = |(ours, theirs): &Answers| table.iter().find(|row| (row.0, row.1) == (ours, theirs));
    println!("{what}: ours, the oracle's");
    for (pair, count) in &counts {
        println!("{count:6}  {:<34} {:<34} {}", pair.0, pair.1, row(pair).map_or("NOT IN THE TABLE", |row| row.2));
    }
    let unexplained: Vec<_> = counts.keys().filter(|pair| row(pair).is_none()).collect();
    assert!(unexplained.is_empty(), "nobody has explained {unexplained:?}");
    let seen: BTreeSet<_> = counts.keys().map(|(ours, theirs)| (ours.as_str(), theirs.as_str())).collect();
    let vanished: Vec<_> = table.iter().filter(|row| !seen.contains(&(row.0, row.1))).collect();
    assert!(vanished.is_empty(), "no longer happens, so it goes: {vanished:?}");
}

/// All that is inside a commit signature, apart.
#[derive(Clone)]
struct Evidence {
    payload: Vec<u8>,
    leaf: Vec<u8>,
    attributes: Vec<u8>,
    signature: Vec<u8>,
    entry: Entry,
    /// The body that the oracle sees; none is rebuilt from the rest, as a signature without body demands.
    body: Option<Vec<u8>>,
}

impl Evidence {
    /// None for signatures with more inside than a leaf and an entry.
    fn of(object: &Object) -> Option<Self> {
        let der = armor::dearmor(object.signature()).unwrap();
        let signed = SignedData::parse(&der).unwrap();
        let signer = signed.signer().unwrap();
        let entry = cms::sole_value(signer.unsigned(), LOG_ENTRY, "entry").unwrap();
        let evidence = Self {
            payload: object.payload().to_vec(),
            leaf: signed.certificates()[0].der().to_vec(),
            attributes: signer.signed_attributes().unwrap().to_vec(),
            signature: signer.signature().to_vec(),
            entry: Entry::parse(cms::octets(entry).unwrap()).unwrap(),
            body: None,
        };
        (evidence.cms().as_ref() == Some(&der)).then_some(evidence)
    }

    fn cms(&self) -> Option<Vec<u8>> {
        let leaf = Certificate::parse(&self.leaf).ok()?;
        let entry = cms::entry_attribute(&self.entry.to_bytes()).ok()?;
        cms::assemble(&leaf, &self.attributes, &self.signature, vec![entry]).ok()
    }

    fn object(&self) -> Option<Object> {
        Some(Object::of(self.payload.clone(), armor::armor(&self.cms()?).unwrap().into_bytes()))
    }

    fn bundle(&self) -> Value {
        let digest = sha256(&self.attributes);
        let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &self.leaf).unwrap();
        let rebuilt = || hashedrekord_v001(&digest, &self.signature, &pem).unwrap();
        let entry = Entry { body: self.body.clone().unwrap_or_else(rebuilt), ..self.entry.clone() };
        bundle::to_json(&Parts {
            digest: &digest,
            signature: &self.signature,
            leaf: &self.leaf,
            entry: Some(&entry),
            tokens: &[],
        })
        .unwrap()
    }
}

/// What the oracle does not see or does not mind. We refuse all of it.
const UNSEEN: [(&str, &str); 3] = [
    ("payload", "a bundle is about the signed attributes; the payload never gets that far"),
    ("proof: size by a bit", "in Rekor v1 it takes the tree's size from the proof and not from the checkpoint"),
    ("proof: size by one", "the same: many sizes lead to one root by the same path"),
];

#[test]
fn one_thing_changed_and_neither_says_good() {
    let Some(rows) = rows() else { return };
    let judges = Judges::new();
    let sample: Vec<_> = sample(&rows).into_iter().enumerate().collect();
    let good = |at: usize| sample.get(at % sample.len()).map(|(_, (_, evidence))| evidence.clone()).unwrap();
    let answers = on_all_cores(&sample, |(at, (who, evidence))| {
        let unchanged = answer(&judges, who, evidence).unwrap();
        assert_eq!(unchanged, (GOOD.to_owned(), GOOD.to_owned()), "taken apart and put together again");
        let changed = changes(evidence, &good(at + 1), *at);
        Some(
            changed.into_iter().filter_map(|(place, changed)| Some((place, answer(&judges, who, &changed)?))).collect(),
        )
    });
    let answers: Vec<(&str, Answers)> = answers.into_iter().flat_map(|found: Vec<_>| found).collect();
    let mut counts = BTreeMap::<_, usize>::new();
    answers.iter().for_each(|answer| *counts.entry(answer).or_default() += 1);
    println!("{} good objects, {} changes", sample.len(), answers.len());
    for ((place, (ours, theirs)), count) in counts {
        println!("{count:6}  {place:<40} {ours:<34} {theirs}");
    }
    let ours: Vec<_> = answers.iter().filter(|(_, (ours, _))| ours == GOOD).collect();
    assert!(ours.is_empty(), "we say good: {ours:?}");
    let theirs: BTreeSet<_> =
        answers.iter().filter(|(_, (_, theirs))| theirs == GOOD).map(|(place, _)| *place).collect();
    assert_eq!(theirs, UNSEEN.iter().map(|(place, _)| *place).collect(), "where the oracle says good");
    UNSEEN.iter().for_each(|(place, why)| println!("the oracle does not see {place}: {why}"));
}

/// Sixty good objects, spread over the corpus.
fn sample(rows: &[Row]) -> Vec<(Accepted, Evidence)> {
    let logged: Vec<_> = rows.iter().filter(|row| row.column("tle_set_ok") == "True").collect();
    let step = (logged.len() / 60).max(1);
    let sample: Vec<_> =
        logged.iter().step_by(step).filter_map(|row| Some((named(row), Evidence::of(&row.object)?))).collect();
    assert!(sample.len() >= 60, "{} of {} can be taken apart", sample.len(), logged.len());
    sample
}

/// None when the change left nothing that could be written down at all.
fn answer(judges: &Judges, who: &Accepted, evidence: &Evidence) -> Option<Answers> {
    let object = evidence.object()?;
    Some((judges.ours(&object, who), judges.theirs(&evidence.bundle(), sha256(&evidence.attributes), who)))
}

/// One defect each, in every place where evidence is; `n` chooses the bit. `other` is a good signature of somebody's.
fn changes(good: &Evidence, other: &Evidence, n: usize) -> Vec<(&'static str, Evidence)> {
    let mut all = Vec::new();
    let mut add = |place, change: &dyn Fn(&mut Evidence)| {
        let mut changed = good.clone();
        change(&mut changed);
        all.push((place, changed));
    };
    let leaf = Certificate::parse(&good.leaf).unwrap();
    let logged = logged_body(good);

    add("payload", &|e| flip(&mut e.payload, n));
    add("leaf: signature of the SCT", &|e| flip_inside(&mut e.leaf, &sct_signature(&leaf), n));
    add("leaf: signature of the SCT, the body as logged", &|e| {
        flip_inside(&mut e.leaf, &sct_signature(&leaf), n);
        e.body = logged.clone();
    });
    add("leaf: log of the SCT", &|e| flip_inside(&mut e.leaf, &sct(&leaf).log_id, n));
    add("leaf: subject", &|e| flip_inside(&mut e.leaf, leaf.subjects().unwrap()[0].name().as_bytes(), n));
    add("leaf: issuer's signature", &|e| flip_behind(&mut e.leaf, n));
    add("leaf: another's", &|e| e.leaf = other.leaf.clone());
    add("leaf: another's, the body as logged", &|e| (e.leaf, e.body) = (other.leaf.clone(), logged.clone()));
    add("attributes: messageDigest", &|e| flip_inside(&mut e.attributes, &sha256(&good.payload), n));
    add("attributes: messageDigest, the body as logged", &|e| {
        flip_inside(&mut e.attributes, &sha256(&good.payload), n);
        e.body = logged.clone();
    });
    add("signature", &|e| flip_behind(&mut e.signature, n));
    add("signature, the body as logged", &|e| {
        flip_behind(&mut e.signature, n);
        e.body = logged.clone();
    });
    add("signature: another's", &|e| e.signature = other.signature.clone());
    add("signature and leaf: another's", &|e| (e.signature, e.leaf) = (other.signature.clone(), other.leaf.clone()));
    add("entry: another's", &|e| e.entry = other.entry.clone());
    add("entry and body: another's", &|e| (e.entry, e.body) = (other.entry.clone(), logged_body(other)));
    add("entry: kind", &|e| e.entry.kind = "dsse".into());
    add("entry: version", &|e| e.entry.version = "0.0.2".into());
    add("entry: log", &|e| flip(&mut e.entry.log_id, n));
    add("entry: index", &|e| e.entry.log_index ^= 1 << (n % 24));
    add("entry: stored body", &|e| {
        let mut body = logged.clone().unwrap();
        flip(&mut body, n);
        (e.entry.body, e.body) = (body.clone(), Some(body));
    });
    add("promise: time", &|e| e.entry.integrated_time ^= 1 << (n % 24));
    add("promise: signature", &|e| flip_behind(e.entry.promise.as_mut().unwrap(), n));
    add("promise: another's", &|e| e.entry.promise = other.entry.promise.clone());
    add("promise: none", &|e| e.entry.promise = None);
    add("promise: empty", &|e| e.entry.promise = Some(Vec::new()));
    add("proof: none", &|e| e.entry.proof = None);
    let mut add = |place, change: &dyn Fn(&mut git_keyless::format::entry::InclusionProof)| {
        let mut changed = good.clone();
        changed.entry.proof.iter_mut().for_each(change);
        all.push((place, changed));
    };
    add("proof: index", &|p| p.index ^= 1 << (n % 24));
    add("proof: index by one", &|p| p.index += 1);
    add("proof: index below zero", &|p| p.index = -p.index - 1);
    add("proof: size by one", &|p| p.size += 1);
    add("proof: size by a bit", &|p| p.size ^= 1 << (n % 24));
    add("proof: root", &|p| flip(&mut p.root, n));
    add("proof: a hash", &|p| {
        let at = n % p.hashes.len();
        flip(&mut p.hashes[at], n);
    });
    add("proof: a hash less", &|p| drop(p.hashes.pop()));
    add("proof: a hash more", &|p| p.hashes.push(vec![7; 32]));
    add("proof: two hashes swapped", &|p| p.hashes.swap(0, 1));
    add("checkpoint: none", &|p| p.checkpoint = None);
    add("checkpoint: origin", &|p| note(p, |note| note.replacen(".sigstore.dev", ".sigstore.dew", 1)));
    add("checkpoint: size", &|p| note(p, |note| line(note, 1, |size| (size.parse::<u64>().unwrap() + 1).to_string())));
    add("checkpoint and proof: size", &|p| {
        p.size += 1;
        note(p, |note| line(note, 1, |size| (size.parse::<u64>().unwrap() + 1).to_string()));
    });
    add("checkpoint: root", &|p| note(p, |note| line(note, 2, |root| flipped(root, n))));
    add("checkpoint: signature", &|p| note(p, |note| signature_line(note, |blob| flip_behind(blob, n))));
    add("checkpoint: key hint", &|p| note(p, |note| signature_line(note, |blob| flip(blob, n % 4 * 8))));
    let theirs = other.entry.proof.clone().unwrap();
    add("checkpoint: another's", &|p| p.checkpoint = theirs.checkpoint.clone());
    add("checkpoint, root and size: another's", &|p| {
        (p.checkpoint, p.root, p.size) = (theirs.checkpoint.clone(), theirs.root.clone(), theirs.size);
    });
    all
}

/// The body that the log has.
fn logged_body(evidence: &Evidence) -> Option<Vec<u8>> {
    let bundle = evidence.bundle();
    let body = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
    git_keyless::format::unbase64(body.as_str()?).ok()
}

fn sct(leaf: &Certificate) -> git_keyless::format::sct::Sct {
    git_keyless::format::sct::parse_list(leaf.sct_list().unwrap()).unwrap().remove(0)
}

fn sct_signature(leaf: &Certificate) -> Vec<u8> {
    sct(leaf).signature
}

/// Bit `n` of the bytes, counted from their beginning and around.
fn flip(bytes: &mut [u8], n: usize) {
    let at = n / 8 % bytes.len();
    bytes[at] ^= 1 << (n % 8);
}

/// A bit of the last twenty bytes: of a DER signature, far from its lengths.
fn flip_behind(bytes: &mut [u8], n: usize) {
    let at = bytes.len() - 1 - n % 20;
    bytes[at] ^= 1 << (n % 8);
}

/// A bit of `part`, which is somewhere inside.
fn flip_inside(bytes: &mut [u8], part: &[u8], n: usize) {
    let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
    flip_behind(&mut bytes[at..at + part.len()], n % part.len());
}

fn flipped(base64: &str, n: usize) -> String {
    let mut bytes = git_keyless::format::unbase64(base64).unwrap();
    flip(&mut bytes, n);
    git_keyless::format::base64(&bytes)
}

fn note(proof: &mut git_keyless::format::entry::InclusionProof, change: impl Fn(&str) -> String) {
    proof.checkpoint = proof.checkpoint.as_deref().map(change);
}

fn line(note: &str, at: usize, change: impl Fn(&str) -> String) -> String {
    let lines = note.split('\n').enumerate();
    lines.map(|(n, line)| if n == at { change(line) } else { line.to_owned() }).collect::<Vec<_>>().join("\n")
}

fn signature_line(note: &str, change: impl Fn(&mut [u8])) -> String {
    let (text, line) = note.trim_end().rsplit_once(' ').unwrap();
    let mut blob = git_keyless::format::unbase64(line).unwrap();
    change(&mut blob);
    format!("{text} {}\n", git_keyless::format::base64(&blob))
}
