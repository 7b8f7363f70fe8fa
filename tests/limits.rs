//! Every limit at its edge and one beyond, and what somebody could pile up or nest to tie the program down.
//!
//! Nothing here measures time: what would hang hangs the tests.

use std::path::PathBuf;

use cms::cert::{CertificateChoices, OtherCertificateFormat};
use cms::content_info::ContentInfo;
use cms::signed_data::{CertificateSet, SignedData as Rfc5652, SignerInfos};
use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};
use git_keyless::format::armor::{self, ArmorFault, MAX_ARMOR_BYTES};
use git_keyless::format::cert::Certificate;
use git_keyless::format::checkpoint::{self, Checkpoint, MAX_CHECKPOINT_BYTES};
use git_keyless::format::cms::{self as format, Family, MAX_ATTRIBUTES, MAX_CERTIFICATES, SignedData};
use git_keyless::format::entry::{Entry, MAX_ENTRY_BYTES, MAX_PROOF_HASHES};
use git_keyless::format::id_token::{IdToken, MAX_TOKEN_BYTES};
use git_keyless::format::object::{Fault, Kind, MAX_OBJECT_BYTES, MAX_QUOTED_NAME_BYTES, Object, ObjectFormat};
use git_keyless::format::sct::{self, MAX_SCTS};
use git_keyless::format::time::Time;
use git_keyless::format::timestamp::{MAX_TOKENS, TstInfo, token_of_reply};
use git_keyless::key::Memo;
use git_keyless::policy::{Circumstance, Policy};
use git_keyless::report::Report;
use git_keyless::trust::{MAX_TRUST_BYTES, SigningConfig, TrustRoot};
use git_keyless::verify::Verifier;
use x509_cert::attr::Attribute;

const MANY: usize = 100_000;

fn vector(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/good").join(name)
}

/// A good commit with promise and token.
pub(crate) fn good() -> Object {
    Object::split(std::fs::read(vector("v1-token.object")).unwrap(), Kind::Commit, ObjectFormat::Sha1, None)
}

fn judge(payload: &[u8], armor: Vec<u8>) -> Report {
    let root = TrustRoot::parse(&std::fs::read(vector("trusted_root.json")).unwrap(), "custom").unwrap();
    let now = Time::parse("2026-12-01T00:00:00Z").unwrap();
    let verified = Verifier::new(&root, &Memo::new()).verify(&Object::of(payload.to_vec(), armor), now);
    verified.report(&Policy::default(), &Circumstance::default())
}

/// What is said of the good commit when its CMS is changed.
#[track_caller]
fn changed(change: impl FnOnce(&mut Rfc5652)) -> (&'static str, Option<&'static str>, String) {
    let report = judge(good().payload(), armor::armor(&der_of(change)).unwrap().into_bytes());
    (report.verdict().name(), report.reason().map(|reason| reason.code()), report.message())
}

/// The good commit's CMS, changed.
fn der_of(change: impl FnOnce(&mut Rfc5652)) -> Vec<u8> {
    let info = ContentInfo::from_der(&armor::dearmor(good().signature()).unwrap()).unwrap();
    let mut cms: Rfc5652 = info.content.decode_as().unwrap();
    change(&mut cms);
    let info = ContentInfo { content_type: info.content_type, content: Any::encode_from(&cms).unwrap() };
    info.to_der().unwrap()
}

fn with_certificates(count: usize) -> (&'static str, Option<&'static str>, String) {
    changed(|cms| {
        let leaf: CertificateChoices = cms.certificates.as_ref().unwrap().0.as_slice()[0].clone();
        cms.certificates = Some(CertificateSet(SetOfVec::try_from(vec![leaf; count]).unwrap()));
    })
}

/// `change` gets the unsigned attributes of the only signer.
fn with_unsigned(change: impl FnOnce(&mut Vec<Attribute>)) -> (&'static str, Option<&'static str>, String) {
    changed(|cms| change_unsigned(cms, change))
}

