//! The whole verifier: a good object in which something was changed is good for what it was good for, or not at all.
//!
//! The first byte chooses the object, the second what of it is changed; then come edits of four bytes each: where (two
//! bytes), how, with what. An entry or a token is changed inside, and the CMS put around it again, so that changes reach
//! the steps behind the parser.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use git_keyless::format::armor;
use git_keyless::format::cms::{self, SignedData};
use git_keyless::format::object::{Kind, Object, ObjectFormat};
use git_keyless::format::time::Time;
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::{Facts, TimeSource, Verdict};
use git_keyless::trust::TrustRoot;
use git_keyless::verify::{Verifier, bundle};
use libfuzzer_sys::fuzz_target;

struct Good {
    raw: Vec<u8>,
    kind: Kind,
    root: TrustRoot,
    object: Object,
    der: Vec<u8>,
    facts: Facts,
}

static GOOD: LazyLock<Vec<Good>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/good");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|ending| ending == "object"));
    names.sort();
    names.iter().map(|name| Good::read(&folder, name)).collect()
});
static MEMO: LazyLock<Memo> = LazyLock::new(Memo::new);

impl Good {
    fn read(folder: &Path, name: &Path) -> Self {
        let text = std::fs::read_to_string(name.with_extension("txt")).unwrap();
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
        let kind = match value("type: ").as_str() {
            "commit" => Kind::Commit,
            "tag" => Kind::Tag,
            _ => Kind::PushCertificate,
        };
        let raw = std::fs::read(name).unwrap();
        let root =
            TrustRoot::parse(&std::fs::read(folder.join("..").join(value("trust: "))).unwrap(), "custom").unwrap();
        let object = Object::split(raw.clone(), kind, ObjectFormat::guess(&raw), None);
        let der = armor::dearmor(object.signature()).unwrap();
        let facts = facts_if_good(&root, &object).unwrap();
        Self { raw, kind, root, object, der, facts }
    }

    fn with_signature(&self, der: &[u8]) -> Option<Object> {
        Some(Object::of(self.object.payload().to_vec(), armor::armor(der).ok()?.into_bytes()))
    }

    /// The CMS anew, with one unsigned attribute's value changed.
    fn with_unsigned(&self, change: impl Fn(usize, Vec<u8>) -> Vec<u8>) -> Option<Object> {
        let cms = SignedData::parse(&self.der).unwrap();
        let signer = cms.signer().unwrap();
        let unsigned = signer.unsigned().iter().enumerate().map(|(at, attribute)| {
            let [value] = attribute.values.as_slice() else { return None };
            match attribute.oid {
                cms::LOG_ENTRY => cms::entry_attribute(&change(at, cms::octets(value).unwrap().to_vec())).ok(),
                _ => cms::token_attribute(&change(at, der::Encode::to_der(value).unwrap())).ok(),
            }
        });
        let unsigned = unsigned.collect::<Option<Vec<_>>>()?;
        let leaf = cms.certificates().iter().find(|certificate| signer.is(certificate)).unwrap();
        let der = cms::assemble(leaf, signer.signed_attributes().unwrap(), signer.signature(), unsigned).ok()?;
        self.with_signature(&der)
    }
}

fn facts_if_good(root: &TrustRoot, object: &Object) -> Option<Facts> {
    let now = Time::from_seconds(1_800_000_000).unwrap();
    let verified = Verifier::new(root, &MEMO).verify(object, now);
    let report = verified.report(&Policy::default(), &Circumstance::default());
    let _ =
        (report.message(), report.to_json("fuzz"), report.reason().map(|reason| (reason.to_string(), reason.advice())));
    assert_eq!(report.verdict() == Verdict::Good, report.reason().is_none());
    (report.verdict() == Verdict::Good).then(|| report.facts().clone())
}

/// Whether what is said is no more than what was good before.
fn is_vouched(before: &Facts, now: &Facts) -> bool {
    let place =
        |facts: &Facts| facts.entries.iter().map(|entry| (entry.log.clone(), entry.kind.clone())).collect::<Vec<_>>();
    // The index over all shards is under the promise.
    let is_promised = now.times.iter().any(|(source, _)| *source == TimeSource::Promise);
    (&before.identity, &before.certificate, place(before)) == (&now.identity, &now.certificate, place(now))
        && now.times.iter().all(|time| before.times.contains(time))
        && (!is_promised || before.entries == now.entries)
}

fn edited(mut bytes: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for edit in edits.chunks_exact(4).take(64) {
        let [high, low, how, with] = edit else { continue };
        let at = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
        let end = bytes.len().min(at + usize::from(*with));
        match (how % 7, at < bytes.len()) {
            (0, true) => bytes[at] ^= with,
            (1, true) => bytes[at] = *with,
            (2, true) => drop(bytes.remove(at)),
            (3, _) => bytes.insert(at, *with),
            (4, _) => drop(bytes.drain(at..end)),
            (5, _) => bytes.extend_from_within(at..end),
            (6, _) => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let [which, how, edits @ ..] = input else { return };
    let good = &GOOD[usize::from(*which) % GOOD.len()];
    let object = match how % 6 {
        0 => good.with_signature(&edited(good.der.clone(), edits)),
        1 => good.with_unsigned(|at, value| if at == 0 { edited(value, edits) } else { value }),
        2 => good.with_unsigned(|at, value| if at > 0 { edited(value, edits) } else { value }),
        3 => Some(Object::of(edited(good.object.payload().to_vec(), edits), good.object.signature().to_vec())),
        4 => {
            let raw = edited(good.raw.clone(), edits);
            Some(Object::split(raw.clone(), good.kind, ObjectFormat::guess(&raw), None))
        }
        // Bytes of the fuzzer's own, so that it can bring what it has learnt from other signatures.
        _ => good.with_signature(edits),
    };
    let Some(object) = object else { return };
    let _ = bundle(&object);
    let Some(facts) = facts_if_good(&good.root, &object) else { return };
    assert_eq!(object.payload(), good.object.payload(), "good for another payload");
    // Bytes of the fuzzer's own may be another object's whole signature over the same payload.
    let others = if how % 6 == 5 { GOOD.as_slice() } else { &[] };
    let others = others.iter().filter(|other| other.object.payload() == object.payload());
    assert!(
        is_vouched(&good.facts, &facts)
            || others
                .filter_map(|other| facts_if_good(&good.root, &other.object))
                .any(|before| is_vouched(&before, &facts)),
        "nobody vouched for {facts:?}, but for {:?}",
        good.facts
    );
});
