//! What clients get: trust root, signing config, both in one, settings for git, variables, and the news that it runs.

use serde_json::{Value, json};

use super::authority::Chain;
use super::oidc::AUDIENCE;
use super::rekor_v1::RekorV1;
use super::rekor_v2::RekorV2;
use super::state::{Directory, READY};
use super::{Failure, ORGANIZATION, Rekor, Urls, World, der};
use crate::format::base64;
use crate::key::sha256;

/// The files as bytes.
pub(super) struct ClientFiles {
    pub(super) trusted_root: Vec<u8>,
    pub(super) signing_config: Vec<u8>,
    client_trust_config: Vec<u8>,
}

impl ClientFiles {
    /// Nothing of it counted before `start`.
    pub(super) fn new(world: &World, urls: &Urls, rekor: Rekor, start: i64) -> Result<Self, Failure> {
        let start = der::rfc3339(start)?;
        let (root, config) = (trusted_root(world, urls, &start), signing_config(urls, rekor, &start));
        let both = json!({
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": root,
            "signingConfig": config,
        });
        Ok(Self { trusted_root: pretty(&root)?, signing_config: pretty(&config)?, client_trust_config: pretty(&both)? })
    }

    /// All of them, [`READY`] last.
    pub(super) fn write(&self, directory: &Directory, urls: &Urls, program: &str) -> Result<(), Failure> {
        let path = directory.path().to_str().ok_or_else(|| Failure::new("the directory's name is not UTF-8"))?;
        directory.write("trusted_root.json", &self.trusted_root)?;
        directory.write("signing_config.json", &self.signing_config)?;
        directory.write("client_trust_config.json", &self.client_trust_config)?;
        directory.write("gitconfig", gitconfig(path, program).as_bytes())?;
        directory.write("env", env(urls).as_bytes())?;
        let urls = json!({ "oidc": urls.oidc, "fulcio": urls.fulcio, "rekor-v1": urls.rekor_v1,
                           "rekor-v2": urls.rekor_v2, "tsa": urls.timestamp });
        directory.write(READY, &pretty(&json!({ "pid": std::process::id(), "urls": urls }))?)
    }
}

fn pretty(value: &Value) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(Failure::new)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn trusted_root(world: &World, urls: &Urls, start: &str) -> Value {
    let log = |url: &str, spki: &[u8], details: &str, id: &[u8]| {
        json!({
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": { "rawBytes": base64(spki), "keyDetails": details, "validFor": { "start": start } },
            "logId": { "keyId": base64(id) },
        })
    };
    let authority = |name: &str, url: &str, chain: &Chain| {
        let certificates: Vec<_> = chain.ders().iter().map(|der| json!({ "rawBytes": base64(der) })).collect();
        json!({
            "subject": { "organization": ORGANIZATION, "commonName": name },
            "uri": url,
            "certChain": { "certificates": certificates },
            "validFor": { "start": start },
        })
    };
    const P256: &str = "PKIX_ECDSA_P256_SHA_256";
    let (v1, v2, ct) = (world.rekor_v1.spki(), &world.rekor_v2, world.authority.ct.spki());
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log(&RekorV1::base_url(), &v1, P256, &sha256(&v1)),
            log(&RekorV2::base_url(), &v2.spki(), "PKIX_ED25519", &v2.id()),
        ],
        "certificateAuthorities": [authority("sandbox-intermediate", &urls.fulcio, &world.authority.chain)],
        "ctlogs": [log("https://ct.sandbox.invalid", &ct, P256, &sha256(&ct))],
        "timestampAuthorities": [authority("sandbox-tsa", &urls.timestamp, &world.timestamps.chain)],
    })
}

fn signing_config(urls: &Urls, rekor: Rekor, start: &str) -> Value {
    let service = |url: &str, version: u32| {
        json!({ "url": url, "majorApiVersion": version, "operator": "sandbox.invalid",
                "validFor": { "start": start } })
    };
    let log = match rekor {
        Rekor::V1 => service(&urls.rekor_v1, 1),
        Rekor::V2 => service(&urls.rekor_v2, 2),
    };
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(&urls.fulcio, 1)],
        "oidcUrls": [service(&format!("{}/email", urls.oidc), 1)],
        "rekorTlogUrls": [log],
        "rekorTlogConfig": { "selector": "ANY" },
        "tsaUrls": [service(&urls.timestamp, 1)],
        "tsaConfig": { "selector": "ANY" },
    })
}

/// To be included. Until there is a login, the token is for whom git says its user is.
fn gitconfig(path: &str, program: &str) -> String {
    let value = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let address = "\"$(git config user.email || echo somebody@sandbox.invalid)\"";
    let command = format!("{} sandbox token --dir {} --email {address}", shell(program), shell(path));
    format!(
        "# A git-keyless sandbox, for trial, training and tests. To use it:\n\
         #   git config include.path {0}\n\
         [gpg]\n\tformat = x509\n\
         [gpg \"x509\"]\n\tprogram = {1}\n\
         [commit]\n\tgpgSign = true\n\
         [tag]\n\tgpgSign = true\n\
         [keyless]\n\ttrustedRoot = {2}\n\tsigningConfig = {3}\n\ttokenCommand = {4}\n",
        shell(&format!("{path}/gitconfig")),
        value(program),
        value(&format!("{path}/trusted_root.json")),
        value(&format!("{path}/signing_config.json")),
        value(&command),
    )
}

/// One word for sh.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The services, by the names that other clients of Sigstore know them by.
fn env(urls: &Urls) -> String {
    format!(
        "SIGSTORE_FULCIO_URL={}\nSIGSTORE_REKOR_URL={}\nSIGSTORE_OIDC_ISSUER={}/email\n\
         SIGSTORE_OIDC_CLIENT_ID={AUDIENCE}\nGITSIGN_TIMESTAMP_SERVER_URL={}\n",
        urls.fulcio, urls.rekor_v1, urls.oidc, urls.timestamp
    )
}
