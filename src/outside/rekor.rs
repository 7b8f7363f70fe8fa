//! Rekor, both versions: a log entry for a signature. The only file that names `sigstore`: its request models, and its
//! inclusion proof as a second opinion on arrival. Its reader of replies panics on what it does not know, so replies
//! are read here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sigstore::crypto::CosignVerificationKey;
use sigstore::errors::SigstoreError;
use sigstore::rekor::models as v1;
use sigstore::rekor::models::checkpoint::SignedCheckpoint;
use sigstore::rekor::models::hashedrekord;

use super::http::{Endpoint, Failure, Http, Reply, Request};
use crate::format::cert::Certificate;
use crate::format::entry::{self, Entry, InclusionProof, MAX_PROOF_HASHES};
use crate::format::{Malformed, base64, hex, unbase64};

/// Most bytes of an answer; an entry with its proof has 8 kB.
pub const MAX_REPLY_BYTES: usize = 256 << 10;
/// How long a log that has not integrated an entry yet is given, once.
pub const INTEGRATION_PAUSE: Duration = Duration::from_millis(500);

/// The keys that Fulcio certifies for us (`dev.sigstore.common.v1.PublicKeyDetails`).
const KEY_DETAILS: &str = "PKIX_ECDSA_P256_SHA_256";

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

/// A log's id and the DER of its public key, out of the trust root.
#[derive(Clone, Copy, Debug)]
pub struct LogKey<'a> {
    /// As entries name it.
    pub id: &'a [u8],
    /// SubjectPublicKeyInfo.
    pub spki: &'a [u8],
}

/// What Rekor v2 makes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The entry, under a published checkpoint.
    Logged(Box<Entry>),
    /// It has this very statement already and does not say where: sign anew.
    Duplicate,
}

/// Logs a statement with Rekor v1. A duplicate is fetched: it is ours if its body is. `keys` are the logs whose proofs
/// can be judged on arrival.
pub async fn submit_v1(
    http: &Http,
    log: &Endpoint,
    statement: &Statement<'_>,
    keys: &[LogKey<'_>],
    deadline: Duration,
) -> Result<Entry, Failure> {
    let endpoint = log.below("api/v1/log/entries");
    let unreadable = |why: Malformed| endpoint.unreadable(why);
    let pem = statement.leaf.to_pem().map_err(unreadable)?;
    let body = entry::hashedrekord_v001(statement.digest, statement.signature, &pem).map_err(unreadable)?;
    let request = serde_json::to_vec(&proposed(statement, &pem)).map_err(|error| endpoint.unreadable(error))?;
    let reply = send(http, &endpoint, Some(&request), deadline).await?;
    let found = match reply.status {
        409 => {
            let uuid = duplicate(&endpoint, &reply).ok_or_else(|| reply.refusal())?;
            fetch(http, &endpoint, &uuid, &body, deadline).await?
        }
        _ => read_v1(&reply.success()?, &body).map_err(unreadable)?,
    };
    let (_, entry) = match found {
        (uuid, Entry { proof: None, .. }) => {
            tokio::time::sleep(INTEGRATION_PAUSE).await;
            fetch(http, &endpoint, &uuid, &body, deadline).await?
        }
        found => found,
    };
    match second_opinion(&entry, &body, keys) {
        Some(Err(why)) => {
            Err(endpoint.unreadable(format!("its proof does not verify with the key in the trust root: {why}")))
        }
        Some(Ok(())) | None => Ok(entry),
    }
}

/// Logs a statement with Rekor v2, which answers when the entry is under a published checkpoint: give it 20 s or more.
pub async fn submit_v2(
    http: &Http,
    log: &Endpoint,
    statement: &Statement<'_>,
    deadline: Duration,
) -> Result<Submitted, Failure> {
    let endpoint = log.below("api/v2/log/entries");
    let unreadable = |why: Malformed| endpoint.unreadable(why);
    let body = entry::hashedrekord_v002(statement.digest, statement.signature, statement.leaf.der(), KEY_DETAILS)
        .map_err(unreadable)?;
    let request = request_v2(statement).map_err(|error| endpoint.unreadable(error))?;
    let reply = send(http, &endpoint, Some(&request), deadline).await?;
    match reply.status {
        409 => Ok(Submitted::Duplicate),
        _ => read_v2(&reply.success()?, &body).map(|entry| Submitted::Logged(Box::new(entry))).map_err(unreadable),
    }
}

async fn send(http: &Http, endpoint: &Endpoint, body: Option<&[u8]>, deadline: Duration) -> Result<Reply, Failure> {
    let body = body.map(|body| ("application/json", body));
    http.send(Request { endpoint, body, accept: "application/json", headers: &[], limit: MAX_REPLY_BYTES, deadline })
        .await
}

async fn fetch(
    http: &Http,
    entries: &Endpoint,
    uuid: &str,
    body: &[u8],
    deadline: Duration,
) -> Result<(String, Entry), Failure> {
    let endpoint = entries.below(uuid);
    let reply = send(http, &endpoint, None, deadline).await?.success()?;
    read_v1(&reply, body).map_err(|error| endpoint.unreadable(error))
}

/// Where a duplicate is: on this server, among its entries, by its UUID, of which we make the address ourselves.
fn duplicate(entries: &Endpoint, reply: &Reply) -> Option<String> {
    let path = entries.path_of(reply.location.as_deref()?)?;
    let (_, uuid) = path.rsplit_once("/api/v1/log/entries/")?;
    is_uuid(uuid).then(|| uuid.to_owned())
}

/// The leaf hash, with or without the id of its tree in front.
fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 64 | 80) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn proposed(statement: &Statement<'_>, pem: &str) -> v1::ProposedEntry {
    let key = hashedrekord::PublicKey::new(base64(pem.as_bytes()));
    let hash = hashedrekord::Hash::new(hashedrekord::AlgorithmKind::sha256, hex(statement.digest));
    v1::ProposedEntry::Hashedrekord {
        api_version: "0.0.1".to_owned(),
        spec: hashedrekord::Spec::new(
            hashedrekord::Signature::new(base64(statement.signature), key),
            hashedrekord::Data::new(hash),
        ),
    }
}

