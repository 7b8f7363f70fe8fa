//! CMS, read strictly, with sets in any order, and leniently.
#![no_main]

use git_keyless::format::cms::{self, Family, MAX_CERTIFICATES, SignedData};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let family = cms::family(bytes);
    let unsorted = SignedData::parse_unsorted(bytes);
    if let Ok(strict) = SignedData::parse(bytes) {
        assert!(unsorted.is_ok(), "what is strict is also lax");
        assert_ne!(family, Family::Unreadable, "what is strict is also lax");
        look(&strict);
    }
    if let Ok(cms) = &unsorted {
        look(cms);
        let stored = |der: &[u8]| bytes.windows(der.len()).any(|window| window == der);
        assert!(cms.certificates().iter().all(|certificate| stored(certificate.der())));
    }
    SignedData::parse_leniently(bytes).iter().for_each(look);
});

fn look(cms: &SignedData) {
    let _ = (cms.version(), cms.digest_algorithms().len(), cms.content_type(), cms.has_crls());
    let _ = cms.content().map(cms::octets);
    assert!(cms.certificates().len() <= MAX_CERTIFICATES);
    let Some(signer) = cms.signer() else { return assert_eq!(cms.signers(), 0) };
    let _ = cms.certificates().iter().filter(|certificate| signer.is(certificate)).count();
    let _ = (signer.version(), signer.names_issuer_and_serial(), signer.signature(), signer.signed_attributes());
    let _ = (signer.digest_algorithm(), signer.signature_algorithm(), cms::signing_time(signer.signed()));
    for id in [cms::LOG_ENTRY, cms::TIMESTAMP_TOKEN, cms::MESSAGE_DIGEST] {
        let _ = (cms::values(signer.unsigned(), id), cms::sole_value(signer.signed(), id, "any"));
    }
}
