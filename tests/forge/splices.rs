//! Vectors out of real servers' objects: parts of one put into another.

use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::asn1::{Any, SetOfVec};
use der::{Decode as _, Encode as _};
use git_keyless::format::armor::dearmor;
use git_keyless::format::cms::{LOG_ENTRY, TIMESTAMP_TOKEN};
use git_keyless::format::object::{Kind, Object, ObjectFormat};
use x509_cert::attr::Attribute;

use super::cms::{commit, commit_of};
use super::{Case, vectors};

/// A real commit.
struct Real {
    raw: Vec<u8>,
    object: Object,
}

impl Real {
    fn read(case: &str) -> Self {
        let raw = std::fs::read(vectors().join("good").join(case).with_extension("object")).unwrap();
        Self { object: Object::split(raw.clone(), Kind::Commit, ObjectFormat::Sha1, None), raw }
    }

    fn signed(&self) -> SignedData {
        let info = ContentInfo::from_der(&dearmor(self.object.signature()).unwrap()).unwrap();
        info.content.decode_as().unwrap()
    }

    fn unsigned(&self) -> Vec<Attribute> {
        let signer = self.signed().signer_infos.0.into_vec().remove(0);
        signer.unsigned_attrs.unwrap().into_vec()
    }

    /// With the attribute of that kind out of `other`.
    fn with(&self, id: der::asn1::ObjectIdentifier, other: &Self) -> Vec<u8> {
        let mut attributes = self.unsigned();
        attributes.retain(|attribute| attribute.oid != id);
        attributes.extend(other.unsigned().into_iter().filter(|attribute| attribute.oid == id));
        let mut signed = self.signed();
        let mut signers = signed.signer_infos.0.into_vec();
        signers[0].unsigned_attrs = Some(SetOfVec::try_from(attributes).unwrap());
        signed.signer_infos.0 = signers.try_into().unwrap();
        let content = Any::encode_from(&signed).unwrap();
        let info = ContentInfo { content_type: git_keyless::format::cms::ID_SIGNED_DATA, content };
        commit_of(self.object.payload(), &info.to_der().unwrap())
    }
}

pub(super) fn all() -> Vec<Case> {
    let [v1, v2, v1_token, identity, bare] =
        ["v1", "v2-token", "v1-token", "identity-github", "no-ct-v1"].map(Real::read);
    let case = |folder, name: &str, step, object| {
        Case::new(folder, name, step, object)
            .line("trust", "good/trusted_root.json")
            .line("at", "2026-11-21T23:00:00Z")
            .line("accepted", "nobody")
            .line("source", "parts of tests/vectors/good, put together by tests/forge/splices.rs")
    };
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(vectors().join("good").join(name)).unwrap()).unwrap()
    };
    // The instance without certificate log, and a trust root that demands one.
    let mut logged = read("trusted_root_no_ct.json");
    logged["ctlogs"] = read("trusted_root.json")["ctlogs"].clone();
    let text = |real: &Real| String::from_utf8(real.object.signature().to_vec()).unwrap();
    vec![
        case("digest-mismatch", "real-signature-of-another", 2, commit(v1.object.payload(), &text(&identity)))
            .class("A7 I16"),
        case("proof-invalid", "real-entry-of-another", 6, v1.with(LOG_ENTRY, &identity)).sole().class("A1 A2 A3"),
        case("timestamp-invalid", "real-token-of-another", 7, v2.with(TIMESTAMP_TOKEN, &v1_token)).sole().class("B15"),
        case("issuer-unknown", "real-instance-of-another", 3, v1.raw.clone())
            .unknown()
            .line("trust", "../../src/trust/public_good.json")
            .class("C21"),
        case("sct-missing", "real-authority-without-log", 4, bare.raw.clone())
            .unknown()
            .under("real-and-a-log", &logged)
            .class("E1"),
    ]
}
