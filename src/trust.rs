//! Trust roots, signing configs, instances: which keys count and when, and where to send what.
//!
//! Built from bytes, with serde of our own: the JSON path of the protobuf crate costs milliseconds. Keys of unknown
//! types are kept as such, so that what a trust root *lists* is still required of a signature. Everything is chosen
//! by the time that is verified, never by the clock; expired keys stay for what was signed in their day.

pub mod parts;
mod signing_config;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::format::cert::Certificate;
use crate::format::time::{Time, Window};
use crate::format::{Malformed, unbase64};
use crate::key::{self, Hash, KeyKind, PublicKey};

pub use signing_config::{Service, Services, SigningConfig, Unusable};

/// The public-good instance's trust root: target `trusted_root.json` of Sigstore's TUF repository
/// (github.com/sigstore/root-signing at 60cf2ce8, 2026-08-21), the same bytes as in the `sigstore` 4.5.1 wheel and the
/// `sigstore-trust-root` 0.15.1 crate; SHA-256 6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66.
pub const PUBLIC_GOOD: &[u8] = include_bytes!("trust/public_good.json");

/// Most bytes of a trust root, signing config or client trust config; the public one has 7 kB.
pub const MAX_TRUST_BYTES: usize = 4 << 20;

/// The organization in the certificates that `git keyless sandbox` makes.
const SANDBOX: &str = "O=git-keyless sandbox";

/// What signatures are judged under.
#[derive(Clone, Debug)]
pub struct TrustRoot {
    /// `public` for the built-in root, `sandbox` for a sandbox's, else what the caller named it.
    pub instance: String,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Certificate authorities.
    pub authorities: Vec<Authority>,
    /// Certificate transparency logs.
    pub ct_logs: Vec<Log>,
    /// Transparency logs (Rekor).
    pub logs: Vec<Log>,
    /// Timestamp authorities.
    pub timestamp_authorities: Vec<Authority>,
}

/// A certificate authority or a timestamp authority.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Where it lives; informative.
    pub uri: String,
    /// Leafward first; none when a certificate could not be read, with the reason.
    pub chain: Result<Vec<Certificate>, String>,
    /// When it counts, beside the dates inside its certificates.
    pub window: Window,
}

/// A log of either sort.
#[derive(Clone, Debug)]
pub struct Log {
    /// Where it lives.
    pub base_url: String,
    /// Its id as entries and SCTs name it.
    pub id: Vec<u8>,
    /// First four bytes of the key id in its checkpoints.
    pub checkpoint_hint: [u8; 4],
    /// Its key with the hash it signs, or why it cannot be used.
    pub key: Result<(PublicKey, Hash), String>,
    /// When it counts: one window, or several where the trust root lists the same key more than once.
    pub windows: Vec<Window>,
}

impl Log {
    /// Whether its key counts at `time`; if not, the window that was missed.
    pub fn check_covers(&self, time: Time) -> Result<(), Window> {
        match self.windows.iter().any(|window| window.contains(time)) {
            true => Ok(()),
            false => Err(self.windows.last().copied().unwrap_or(Window { start: time, end: Some(time) })),
        }
    }

    /// The host of its URL without port: the origin of a Rekor v2 log's checkpoints.
    pub fn host(&self) -> &str {
        let rest = self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        authority
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(authority, |(host, _)| host)
    }
}

impl TrustRoot {
    /// The built-in root of the public-good instance.
    pub fn public_good() -> Result<Self, Malformed> {
        Self::parse(PUBLIC_GOOD, "public")
    }

    /// Whether everybody can read what is certified under it: the public-good instance, its newer roots and its staging.
    /// For consent and for display, never for trust.
    pub fn is_public(&self) -> bool {
        self.instance == "public" || self.authorities.iter().any(|authority| is_public(&authority.uri))
    }

