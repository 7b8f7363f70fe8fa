//! Signing configs: which services to sign with, by the selection rules of Sigstore's client specification.

use std::fmt;

use serde::Deserialize;

use super::{RawWindow, check_size, client_trust_config, media_type};
use crate::format::Malformed;
use crate::format::time::{Time, Window};

/// Where to send what (`dev.sigstore.trustroot.v1.SigningConfig` v0.2).
#[derive(Clone, Debug)]
pub struct SigningConfig {
    authorities: Vec<Service>,
    identity_providers: Vec<Service>,
    logs: Vec<Service>,
    log_selector: Selector,
    timestamp_authorities: Vec<Service>,
    timestamp_selector: Selector,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Base URL; of a timestamp authority the whole URL.
    pub url: String,
    /// Which API it speaks.
    pub version: u32,
    window: Option<Window>,
    operator: String,
}

impl Service {
    /// Whether it is one of Sigstore's own, whose logs everybody can read.
    pub fn is_public(&self) -> bool {
        super::is_public(&self.url)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Undefined,
    Any,
    All,
    Exact(usize),
}

/// What one signature needs, chosen at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// Fulcio.
    pub authority: Service,
    /// Where people log in; a token that is there already needs none.
    pub identity_provider: Option<Service>,
    /// Rekor, of version 1 or 2.
    pub log: Service,
    /// The timestamp authority, when the config names one.
    pub timestamp_authority: Option<Service>,
}

/// Why a signing config gives no services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SigningConfig {
    /// From a signing config or from a client trust config that holds one.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        check_size(json)?;
        let json = if media_type(json)?.contains("clienttrustconfig") {
            client_trust_config(json)?.signing_config.get().as_bytes().to_vec()
        } else {
            json.to_vec()
        };
        let raw: RawSigningConfig =
            serde_json::from_slice(&json).map_err(|error| Malformed::new("signing config", error))?;
        if raw.media_type != "application/vnd.dev.sigstore.signingconfig.v0.2+json" {
            return Err(Malformed::new("signing config", format!("media type `{}` is not supported", raw.media_type)));
        }
        let services = |raw: Vec<RawService>| raw.into_iter().map(service).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            authorities: services(raw.ca_urls)?,
            identity_providers: services(raw.oidc_urls)?,
            logs: services(raw.rekor_tlog_urls)?,
            log_selector: selector(raw.rekor_tlog_config)?,
            timestamp_authorities: services(raw.tsa_urls)?,
            timestamp_selector: selector(raw.tsa_config)?,
        })
    }

    /// The services valid at `now`, by the rules of the client specification: of each kind the highest version that
    /// this program speaks, one per operator, newest first, as many as the selector says. What is missing is never
    /// completed with anybody else's service.
    pub fn services(&self, now: Time) -> Result<Services, Unusable> {
        let authority = first(&self.authorities, now, &[1]).ok_or_else(|| {
            Unusable("the signing config names no certificate authority (caUrls) that is valid now".into())
        })?;
        let log = match select(&self.logs, self.log_selector, now, &[1, 2], "rekorTlogUrls")?.as_slice() {
            [log] => log.clone(),
            logs => {
                return Err(Unusable(format!(
                    "the signing config wants {} logs; a commit signature holds one entry",
                    logs.len()
                )));
            }
        };
        let timestamp_authority =
            match select(&self.timestamp_authorities, self.timestamp_selector, now, &[1], "tsaUrls") {
                Ok(authorities) if authorities.len() > 1 => {
                    return Err(Unusable(format!(
                        "the signing config wants {} timestamps; one is supported",
                        authorities.len()
                    )));
                }
                Ok(authorities) => authorities.into_iter().next(),
                // A config without any authority is whole as long as nothing needs one.
                Err(_) if self.timestamp_authorities.is_empty() => None,
                Err(error) => return Err(error),
            };
        Ok(Services {
            authority,
            identity_provider: first(&self.identity_providers, now, &[1]),
            log,
            timestamp_authority,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSigningConfig {
    media_type: String,
    #[serde(default)]
    ca_urls: Vec<RawService>,
    #[serde(default)]
    oidc_urls: Vec<RawService>,
    #[serde(default)]
    rekor_tlog_urls: Vec<RawService>,
    #[serde(default)]
    tsa_urls: Vec<RawService>,
    rekor_tlog_config: Option<RawSelector>,
    tsa_config: Option<RawSelector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawService {
    url: String,
    #[serde(default)]
    major_api_version: u32,
    valid_for: Option<RawWindow>,
    #[serde(default)]
    operator: String,
}

#[derive(Deserialize)]
struct RawSelector {
    #[serde(default)]
    selector: String,
    #[serde(default)]
    count: usize,
}

fn service(raw: RawService) -> Result<Service, Malformed> {
    let window = match raw.valid_for {
        Some(RawWindow { start: Some(start), end }) => {
            Some(Window { start: Time::parse(&start)?, end: end.as_deref().map(Time::parse).transpose()? })
        }
        // Without a start it is not usable, now or ever.
        _ => None,
    };
    Ok(Service {
        url: raw.url.trim_end_matches('/').to_owned(),
        version: raw.major_api_version,
        window,
        operator: raw.operator,
    })
}

fn selector(raw: Option<RawSelector>) -> Result<Selector, Malformed> {
    match raw {
        None => Ok(Selector::Undefined),
        Some(raw) => match (raw.selector.as_str(), raw.count) {
            ("ANY", _) => Ok(Selector::Any),
            ("ALL", _) => Ok(Selector::All),
            ("EXACT", count) if count > 0 => Ok(Selector::Exact(count)),
            ("SERVICE_SELECTOR_UNDEFINED" | "", _) => Ok(Selector::Undefined),
            (other, count) => Err(Malformed::new("signing config", format!("selector `{other}` with count {count}"))),
        },
    }
}

/// Valid now, of the highest version present among `versions`, newest start first, one per operator.
fn candidates(services: &[Service], now: Time, versions: &[u32]) -> Vec<Service> {
    let mut valid: Vec<_> = services
        .iter()
        .filter(|service| versions.contains(&service.version))
        .filter_map(|service| Some((service.window.filter(|window| window.contains(now))?, service)))
        .collect();
    let highest = valid.iter().map(|(_, service)| service.version).max();
    valid.retain(|(_, service)| Some(service.version) == highest);
    valid.sort_by_key(|(window, _)| std::cmp::Reverse(window.start));
    let mut operators = std::collections::HashSet::new();
    valid
        .into_iter()
        .filter(|(_, service)| operators.insert(service.operator.clone()))
        .map(|(_, service)| service.clone())
        .collect()
}

fn first(services: &[Service], now: Time, versions: &[u32]) -> Option<Service> {
    candidates(services, now, versions).into_iter().next()
}

fn select(
    services: &[Service],
    selector: Selector,
    now: Time,
    versions: &[u32],
    what: &str,
) -> Result<Vec<Service>, Unusable> {
    let mut found = candidates(services, now, versions);
    let wanted = match selector {
        Selector::Undefined => {
            return Err(Unusable(format!("the signing config does not say how many of its {what} to use")));
        }
        Selector::Any => 1,
        Selector::All => found.len().max(1),
        Selector::Exact(count) => count,
    };
    if found.len() < wanted {
        return Err(Unusable(format!(
            "the signing config wants {wanted} of its {what} and {} are valid now and speak a version that this program speaks",
            found.len()
        )));
    }
    found.truncate(wanted);
    Ok(found)
}
