//! What holds for every vector: writing gives back what was read, taking evidence away makes nothing good, and the answer
//! does not depend on who was asked before or beside.

use std::collections::BTreeSet;

use git_keyless::format::armor;
use git_keyless::format::checkpoint::Checkpoint;
use git_keyless::format::cms::{self, LOG_ENTRY, TIMESTAMP_TOKEN};
use git_keyless::format::entry::Entry;
use git_keyless::format::object::{Kind, Object};
use git_keyless::format::status::{escape, unescape};
use git_keyless::key::Memo;
use git_keyless::report::{Report, Verdict};

use crate::cores::on_all_cores;
use crate::vectors::{Bytes, Vector};

use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};

/// The DER of a vector's signature, where there is any.
fn der(vector: &Vector) -> Option<Vec<u8>> {
    armor::dearmor(vector.parts().signature()).ok()
}

/// A CMS taken apart by the crate that reads it.
struct Opened {
    info: ::cms::content_info::ContentInfo,
    signed: ::cms::signed_data::SignedData,
}

impl Opened {
    fn of(der: &[u8]) -> Option<Self> {
        let info = ::cms::content_info::ContentInfo::from_der(der).ok()?;
        let signed = info.content.decode_as().ok()?;
        Some(Self { info, signed })
    }

    fn to_der(&self) -> Vec<u8> {
        let content = Any::encode_from(&self.signed).unwrap();
        ::cms::content_info::ContentInfo { content_type: self.info.content_type, content }.to_der().unwrap()
    }

    /// With the unsigned attributes of its first signer changed.
    fn with_unsigned(&self, edit: impl FnOnce(&mut Vec<x509_cert::attr::Attribute>)) -> Option<Vec<u8>> {
        let mut signers = self.signed.signer_infos.0.clone().into_vec();
        let signer = signers.first_mut()?;
        let mut attributes = signer.unsigned_attrs.clone().map(SetOfVec::into_vec).unwrap_or_default();
        edit(&mut attributes);
        signer.unsigned_attrs = (!attributes.is_empty()).then(|| attributes.try_into().ok()).flatten();
        let mut signed = self.signed.clone();
        signed.signer_infos.0 = signers.try_into().ok()?;
        Some(Self { info: self.info.clone(), signed }.to_der())
    }

    fn unsigned(&self) -> Vec<x509_cert::attr::Attribute> {
        let first = self.signed.signer_infos.0.iter().next();
        first.and_then(|signer| signer.unsigned_attrs.clone()).map(SetOfVec::into_vec).unwrap_or_default()
    }
}

/// Every signature that lacks one thing of `der`'s: an attribute, a value of one, a certificate, a field of an entry.
fn poorer(der: &[u8]) -> Vec<Vec<u8>> {
    let Some(opened) = Opened::of(der) else { return Vec::new() };
    let attributes = opened.unsigned();
    let mut all = Vec::new();
    for (at, attribute) in attributes.iter().enumerate() {
        all.extend(opened.with_unsigned(|attributes| drop(attributes.remove(at))));
        for value in 0..attribute.values.len() {
            all.extend(opened.with_unsigned(|attributes| {
                let mut values = attributes[at].values.clone().into_vec();
                values.remove(value);
                attributes[at].values = values.try_into().unwrap();
            }));
        }
        if attribute.oid == LOG_ENTRY {
            for entry in attribute.values.iter().filter_map(entry_of).flat_map(|entry| poorer_entries(&entry)) {
                let value = Any::encode_from(&OctetString::new(entry.to_bytes()).unwrap()).unwrap();
                all.extend(opened.with_unsigned(|attributes| attributes[at].values = vec![value].try_into().unwrap()));
            }
        }
        if attribute.oid == TIMESTAMP_TOKEN {
            for token in attribute.values.iter().filter_map(|token| Opened::of(&token.to_der().ok()?)) {
                let value = without_certificates(&token);
                all.extend(opened.with_unsigned(|attributes| attributes[at].values = vec![value].try_into().unwrap()));
            }
        }
    }
    let certificates = opened.signed.certificates.as_ref().map_or(0, |set| set.0.len());
    for at in 0..certificates {
        let mut signed = opened.signed.clone();
        let mut kept = signed.certificates.take().unwrap().0.into_vec();
        kept.remove(at);
        signed.certificates = kept.try_into().ok();
        all.push(Opened { info: opened.info.clone(), signed }.to_der());
    }
    all
}

fn without_certificates(token: &Opened) -> Any {
    let mut signed = token.signed.clone();
    signed.certificates = None;
    Any::from_der(&Opened { info: token.info.clone(), signed }.to_der()).unwrap()
}