    /// From `trusted_root.json` (v0.1 or v0.2) or from a client trust config that holds one. The built-in bytes are
    /// `public` whoever calls them what.
    pub fn parse(json: &[u8], instance: &str) -> Result<Self, Malformed> {
        check_size(json)?;
        let json = if media_type(json)?.contains("clienttrustconfig") {
            client_trust_config(json)?.trusted_root.get().as_bytes().to_vec()
        } else {
            json.to_vec()
        };
        let raw: RawTrustedRoot =
            serde_json::from_slice(&json).map_err(|error| Malformed::new("trusted root", error))?;
        const KNOWN: [&str; 2] = [
            "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "application/vnd.dev.sigstore.trustedroot.v0.2+json",
        ];
        if !KNOWN.contains(&raw.media_type.as_str()) {
            return Err(Malformed::new("trusted root", format!("media type `{}` is not supported", raw.media_type)));
        }
        let digest = key::sha256(&json);
        let authorities: Vec<_> = raw.certificate_authorities.into_iter().map(authority).collect::<Result<_, _>>()?;
        let instance = match () {
            () if digest == key::sha256(PUBLIC_GOOD) => "public",
            // For display, never for trust: whoever calls an authority so gains a warning and nothing else.
            () if authorities.iter().any(is_sandbox) => "sandbox",
            () => instance,
        };
        let root = Self {
            instance: instance.to_owned(),
            digest,
            authorities,
            ct_logs: logs(raw.ctlogs)?,
            logs: logs(raw.tlogs)?,
            timestamp_authorities: raw.timestamp_authorities.into_iter().map(authority).collect::<Result<_, _>>()?,
        };
        if root.authorities.is_empty() {
            return Err(Malformed::new("trusted root", "it lists no certificate authority"));
        }
        Ok(root)
    }
}

fn check_size(json: &[u8]) -> Result<(), Malformed> {
    if json.len() > MAX_TRUST_BYTES {
        return Err(Malformed::new("trust file", format!("{} bytes, more than {MAX_TRUST_BYTES}", json.len())));
    }
    Ok(())
}