fn change_unsigned(cms: &mut Rfc5652, change: impl FnOnce(&mut Vec<Attribute>)) {
    let mut signer = cms.signer_infos.0.as_slice()[0].clone();
    let mut unsigned = signer.unsigned_attrs.unwrap().into_vec();
    change(&mut unsigned);
    signer.unsigned_attrs = Some(SetOfVec::try_from(unsigned).unwrap());
    cms.signer_infos = SignerInfos(SetOfVec::try_from(vec![signer]).unwrap());
}

/// An attribute that nobody knows.
fn unknown(at: usize) -> Attribute {
    let oid = der::asn1::ObjectIdentifier::new(&format!("1.3.6.1.4.1.99999.{at}")).unwrap();
    Attribute { oid, values: SetOfVec::try_from(vec![Any::null()]).unwrap() }
}

fn null_values(count: usize) -> SetOfVec<Any> {
    SetOfVec::try_from(vec![Any::null(); count]).unwrap()
}

#[test]
fn certificates_and_attributes() {
    assert_eq!(with_certificates(1).0, "good");
    assert_eq!(with_certificates(MAX_CERTIFICATES).0, "good");
    let (verdict, reason, message) = with_certificates(MAX_CERTIFICATES + 1);
    assert_eq!((verdict, reason), ("bad", Some("cms-malformed")), "{message}");
    assert!(message.contains("17 certificates"), "{message}");
    // As many as an armor holds, and far more.
    assert_eq!(with_certificates(200).1, Some("cms-malformed"));
    assert_eq!(with_certificates(MANY / 100).1, Some("limit-exceeded"));

    let attributes = |count: usize| with_unsigned(|unsigned| unsigned.extend((2..count).map(unknown)));
    assert_eq!(attributes(MAX_ATTRIBUTES).0, "good");
    assert_eq!(attributes(MAX_ATTRIBUTES + 1).1, Some("limit-exceeded"));
    assert_eq!(attributes(8_000).1, Some("limit-exceeded"));
}

#[test]
fn tokens_and_entries() {
    let tokens = |count: usize| {
        with_unsigned(|unsigned| {
            let tokens = unsigned.iter_mut().find(|attribute| attribute.oid == format::TIMESTAMP_TOKEN).unwrap();
            let token = tokens.values.as_slice()[0].clone();
            tokens.values = SetOfVec::try_from(vec![token; count]).unwrap();
        })
    };
    assert_eq!(tokens(MAX_TOKENS).0, "good");
    assert_eq!(tokens(MAX_TOKENS + 1).1, Some("limit-exceeded"));
    let values = |id, count: usize| {
        with_unsigned(|unsigned| {
            unsigned.iter_mut().find(|attribute| attribute.oid == id).unwrap().values = null_values(count);
        })
    };
    // Two bytes each: as many as an armor holds.
    assert_eq!(values(format::TIMESTAMP_TOKEN, 90_000).1, Some("limit-exceeded"));
    assert_eq!(values(format::LOG_ENTRY, 90_000).1, Some("entry-repeated"));
    assert_eq!(values(format::TIMESTAMP_TOKEN, 2 * MANY).1, Some("limit-exceeded"));
    let entry = |bytes: usize| {
        with_unsigned(|unsigned| {
            let entry = unsigned.iter_mut().find(|attribute| attribute.oid == format::LOG_ENTRY).unwrap();
            let octets = Any::encode_from(&OctetString::new(vec![0x22; bytes]).unwrap()).unwrap();
            entry.values = SetOfVec::try_from(vec![octets]).unwrap();
        })
    };
    assert_eq!(entry(MAX_ENTRY_BYTES).1, Some("entry-malformed"));
    let (_, reason, message) = entry(MAX_ENTRY_BYTES + 1);
    assert!(reason == Some("entry-malformed") && message.contains("131073 bytes, more than"), "{message}");
}