/// `hashedRekordRequestV002`; unknown fields are refused there.
fn request_v2(statement: &Statement<'_>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct CreateEntryRequest<'a> {
        #[serde(rename = "hashedRekordRequestV002")]
        hashed_rekord: HashedRekord<'a>,
    }
    #[derive(Serialize)]
    struct HashedRekord<'a> {
        digest: String,
        signature: Signature<'a>,
    }
    #[derive(Serialize)]
    struct Signature<'a> {
        content: String,
        verifier: Verifier<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Verifier<'a> {
        key_details: &'a str,
        #[serde(rename = "x509Certificate")]
        certificate: RawBytes,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct RawBytes {
        raw_bytes: String,
    }
    let certificate = RawBytes { raw_bytes: base64(statement.leaf.der()) };
    serde_json::to_vec(&CreateEntryRequest {
        hashed_rekord: HashedRekord {
            digest: base64(statement.digest),
            signature: Signature {
                content: base64(statement.signature),
                verifier: Verifier { key_details: KEY_DETAILS, certificate },
            },
        },
    })
}

/// A map with one entry by its UUID. Its body must be ours; what is kept has none, as gitsign stores it.
fn read_v1(reply: &[u8], body: &[u8]) -> Result<(String, Entry), Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        body: String,
        integrated_time: i64,
        #[serde(rename = "logID")]
        log_id: String,
        log_index: i64,
        verification: Option<Verification>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Verification {
        signed_entry_timestamp: Option<String>,
        inclusion_proof: Option<Proof>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        log_index: i64,
        tree_size: i64,
        root_hash: String,
        hashes: Option<Vec<String>>,
        checkpoint: Option<String>,
    }
    let reply: BTreeMap<String, Raw> = parse(reply)?;
    let mut entries = reply.into_iter();
    let (Some((uuid, raw)), None) = (entries.next(), entries.next()) else {
        return Err(malformed("not exactly one entry"));
    };
    if !is_uuid(&uuid) {
        return Err(malformed("its name is no entry UUID"));
    }
    if unbase64(&raw.body)? != body {
        return Err(malformed("an entry about something else"));
    }
    let (promise, proof) = raw
        .verification
        .map_or((None, None), |verification| (verification.signed_entry_timestamp, verification.inclusion_proof));
    let proof = proof
        .map(|proof| {
            Ok(InclusionProof {
                index: proof.log_index,
                root: unhex(&proof.root_hash)?,
                size: proof.tree_size,
                hashes: hashes(proof.hashes, unhex)?,
                checkpoint: proof.checkpoint,
            })
        })
        .transpose()?;
    let entry = Entry {
        log_id: unhex(&raw.log_id)?,
        log_index: raw.log_index,
        kind: "hashedrekord".to_owned(),
        version: "0.0.1".to_owned(),
        integrated_time: raw.integrated_time,
        promise: Some(unbase64(&promise.ok_or_else(|| malformed("no signed entry timestamp"))?)?),
        proof,
        body: Vec::new(),
    };
    Ok((uuid, entry))
}