fn media_type(json: &[u8]) -> Result<String, Malformed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct MediaType {
        media_type: String,
    }
    serde_json::from_slice::<MediaType>(json)
        .map(|found| found.media_type)
        .map_err(|error| Malformed::new("trust file", error))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTrustedRoot {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<RawLog>,
    #[serde(default)]
    certificate_authorities: Vec<RawAuthority>,
    #[serde(default)]
    ctlogs: Vec<RawLog>,
    #[serde(default)]
    timestamp_authorities: Vec<RawAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    #[serde(default)]
    base_url: String,
    #[serde(default)]
    hash_algorithm: String,
    public_key: RawKey,
    log_id: Option<RawId>,
    checkpoint_key_id: Option<RawId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawKey {
    #[serde(default)]
    raw_bytes: String,
    #[serde(default)]
    key_details: serde_json::Value,
    valid_for: Option<RawWindow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawId {
    key_id: String,
}

#[derive(Deserialize)]
struct RawWindow {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAuthority {
    #[serde(default)]
    uri: String,
    cert_chain: RawChain,
    valid_for: Option<RawWindow>,
}

#[derive(Deserialize)]
struct RawChain {
    #[serde(default)]
    certificates: Vec<RawCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCertificate {
    raw_bytes: String,
}

/// A missing start makes the whole material malformed; a missing end is open.
fn window(raw: Option<RawWindow>) -> Result<Window, Malformed> {
    let missing = || Malformed::new("trusted root", "a validity window without start");
    let raw = raw.ok_or_else(missing)?;
    Ok(Window {
        start: Time::parse(&raw.start.ok_or_else(missing)?)?,
        end: raw.end.as_deref().map(Time::parse).transpose()?,
    })
}

fn authority(raw: RawAuthority) -> Result<Authority, Malformed> {
    let chain: Result<Vec<_>, Malformed> = raw
        .cert_chain
        .certificates
        .iter()
        .map(|certificate| unbase64(&certificate.raw_bytes).and_then(|der| Certificate::parse(&der)))
        .collect();
    let chain = match chain {
        Ok(chain) if chain.is_empty() => Err("its certificate chain is empty".to_owned()),
        Ok(chain) => linked(chain),
        Err(error) => Err(error.to_string()),
    };
    Ok(Authority { uri: raw.uri, chain, window: window(raw.valid_for)? })
}

/// Whether a certificate of this authority says that it is a sandbox's.
fn is_sandbox(authority: &Authority) -> bool {
    let name = |certificate: &Certificate| certificate.subject_name().to_string();
    let says = |name: String| name.split(',').any(|part| part == SANDBOX);
    authority.chain.as_ref().is_ok_and(|chain| chain.iter().map(name).any(says))
}

/// Each certificate names the next as its issuer, so that what is above an issuer is its chain.
fn linked(chain: Vec<Certificate>) -> Result<Vec<Certificate>, String> {
    let broken =
        chain.windows(2).any(|pair| matches!(pair, [lower, upper] if lower.issuer_name() != upper.subject_name()));
    if broken { Err("its certificates do not form a chain".to_owned()) } else { Ok(chain) }
}

fn logs(raw: Vec<RawLog>) -> Result<Vec<Log>, Malformed> {
    let mut logs: Vec<Log> = Vec::with_capacity(raw.len());
    for raw in raw {
        let log = log(raw)?;
        match logs.iter_mut().find(|twin| twin.id == log.id) {
            None => logs.push(log),
            Some(twin) if twin.key == log.key => twin.windows.extend(log.windows),
            Some(twin) => {
                let id = crate::format::hex(&twin.id);
                return Err(Malformed::new("trusted root", format!("two logs with the id {id} and different keys")));
            }
        }
    }
    Ok(logs)
}

fn log(raw: RawLog) -> Result<Log, Malformed> {
    let spki = unbase64(&raw.public_key.raw_bytes)?;
    let id = raw.log_id.map(|id| unbase64(&id.key_id)).transpose()?.unwrap_or_else(|| key::sha256(&spki).to_vec());
    let checkpoint_id = raw.checkpoint_key_id.map(|id| unbase64(&id.key_id)).transpose()?.unwrap_or_else(|| id.clone());
    let checkpoint_hint = checkpoint_id
        .first_chunk::<4>()
        .copied()
        .ok_or_else(|| Malformed::new("trusted root", "a log id of less than four bytes"))?;
    let mut key = log_key(&spki, &raw.public_key.key_details);
    if !matches!(raw.hash_algorithm.as_str(), "SHA2_256" | "") {
        key = Err(format!("tree hash {} is not supported", raw.hash_algorithm));
    }
    Ok(Log { base_url: raw.base_url, id, checkpoint_hint, key, windows: vec![window(raw.public_key.valid_for)?] })
}

/// `keyDetails` is authoritative for the scheme, and the key must be of that kind.
fn log_key(spki: &[u8], details: &serde_json::Value) -> Result<(PublicKey, Hash), String> {
    let details = details.as_str().unwrap_or("given as a number or not at all");
    let (kind, hash) = match details {
        "PKIX_ECDSA_P256_SHA_256" => (KeyKind::P256, Hash::Sha256),
        "PKIX_ECDSA_P384_SHA_384" => (KeyKind::P384, Hash::Sha384),
        "PKIX_ECDSA_P521_SHA_512" => (KeyKind::P521, Hash::Sha512),
        "PKIX_ED25519" => (KeyKind::Ed25519, Hash::Sha512),
        "PKIX_RSA_PKCS1V15_2048_SHA256" | "PKIX_RSA_PKCS1V15_3072_SHA256" | "PKIX_RSA_PKCS1V15_4096_SHA256" => {
            (KeyKind::Rsa, Hash::Sha256)
        }
        other => return Err(format!("key type {other} is not supported")),
    };
    let key = PublicKey::from_spki(spki).map_err(|error| error.to_string())?;
    if key.kind() != kind {
        return Err(format!("the key is not what {details} says"));
    }
    Ok((key, hash))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawClientTrustConfig {
    media_type: String,
    trusted_root: Box<RawValue>,
    signing_config: Box<RawValue>,
}

fn client_trust_config(json: &[u8]) -> Result<RawClientTrustConfig, Malformed> {
    let raw: RawClientTrustConfig =
        serde_json::from_slice(json).map_err(|error| Malformed::new("client trust config", error))?;
    if raw.media_type != "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json" {
        return Err(Malformed::new("client trust config", format!("media type `{}` is not supported", raw.media_type)));
    }
    Ok(raw)
}

/// Whether a URL is of Sigstore's own services.
fn is_public(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    ["sigstore.dev", "sigstage.dev"]
        .iter()
        .any(|public| host.strip_suffix(public).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_public() {
        for url in
            ["https://fulcio.sigstore.dev", "https://Fulcio.Sigstore.dev./", "https://fulcio.sigstage.dev:443/api"]
        {
            assert!(is_public(url), "{url}");
        }
        for url in ["https://fulcio.example.com/sigstore.dev", "https://notsigstore.dev", "http://127.0.0.1:5555", ""] {
            assert!(!is_public(url), "{url}");
        }
        assert!(TrustRoot::public_good().unwrap().is_public());
    }
}
