//! Rekor, both versions: a log entry for a signature.

pub mod v1;
pub mod v2;

use std::time::Duration;

use serde::Deserialize;

use super::http::{Endpoint, Failure, Http, Reply, Request};
use crate::format::Malformed;
use crate::format::cert::Certificate;
use crate::format::entry::MAX_PROOF_HASHES;

/// Most bytes of an answer; an entry with its proof has 8 kB.
pub const MAX_REPLY_BYTES: usize = 256 << 10;

/// What is logged: a P-256 signature, the SHA-256 of what it is over, and the certificate of its key.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// SHA-256 of the signed attributes.
    pub digest: &'a [u8; 32],
    /// ECDSA in DER.
    pub signature: &'a [u8],
    /// The leaf.
    pub leaf: &'a Certificate,
}

async fn send(http: &Http, endpoint: &Endpoint, body: Option<&[u8]>, deadline: Duration) -> Result<Reply, Failure> {
    let body = body.map(|body| ("application/json", body));
    http.send(Request { endpoint, body, accept: "application/json", headers: &[], limit: MAX_REPLY_BYTES, deadline })
        .await
}

fn parse<'a, T: Deserialize<'a>>(reply: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(reply).map_err(malformed)
}

fn malformed(why: impl std::fmt::Display) -> Malformed {
    Malformed::new("log entry", why)
}

fn hashes(
    texts: Option<Vec<String>>,
    decode: impl Fn(&str) -> Result<Vec<u8>, Malformed>,
) -> Result<Vec<Vec<u8>>, Malformed> {
    let texts = texts.unwrap_or_default();
    if texts.len() > MAX_PROOF_HASHES {
        return Err(malformed(format!("a proof of {} hashes", texts.len())));
    }
    texts.iter().map(|text| decode(text)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::format::cert::Certificate;
    use crate::format::unbase64;

    /// By a real Fulcio; the replies to it are by a real Rekor of version 1 and one of version 2.
    pub(super) const LEAF: &str = include_str!("../../tests/data/leaf.pem");

    pub(super) fn digest() -> [u8; 32] {
        unbase64("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=").unwrap().try_into().unwrap()
    }

    pub(super) fn signature() -> Vec<u8> {
        unbase64("MEUCIQDaEU1vZ9/vheUrvPjqW90Z5wRjrxq5H1m+sghk5VRfrwIgAjrrApvDgLi7bwK5frI/NRgHyrfX3nuv2SWqYbznj3k=")
            .unwrap()
    }

    pub(super) fn leaf() -> Certificate {
        Certificate::parse_pem(LEAF).unwrap()
    }

    /// The reply with one place changed: removed, null, or each sort of garbage.
    pub(super) fn spoiled(reply: &Value, place: &str) -> Vec<Value> {
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut all = Vec::new();
        let garbage = [
            json!(null),
            json!(-1),
            json!(1.5),
            json!(""),
            json!("x"),
            json!("%%%"),
            json!([]),
            json!([[]]),
            json!({}),
            json!(true),
            json!(i64::MAX),
            json!("9".repeat(30)),
        ];
        for value in garbage {
            let mut other = reply.clone();
            *other.pointer_mut(place).unwrap() = value;
            all.push(other);
        }
        let mut without = reply.clone();
        without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        all.push(without);
        all
    }
}
