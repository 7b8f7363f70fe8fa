//! What renews a login without anybody, for those who want that: whose login it was, until when, and the provider's
//! refresh token.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::format::cert::Subject;
use crate::format::id_token::Claims;
use crate::format::time::Time;
use crate::outside::oidc::Refresh;
use crate::outside::session::MAX_KEPT_BYTES;
use crate::report::Identity;

/// How long after somebody has really logged in; no renewal makes it longer. A day's work.
pub(crate) const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// A login that can be renewed.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// As the certificate of the login says it.
    pub(crate) identity: Identity,
    /// When it is over.
    pub(crate) until: Time,
    /// What the provider takes.
    pub(crate) refresh: Refresh,
    /// `sub` of the login.
    subject: String,
}

impl Renewal {
    /// Of a login at `now`.
    pub(crate) fn new(claims: &Claims, identity: &Identity, refresh: Refresh, now: Time) -> Result<Self, String> {
        let until = now.since_unix().unwrap_or_default() + LONGEST;
        let until = Time::from_unix(until).map_err(|why| why.to_string())?;
        Ok(Self { identity: identity.clone(), until, refresh, subject: claims.subject.clone() })
    }

    /// The same login with what the provider takes the next time.
    pub(crate) fn with(self, refresh: Refresh) -> Self {
        Self { refresh, ..self }
    }

    /// How long it is still good. Nothing where the clock was set back: then nobody knows.
    pub(crate) fn left(&self, now: Time) -> Duration {
        let left = u64::try_from(self.until.seconds().saturating_sub(now.seconds())).unwrap_or_default();
        Some(Duration::from_secs(left)).filter(|left| *left <= LONGEST).unwrap_or_default()
    }

    /// Whether these are the claims of the one who logged in, and a certificate for them could name the same identity.
    pub(crate) fn is_of(&self, claims: &Claims) -> bool {
        let Identity { subject, issuer } = &self.identity;
        claims.subject == self.subject && claims.allows(subject, issuer) && claims.certified_issuer() == issuer
    }

    /// JSON; never more than [`MAX_KEPT_BYTES`].
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let record = Record {
            until: self.until.seconds(),
            sub: self.subject.as_str().into(),
            kind: self.identity.subject.kind().into(),
            name: self.identity.subject.name().into(),
            issuer: self.identity.issuer.as_str().into(),
            nonce: self.refresh.nonce().into(),
            token: self.refresh.reveal().into(),
        };
        // One place from the beginning: growing would leave copies behind that nobody wipes.
        let mut place = Zeroizing::new([0; MAX_KEPT_BYTES]);
        let mut rest = place.as_mut_slice();
        serde_json::to_writer(&mut rest, &record).map_err(|_| format!("more than {MAX_KEPT_BYTES} bytes"))?;
        let length = MAX_KEPT_BYTES - rest.len();
        Ok(Zeroizing::new(place.get(..length).unwrap_or_default().to_vec()))
    }

    /// What [`Self::to_bytes`] made.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        // The library's own words could quote what it read.
        let record: Record<'_> = serde_json::from_slice(bytes).map_err(|_| "it cannot be read".to_owned())?;
        let name = record.name.into_owned();
        let subject = match record.kind.as_ref() {
            "email" => Subject::Email(name),
            "uri" => Subject::Uri(name),
            "other-name" => Subject::OtherName(name),
            _ => return Err("it cannot be read".to_owned()),
        };
        Ok(Self {
            identity: Identity { subject, issuer: record.issuer.into_owned() },
            until: Time::from_seconds(record.until).map_err(|why| why.to_string())?,
            refresh: Refresh::new(Zeroizing::new(record.token.into_owned()), record.nonce.into_owned()),
            subject: record.sub.into_owned(),
        })
    }
}

/// As it is kept. Borrowed: what is read stays in the bytes that are wiped.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    until: i64,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow)]
    token: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(NOW + seconds).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            issuer: "https://issuer.test".into(),
            subject: "1".into(),
            audience: vec!["sigstore".into()],
            expiry: at(60),
            email: Some("alice@example.test".into()),
            email_verified: Some(true),
            connector: None,
            job_workflow_ref: None,
            ci_config_ref_uri: None,
        }
    }

    fn renewal(token: &str) -> Renewal {
        let identity =
            Identity { subject: Subject::Email("alice@example.test".into()), issuer: "https://issuer.test".into() };
        let refresh = Refresh::new(Zeroizing::new(token.to_owned()), "n".into());
        Renewal::new(&claims(), &identity, refresh, at(0)).unwrap()
    }

    #[test]
    fn it_is_bounded_and_a_clock_that_was_set_back_ends_it() {
        let renewal = renewal("t");
        assert_eq!(renewal.left(at(0)), LONGEST);
        assert_eq!(renewal.left(at(60)), LONGEST - Duration::from_secs(60));
        for seconds in [-1, 12 * 3600, 12 * 3600 + 1, i64::from(i32::MAX)] {
            assert_eq!(renewal.left(at(seconds)), Duration::ZERO, "{seconds}");
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_shown_by_nothing() {
        let renewal = renewal("secret\"\\\u{e9}");
        let bytes = renewal.to_bytes().unwrap();
        let read = Renewal::parse(&bytes).unwrap();
        assert_eq!(read.refresh.reveal(), "secret\"\\\u{e9}");
        assert_eq!((&read.identity, read.until, read.refresh.nonce()), (&renewal.identity, renewal.until, "n"));
        assert!(read.is_of(&claims()) && !format!("{read:?}").contains("secret"));
        for wrong in [&bytes[..bytes.len() - 1], &bytes[1..], b"{}", b""] {
            assert!(Renewal::parse(wrong).is_err());
        }
        assert!(super::tests::renewal(&"t".repeat(MAX_KEPT_BYTES)).to_bytes().is_err());
    }

    #[test]
    fn it_is_for_nobody_else() {
        let renewal = renewal("t");
        for other in [
            Claims { subject: "2".into(), ..claims() },
            Claims { email: Some("bob@example.test".into()), ..claims() },
            Claims { email: None, ..claims() },
            Claims { issuer: "https://other.test".into(), ..claims() },
            Claims { connector: Some("https://behind.test".into()), ..claims() },
        ] {
            assert!(!renewal.is_of(&other), "{other:?}");
        }
    }
}
