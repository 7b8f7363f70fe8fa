//! Rekor v1: an entry with the log's promise. The only file that names `sigstore`: its request models, and its inclusion
//! proof as a second opinion on arrival. Its reader of replies panics on what it does not know, so replies are read here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sigstore::crypto::CosignVerificationKey;
use sigstore::errors::SigstoreError;
use sigstore::rekor::models::checkpoint::SignedCheckpoint;
use sigstore::rekor::models::{self, hashedrekord};

use super::{Statement, hashes, malformed, parse, send};
use crate::format::entry::{self, Entry, InclusionProof};
use crate::format::{Malformed, base64, hex, unbase64};
use crate::outside::http::{Endpoint, Failure, Http, Reply};

/// How long a log that has not integrated an entry yet is given, once.
pub const INTEGRATION_PAUSE: Duration = Duration::from_millis(500);

/// A log's id and the DER of its public key, out of the trust root.
#[derive(Clone, Copy, Debug)]
pub struct LogKey<'a> {
    /// As entries name it.
    pub id: &'a [u8],
    /// SubjectPublicKeyInfo.
    pub spki: &'a [u8],
}

/// Logs a statement. A duplicate is fetched: it is ours if its body is. `keys` are the logs whose proofs
/// can be judged on arrival.
pub async fn submit(
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
        _ => read(&reply.success()?, &body).map_err(unreadable)?,
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

async fn fetch(
    http: &Http,
    entries: &Endpoint,
    uuid: &str,
    body: &[u8],
    deadline: Duration,
) -> Result<(String, Entry), Failure> {
    let endpoint = entries.below(uuid);
    let reply = send(http, &endpoint, None, deadline).await?.success()?;
    read(&reply, body).map_err(|error| endpoint.unreadable(error))
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

fn proposed(statement: &Statement<'_>, pem: &str) -> models::ProposedEntry {
    let key = hashedrekord::PublicKey::new(base64(pem.as_bytes()));
    let hash = hashedrekord::Hash::new(hashedrekord::AlgorithmKind::sha256, hex(statement.digest));
    models::ProposedEntry::Hashedrekord {
        api_version: "0.0.1".to_owned(),
        spec: hashedrekord::Spec::new(
            hashedrekord::Signature::new(base64(statement.signature), key),
            hashedrekord::Data::new(hash),
        ),
    }
}

/// A map with one entry by its UUID. Its body must be ours; what is kept has none, as gitsign stores it.
fn read(reply: &[u8], body: &[u8]) -> Result<(String, Entry), Malformed> {
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
    let proof = models::InclusionProof::new(
        proof.index,
        proof.root.as_slice().try_into().ok()?,
        size,
        hashes,
        Some(checkpoint),
    );
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

    use super::super::tests::{LEAF, digest, leaf, signature, spoiled};
    use super::*;
    use crate::outside::http::Server;

    const UUID: &str = "54ce162ed633eec827827774cfd27615d5a072707c8e6475df1f1c7969acf1e746b084ed1dc03ef6";
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaChzY6SBykENWFeVkYZev5sFlf739fuEZFUV+a0zner/qws2k/aqxkmTeNPnfkBG99myyhorFXdgAS+83P5llw==";
    const DEADLINE: Duration = Duration::from_secs(5);

    fn body() -> Vec<u8> {
        entry::hashedrekord_v001(&digest(), &signature(), LEAF).unwrap()
    }

    fn reply() -> Value {
        json!({ UUID: {
            "body": base64(&body()),
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

    fn of(reply: &Value) -> Result<(String, Entry), Malformed> {
        read(reply.to_string().as_bytes(), &body())
    }

    fn judged(entry: &Entry) -> Option<Result<(), String>> {
        second_opinion(entry, &body(), &[LogKey { id: &entry.log_id, spki: &unbase64(KEY).unwrap() }])
    }

    #[test]
    fn a_real_reply() {
        let (uuid, entry) = of(&reply()).unwrap();
        assert_eq!((uuid.as_str(), entry.log_index, entry.integrated_time), (UUID, 10, 1_795_261_223));
        assert_eq!((entry.body.len(), entry.proof.as_ref().unwrap().hashes.len()), (0, 2));
        assert_eq!(judged(&entry), Some(Ok(())), "two implementations agree");
    }

    #[test]
    fn no_field_that_is_wrong_panics_or_is_believed() {
        let good = of(&reply()).unwrap().1;
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
            for reply in spoiled(&reply(), &format!("/{UUID}/{field}")) {
                // What still reads is another entry, and the proof's judge says so where the proof was touched.
                let Ok((_, entry)) = of(&reply) else { continue };
                assert_ne!(entry, good, "{field}");
                let proof_touched = entry.proof != good.proof;
                assert!(!proof_touched || judged(&entry) != Some(Ok(())), "{field}");
            }
        }
    }

    #[test]
    fn replies_of_other_shapes() {
        for reply in ["", "null", "[]", "{}", "\"x\"", "{\"x\":{}}", "{\"x\":null}"] {
            assert!(read(reply.as_bytes(), &body()).is_err(), "{reply}");
        }
        let mut two = reply();
        two[&UUID[16..]] = two[UUID].clone();
        assert!(of(&two).is_err());
        let mut many = reply();
        many[UUID]["verification"]["inclusionProof"]["hashes"] = json!(vec!["00"; 65]);
        assert!(of(&many).is_err());
        assert!(read(reply().to_string().as_bytes(), b"another body").is_err());
    }

    #[test]
    fn the_second_opinion_sees_every_flipped_hash() {
        let (_, good) = of(&reply()).unwrap();
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
        let (leaf, signature, spki) = (leaf(), signature(), unbase64(KEY).unwrap());
        let id = unhex("1cfeb28a0c2667281adddf8f8cf513ea1b86d7805d792fe23a7ce924bb37953c").unwrap();
        let digest = digest();
        let statement = Statement { digest: &digest, signature: &signature, leaf: &leaf };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let keys = [LogKey { id: &id, spki: &spki }];
        let entry = runtime.block_on(async { submit(&Http::new(), &log, &statement, &keys, DEADLINE).await });
        (entry, asked.join().unwrap())
    }

    #[test]
    fn a_duplicate_is_fetched_from_the_same_log_and_must_be_ours() {
        let here = (409, format!("Location: /api/v1/log/entries/{UUID}\r\n"), "{}".to_owned());
        let (entry, asked) = submitted(vec![here.clone(), (200, String::new(), reply().to_string())]);
        assert_eq!(entry.unwrap().log_index, 10);
        assert_eq!(asked[1], format!("GET /api/v1/log/entries/{UUID} HTTP/1.1"));

        let mut foreign = reply();
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
        let mut young = reply();
        young[UUID]["verification"].as_object_mut().unwrap().remove("inclusionProof");
        let (entry, asked) =
            submitted(vec![(201, String::new(), young.to_string()), (200, String::new(), reply().to_string())]);
        assert!(entry.unwrap().proof.is_some());
        assert_eq!(asked.len(), 2);
    }

    #[test]
    fn a_proof_that_does_not_hold_is_refused_on_arrival() {
        let mut false_proof = reply();
        false_proof[UUID]["verification"]["inclusionProof"]["logIndex"] = json!(9);
        let (entry, _) = submitted(vec![(201, String::new(), false_proof.to_string())]);
        assert!(entry.is_err());
    }
}
