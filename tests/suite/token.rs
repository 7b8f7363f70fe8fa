//! Tokens with the sandbox's own key and other claims than it would ever sign.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, SigningKey as _};
use serde_json::Value;

/// `minted` with these claims added or replaced, signed again by the sandbox in `directory`.
pub(crate) fn changed(directory: &Path, minted: &str, claims: &Value) -> String {
    let parts: Vec<_> = minted.split('.').collect();
    let mut all: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let key = KeyPair::try_from(std::fs::read(directory.join("keys/oidc.pk8")).unwrap()).unwrap();
    let signed = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(all.to_string()));
    let signature = fixed(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Both numbers of a signature in DER, each in 32 bytes (RFC 7518 section 3.4).
fn fixed(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature[4..].split_at(usize::from(signature[3]));
    let number = |bytes: &[u8]| {
        let mut padded = [&[0; 32][..], bytes].concat();
        padded.split_off(bytes.len())
    };
    [number(r), number(&s[2..])].concat()
}
