//! Rekor v2: an entry under a published checkpoint, and no time.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Statement, hashes, malformed, parse, send};
use crate::format::entry::{self, Entry, InclusionProof};
use crate::format::{Malformed, unbase64};
use crate::outside::http::{Endpoint, Failure, Http};

/// The keys that Fulcio certifies for us (`dev.sigstore.common.v1.PublicKeyDetails`).
const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

/// Logs a statement. The log answers when the entry is under a published checkpoint: give it 20 s or more. Nothing when
/// it has this very statement already, since it does not say where: sign anew.
pub async fn submit(
    http: &Http,
    log: &Endpoint,
    statement: &Statement<'_>,
    deadline: Duration,
) -> Result<Option<Entry>, Failure> {
    let endpoint = log.below("api/v2/log/entries");
    let unreadable = |why: Malformed| endpoint.unreadable(why);
    let (digest, signature, leaf) = (statement.digest, statement.signature, statement.leaf.der());
    let body = entry::hashedrekord_v002(digest, signature, leaf, KEY_DETAILS).map_err(unreadable)?;
    let request = entry::hashedrekord_request_v002(digest, signature, leaf, KEY_DETAILS).map_err(unreadable)?;
    let reply = send(http, &endpoint, Some(&request), deadline).await?;
    match reply.status {
        409 => Ok(None),
        _ => read(&reply.success()?, &body).map(Some).map_err(unreadable),
    }
}

/// A `TransparencyLogEntry` in ProtoJSON: whatever has its default value may be absent, 64-bit numbers are strings.
fn read(reply: &[u8], body: &[u8]) -> Result<Entry, Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        log_index: Option<Value>,
        log_id: Option<LogId>,
        kind_version: Option<KindVersion>,
        inclusion_proof: Option<Proof>,
        canonicalized_body: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LogId {
        key_id: String,
    }
    #[derive(Deserialize)]
    struct KindVersion {
        kind: String,
        version: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        log_index: Option<Value>,
        tree_size: Option<Value>,
        root_hash: String,
        hashes: Option<Vec<String>>,
        checkpoint: Option<Checkpoint>,
    }
    #[derive(Deserialize)]
    struct Checkpoint {
        envelope: String,
    }
    let raw: Raw = parse(reply)?;
    if raw.canonicalized_body.as_deref().map(unbase64).transpose()?.as_deref() != Some(body) {
        return Err(malformed("an entry about something else"));
    }
    let proof = raw.inclusion_proof.ok_or_else(|| malformed("no inclusion proof"))?;
    let kind = raw.kind_version.ok_or_else(|| malformed("no kind and version"))?;
    Ok(Entry {
        log_id: unbase64(&raw.log_id.ok_or_else(|| malformed("no log id"))?.key_id)?,
        log_index: int64(raw.log_index.as_ref())?,
        kind: kind.kind,
        version: kind.version,
        // Rekor v2 says no time and promises nothing: whatever stands there is not kept.
        integrated_time: 0,
        promise: None,
        proof: Some(InclusionProof {
            index: int64(proof.log_index.as_ref())?,
            root: unbase64(&proof.root_hash)?,
            size: int64(proof.tree_size.as_ref())?,
            hashes: hashes(proof.hashes, unbase64)?,
            checkpoint: proof.checkpoint.map(|checkpoint| checkpoint.envelope),
        }),
        body: Vec::new(),
    })
}

fn int64(value: Option<&Value>) -> Result<i64, Malformed> {
    match value {
        None => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(malformed),
        Some(value) => value.as_i64().ok_or_else(|| malformed("a number that is none")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{digest, leaf, signature, spoiled};
    use super::*;
    use crate::format::base64;

    fn body() -> Vec<u8> {
        let leaf = leaf();
        entry::hashedrekord_v002(&digest(), &signature(), leaf.der(), KEY_DETAILS).unwrap()
    }

    fn reply() -> Value {
        json!({
            "logIndex": "5",
            "logId": { "keyId": "XkQrPsfuQMBPvlBvb+hnVixTNcOw/cACkvUTh/QtzMk=" },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
            "integratedTime": "0",
            "inclusionPromise": null,
            "inclusionProof": {
                "logIndex": "5",
                "rootHash": "ALPLUV3IJgoAaQjpfNzgsfKvdtRlyzQud7KQ29JT+xY=",
                "treeSize": "6",
                "hashes": ["akx52uqNr7iEEaIGMYQ5H/vm35gN10X4UfI0dB+9vIs=", "h1iWZpnkxt1a+Y6Zq9Ihe71wpZTSR0E/cahBDsxidIQ="],
                "checkpoint": { "envelope": "rekor2.local\n6\nALPLUV3IJgoAaQjpfNzgsfKvdtRlyzQud7KQ29JT+xY=\n\n\u{2014} rekor2.local XkQrPjdtCW1xl9MA07GAL59nGD2tnZOqOw5Dlfv3LfWrDj34OsYNcD/6dFk5inFgi647yTrqz02YZx6Noe2CbPusjwc=\n" },
            },
            "canonicalizedBody": base64(&body()),
        })
    }

    fn of(reply: &Value) -> Result<Entry, Malformed> {
        read(reply.to_string().as_bytes(), &body())
    }

    #[test]
    fn a_real_reply() {
        let entry = of(&reply()).unwrap();
        assert_eq!((entry.log_index, entry.version.as_str(), &entry.promise), (5, "0.0.2", &None));
        assert_eq!(entry.proof.unwrap().size, 6);
    }

    #[test]
    fn the_first_entry_of_a_log_has_nothing_but_defaults() {
        let mut first = reply();
        first.as_object_mut().unwrap().remove("logIndex");
        first["inclusionProof"].as_object_mut().unwrap().remove("logIndex");
        first["inclusionProof"].as_object_mut().unwrap().remove("hashes");
        first["inclusionProof"]["treeSize"] = json!(1);
        let entry = of(&first).unwrap();
        let proof = entry.proof.unwrap();
        assert_eq!((entry.log_index, proof.index, proof.size, proof.hashes.len()), (0, 0, 1, 0));
    }

    #[test]
    fn no_field_that_is_wrong_panics_or_is_believed() {
        let good = of(&reply()).unwrap();
        for field in [
            "logIndex",
            "logId",
            "logId/keyId",
            "kindVersion",
            "kindVersion/kind",
            "kindVersion/version",
            "inclusionProof",
            "inclusionProof/logIndex",
            "inclusionProof/rootHash",
            "inclusionProof/treeSize",
            "inclusionProof/hashes",
            "inclusionProof/checkpoint",
            "inclusionProof/checkpoint/envelope",
            "canonicalizedBody",
        ] {
            for reply in spoiled(&reply(), &format!("/{field}")) {
                let Ok(entry) = of(&reply) else { continue };
                assert_ne!(entry, good, "{field}");
            }
        }
    }

    #[test]
    fn replies_of_other_shapes() {
        for reply in ["", "null", "[]", "{}", "\"x\"", "{\"x\":{}}", "{\"x\":null}"] {
            assert!(read(reply.as_bytes(), &body()).is_err(), "{reply}");
        }
        assert!(read(reply().to_string().as_bytes(), b"another body").is_err());
    }
}
