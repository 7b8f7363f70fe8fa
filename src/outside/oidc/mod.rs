//! ID tokens: where they come from, and whether one is worth sending to a certificate authority.
//!
//! Reading and checking is `openidconnect`'s. The signature is the authority's to check: a token whose signature is
//! wrong buys nothing there, and checking it here would need the network. A login has the network, and checks it.

pub mod ambient;
mod browser;
mod callback;
mod device;
mod failure;
mod opener;
mod pages;
mod peer;
mod person;
mod provider;
mod refresh;
mod source;
mod surroundings;

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{AdditionalClaims, ClientId, IdTokenVerifier, IssuerUrl, JsonWebKeySet, Nonce};
use serde::{Deserialize, Serialize};

use super::http::excerpt;
use crate::format::id_token::{Claims, IdToken};
use crate::format::time::Time;

pub use failure::{LoginFailure, WAYS_OUT};
pub use opener::Opener;
pub use pages::Occasion;
pub use person::{BROWSER_LIMIT, Person};
pub use provider::Login;
pub use refresh::{LoggedIn, Refresh};
pub use source::{Asking, Source, SourceFailure, request};
pub use surroundings::{Platform, Surroundings, Way};

/// The audience of every public Fulcio, and of most private ones.
pub const DEFAULT_AUDIENCE: &str = "sigstore";
/// How far the clocks of this machine and of an issuer may be apart. Only a convenience hangs on it: the authority
/// judges by its own clock, but says nothing useful about why.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(60);

/// A token that is for our audience, valid now, and says who its subject is.
#[derive(Debug)]
pub struct CheckedToken {
    token: IdToken,
    claims: Claims,
    audience: String,
}

impl CheckedToken {
    /// The secret.
    pub fn token(&self) -> &IdToken {
        &self.token
    }

    /// What it says: who will stand in the certificate, for ever and for all to see.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The audience that was asked for.
    pub fn audience(&self) -> &str {
        &self.audience
    }
}

/// Why a token is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is not known to be its subject's.
    EmailNotVerified,
    /// Its day is over.
    Expired {
        /// When it was.
        expiry: Time,
        /// Now.
        now: Time,
    },
    /// It says nothing that a certificate could name.
    Nobody(&'static str),
    /// Its day has not come.
    NotYetValid {
        /// When it comes.
        from: Time,
        /// Now.
        now: Time,
    },
    /// It is not an ID token, or cannot be read.
    Unreadable(String),
    /// It is for somebody else.
    WrongAudience {
        /// Ours.
        wanted: String,
        /// Its own.
        found: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    /// What is wrong, then what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmailNotVerified => {
                f.write_str("the ID token's e-mail address is not verified; verify it with your identity provider")
            }
            Self::Expired { expiry, now } => write!(
                f,
                "the ID token expired at {expiry}, and it is {now}; get a new one, or correct this machine's clock"
            ),
            Self::Nobody(claim) => write!(f, "the ID token has no {claim}; ask who issued it for an ID token"),
            Self::NotYetValid { from, now } => {
                write!(f, "the ID token is valid from {from}, and it is {now}; correct this machine's clock")
            }
            Self::Unreadable(why) => write!(f, "the ID token cannot be read ({why}); get a new one"),
            Self::WrongAudience { wanted, found } => {
                write!(f, "the ID token is for {}; get one whose audience is {wanted}", excerpt(&found.join(", ")))
            }
        }
    }
}

/// Claims beside those of the standard.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    nbf: Option<serde_json::Number>,
    federated_claims: Option<Federated>,
    job_workflow_ref: Option<String>,
    ci_config_ref_uri: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Federated {
    connector_id: Option<String>,
}

impl AdditionalClaims for More {}