fn entry_of(value: &Any) -> Option<Entry> {
    Entry::parse(cms::octets(value).ok()?).ok()
}

fn poorer_entries(entry: &Entry) -> Vec<Entry> {
    let without = |edit: &dyn Fn(&mut Entry)| {
        let mut entry = entry.clone();
        edit(&mut entry);
        entry
    };
    let mut all = vec![
        without(&|entry| entry.promise = None),
        without(&|entry| entry.promise = Some(Vec::new())),
        without(&|entry| entry.proof = None),
        without(&|entry| entry.integrated_time = 0),
        without(&|entry| entry.log_index = 0),
        without(&|entry| entry.log_id.clear()),
        without(&|entry| entry.version.clear()),
        without(&|entry| entry.kind.clear()),
        without(&|entry| entry.body.clear()),
    ];
    if entry.proof.is_some() {
        let proof = |edit: &dyn Fn(&mut git_keyless::format::entry::InclusionProof)| {
            without(&|entry| edit(entry.proof.as_mut().unwrap()))
        };
        all.extend([
            proof(&|proof| proof.checkpoint = None),
            proof(&|proof| proof.hashes.clear()),
            proof(&|proof| drop(proof.hashes.pop())),
            proof(&|proof| proof.root.clear()),
            proof(&|proof| proof.size = 0),
            proof(&|proof| proof.index = 0),
        ]);
    }
    all
}

/// Vectors that one thing too much is refused for, beside all that a good one needs: without it they are good again.
const TOO_MUCH: [&str; 20] = [
    "certificate-not-valid/one-of-two-tokens",
    "certificate-not-valid/promise-good-token-late",
    "certificate-not-valid/the-other-of-two-tokens",
    "cms-malformed/seventeen-certificates",
    "entry-body-mismatch/blank",
    "entry-body-mismatch/duplicate-key",
    "entry-body-mismatch/malformed-v2-body",
    "entry-body-mismatch/of-another-signature",
    "entry-body-mismatch/order",
    "entry-missing/prototype-beside-an-entry",
    "entry-repeated/two-attributes",
    "entry-repeated/two-values",
    "limit-exceeded/nine-tokens",
    "promise-invalid/in-v2",
    "promise-invalid/in-v2-by-its-own-log",
    "proof-invalid/one-hash-more",
    "time-in-future/one-of-two",
    "timestamp-invalid/certificate-of-another-inside",
    "timestamp-invalid/wrong-beside-a-right-one",
    "timestamp-malformed/two-attributes",
];

#[test]
fn taking_evidence_away_makes_nothing_good() {
    let vectors = Vector::all();
    let tried = std::sync::atomic::AtomicUsize::new(0);
    let wrong = on_all_cores(&vectors, |vector| {
        let (memo, parts) = (Memo::new(), vector.parts());
        let report = vector.judge(&parts, &memo);
        let mut better = BTreeSet::new();
        for der in poorer(&der(vector)?) {
            tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let object = Object::of(parts.payload().to_vec(), armor::armor(&der).unwrap().into_bytes());
            let poorer = vector.judge(&object, &memo);
            if report.verdict() != Verdict::Good && poorer.verdict() == Verdict::Good {
                better.insert(poorer.message());
            }
            // What is still good says no more than it did.
            if poorer.verdict() == Verdict::Good && report.verdict() == Verdict::Good && !says_no_more(&poorer, &report)
            {
                better.insert(format!("says more: {}", poorer.message()));
            }
        }
        (!better.is_empty()).then(|| (vector.name.clone(), better))
    });
    let tried = tried.into_inner();
    println!("{tried} signatures with something less");
    assert!(tried > 2000, "{tried}");
    let names: BTreeSet<_> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(TOO_MUCH), "{wrong:?}");
}

fn says_no_more(poorer: &Report, report: &Report) -> bool {
    let (poorer, facts) = (poorer.facts(), report.facts());
    poorer.times.iter().all(|time| facts.times.contains(time)) && poorer.identity == facts.identity
}