/// Without the armor, which cannot hold so many.
#[test]
fn a_hundred_thousand_of_each() {
    let refused = |choice: CertificateChoices, count: usize| {
        let set = SetOfVec::try_from(vec![choice; count]).unwrap();
        let why =
            SignedData::parse(&der_of(|cms| cms.certificates = Some(CertificateSet(set)))).unwrap_err().to_string();
        assert!(why.contains(&format!("{count} certificates, more than {MAX_CERTIFICATES}")), "{why}");
    };
    let leaf = Certificate::parse_pem(include_str!("data/leaf.pem")).unwrap();
    // These are read before they are counted; fewer of them take long enough.
    refused(CertificateChoices::from_der(leaf.der()).unwrap(), MANY / 10);
    // RFC 5652 section 10.2.2: a certificate of another kind, of a few bytes.
    let other = OtherCertificateFormat { other_cert_format: format::ID_DATA, other_cert: Any::null() };
    refused(CertificateChoices::Other(other), MANY);
    let entries = |change: &dyn Fn(&mut Vec<Attribute>)| {
        let read = SignedData::parse(&der_of(|cms| change_unsigned(cms, change))).unwrap();
        let unsigned = read.signer().unwrap().unsigned().to_vec();
        format::sole_value(&unsigned, format::LOG_ENTRY, "entry").unwrap_err().to_string()
    };
    let is_entry = |attribute: &&mut Attribute| attribute.oid == format::LOG_ENTRY;
    let why = entries(&|unsigned| unsigned.iter_mut().find(is_entry).unwrap().values = null_values(MANY));
    assert!(why.contains(&format!("has {MANY} values, not one")), "{why}");
    let why = entries(&|unsigned| {
        let entry = Attribute { oid: format::LOG_ENTRY, values: null_values(1) };
        *unsigned = vec![entry; MANY];
    });
    assert!(why.contains(&format!("stands {MANY} times, not once")), "{why}");
}

#[test]
fn proofs_and_checkpoints() {
    let good = good();
    let cms = format::SignedData::parse(&armor::dearmor(good.signature()).unwrap()).unwrap();
    let value = format::sole_value(cms.signer().unwrap().unsigned(), format::LOG_ENTRY, "entry").unwrap();
    let entry = Entry::parse(format::octets(value).unwrap()).unwrap();
    let hashes = |count: usize, bytes: usize| {
        let mut entry = entry.clone();
        entry.proof.as_mut().unwrap().hashes = vec![vec![0; bytes]; count];
        Entry::parse(&entry.to_bytes()).map_err(|error| error.to_string())
    };
    assert!(hashes(MAX_PROOF_HASHES, 32).is_ok());
    assert!(hashes(MAX_PROOF_HASHES + 1, 32).unwrap_err().contains("more than 64 hashes"));
    assert!(hashes(50_000, 0).unwrap_err().contains("more than 64 hashes"));
    assert!(hashes(MANY, 0).unwrap_err().contains("bytes, more than"));

    let note = |signatures: usize, text: usize| {
        let root = git_keyless::format::base64(&[7; 32]);
        let blob = git_keyless::format::base64(&[1, 2, 3, 4, 5]);
        let lines = format!("\u{2014} name {blob}\n").repeat(signatures);
        format!("origin\n9\n{root}\n{}\n\n{lines}", "x".repeat(text))
    };
    assert!(Checkpoint::parse(&note(checkpoint::MAX_SIGNATURES, 1)).is_ok());
    assert!(Checkpoint::parse(&note(checkpoint::MAX_SIGNATURES + 1, 1)).is_err());
    assert!(Checkpoint::parse(&note(MANY, 1)).is_err());
    let rest = note(1, 0).len();
    assert!(Checkpoint::parse(&note(1, MAX_CHECKPOINT_BYTES - rest)).is_ok());
    assert!(Checkpoint::parse(&note(1, MAX_CHECKPOINT_BYTES - rest + 1)).is_err());
}

