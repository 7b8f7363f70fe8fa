//! Raw objects: payload and signature are taken from them and nothing is invented.
#![no_main]

use git_keyless::format::object::{Kind, Object, ObjectFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    let _ = (Kind::guess(raw), ObjectFormat::guess(raw));
    for kind in [Kind::Commit, Kind::Tag, Kind::PushCertificate, Kind::Other] {
        for format in [ObjectFormat::Sha1, ObjectFormat::Sha256] {
            let object = Object::split(raw.to_vec(), kind, format, None);
            assert!(object.payload().len() + object.signature().len() <= raw.len());
            let _ = (object.tag(), object.fault());
            if kind == Kind::Commit {
                let again = Object::split(object.payload().to_vec(), kind, format, None);
                assert_eq!((again.payload(), again.signature()), (object.payload(), &b""[..]));
                assert_eq!(again.fault(), None);
            }
        }
    }
});
