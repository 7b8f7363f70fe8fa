//! Certificates by themselves, and whose a signature is.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{CertificateSet, SignedData as Rfc5652, SignerInfos};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode as _, Encode as _};
use git_keyless::format::armor;
use git_keyless::format::cert::{Certificate, certification_request};
use git_keyless::format::cms::{self as format, SignedData, signing_time};
use git_keyless::format::time::Time;
use git_keyless::key::{EphemeralKey, Hash, Memo, PublicKey, sha256};
use git_keyless::report::Reason;
use git_keyless::trust::TrustRoot;
use git_keyless::verify::verify_issued;
use x509_cert::request::CertReq;

use crate::vectors::Vector;

type Change<'a> = &'a dyn Fn(&mut Rfc5652);

fn vector(name: &str) -> Vector {
    let folder = name.split('/').next().unwrap();
    Vector::of(folder).into_iter().find(|vector| vector.name == name).unwrap()
}

fn der_of(vector: &Vector) -> Vec<u8> {
    armor::dearmor(vector.parts().signature()).unwrap()
}

fn leaf_of(vector: &Vector) -> Certificate {
    let cms = SignedData::parse(&der_of(vector)).unwrap();
    let signer = cms.signer().unwrap();
    cms.certificates().iter().find(|certificate| signer.is(certificate)).unwrap().clone()
}

/// The authorities of the public instance, and a certificate of one that real servers issued.
#[test]
fn an_authority_is_one_and_a_leaf_is_none() {
    for authority in TrustRoot::public_good().unwrap().authorities {
        assert!(authority.chain.unwrap().iter().all(|certificate| certificate.is_ca() == Ok(true)));
    }
    assert_eq!(leaf_of(&vector("good/identity-github")).is_ca(), Ok(false));
}

#[test]
fn what_fulcio_wrote_down_about_a_run() {
    let found = leaf_of(&vector("good/identity-github")).fulcio_extensions();
    let value =
        |name: &str| found.iter().find(|(found, _)| found.split(' ').next() == Some(name)).map(|(_, v)| v.as_str());
    // Both forms of the same thing: bare text, and a DER UTF8String.
    let vector = vector("good/identity-github");
    for name in [".1.1", ".1.8"] {
        assert_eq!(value(name), Some(vector.value("issuer")), "{found:?}");
    }
    assert_eq!(value(".1.9"), Some(vector.value("subject")), "{found:?}");
    assert_eq!(value(".1.5"), Some("example/project"), "{found:?}");
    assert!(
        found.iter().all(|(name, _)| name.split_once(' ').is_some_and(|(_, words)| words != "unknown")),
        "{found:?}"
    );
}

/// As an authority answers with it, before anything is signed.
#[test]
fn a_certificate_alone() {
    let judged = |name: &str| {
        let vector = vector(name);
        verify_issued(&leaf_of(&vector), &vector.root, &Memo::new())
    };
    for name in ["good/identity-github", "good/no-ct-v2"] {
        let identity = judged(name).unwrap();
        let vector = vector(name);
        assert_eq!(
            (identity.subject.name(), identity.issuer.as_str()),
            (vector.value("subject"), vector.value("issuer"))
        );
    }
    assert_eq!(judged("sct-missing/none"), Err(Reason::SctMissing));
    for name in ["issuer-unknown", "subject-invalid", "sct-invalid"] {
        let vector = Vector::of(name).into_iter().next().unwrap();
        let why = verify_issued(&leaf_of(&vector), &vector.root, &Memo::new()).unwrap_err();
        assert_eq!(why.code(), name, "{}", vector.name);
    }
}

/// RFC 2986: the key, and a signature by it over everything before.
#[test]
fn a_certification_request() {
    let key = EphemeralKey::generate().unwrap();
    let public = key.public().unwrap();
    let pem = certification_request(public.spki(), |message| key.sign(message)).unwrap().unwrap();
    let (label, der_of_request) = der::pem::decode_vec(pem.as_bytes()).unwrap();
    assert_eq!(label, "CERTIFICATE REQUEST");
    let request = CertReq::from_der(&der_of_request).unwrap();
    let spki = request.info.public_key.to_der().unwrap();
    assert_eq!(PublicKey::from_spki(&spki).unwrap(), public);
    let (info, signature) = (request.info.to_der().unwrap(), request.signature.as_bytes().unwrap());
    assert_eq!(Memo::new().check_signature(&public, Hash::Sha256, &info, signature), Ok(()));
    assert_eq!(request.algorithm.oid, ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"));
    assert!(request.algorithm.parameters.is_none());
    assert_eq!(certification_request(public.spki(), |_| Err("no")).unwrap(), Err("no"));
    assert!(certification_request(b"no key", |_| Ok::<_, ()>(Vec::new())).is_err());
}

#[test]
fn when_somebody_claims_to_have_signed() {
    let time = Time::parse("2026-11-21T11:40:23.987Z").unwrap();
    let attributes = format::signed_attributes(&sha256(b"x"), time).unwrap();
    let attributes = SetOfVec::<x509_cert::attr::Attribute>::from_der(&attributes).unwrap();
    assert_eq!(signing_time(attributes.as_slice()), Some(time.whole()));
    assert_eq!(signing_time(&[]), None);
}

/// Another program is asked about one detached signature whose signer's certificate is inside and not Fulcio's.
#[test]
fn whose_a_signature_is() {
    let mail = der_of(&vector("not-keyless/mail"));
    let keyless = der_of(&vector("good/identity-github"));
    assert!(format::is_foreign(&mail) && !format::is_foreign(&keyless) && !format::is_foreign(b"no CMS"));
    assert!(!format::is_foreign(&der_of(&vector("not-keyless/no-certificate"))));
    let changed = |change: Change<'_>| {
        let info = ContentInfo::from_der(&mail).unwrap();
        let mut cms: Rfc5652 = info.content.decode_as().unwrap();
        change(&mut cms);
        ContentInfo { content_type: info.content_type, content: Any::encode_from(&cms).unwrap() }.to_der().unwrap()
    };
    assert_eq!(changed(&|_| ()), mail);
    let fulcio = |cms: &mut Rfc5652| {
        let mut all = cms.certificates.clone().unwrap().0.into_vec();
        let leaf = x509_cert::Certificate::from_der(leaf_of(&vector("good/identity-github")).der()).unwrap();
        all.push(CertificateChoices::Certificate(leaf));
        cms.certificates = Some(CertificateSet(SetOfVec::try_from(all).unwrap()));
    };
    let two_signers = |cms: &mut Rfc5652| {
        let mut second = cms.signer_infos.0.as_slice()[0].clone();
        second.signature = OctetString::new(vec![1]).unwrap();
        let both = vec![cms.signer_infos.0.as_slice()[0].clone(), second];
        cms.signer_infos = SignerInfos(SetOfVec::try_from(both).unwrap());
    };
    let content = |cms: &mut Rfc5652| {
        cms.encap_content_info.econtent = Some(Any::encode_from(&OctetString::new(vec![1]).unwrap()).unwrap());
    };
    let nobodys = |cms: &mut Rfc5652| cms.certificates = None;
    let changes: [(&str, Change<'_>); 4] =
        [("Fulcio's too", &fulcio), ("two signers", &two_signers), ("content", &content), ("nobody's", &nobodys)];
    for (name, change) in changes {
        assert!(!format::is_foreign(&changed(change)), "{name}");
    }
}