#[test]
fn promises_of_certificate_logs() {
    let good = good();
    let cms = format::SignedData::parse(&armor::dearmor(good.signature()).unwrap()).unwrap();
    let list = cms.certificates()[0].sct_list().unwrap();
    let list = <&der::asn1::OctetStringRef>::from_der(list).unwrap().as_bytes();
    // A TLS vector of vectors (RFC 6962 section 3.3), each with two bytes of length.
    let one = &list[2..];
    let of = |count: usize, one: &[u8]| {
        let length = u16::try_from(one.len() * count).unwrap().to_be_bytes();
        let bytes = [length.to_vec(), one.repeat(count)].concat();
        sct::parse_list(&OctetString::new(bytes).unwrap().to_der().unwrap()).map(|list| list.len())
    };
    assert_eq!(of(1, one), Ok(1));
    assert_eq!(of(MAX_SCTS, one), Ok(MAX_SCTS));
    assert!(of(MAX_SCTS + 1, one).is_err());
    assert!(of(0, one).is_err());
    // As many as the length field can say.
    assert!(of(usize::from(u16::MAX) / 3, &[0, 1, 0]).is_err());
}

/// The same entry, as long as an entry may be and one byte longer.
#[test]
fn the_longest_entry() {
    let cms = SignedData::parse(&armor::dearmor(good().signature()).unwrap()).unwrap();
    let (_, values) = format::values(cms.signer().unwrap().unsigned(), format::LOG_ENTRY);
    let mut entry = Entry::parse(format::octets(values[0]).unwrap()).unwrap();
    entry.body = vec![b'x'; MAX_ENTRY_BYTES / 2];
    entry.body = vec![b'x'; MAX_ENTRY_BYTES / 2 + MAX_ENTRY_BYTES - entry.to_bytes().len()];
    let bytes = entry.to_bytes();
    assert_eq!(bytes.len(), MAX_ENTRY_BYTES);
    assert_eq!(Entry::parse(&bytes), Ok(entry.clone()));
    entry.body.push(b'x');
    assert!(Entry::parse(&entry.to_bytes()).is_err());
}

#[test]
fn sizes() {
    let armor = |bytes: usize| judge(b"payload", vec![b'x'; bytes]);
    assert_eq!(armor(MAX_ARMOR_BYTES).reason().unwrap().code(), "armor-malformed");
    assert_eq!(armor(MAX_ARMOR_BYTES + 1).reason().unwrap().code(), "limit-exceeded");
    assert_eq!(armor::dearmor(&vec![0; MAX_ARMOR_BYTES + 1]), Err(ArmorFault::TooLarge(MAX_ARMOR_BYTES + 1)));

    assert_eq!(Object::of(vec![0; MAX_OBJECT_BYTES], Vec::new()).fault(), None);
    let beyond = vec![0; MAX_OBJECT_BYTES + 1];
    assert_eq!(Object::of(beyond.clone(), Vec::new()).fault(), Some(&Fault::TooLarge(MAX_OBJECT_BYTES + 1)));
    let split = Object::split(beyond, Kind::Commit, ObjectFormat::Sha1, None);
    assert_eq!(split.fault(), Some(&Fault::TooLarge(MAX_OBJECT_BYTES + 1)));
    assert!(split.payload().is_empty() && split.signature().is_empty());

    let token = |bytes: usize| IdToken::parse(&format!("a.{}.c", "b".repeat(bytes - 4)));
    assert!(token(MAX_TOKEN_BYTES).is_ok() && token(MAX_TOKEN_BYTES + 1).is_err());

    let root = std::fs::read_to_string(vector("trusted_root.json")).unwrap();
    let config = include_str!("fuzz/signing_config.json");
    let padded = |json: &str, bytes: usize| format!("{json}{}", " ".repeat(bytes - json.len())).into_bytes();
    assert!(TrustRoot::parse(&padded(&root, MAX_TRUST_BYTES), "custom").is_ok());
    assert!(TrustRoot::parse(&padded(&root, MAX_TRUST_BYTES + 1), "custom").is_err());
    assert!(SigningConfig::parse(&padded(config, MAX_TRUST_BYTES)).is_ok());
    assert!(SigningConfig::parse(&padded(config, MAX_TRUST_BYTES + 1)).is_err());
}

