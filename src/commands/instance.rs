//! Where to sign: the services of one instance, and the trust root that must judge what they give.

use crate::commands::{Stop, trust_root};
use crate::config::{SIGNING_CONFIG, Settings, TIMESTAMP, TRUSTED_ROOT};
use crate::format::time::Time;
use crate::key;
use crate::outside::files;
use crate::sign::{Options, Timestamp};
use crate::trust::{MAX_TRUST_BYTES, SigningConfig, TrustRoot};

/// One instance, as this repository's settings choose it.
pub(crate) struct Instance {
    pub(crate) root: TrustRoot,
    pub(crate) options: Options,
    /// SHA-256 over the trust root's digest and the signing config: another instance has another one.
    pub(crate) digest: [u8; 32],
}

impl Instance {
    /// Whether everybody can read what is certified and signed there.
    pub(crate) fn is_public(&self) -> bool {
        self.root.is_public() || self.options.services.authority.is_public()
    }
}

/// The instance at `now`: services have their days.
pub(crate) fn instance(settings: &Settings, now: Time) -> Result<Instance, Stop> {
    let root = trust_root(None, settings)?;
    let config = read_config(settings)?;
    let options = options(&config, settings, now)?;
    check_one_instance(&options, &root, settings)?;
    let digest = key::sha256_of(&[&root.digest, &key::sha256(&config)]);
    Ok(Instance { root, options, digest })
}

/// Whether the trust root lists the certificate authority at `url`. What it says of addresses is informative.
pub(crate) fn lists(root: &TrustRoot, url: &str) -> bool {
    root.authorities.iter().any(|authority| authority.uri.trim_end_matches('/') == url)
}

/// The signing config, which must be named: nobody writes to a public log by accident.
fn read_config(settings: &Settings) -> Result<Vec<u8>, Stop> {
    let Some((path, value)) = settings.text(SIGNING_CONFIG).map_err(Stop::new)? else {
        let foreign = settings.foreign_instance().map_or(Ok(None), |foreign| foreign.signing_config());
        return foreign.map_err(Stop::new)?.map(String::into_bytes).ok_or_else(|| {
            Stop::new(format!(
                "nothing says where to sign: git keyless setup, or git config --global {SIGNING_CONFIG} FILE, a signing \
                 config of your instance"
            ))
        });
    };
    let refused = |why: &dyn std::fmt::Display| Stop::new(settings.unusable(SIGNING_CONFIG, value, why));
    let bytes = files::absolute(path)
        .and_then(|path| files::read_trusted(&path, MAX_TRUST_BYTES, settings.git_dir()))
        .map_err(|why| refused(&why))?;
    // A client trust config carries the trust root that belongs to it: verifying must use that one too.
    if TrustRoot::parse(&bytes, "custom").is_ok() && settings.text(TRUSTED_ROOT).map_err(Stop::new)?.is_none() {
        return Err(refused(&format!(
            "it brings a trust root of its own; name it for verifying too: git config --global {TRUSTED_ROOT} {path}"
        )));
    }
    Ok(bytes)
}

fn options(config: &[u8], settings: &Settings, now: Time) -> Result<Options, Stop> {
    let refused = |why: &dyn std::fmt::Display| match settings.text(SIGNING_CONFIG) {
        Ok(Some((_, value))) => Stop::new(settings.unusable(SIGNING_CONFIG, value, why)),
        _ => Stop::new(why),
    };
    let services = SigningConfig::parse(config)
        .map_err(|why| refused(&why))?
        .services(now)
        .map_err(|why| refused(&format!("{why}; ask who runs the instance for a current one")))?;
    let timestamp = match settings.text(TIMESTAMP).map_err(Stop::new)? {
        None | Some(("needed", _)) => Timestamp::AsNeeded,
        Some(("always", _)) => Timestamp::Always,
        Some((other, value)) => {
            return Err(Stop::new(settings.unusable(
                TIMESTAMP,
                value,
                format!("`{other}` is neither needed nor always"),
            )));
        }
    };
    Ok(Options { timestamp, ..Options::new(services) })
}

/// The built-in root speaks for the public instance alone: a token is not sent anywhere whose certificate could not
/// be judged afterwards.
fn check_one_instance(options: &Options, root: &TrustRoot, settings: &Settings) -> Result<(), Stop> {
    let explicit = settings.text(TRUSTED_ROOT).map_err(Stop::new)?.is_some();
    let url = options.services.authority.url.as_str();
    match explicit || lists(root, url) {
        true => Ok(()),
        false => Err(Stop::new(format!(
            "{SIGNING_CONFIG} names {url}, which is not the public instance; name its trust root too: \
             git config --global {TRUSTED_ROOT} FILE"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::outside::repo::{ConfigValue, Configuration};

    #[test]
    fn another_trust_root_or_signing_config_is_another_instance() {
        const ROOT: &str = include_str!("../../tests/vectors/good/trusted_root.json");
        const CONFIG: &str = include_str!("../../tests/fuzz/signing_config.json");
        let now = Time::parse("2026-12-01T00:00:00Z").unwrap();
        let digest = |root: &str, config: &str| {
            let folder = tempfile::tempdir().unwrap();
            let value = |key: &str, content: &str| {
                let path = folder.path().join(key);
                std::fs::write(&path, content).unwrap();
                let value = Some(path.to_str().unwrap().to_owned());
                ConfigValue { key: key.to_lowercase(), value, place: "a file".to_owned() }
            };
            let values = vec![value(TRUSTED_ROOT, root), value(SIGNING_CONFIG, config)];
            let settings = Settings::new(Configuration { values, ..Configuration::default() }, |_| None).unwrap();
            instance(&settings, now).unwrap().digest
        };
        let (root, config) = (format!("{ROOT} "), format!("{CONFIG} "));
        let all = [digest(ROOT, CONFIG), digest(&root, CONFIG), digest(ROOT, &config), digest(&root, &config)];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], digest(ROOT, CONFIG));
    }
}
