//! Step 7: every authenticated time, at least one. Sources are the promise of Rekor v1 and RFC 3161 tokens over the
//! signature's octets. What the signer, the committer or an entry without promise say is never a time.

use der::Encode as _;
use der::asn1::Any;

use super::cms::VerifiedSignature;
use super::entry::VerifiedEntry;
use super::token::{self, VerifiedToken};
use crate::format::Malformed;
use crate::format::cms::{self, TIMESTAMP_TOKEN};
use crate::format::time::{Time, Window};
use crate::format::timestamp::MAX_TOKENS;
use crate::key::Memo;
use crate::report::{Reason, TimeSource};
use crate::trust::TrustRoot;

/// At least one time that somebody of the trust root vouches for.
pub(super) struct VerifiedTimes {
    times: Vec<VerifiedTime>,
    /// Tokens of authorities that the trust root does not list.
    ignored: usize,
}

/// One of them.
pub(super) struct VerifiedTime {
    source: TimeSource,
    time: Time,
    /// Of a token: when the trust root lets its authority count, and who that is.
    authority: Option<(Window, String)>,
}

impl VerifiedTime {
    fn of(token: VerifiedToken) -> Self {
        let (time, authority) = (token.time(), Some(token.into_authority()));
        Self { source: TimeSource::Timestamp, time, authority }
    }

    pub(super) fn time(&self) -> Time {
        self.time
    }

    pub(super) fn authority(&self) -> Option<&(Window, String)> {
        self.authority.as_ref()
    }
}

impl VerifiedTimes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &VerifiedTime> {
        self.times.iter()
    }

    pub(super) fn facts(&self) -> Vec<(TimeSource, Time)> {
        self.times.iter().map(|time| (time.source, time.time)).collect()
    }

    pub(super) fn note(&self) -> Option<String> {
        (self.ignored > 0).then(|| {
            format!("{} timestamp token(s) of authorities that the trust root does not list were ignored", self.ignored)
        })
    }

    pub(super) fn detail(&self) -> String {
        let all: Vec<_> = self.times.iter().map(|time| format!("{} by {}", time.time, time.source.name())).collect();
        all.join(", ")
    }
}

/// Whether there is anything that could give a time.
pub(super) fn has_source(signature: Option<&VerifiedSignature>, entry: Option<&VerifiedEntry<'_>>) -> bool {
    entry.is_some_and(|entry| entry.promised().is_some())
        || signature.is_some_and(|signature| cms::values(signature.unsigned(), TIMESTAMP_TOKEN).0 > 0)
}

pub(super) fn verify_times(
    signature: &VerifiedSignature,
    entry: Option<&VerifiedEntry<'_>>,
    root: &TrustRoot,
    memo: &Memo,
    now: Time,
) -> Result<VerifiedTimes, Reason> {
    let promised = entry.and_then(VerifiedEntry::promised).map(|time| VerifiedTime {
        source: TimeSource::Promise,
        time,
        authority: None,
    });
    let mut verified = VerifiedTimes { times: promised.into_iter().collect(), ignored: 0 };
    for token in token_values(signature)? {
        let der =
            token.to_der().map_err(|error| Reason::TimestampMalformed(Malformed::new("timestamp token", error)))?;
        match token::verify_token(&der, signature.signature(), root, memo)? {
            Some(token) => verified.times.push(VerifiedTime::of(token)),
            None => verified.ignored += 1,
        }
    }
    if let Some(time) = verified.times.iter().map(VerifiedTime::time).find(|time| *time > now) {
        return Err(Reason::TimeInFuture { time, now });
    }
    match verified.times.is_empty() {
        true => Err(missing(&verified, root)),
        false => Ok(verified),
    }
}

/// The tokens inside, bare: for bundles.
pub(super) fn tokens(signature: &VerifiedSignature) -> Vec<Vec<u8>> {
    cms::values(signature.unsigned(), TIMESTAMP_TOKEN).1.iter().filter_map(|token| token.to_der().ok()).collect()
}

fn missing(verified: &VerifiedTimes, root: &TrustRoot) -> Reason {
    match root.timestamp_authorities.iter().find_map(|authority| authority.chain.as_ref().err()) {
        Some(why)
            if verified.ignored > 0 && root.timestamp_authorities.iter().all(|authority| authority.chain.is_err()) =>
        {
            Reason::TrustRootUnusable(format!("no timestamp authority can be read: {why}"))
        }
        _ => Reason::TimeMissing,
    }
}

fn token_values(signature: &VerifiedSignature) -> Result<Vec<&Any>, Reason> {
    let (attributes, values) = cms::values(signature.unsigned(), TIMESTAMP_TOKEN);
    match (attributes, values.len()) {
        (0, _) => Ok(values),
        (1, 1..=MAX_TOKENS) => Ok(values),
        (1, 0) => Err(Reason::TimestampMalformed(Malformed::new("timestamp token attribute", "without value"))),
        (1, found) => Err(Reason::LimitExceeded { what: "timestamp tokens", found, limit: MAX_TOKENS }),
        (count, _) => Err(Reason::TimestampMalformed(Malformed::new(
            "timestamp token attribute",
            format!("stands {count} times, not once"),
        ))),
    }
}