type Token = openidconnect::IdToken<More, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Checks a token for `audience` at `now`.
pub fn check(token: IdToken, audience: &str, now: Time) -> Result<CheckedToken, Refusal> {
    let parsed = parse(&token)?;
    // The library's way to leave issuer and signature to somebody else; audience and expiry are checked by it.
    let verifier = IdTokenVerifier::new_public_client(
        ClientId::new(audience.to_owned()),
        IssuerUrl::new("https://not.compared".to_owned()).map_err(|error| Refusal::Unreadable(error.to_string()))?,
        JsonWebKeySet::<CoreJsonWebKey>::new(Vec::new()),
    )
    .insecure_disable_signature_check()
    .require_issuer_match(false)
    .allow_all_jose_types()
    .set_other_audience_verifier_fn(|_| true)
    .set_time_fn(move || (UNIX_EPOCH + now.since_unix().unwrap_or_default().saturating_sub(CLOCK_LEEWAY)).into());
    let nothing_asked = |_: Option<&Nonce>| Ok(());
    let verified = parsed.claims(&verifier, nothing_asked).map(|_| ());
    let claims = claims(&parsed)?;
    verified.map_err(|error| match error {
        openidconnect::ClaimsVerificationError::Expired(_) => Refusal::Expired { expiry: claims.expiry, now },
        openidconnect::ClaimsVerificationError::InvalidAudience(_) => {
            Refusal::WrongAudience { wanted: audience.to_owned(), found: claims.audience.clone() }
        }
        other => Refusal::Unreadable(excerpt(&other.to_string())),
    })?;
    check_begun(&parsed, now)?;
    check_somebody(&claims)?;
    Ok(CheckedToken { token, claims, audience: audience.to_owned() })
}

/// The library keeps copies that nobody wipes, so it gets a signature that buys nothing.
fn parse(token: &IdToken) -> Result<Token, Refusal> {
    let (signed, _) = token.reveal().rsplit_once('.').ok_or_else(|| Refusal::Unreadable("no signature".to_owned()))?;
    format!("{signed}.AA").parse().map_err(|error: serde_json::Error| Refusal::Unreadable(excerpt(&error.to_string())))
}

fn unverified(token: &Token) -> Result<&openidconnect::IdTokenClaims<More, CoreGenderClaim>, Refusal> {
    let anything = IdTokenVerifier::<CoreJsonWebKey>::new_insecure_without_verification()
        .allow_all_jose_types()
        .set_time_fn(|| UNIX_EPOCH.into());
    token
        .claims(&anything, |_: Option<&Nonce>| Ok(()))
        .map_err(|error| Refusal::Unreadable(excerpt(&error.to_string())))
}

fn claims(token: &Token) -> Result<Claims, Refusal> {
    let claims = unverified(token)?;
    let more = claims.additional_claims();
    Ok(Claims {
        issuer: claims.issuer().to_string(),
        subject: claims.subject().to_string(),
        audience: claims.audiences().iter().map(|audience| audience.to_string()).collect(),
        expiry: Time::from_seconds(claims.expiration().timestamp())
            .map_err(|error| Refusal::Unreadable(error.to_string()))?,
        email: claims.email().map(|email| email.to_string()),
        email_verified: claims.email_verified(),
        connector: more.federated_claims.as_ref().and_then(|federated| federated.connector_id.clone()),
        job_workflow_ref: more.job_workflow_ref.clone(),
        ci_config_ref_uri: more.ci_config_ref_uri.clone(),
    })
}

/// `iat` and `nbf` (RFC 7519 sections 4.1.5 and 4.1.6), which may have a fraction.
fn check_begun(token: &Token, now: Time) -> Result<(), Refusal> {
    let claims = unverified(token)?;
    #[allow(clippy::cast_possible_truncation)]
    let not_before = claims.additional_claims().nbf.as_ref().and_then(serde_json::Number::as_f64).map(|nbf| nbf as i64);
    let from = not_before.unwrap_or(i64::MIN).max(claims.issue_time().timestamp());
    let leeway = i64::try_from(CLOCK_LEEWAY.as_secs()).unwrap_or_default();
    match Time::from_seconds(from) {
        Ok(time) if from.saturating_sub(leeway) > now.seconds() => Err(Refusal::NotYetValid { from: time, now }),
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::Unreadable(error.to_string())),
    }
}

