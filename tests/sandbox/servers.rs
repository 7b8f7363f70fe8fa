//! Two sandboxes for the suite, under the names by which it knows real servers: one as it is, one whose trust root lists
//! no CT log.
//!
//! Their folder goes when the standard input of a shell closes. We hold the other end in a static and never close it:
//! the kernel does, when this process ends, in whatever way it ends.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use git_keyless::sandbox::{Identity, Rekor, Sandbox};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{now, options};
use crate::suite::stack::{Person, Stack};
use crate::suite::token::changed;

impl Stack {
    /// The whole one.
    pub(crate) fn shared() -> Option<&'static Self> {
        stacks().first()
    }

    /// The one whose trust root lists no CT log.
    pub(crate) fn without_ct() -> Option<&'static Self> {
        stacks().last()
    }
}

fn stacks() -> &'static [Stack; 2] {
    static STACKS: OnceLock<([Stack; 2], Child)> = OnceLock::new();
    let (stacks, _) = STACKS.get_or_init(|| {
        let top = tempfile::Builder::new().prefix("keyless-sandbox-").tempdir().unwrap().keep();
        let cleaner = Command::new("sh")
            .args(["-c", "cat; rm -rf -- \"$0\""])
            .arg(&top)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Ctrl-C is for the tests; this one must live on to clean up behind them.
            .process_group(0)
            .spawn()
            .unwrap();
        ([("ct", true), ("no-ct", false)].map(|(name, lists_ct)| stack(&top.join(name), lists_ct)), cleaner)
    });
    stacks
}

fn stack(dir: &Path, lists_ct: bool) -> Stack {
    let sandbox = Sandbox::start(&options(dir, Rekor::V1)).unwrap();
    let urls = sandbox.urls();
    let ports = [&urls.oidc, &urls.fulcio, &urls.rekor_v1, &urls.rekor_v2, &urls.timestamp]
        .map(|url| url.split([':', '/']).find_map(|part| part.parse().ok()).unwrap());
    let mut root: Value = serde_json::from_slice(sandbox.trusted_root()).unwrap();
    let ct_key = root["ctlogs"][0]["publicKey"]["rawBytes"].as_str().unwrap().to_owned();
    if !lists_ct {
        root["ctlogs"] = json!([]);
    }
    let config: Value = serde_json::from_slice(sandbox.signing_config()).unwrap();
    let mut config_v2 = config.clone();
    config_v2["rekorTlogUrls"][0]["url"] = urls.rekor_v2.as_str().into();
    config_v2["rekorTlogUrls"][0]["majorApiVersion"] = 2.into();
    let both = |config: &Value| {
        json!({ "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json", "trustedRoot": root,
                "signingConfig": config })
    };
    for (name, value) in [
        ("trusted_root.json", &root),
        ("signing_config_v1.json", &config),
        ("signing_config_v2.json", &config_v2),
        ("client_trust_config.json", &both(&config)),
        ("client_trust_config_v2.json", &both(&config_v2)),
    ] {
        std::fs::write(dir.join(name), serde_json::to_vec_pretty(value).unwrap()).unwrap();
    }
    Stack { dir: dir.to_owned(), ports, ct_key, mint: Box::new(move |person| token(&sandbox, person)) }
}

/// What the provider of the real servers makes of the same query.
fn token(sandbox: &Sandbox, person: &Person) -> String {
    let named = |name: &str| {
        let value = person.query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
    };
    let text = |name: &str| named(name).unwrap();
    let identity = match person.provider {
        "dex" => Identity::Federated { email: text("email"), connector: person.issuer.unwrap().to_owned() },
        "email" => Identity::Email(text("email")),
        "github" => Identity::Workflow(format!("{}/.github/workflows/release.yml@refs/heads/main", text("repository"))),
        "spiffe" => Identity::Spiffe(text("sub")),
        _ => Identity::Uri(text("sub")),
    };
    let mut claims: Value = named("claims").map_or(json!({}), |claims| serde_json::from_str(&claims).unwrap());
    if let Some(seconds) = named("ttl") {
        claims["exp"] = (now().seconds() + seconds.parse::<i64>().unwrap()).into();
    }
    if let Some(audience) = named("aud") {
        claims["aud"] = audience.into();
    }
    changed(sandbox.directory(), &sandbox.mint(&identity).unwrap(), &claims)
}