#[test]
fn headers_of_an_object() {
    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    let split = |kind, raw: String| Object::split(raw.into_bytes(), kind, ObjectFormat::Sha1, None);
    let ordinary = split(Kind::Commit, format!("{TREE}{}\n\nx\n", "parent 0\n".repeat(MANY)));
    assert_eq!((ordinary.fault(), ordinary.signature().len()), (None, 0));
    let signatures = split(Kind::Commit, format!("{TREE}{}\n\nx\n", "gpgsig x\n y\n".repeat(MANY)));
    assert_eq!(signatures.fault(), Some(&Fault::SeveralSignatures));
    let foreign = split(Kind::Commit, format!("{TREE}{}\n\nx\n", "gpgsig-sha256 x\n y\n".repeat(MANY)));
    assert_eq!(foreign.fault(), Some(&Fault::UnknownHeader("gpgsig-sha256".into())));
    let armors = split(Kind::Tag, format!("object 0\n\n{}", "-----BEGIN SIGNED MESSAGE-----\n".repeat(MANY)));
    assert_eq!((armors.fault(), armors.signature().len()), (None, 31));
    // A name is quoted as far as anybody reads it.
    for kind in [Kind::Commit, Kind::Tag] {
        for length in [MAX_QUOTED_NAME_BYTES, MAX_QUOTED_NAME_BYTES + 1, MANY] {
            let name = format!("gpgsig{}", "x".repeat(length - 6));
            let quoted = name[..MAX_QUOTED_NAME_BYTES].to_owned();
            let object = split(kind, format!("{TREE}{name} y\n\nx\n"));
            assert_eq!(object.fault(), Some(&Fault::UnknownHeader(quoted)));
        }
    }
}

/// On a thread with a stack on which recursion over all of it would end the process.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(test).unwrap().join().unwrap();
}

/// `levels` elements, each with the next as its only content.
fn nested(tag: u8, levels: usize) -> Vec<u8> {
    let mut inside_out = Vec::new();
    for _ in 0..levels {
        let length = inside_out.len();
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => inside_out.push(short),
            // Written backwards: the length's bytes, how many of them, the tag.
            _ => {
                let bytes = length.to_le_bytes();
                let count = bytes.len() - length.leading_zeros() as usize / 8;
                inside_out.extend(&bytes[..count]);
                inside_out.push(0x80 | u8::try_from(count).unwrap());
            }
        }
        inside_out.push(tag);
    }
    inside_out.reverse();
    inside_out
}

#[test]
fn depth_of_der() {
    assert_eq!(nested(0x30, 3), [0x30, 4, 0x30, 2, 0x30, 0]);
    on_a_small_stack(|| {
        let shapes = [nested(0x30, MANY), nested(0x31, MANY), nested(0xa0, MANY), nested(0x24, MANY)];
        let endless = [[0x30, 0x80], [0x31, 0x80], [0xa0, 0x80], [0x24, 0x80]].map(|level| level.repeat(MANY));
        let closed = [0x30_u8, 0xa0].map(|tag| [[tag, 0x80].repeat(MANY), [0, 0].repeat(MANY)].concat());
        for bytes in shapes.iter().chain(&endless).chain(&closed) {
            // Bare, and where a content may be anything.
            let inside = Any::new(der::Tag::Sequence, bytes.as_slice()).unwrap();
            let info = ContentInfo { content_type: format::ID_SIGNED_DATA, content: inside }.to_der().unwrap();
            for bytes in [bytes, &info] {
                assert_eq!(format::family(bytes), Family::Unreadable);
                assert!(format::SignedData::parse(bytes).is_err());
                assert!(format::SignedData::parse_unsorted(bytes).is_err());
                assert!(Certificate::parse(bytes).is_err());
                assert!(TstInfo::parse(bytes).is_err());
                assert!(token_of_reply(bytes, &[0; 16]).is_err());
                assert!(sct::parse_list(bytes).is_err());
            }
        }
        // An attribute that nobody knows may hold it: nobody looks inside.
        let deep = Any::from_der(&nested(0x30, 20_000)).unwrap();
        let values = SetOfVec::try_from(vec![deep]).unwrap();
        let oid = der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
        assert_eq!(with_unsigned(|unsigned| unsigned.push(Attribute { oid, values })).0, "good");
    });
}