fn check_somebody(claims: &Claims) -> Result<(), Refusal> {
    if claims.issuer.is_empty() {
        return Err(Refusal::Nobody("issuer"));
    }
    if claims.subject.is_empty() {
        return Err(Refusal::Nobody("subject"));
    }
    match (&claims.email, claims.email_verified) {
        (Some(email), _) if email.is_empty() => Err(Refusal::Nobody("e-mail address")),
        (Some(_), Some(true)) | (None, _) => Ok(()),
        (Some(_), Some(false) | None) => Err(Refusal::EmailNotVerified),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn base64url(bytes: &[u8]) -> String {
        crate::format::base64(bytes).replace('+', "-").replace('/', "_").replace('=', "")
    }

    fn token(claims: &Value) -> IdToken {
        let header = json!({ "alg": "RS256", "kid": "k", "typ": "JWT" });
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        IdToken::parse(&format!("{}.{}.c2lnbmF0dXJl", part(&header), part(claims))).unwrap()
    }

    /// An e-mail token with `changes`; null removes.
    fn with(changes: Value) -> IdToken {
        let mut claims = json!({
            "iss": "https://issuer.test", "sub": "s", "aud": "sigstore", "iat": NOW - 10, "exp": NOW + 600,
            "email": "a@x.test", "email_verified": true,
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        token(&claims)
    }

    fn checked(changes: Value) -> Result<CheckedToken, Refusal> {
        check(with(changes), "sigstore", Time::from_seconds(NOW).unwrap())
    }

    #[test]
    fn good_ones() {
        let claims = checked(json!({})).unwrap().claims().clone();
        assert_eq!((claims.issuer.as_str(), claims.email.as_deref()), ("https://issuer.test", Some("a@x.test")));
        for changes in [
            json!({ "aud": ["other", "sigstore"] }),
            json!({ "email": null, "email_verified": null }),
            json!({ "exp": NOW - 30 }),
            json!({ "iat": NOW + 30, "nbf": NOW + 30 }),
            json!({ "nbf": NOW as f64 - 0.5 }),
            json!({ "sub": "söme-\u{1F600}>>>???" }),
            json!({ "federated_claims": { "connector_id": "https://github.com/login/oauth", "user_id": "1" } }),
        ] {
            assert!(checked(changes.clone()).is_ok(), "{changes}");
        }
    }

    #[test]
    fn for_others_or_for_another_day() {
        assert!(matches!(checked(json!({ "aud": "other" })), Err(Refusal::WrongAudience { .. })));
        assert!(matches!(checked(json!({ "aud": null })), Err(Refusal::WrongAudience { .. })));
        assert!(matches!(checked(json!({ "aud": [] })), Err(Refusal::WrongAudience { .. })));
        assert!(matches!(checked(json!({ "aud": "Sigstore" })), Err(Refusal::WrongAudience { .. })));
        assert!(matches!(checked(json!({ "exp": NOW - 61 })), Err(Refusal::Expired { .. })));
        assert!(matches!(checked(json!({ "iat": NOW + 61 })), Err(Refusal::NotYetValid { .. })));
        assert!(matches!(checked(json!({ "nbf": NOW + 61 })), Err(Refusal::NotYetValid { .. })));
    }

    #[test]
    fn nobody_in_particular() {
        assert!(matches!(checked(json!({ "email_verified": false })), Err(Refusal::EmailNotVerified)));
        assert!(matches!(checked(json!({ "email_verified": null })), Err(Refusal::EmailNotVerified)));
        assert!(matches!(checked(json!({ "email": "" })), Err(Refusal::Nobody(_))));
        assert!(matches!(checked(json!({ "sub": "" })), Err(Refusal::Nobody(_))));
    }

    #[test]
    fn not_id_tokens() {
        for changes in [
            json!({ "iss": null }),
            json!({ "iss": "not a url" }),
            json!({ "iss": 7 }),
            json!({ "sub": null }),
            json!({ "sub": ["s"] }),
            json!({ "exp": null }),
            json!({ "exp": "soon" }),
            json!({ "exp": 1e300 }),
            json!({ "email": 7 }),
            json!({ "email_verified": "maybe" }),
            json!({ "nbf": 1e300 }),
            json!({ "job_workflow_ref": 7 }),
            json!({ "federated_claims": "x" }),
        ] {
            assert!(
                matches!(checked(changes.clone()), Err(Refusal::Unreadable(_) | Refusal::NotYetValid { .. })),
                "{changes}"
            );
        }
        let now = Time::from_seconds(NOW).unwrap();
        for garbage in ["a.b.c", "e30.e30.e30", "bnVsbA.bnVsbA.AA"] {
            assert!(matches!(check(IdToken::parse(garbage).unwrap(), "sigstore", now), Err(Refusal::Unreadable(_))));
        }
    }

    #[test]
    fn a_refusal_quotes_no_token() {
        let secret = with(json!({ "exp": "x".repeat(60) }));
        let refusal = check(secret.clone(), "sigstore", Time::from_seconds(NOW).unwrap()).unwrap_err().to_string();
        assert!(!refusal.contains(&"x".repeat(32)), "{refusal}");
        assert!(secret.reveal().split('.').all(|part| part.len() < 32 || !refusal.contains(part)), "{refusal}");
    }
}