/// A fact that was not verified is in no report.
#[test]
fn facts_are_of_what_was_verified() {
    let wrong = on_all_cores(&Vector::all(), |vector| {
        let report = vector.judge(&vector.object(), &Memo::new());
        let (facts, held) = (report.facts(), |steps: &[usize]| steps.iter().all(|at| report.checks()[at - 1].holds()));
        let right = [
            facts.identity.is_some() == held(&[1, 2, 3, 4, 5]),
            facts.certificate.is_some() == held(&[1, 2, 3]),
            facts.tag.is_none() || held(&[1, 2, 3, 4, 5]),
            facts.entries.is_empty() || held(&[2, 6]),
            facts.times.is_empty() || held(&[7]),
        ];
        right.contains(&false).then(|| format!("{}: {right:?} {:?}", vector.name, report.checks()))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_by_one_and_together_are_the_same() {
    let vectors = Vector::all();
    let alone: Vec<_> = vectors.iter().map(Vector::report).collect();
    let shared = Memo::new();
    let numbers: Vec<_> = (0..vectors.len()).chain((0..vectors.len()).rev()).collect();
    let differ = on_all_cores(&numbers, |&at| {
        let together = vectors[at].judge(&vectors[at].object(), &shared);
        (together != alone[at]).then(|| vectors[at].name.clone())
    });
    assert!(differ.is_empty(), "{differ:?}");
}

#[test]
fn what_is_read_is_written_the_same() {
    let (mut entries, mut notes, mut objects) = (0, 0, 0);
    for vector in Vector::all() {
        if let Bytes::Object(raw) = &vector.bytes {
            let object = vector.object();
            if object.fault().is_none() && joined(&object).as_deref() == Some(raw) {
                objects += 1;
            } else {
                let reason = vector.report().reason().map_or("good", |reason| reason.code());
                assert!(is_not_joined(reason), "{}", vector.name);
            }
        }
        let Some(opened) = der(&vector).and_then(|der| Opened::of(&der)) else { continue };
        for attribute in opened.unsigned().iter().filter(|attribute| attribute.oid == LOG_ENTRY) {
            for value in attribute.values.iter() {
                let Some(entry) = entry_of(value) else { continue };
                // Only what is written in the order of its fields is the same to the byte; all of it is the same to us.
                assert_eq!(Entry::parse(&entry.to_bytes()).unwrap(), entry, "{}", vector.name);
                entries += usize::from(cms::octets(value).unwrap() == entry.to_bytes());
                let note = entry.proof.and_then(|proof| proof.checkpoint).unwrap_or_default();
                let Ok(checkpoint) = Checkpoint::parse(&note) else { continue };
                assert!(note.starts_with(&format!("{}\n\u{2014} ", checkpoint.text)), "{}", vector.name);
                let lines = note.strip_prefix(&format!("{}\n", checkpoint.text)).unwrap();
                let again: String = checkpoint.signatures.iter().map(line).collect();
                assert_eq!(again, lines, "{}", vector.name);
                notes += 1;
            }
        }
    }
    println!("{objects} objects, {entries} entries, {notes} checkpoints");
    assert!(objects > 300 && entries > 250 && notes > 250, "{objects} {entries} {notes}");
}

fn line(line: &git_keyless::format::checkpoint::NoteSignature) -> String {
    let blob = [&line.hint[..], &line.signature].concat();
    format!("\u{2014} {} {}\n", line.name, git_keyless::format::base64(&blob))
}

/// Payload and signature put together again, in the lines that git writes.
fn joined(object: &Object) -> Option<Vec<u8>> {
    let (payload, signature) = (object.payload(), object.signature());
    if object.kind() != Kind::Commit || signature.is_empty() {
        return Some([payload, signature].concat());
    }
    let name = match object.stored()?.format {
        git_keyless::format::object::ObjectFormat::Sha1 => "gpgsig",
        git_keyless::format::object::ObjectFormat::Sha256 => "gpgsig-sha256",
    };
    let end = payload.windows(2).position(|pair| pair == b"\n\n")? + 1;
    let (head, message) = payload.split_at(end);
    let armor = String::from_utf8(signature.to_vec()).ok()?;
    let folded = armor.strip_suffix('\n')?.replace('\n', "\n ");
    // git puts the signature behind the other headers of its own, and encoding and mergetag too.
    Some([head, format!("{name} {folded}\n").as_bytes(), message].concat())
}

/// Refused by step 1, or not in the form that git writes.
fn is_not_joined(reason: &str) -> bool {
    [
        "signature-header-unknown",
        "signatures-several",
        "signature-missing",
        "armor-malformed",
        "armor-surrounded",
        "not-cms",
    ]
    .contains(&reason)
}

#[test]
fn every_word_of_a_status_line_comes_back() {
    let odd: String = (0..0x250).chain([0x202e, 0xfffd, 0x1f600]).filter_map(char::from_u32).collect();
    for text in ["", "alice@example.com", "a b", "%", "%0a", "\n[GNUPG:] GOODSIG", odd.as_str()] {
        let word = escape(text);
        assert!(!word.contains([' ', '\n', '\r', '\0', '\u{1b}']) && word.is_ascii(), "{word:?}");
        assert_eq!(unescape(&word).as_deref(), Some(text));
    }
}