#[test]
fn depth_of_protobuf_and_json() {
    on_a_small_stack(|| {
        // Groups (wire type 3), the only thing that nests where nobody knows the field; then known messages, as lengths.
        let groups = [vec![0x7b; MAX_ENTRY_BYTES / 2], vec![0x7c; MAX_ENTRY_BYTES / 2]].concat();
        assert!(Entry::parse(&groups).is_err());
        assert!(Entry::parse(&vec![0x7b; MAX_ENTRY_BYTES]).is_err());
        assert!(Entry::parse(&[0x32, 0x02].repeat(MAX_ENTRY_BYTES / 2)).is_err());

        let media = "{\"mediaType\":\"application/vnd.dev.sigstore.";
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(MANY), close.repeat(MANY));
            for json in [
                deep.clone(),
                open.repeat(MANY),
                format!("{media}trustedroot+json;version=0.1\",\"tlogs\":{deep}}}"),
                format!("{media}trustedroot+json;version=0.1\",\"x\":{deep}}}"),
                format!("{media}signingconfig.v0.2+json\",\"caUrls\":{deep}}}"),
                format!("{media}clienttrustconfig.v0.1+json\",\"trustedRoot\":{deep},\"signingConfig\":{deep}}}"),
            ] {
                assert!(TrustRoot::parse(json.as_bytes(), "custom").is_err());
                assert!(SigningConfig::parse(json.as_bytes()).is_err());
            }
        }
    });
}

/// `der` with the element at `path` (the first number counts in its content, the next one in that, and so on) written as
/// `new` says, and every length around it anew.
fn rewritten(der: &[u8], path: &[usize], new: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    use der::Reader as _;
    let Some((first, rest)) = path.split_first() else { return new(der) };
    let outer = der::asn1::AnyRef::from_der(der).unwrap();
    let mut reader = der::SliceReader::new(outer.value()).unwrap();
    let mut content = Vec::new();
    for at in 0.. {
        if reader.is_finished() {
            break;
        }
        let element = reader.tlv_bytes().unwrap();
        let chosen = at == *first;
        content.extend(if chosen { rewritten(element, rest, new) } else { element.to_vec() });
    }
    Any::new(der::Tagged::tag(&outer), content).unwrap().to_der().unwrap()
}

/// A certificate inside a token that says FALSE where DER says nothing is not the authority's, although it reads the same.
#[test]
fn bytes_of_certificates_inside_tokens_count() {
    const EXTENSIONS: usize = 7;
    // ContentInfo, [0], SignedData, certificates, the only one, its TBSCertificate, [3], the list, an extension.
    let path = [1, 0, 3, 0, 0, EXTENSIONS, 0];
    let with_false = |list: &[u8]| {
        let list = Vec::<Any>::from_der(list).unwrap();
        let fields = |any: &Any| Vec::<Any>::from_der(&any.to_der().unwrap()).unwrap();
        let changed = list.iter().map(|extension| match fields(extension).as_slice() {
            [id, value] => {
                Any::encode_from(&vec![id.clone(), Any::encode_from(&false).unwrap(), value.clone()]).unwrap()
            }
            _ => extension.clone(),
        });
        let changed: Vec<_> = changed.collect();
        assert_ne!(changed, list);
        changed.to_der().unwrap()
    };
    let with_token = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        with_unsigned(|unsigned| {
            let tokens = unsigned.iter_mut().find(|attribute| attribute.oid == format::TIMESTAMP_TOKEN).unwrap();
            let token = change(&tokens.values.as_slice()[0].to_der().unwrap());
            tokens.values = SetOfVec::try_from(vec![Any::from_der(&token).unwrap()]).unwrap();
        })
    };
    assert_eq!(with_token(&|token| rewritten(token, &path, &|list| list.to_vec())).0, "good");
    let (verdict, reason, message) = with_token(&|token| rewritten(token, &path, &with_false));
    assert_eq!((verdict, reason), ("bad", Some("timestamp-invalid")), "{message}");
}
