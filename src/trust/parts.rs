//! An instance from the parts that older clients are configured with: URLs, certificates and keys in PEM. What comes out
//! is a client trust config, read like any other.

use der::pem;
use serde_json::{Value, json};

use crate::format::cert::Certificate;
use crate::format::{Malformed, base64};
use crate::key::{KeyKind, PublicKey};

/// Where to send what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urls<'a> {
    /// Fulcio.
    pub authority: &'a str,
    /// Rekor, and which version of its API.
    pub log: (&'a str, u32),
    /// Where people log in.
    pub identity_provider: Option<&'a str>,
    /// The timestamp authority.
    pub timestamp_authority: Option<&'a str>,
}

/// What is trusted, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pems<'a> {
    /// Fulcio's certificates, in any order.
    pub authority: &'a str,
    /// Rekor's key.
    pub log: &'a str,
    /// The certificate log's key.
    pub ct_log: &'a str,
    /// The timestamp authority's certificates.
    pub timestamp_authority: Option<&'a str>,
}

/// A signing config (v0.2) of one service of each kind.
pub fn signing_config(urls: &Urls<'_>) -> Value {
    let service = |url: &str, version: u32| json!([{ "url": url, "majorApiVersion": version, "validFor": { "start": ALWAYS }, "operator": url }]);
    let optional = |url: Option<&str>| url.map_or_else(|| json!([]), |url| service(url, 1));
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(urls.authority, 1),
        "oidcUrls": optional(urls.identity_provider),
        "rekorTlogUrls": service(urls.log.0, urls.log.1),
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": optional(urls.timestamp_authority),
        "tsaConfig": { "selector": "ANY" },
    })
}

/// A trusted root that lists one of each kind.
pub fn trusted_root(urls: &Urls<'_>, pems: &Pems<'_>) -> Result<Value, Malformed> {
    let stamps = match (urls.timestamp_authority, pems.timestamp_authority) {
        (Some(url), Some(pem)) => vec![authority(url, pem)?],
        _ => Vec::new(),
    };
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "certificateAuthorities": [authority(urls.authority, pems.authority)?],
        "tlogs": [log(urls.log.0, pems.log)?],
        "ctlogs": [log("", pems.ct_log)?],
        "timestampAuthorities": stamps,
    }))
}

/// Both in one.
pub fn client_trust_config(trusted_root: &Value, signing_config: &Value) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": trusted_root,
        "signingConfig": signing_config,
    })
}

/// A key in PEM has no dates.
const ALWAYS: &str = "1970-01-01T00:00:00Z";

fn authority(url: &str, pem: &str) -> Result<Value, Malformed> {
    let chain = chain(certificates(pem)?)?;
    let start = chain.first().map(Certificate::validity).transpose()?.map(|window| window.start.to_string());
    let certificates: Vec<_> = chain.iter().map(|one| json!({ "rawBytes": base64(one.der()) })).collect();
    Ok(json!({
        "uri": url,
        "certChain": { "certificates": certificates },
        "validFor": { "start": start.unwrap_or_else(|| ALWAYS.to_owned()) },
    }))
}

fn certificates(text: &str) -> Result<Vec<Certificate>, Malformed> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter_map(|block| {
        let at = block.find("-----BEGIN CERTIFICATE-----")?;
        block.get(at..)
    });
    let found: Vec<_> = blocks.map(Certificate::parse_pem).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(Malformed::new("PEM", "no certificate in it")) } else { Ok(found) }
}

/// Leafward first: the one that issued none of the others, then whoever issued it, and so on.
fn chain(mut rest: Vec<Certificate>) -> Result<Vec<Certificate>, Malformed> {
    let issued_none = |one: &Certificate, all: &[Certificate]| {
        !all.iter().any(|other| other.der() != one.der() && other.issuer_name() == one.subject_name())
    };
    let lowest: Vec<_> =
        (0..rest.len()).filter(|at| rest.get(*at).is_some_and(|one| issued_none(one, &rest))).collect();
    let [lowest] = lowest.as_slice() else {
        return Err(Malformed::new("PEM", "its certificates are not one chain; name a trusted root instead"));
    };
    let mut chain = vec![rest.remove(*lowest)];
    while let Some(at) =
        rest.iter().position(|one| chain.last().is_some_and(|last| last.issuer_name() == one.subject_name()))
    {
        chain.push(rest.remove(at));
    }
    match rest.is_empty() {
        true => Ok(chain),
        false => Err(Malformed::new("PEM", "its certificates are not one chain; name a trusted root instead")),
    }
}

fn log(url: &str, text: &str) -> Result<Value, Malformed> {
    let (label, spki) = pem::decode_vec(text.trim_ascii().as_bytes()).map_err(|error| Malformed::new("PEM", error))?;
    if label != "PUBLIC KEY" {
        return Err(Malformed::new("PEM", format!("label `{label}`, not PUBLIC KEY")));
    }
    let key = PublicKey::from_spki(&spki).map_err(|error| Malformed::new("public key", error))?;
    let details = match key.kind() {
        KeyKind::P256 => "PKIX_ECDSA_P256_SHA_256",
        KeyKind::P384 => "PKIX_ECDSA_P384_SHA_384",
        KeyKind::P521 => "PKIX_ECDSA_P521_SHA_512",
        KeyKind::Ed25519 => "PKIX_ED25519",
        KeyKind::Rsa => "PKIX_RSA_PKCS1V15_2048_SHA256",
    };
    Ok(json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": { "rawBytes": base64(&spki), "keyDetails": details, "validFor": { "start": ALWAYS } },
    }))
}