/// A `TransparencyLogEntry` in ProtoJSON: whatever has its default value may be absent, 64-bit numbers are strings.
fn read_v2(reply: &[u8], body: &[u8]) -> Result<Entry, Malformed> {
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

fn int64(value: Option<&Value>) -> Result<i64, Malformed> {
    match value {
        None => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(malformed),
        Some(value) => value.as_i64().ok_or_else(|| malformed("a number that is none")),
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let wrong = || malformed("not hexadecimal");
    if !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Ok(digit(*high).ok_or_else(wrong)? << 4 | digit(*low).ok_or_else(wrong)?),
            _ => Err(wrong()),
        })
        .collect()
}

/// What `sigstore` thinks of the proof: none where it cannot read it (it knows notes with one signature alone) or the
/// log is not known here. Index and size are below 2^63, so that no shift inside it overflows.
fn second_opinion(entry: &Entry, body: &[u8], keys: &[LogKey<'_>]) -> Option<Result<(), String>> {
    let log = keys.iter().find(|log| log.id == entry.log_id)?;
    let key = CosignVerificationKey::try_from_der(log.spki).ok()?;
    let proof = entry.proof.as_ref()?;
    let checkpoint: SignedCheckpoint = serde_json::from_value(Value::String(proof.checkpoint.clone()?)).ok()?;
    let hashes = proof.hashes.iter().map(|hash| hash.as_slice().try_into().ok()).collect::<Option<Vec<[u8; 32]>>>()?;
    let size = u64::try_from(proof.size).ok().filter(|_| proof.index >= 0)?;
    let proof =
        v1::InclusionProof::new(proof.index, proof.root.as_slice().try_into().ok()?, size, hashes, Some(checkpoint));
    Some(proof.verify(body, &key).map_err(|error| match error {
        SigstoreError::ConsistencyProofError(_) => "it is for another tree than its checkpoint".to_owned(),
        SigstoreError::InclusionProofError(_) => "its hashes do not lead from this entry to its root".to_owned(),
        other => other.to_string(),
    }))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use serde_json::json;

    use super::*;
    use crate::outside::http::Server;

    /// By a real Fulcio; the replies below are by a real Rekor of version 1 and one of version 2.
    const LEAF: &str = include_str!("../../tests/data/leaf.pem");
    const SIGNATURE: &str =
        "MEUCIQDaEU1vZ9/vheUrvPjqW90Z5wRjrxq5H1m+sghk5VRfrwIgAjrrApvDgLi7bwK5frI/NRgHyrfX3nuv2SWqYbznj3k=";
    const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const UUID: &str = "54ce162ed633eec827827774cfd27615d5a072707c8e6475df1f1c7969acf1e746b084ed1dc03ef6";
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaChzY6SBykENWFeVkYZev5sFlf739fuEZFUV+a0zner/qws2k/aqxkmTeNPnfkBG99myyhorFXdgAS+83P5llw==";
    const DEADLINE: Duration = Duration::from_secs(5);

    fn body_v1() -> Vec<u8> {
        entry::hashedrekord_v001(&digest(), &unbase64(SIGNATURE).unwrap(), LEAF).unwrap()
    }

    fn body_v2() -> Vec<u8> {
        let leaf = Certificate::parse_pem(LEAF).unwrap();
        entry::hashedrekord_v002(&digest(), &unbase64(SIGNATURE).unwrap(), leaf.der(), KEY_DETAILS).unwrap()
    }

    fn digest() -> [u8; 32] {
        unhex(DIGEST).unwrap().try_into().unwrap()
    }

    fn reply_v1() -> Value {
        json!({ UUID: {
            "body": base64(&body_v1()),
            "integratedTime": 1_795_261_223,
            "logID": "1cfeb28a0c2667281adddf8f8cf513ea1b86d7805d792fe23a7ce924bb37953c",
            "logIndex": 10,
            "verification": {
                "inclusionProof": {
                    "checkpoint": "rekor.local - 6110846134806376136\n11\npAkBl6DbjRleunpUio1VuHdLGEJfeRrQXa3g39+4cEg=\n\n\u{2014} rekor.local HP6yijBFAiEAiMKsT57wd9QBXzafDbgUY4hKDCCcUVM8Uf52e+dnokcCIHOHR1h4dhwQaw69IlijWuolbDSK8ynzCQJqZFa2+TJi\n",
                    "hashes": [
                        "1505e5ee946beaf48a46807b625528425b404370eded09451cc957aa7c11e4a8",
                        "de7e6f2708f3ff5b577621142118c1fb3cebd3229fd3144aea66b9765ef79f64",
                    ],
                    "logIndex": 10,
                    "rootHash": "a4090197a0db8d195eba7a548a8d55b8774b18425f791ad05dade0dfdfb87048",
                    "treeSize": 11,
                },
                "signedEntryTimestamp": "MEYCIQC+cQdn+feciIbDPQ/3c0OBqAwCiuXfRjhQyWkJ1Os30wIhALTegkvziyrG+ZxyC5PH2xllD4fGSKA8corj9ZjnmvJ+",
            },
        } })
    }

    fn reply_v2() -> Value {
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
            "canonicalizedBody": base64(&body_v2()),
        })
    }

    fn of_v1(reply: &Value) -> Result<(String, Entry), Malformed> {
        read_v1(reply.to_string().as_bytes(), &body_v1())
    }

    fn of_v2(reply: &Value) -> Result<Entry, Malformed> {
        read_v2(reply.to_string().as_bytes(), &body_v2())
    }

    fn judged(entry: &Entry) -> Option<Result<(), String>> {
        second_opinion(entry, &body_v1(), &[LogKey { id: &entry.log_id, spki: &unbase64(KEY).unwrap() }])
    }

    /// The reply with one place changed: removed, null, or each sort of garbage.
    fn spoiled(reply: &Value, place: &str) -> Vec<Value> {
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

    #[test]
    fn real_replies() {
        let (uuid, entry) = of_v1(&reply_v1()).unwrap();
        assert_eq!((uuid.as_str(), entry.log_index, entry.integrated_time), (UUID, 10, 1_795_261_223));
        assert_eq!((entry.body.len(), entry.proof.as_ref().unwrap().hashes.len()), (0, 2));
        assert_eq!(judged(&entry), Some(Ok(())), "two implementations agree");

        let entry = of_v2(&reply_v2()).unwrap();
        assert_eq!((entry.log_index, entry.version.as_str(), &entry.promise), (5, "0.0.2", &None));
        assert_eq!(entry.proof.unwrap().size, 6);
    }

    #[test]
    fn the_first_entry_of_a_log_has_nothing_but_defaults() {
        let mut first = reply_v2();
        first.as_object_mut().unwrap().remove("logIndex");
        first["inclusionProof"].as_object_mut().unwrap().remove("logIndex");
        first["inclusionProof"].as_object_mut().unwrap().remove("hashes");
        first["inclusionProof"]["treeSize"] = json!(1);
        let entry = of_v2(&first).unwrap();
        let proof = entry.proof.unwrap();
        assert_eq!((entry.log_index, proof.index, proof.size, proof.hashes.len()), (0, 0, 1, 0));
    }

    #[test]
    fn no_field_that_is_wrong_panics_or_is_believed() {
        let good = of_v1(&reply_v1()).unwrap().1;
        for field in [
            "body",
            "integratedTime",
            "logID",
            "logIndex",
            "verification",
            "verification/signedEntryTimestamp",
            "verification/inclusionProof",
            "verification/inclusionProof/checkpoint",
            "verification/inclusionProof/hashes",
            "verification/inclusionProof/logIndex",
            "verification/inclusionProof/rootHash",
            "verification/inclusionProof/treeSize",
        ] {
            for reply in spoiled(&reply_v1(), &format!("/{UUID}/{field}")) {
                // What still reads is another entry, and the proof's judge says so where the proof was touched.
                let Ok((_, entry)) = of_v1(&reply) else { continue };
                assert_ne!(entry, good, "{field}");
                let proof_touched = entry.proof != good.proof;
                assert!(!proof_touched || judged(&entry) != Some(Ok(())), "{field}");
            }
        }
        let good = of_v2(&reply_v2()).unwrap();
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
            for reply in spoiled(&reply_v2(), &format!("/{field}")) {
                let Ok(entry) = of_v2(&reply) else { continue };
                assert_ne!(entry, good, "{field}");
            }
        }
    }

    #[test]
    fn replies_of_other_shapes() {
        for reply in ["", "null", "[]", "{}", "\"x\"", "{\"x\":{}}", "{\"x\":null}"] {
            assert!(read_v1(reply.as_bytes(), &body_v1()).is_err(), "{reply}");
            assert!(read_v2(reply.as_bytes(), &body_v2()).is_err(), "{reply}");
        }
        let mut two = reply_v1();
        two[&UUID[16..]] = two[UUID].clone();
        assert!(of_v1(&two).is_err());
        let mut many = reply_v1();
        many[UUID]["verification"]["inclusionProof"]["hashes"] = json!(vec!["00"; 65]);
        assert!(of_v1(&many).is_err());
        assert!(read_v1(reply_v1().to_string().as_bytes(), b"another body").is_err());
        assert!(read_v2(reply_v2().to_string().as_bytes(), b"another body").is_err());
    }

    #[test]
    fn the_second_opinion_sees_every_flipped_hash() {
        let (_, good) = of_v1(&reply_v1()).unwrap();
        for at in 0..2 {
            let mut entry = good.clone();
            entry.proof.as_mut().unwrap().hashes[at][0] ^= 1;
            assert!(matches!(judged(&entry), Some(Err(_))));
        }
        for (index, size) in [(9, 11), (10, 12), (0, 0), (i64::MAX, i64::MAX), (0, i64::MAX)] {
            let mut entry = good.clone();
            let proof = entry.proof.as_mut().unwrap();
            (proof.index, proof.size) = (index, size);
            assert!(matches!(judged(&entry), Some(Err(_))), "{index} of {size}");
        }
        for (index, size) in [(-1, 11), (10, -1), (i64::MIN, i64::MIN)] {
            let mut entry = good.clone();
            let proof = entry.proof.as_mut().unwrap();
            (proof.index, proof.size) = (index, size);
            assert_eq!(judged(&entry), None, "{index} of {size}");
        }
    }

    /// Answers the n-th connection with the n-th answer; gives the first lines it was asked with.
    fn rekor(answers: Vec<(u16, String, String)>) -> (Endpoint, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, headers, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = vec![0; 1 << 16];
                let read = stream.read(&mut request).unwrap();
                asked.push(String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned());
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
            asked
        });
        (Endpoint::parse(Server::TransparencyLog, &url).unwrap(), asked)
    }

    fn submitted(answers: Vec<(u16, String, String)>) -> (Result<Entry, Failure>, Vec<String>) {
        let (log, asked) = rekor(answers);
        let (leaf, signature, spki) =
            (Certificate::parse_pem(LEAF).unwrap(), unbase64(SIGNATURE).unwrap(), unbase64(KEY).unwrap());
        let id = unhex("1cfeb28a0c2667281adddf8f8cf513ea1b86d7805d792fe23a7ce924bb37953c").unwrap();
        let digest = digest();
        let statement = Statement { digest: &digest, signature: &signature, leaf: &leaf };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let keys = [LogKey { id: &id, spki: &spki }];
        let entry = runtime.block_on(async { submit_v1(&Http::new(), &log, &statement, &keys, DEADLINE).await });
        (entry, asked.join().unwrap())
    }

    #[test]
    fn a_duplicate_is_fetched_from_the_same_log_and_must_be_ours() {
        let here = (409, format!("Location: /api/v1/log/entries/{UUID}\r\n"), "{}".to_owned());
        let (entry, asked) = submitted(vec![here.clone(), (200, String::new(), reply_v1().to_string())]);
        assert_eq!(entry.unwrap().log_index, 10);
        assert_eq!(asked[1], format!("GET /api/v1/log/entries/{UUID} HTTP/1.1"));

        let mut foreign = reply_v1();
        foreign[UUID]["body"] = json!(base64(b"{}"));
        let (entry, _) = submitted(vec![here, (200, String::new(), foreign.to_string())]);
        assert!(entry.unwrap_err().to_string().contains("about something else"));

        for location in [
            format!("http://127.0.0.1:9/api/v1/log/entries/{UUID}"),
            format!("//evil.test/api/v1/log/entries/{UUID}"),
            "/api/v1/log/entries/../../secret".to_owned(),
            format!("/elsewhere/{UUID}"),
            format!("/api/v1/log/entries/{}", &UUID[1..]),
            String::new(),
        ] {
            let (entry, asked) = submitted(vec![(409, format!("Location: {location}\r\n"), "{}".to_owned())]);
            assert!(entry.unwrap_err().to_string().contains("answered 409"), "{location}");
            assert_eq!(asked.len(), 1);
        }
    }

    #[test]
    fn an_entry_without_proof_is_asked_for_once_more() {
        let mut young = reply_v1();
        young[UUID]["verification"].as_object_mut().unwrap().remove("inclusionProof");
        let (entry, asked) =
            submitted(vec![(201, String::new(), young.to_string()), (200, String::new(), reply_v1().to_string())]);
        assert!(entry.unwrap().proof.is_some());
        assert_eq!(asked.len(), 2);
    }

    #[test]
    fn a_proof_that_does_not_hold_is_refused_on_arrival() {
        let mut false_proof = reply_v1();
        false_proof[UUID]["verification"]["inclusionProof"]["logIndex"] = json!(9);
        let (entry, _) = submitted(vec![(201, String::new(), false_proof.to_string())]);
        assert!(entry.is_err());
    }
}
