//! Certificates: every accessor answers, and the bytes are kept.
#![no_main]

use git_keyless::format::cert::Certificate;
use git_keyless::format::sct;
use git_keyless::key::PublicKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    if let Ok(again) = Certificate::of(certificate.x509().clone()) {
        assert_eq!(Certificate::parse(again.der()).as_ref(), Ok(&again));
    }
    assert_eq!(Certificate::parse_pem(&certificate.to_pem().unwrap()).as_ref(), Ok(&certificate));
    let _ = certificate.spki().map(|spki| PublicKey::from_spki(&spki));
    let _ = (certificate.validity(), certificate.serial(), certificate.is_fulcio(), certificate.repeated_extension());
    let _ = (certificate.issuer_name().to_string(), certificate.subject_name().to_string());
    let _ = (certificate.subjects(), certificate.identity_issuer(), certificate.fulcio_extensions());
    let _ = (certificate.extended_key_usage(), certificate.may_sign(), certificate.is_ca());
    let _ = (certificate.authority_key_id(), certificate.subject_key_id());
    let tbs = certificate.precertificate_tbs();
    let scts = certificate.sct_list().map(sct::parse_list);
    if let (Ok(tbs), Some(Ok(scts))) = (tbs, scts) {
        scts.iter().for_each(|sct| drop(sct::signed_struct(sct, &[0; 32], &tbs)));
    }
});
