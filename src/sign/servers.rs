//! The servers that a signature needs: whom to ask, what, and how often.

use std::time::Duration;

use super::{Deadlines, Draft, Evidence, Failure, Options};
use crate::format::cert::{self, Certificate};
use crate::format::entry::Entry;
use crate::key::{self, EphemeralKey};
use crate::outside::http::{self, Endpoint, Http, Server};
use crate::outside::oidc::CheckedToken;
use crate::outside::rekor::v1::LogKey;
use crate::outside::rekor::{Statement, v1, v2};
use crate::outside::{fulcio, tsa};
use crate::report::Step;
use crate::trust::{Services, TrustRoot};

/// The servers of one instance, as far as this signature needs them.
pub(super) struct Servers<'a> {
    http: Http,
    authority: Endpoint,
    log: Endpoint,
    log_version: u32,
    log_keys: Vec<LogKey<'a>>,
    timestamp_authority: Option<Endpoint>,
    deadlines: Deadlines,
    retry: Option<Duration>,
}

impl<'a> Servers<'a> {
    pub(super) fn of(root: &'a TrustRoot, options: &Options) -> Result<Self, Failure> {
        let Services { authority, log, timestamp_authority, .. } = &options.services;
        let needed = options.needs_timestamp(root);
        let timestamp_authority = match timestamp_authority {
            Some(_) if needed && root.timestamp_authorities.is_empty() => {
                return Err(Failure::Unusable(
                    "a timestamp is needed and the trust root lists no timestamp authority; use the trust root that belongs to the signing config",
                ));
            }
            Some(service) if needed => Some(Endpoint::parse(Server::TimestampAuthority, &service.url)?),
            None if needed => {
                return Err(Failure::Unusable(
                    "a timestamp is needed and the signing config names no timestamp authority (tsaUrls); add one, or use a log of Rekor v1",
                ));
            }
            _ => None,
        };
        Ok(Self {
            http: Http::new(),
            authority: Endpoint::parse(Server::CertificateAuthority, &authority.url)?,
            log: Endpoint::parse(Server::TransparencyLog, &log.url)?,
            log_version: log.version,
            log_keys: root
                .logs
                .iter()
                .filter_map(|log| Some(LogKey { id: &log.id, spki: log.key.as_ref().ok()?.0.spki() }))
                .collect(),
            timestamp_authority,
            deadlines: options.deadlines,
            retry: options.retry,
        })
    }

    /// Who gave what `step` of `verify` looks at.
    pub(super) fn behind(&self, step: Step) -> String {
        let times = self.timestamp_authority.as_ref().unwrap_or(&self.log);
        match step {
            Step::Entry => self.log.to_string(),
            Step::Time => times.to_string(),
            Step::Validity if self.log_version == 1 && self.timestamp_authority.is_some() => {
                format!("{}, {} and {times}", self.authority, self.log)
            }
            Step::Validity => format!("{} and {times}", self.authority),
            _ => self.authority.to_string(),
        }
    }

    /// Step 3, first half.
    pub(super) async fn certificate(&self, token: &CheckedToken, key: &EphemeralKey) -> Result<Certificate, Failure> {
        let csr = cert::certification_request(key.public()?.spki(), |message| key.sign(message))??;
        let deadline = self.deadlines.certificate;
        self.twice(async || {
            fulcio::request_certificate(&self.http, &self.authority, token.token(), &csr, deadline).await
        })
        .await
    }

    /// Step 5, both at the same time. None when the log has this very signature already and does not say where.
    pub(super) async fn evidence(&self, draft: &Draft<'_>) -> Result<Option<Evidence>, Failure> {
        let (entry, token) = tokio::try_join!(self.entry(draft), self.token(draft))?;
        Ok(entry.map(|entry| Evidence { entry, token }))
    }

    async fn entry(&self, draft: &Draft<'_>) -> Result<Option<Entry>, Failure> {
        let statement = Statement { digest: &draft.digest, signature: &draft.signature, leaf: draft.leaf };
        let deadline = self.deadlines.entry;
        self.twice(async || match self.log_version {
            1 => v1::submit(&self.http, &self.log, &statement, &self.log_keys, deadline).await.map(Some),
            _ => v2::submit(&self.http, &self.log, &statement, deadline).await,
        })
        .await
    }

    async fn token(&self, draft: &Draft<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(authority) = &self.timestamp_authority else { return Ok(None) };
        let (imprint, nonce) = (key::sha256(&draft.signature), key::random()?);
        let deadline = self.deadlines.timestamp;
        self.twice(async || tsa::request_token(&self.http, authority, &imprint, &nonce, deadline).await).await.map(Some)
    }

    /// Once more after a pause, where the first failure may pass. Every request here may be repeated: a certificate
    /// and a timestamp do no harm twice, and a log knows what it has.
    async fn twice<T>(&self, ask: impl AsyncFn() -> Result<T, http::Failure>) -> Result<T, Failure> {
        match (ask().await, self.retry) {
            (Err(failure), Some(pause)) if failure.may_pass() => {
                tokio::time::sleep(pause).await;
                Ok(ask().await?)
            }
            (answer, _) => Ok(answer?),
        }
    }
}
