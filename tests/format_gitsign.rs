//! The bytes of a signature, field by field, as gitsign has written them since 0.8: what our codecs make, walked with
//! nothing but DER elements, so that no reader of ours can hide what a writer of ours does.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber};
use git_keyless::format::armor;
use git_keyless::format::cert::Certificate;
use git_keyless::format::cms;
use git_keyless::format::time::Time;
use git_keyless::key::{EphemeralKey, sha256};

/// A certificate by a real Fulcio, over loopback; its key is long gone.
const LEAF: &str = include_str!("data/leaf.pem");
const CONTEXT_0: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
const CONTEXT_1: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(1) };

/// The elements inside a constructed one, which must be of `tag`.
fn inside(element: AnyRef<'_>, tag: Tag) -> Vec<AnyRef<'_>> {
    assert_eq!(element.header().tag(), tag);
    let mut reader = SliceReader::new(element.value()).unwrap();
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader).unwrap());
    }
    found
}

fn oid(text: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(text).to_der().unwrap()
}

/// An AlgorithmIdentifier of an object identifier alone: parameters absent, not NULL.
fn bare_algorithm(element: AnyRef<'_>, id: &str) {
    let fields = inside(element, Tag::Sequence);
    assert_eq!(fields.len(), 1, "parameters are absent");
    assert_eq!(fields[0].to_der().unwrap(), oid(id));
}

fn attribute<'a>(element: AnyRef<'a>, id: &str) -> AnyRef<'a> {
    let fields = inside(element, Tag::Sequence);
    assert_eq!(fields[0].to_der().unwrap(), oid(id));
    let values = inside(fields[1], Tag::Set);
    assert_eq!((fields.len(), values.len()), (2, 1));
    values[0]
}

#[test]
fn every_field_is_as_gitsign_writes_it() {
    let (key, leaf) = (EphemeralKey::generate().unwrap(), Certificate::parse_pem(LEAF).unwrap());
    let payload = b"tree 0\n\nmessage\n";
    let signed = cms::signed_attributes(&sha256(payload), Time::parse("2026-11-21T11:40:23.987Z").unwrap()).unwrap();
    let signature = key.sign(&signed).unwrap();
    let token = [0x30, 0x03, 0x02, 0x01, 0x07];
    // The longer attribute is given first: the set is sorted when it is written.
    let unsigned = vec![cms::entry_attribute(&[9; 300]).unwrap(), cms::token_attribute(&token).unwrap()];
    let der = cms::assemble(&leaf, &signed, &signature, unsigned).unwrap();

    let info = inside(AnyRef::from_der(&der).unwrap(), Tag::Sequence);
    assert_eq!(info[0].to_der().unwrap(), oid("1.2.840.113549.1.7.2"));
    let explicit = inside(info[1], CONTEXT_0);
    let fields = inside(explicit[0], Tag::Sequence);
    assert_eq!((info.len(), explicit.len(), fields.len()), (2, 1, 5), "no revocation lists");
    assert_eq!(fields[0].to_der().unwrap(), [2, 1, 1], "version 1");

    let digests = inside(fields[1], Tag::Set);
    assert_eq!(digests.len(), 1);
    bare_algorithm(digests[0], "2.16.840.1.101.3.4.2.1");

    let content = inside(fields[2], Tag::Sequence);
    assert_eq!(content.len(), 1, "detached: no eContent");
    assert_eq!(content[0].to_der().unwrap(), oid("1.2.840.113549.1.7.1"));

    let certificates = inside(fields[3], CONTEXT_0);
    assert_eq!(certificates.len(), 1, "the leaf alone");
    assert_eq!(certificates[0].to_der().unwrap(), leaf.der());

    let signers = inside(fields[4], Tag::Set);
    assert_eq!(signers.len(), 1);
    let signer = inside(signers[0], Tag::Sequence);
    assert_eq!(signer.len(), 7);
    assert_eq!(signer[0].to_der().unwrap(), [2, 1, 1], "version 1");
    let id = inside(signer[1], Tag::Sequence);
    assert_eq!(id.len(), 2);
    assert_eq!(id[0].to_der().unwrap(), leaf.issuer_name().to_der().unwrap());
    assert_eq!((id[1].header().tag(), id[1].value()), (Tag::Integer, leaf.serial()));
    bare_algorithm(signer[2], "2.16.840.1.101.3.4.2.1");

    let attributes = inside(signer[3], CONTEXT_0);
    assert_eq!(attributes.len(), 3);
    let content_type = attribute(attributes[0], "1.2.840.113549.1.9.3");
    assert_eq!(content_type.to_der().unwrap(), oid("1.2.840.113549.1.7.1"));
    let time = attribute(attributes[1], "1.2.840.113549.1.9.5");
    assert_eq!((time.header().tag(), time.value()), (Tag::UtcTime, &b"261121114023Z"[..]));
    let digest = attribute(attributes[2], "1.2.840.113549.1.9.4");
    assert_eq!((digest.header().tag(), digest.value()), (Tag::OctetString, &sha256(payload)[..]));
    assert_eq!(signed[0], 0x31, "what was signed is the SET OF");
    assert_eq!(AnyRef::from_der(&signed).unwrap().value(), signer[3].value());

    bare_algorithm(signer[4], "1.2.840.10045.4.3.2");
    assert_eq!((signer[5].header().tag(), signer[5].value()), (Tag::OctetString, signature.as_slice()));
    assert_eq!(inside(AnyRef::from_der(&signature).unwrap(), Tag::Sequence).len(), 2, "r and s");

    let unsigned = inside(signer[6], CONTEXT_1);
    assert_eq!(unsigned.len(), 2);
    assert_eq!(attribute(unsigned[0], "1.2.840.113549.1.9.16.2.14").to_der().unwrap(), token);
    let entry = attribute(unsigned[1], "1.3.6.1.4.1.57264.3.1");
    assert_eq!((entry.header().tag(), entry.value()), (Tag::OctetString, &[9; 300][..]));
}

#[test]
fn the_armor_is_64_columns_and_ends_with_a_line_feed() {
    for length in [1, 47, 48, 49, 96, 1000] {
        let armor = armor::armor(&vec![7; length]).unwrap();
        assert!(!armor.contains('\r') && armor.ends_with("-----END SIGNED MESSAGE-----\n"));
        let lines: Vec<_> = armor.lines().collect();
        let [begin, body @ .., last, end] = lines.as_slice() else { panic!("no lines") };
        assert_eq!((*begin, *end), ("-----BEGIN SIGNED MESSAGE-----", "-----END SIGNED MESSAGE-----"));
        assert!(body.iter().all(|line| line.len() == 64) && (1..=64).contains(&last.len()));
    }
}
