//! Whose key signs: the kept one, else a fresh one after a login.

use std::time::Duration;

use super::instance::Instance;
use super::kept::{Found, Kept};
use super::renewal::Renewal;
use super::{Stop, identity, now, publicity};
use crate::config::{EXPECTED_IDENTITY, Settings};
use crate::format::cert::Subject;
use crate::format::id_token::Claims;
use crate::format::printable;
use crate::outside::oidc::{self, CheckedToken, LoginFailure, Person, Source};
use crate::outside::session::{Keyring, Turn};
use crate::outside::terminal;
use crate::policy::Accepted;
use crate::report::Identity;
use crate::sign::{Credential, Signer};

/// How long somebody else's login may take before one's own begins: the five minutes of a browser, and its certificate.
const TURN_DEADLINE: Duration = Duration::from_secs(360);

/// Who wants to sign, where.
pub(crate) struct Applicant<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) instance: &'a Instance,
    pub(crate) signer: &'a Signer<'a>,
    /// Whose commit it is, by e-mail address: one person's identities are kept apart by it.
    pub(crate) committer: &'a str,
}

/// A login that nothing kept makes unnecessary, and where it will be kept.
struct Login<'a> {
    who: &'a identity::Signer,
    person: &'a Person,
    kept: &'a Kept,
    keyring: Keyring,
}

impl Applicant<'_> {
    /// For a signature. A token that somebody named is always used, and what it buys is never kept.
    pub(crate) async fn credential(&self) -> Result<Credential, Stop> {
        let who = identity::signer(self.settings, &self.instance.options.services)?;
        let Source::Person(person) = &who.source else {
            return self.certify(identity::token(&who).await?).await;
        };
        let kept = self.kept(&person.login)?;
        match kept.read(self.signer)? {
            Found::Credential(credential, _) => self.reuse(*credential),
            Found::Nothing(keyring) => {
                let _turn = take_turn();
                // Whoever had the turn before may have logged in for this one too.
                match kept.read(self.signer)? {
                    Found::Credential(credential, _) => self.reuse(*credential),
                    _ => self.obtain(&Login { who: &who, person, kept: &kept, keyring }).await,
                }
            }
            Found::NoKeyring(why) => {
                let credential = self.certify(identity::token(&who).await?).await?;
                terminal::say(&format!("git-keyless: each signature logs in anew: {why}"));
                Ok(credential)
            }
        }
    }

    /// A new one in place of the kept one, and where it is.
    pub(crate) async fn renew(&self) -> Result<(Credential, Keyring), Stop> {
        let who = identity::signer(self.settings, &self.instance.options.services)?;
        let Source::Person(person) = &who.source else {
            return Err(Stop::new(format!(
                "each signature takes its ID token from {}; there is nothing to log in to while that is set",
                who.source
            )));
        };
        let kept = self.kept(&person.login)?;
        match kept.read(self.signer)? {
            Found::NoKeyring(why) => Err(Stop::new(format!("a login could not be kept: {why}"))),
            Found::Credential(_, keyring) | Found::Nothing(keyring) => {
                let _turn = take_turn();
                let credential = self.log_in(&Login { who: &who, person, kept: &kept, keyring }).await?;
                kept.write(keyring, &credential).map_err(Stop::new)?;
                Ok((credential, keyring))
            }
        }
    }

    /// Where its credential is kept.
    pub(crate) fn kept(&self, login: &oidc::Login) -> Result<Kept, Stop> {
        Kept::of(self.settings, self.instance, login, self.committer)
    }

    fn reuse(&self, credential: Credential) -> Result<Credential, Stop> {
        publicity::check_kept(self.settings, self.instance, credential.identity()).map(|()| credential)
    }

    async fn obtain(&self, login: &Login<'_>) -> Result<Credential, Stop> {
        let credential = match self.renewed(login).await? {
            Some(credential) => credential,
            None => self.log_in(login).await?,
        };
        if let Err(why) = login.kept.write(login.keyring, &credential) {
            terminal::say(&format!("git-keyless: this login is not kept: {why}"));
        }
        Ok(credential)
    }

    /// By somebody who is asked. What renews it is kept last: for whom this is refused, nothing is.
    async fn log_in(&self, login: &Login<'_>) -> Result<Credential, Stop> {
        let Login { who, person, kept, keyring } = *login;
        let (token, refresh) = identity::login(who, person, kept.renews()).await?;
        let claims = token.claims().clone();
        let credential = self.certify(token).await?;
        let written = match refresh {
            Some(refresh) => Renewal::new(&claims, credential.identity(), refresh, now()?)
                .and_then(|renewal| kept.write_renewal(keyring, &renewal)),
            None => Err(format!("{} gives nothing to renew it with", printable(&person.login.issuer))),
        };
        if let Err(why) = written {
            // That of the login before.
            kept.forget_renewal(keyring);
            if kept.renews() {
                terminal::say(&format!("git-keyless: this login is not renewed later: {why}"));
            }
        }
        Ok(credential)
    }

    /// Without anybody, if somebody has logged in before and the provider still agrees.
    async fn renewed(&self, login: &Login<'_>) -> Result<Option<Credential>, Stop> {
        let Login { who, person, kept, keyring } = *login;
        let Some(renewal) = kept.renewal(keyring)? else { return Ok(None) };
        let (token, refresh) = match identity::renew(who, person, &renewal.refresh).await {
            Ok((token, refresh)) if renewal.is_of(token.claims()) => (token, refresh),
            // Nobody could log in either.
            Err(LoginFailure::Server(failure)) => return Err(Stop::new(failure)),
            refused => {
                // What gives no sense may be somebody between us and the provider.
                if !matches!(refused, Err(LoginFailure::Refused { .. } | LoginFailure::Unusable { .. })) {
                    kept.forget_renewal(keyring);
                }
                let why = refused.map_or_else(|why| why.to_string(), |_| "it would be somebody else's".to_owned());
                terminal::say(&format!("git-keyless: the login is not renewed: {why}"));
                return Ok(None);
            }
        };
        identity::introduce(&token);
        // First of all: the one before may be used up.
        let renewal = renewal.with(refresh);
        if let Err(why) = kept.write_renewal(keyring, &renewal) {
            terminal::say(&format!("git-keyless: this login is not renewed again: {why}"));
        }
        let credential = self.certify(token).await?;
        let (found, logged_in) = (credential.identity(), &renewal.identity);
        if found != logged_in {
            kept.forget_renewal(keyring);
            return Err(Stop::new(format!(
                "the renewed login is {} ({}), and {} ({}) logged in; log in again",
                found.subject.name(),
                found.issuer,
                logged_in.subject.name(),
                logged_in.issuer
            )));
        }
        Ok(Some(credential))
    }

    /// Whether the token's identity is wanted and may become public, and only then a certificate for it.
    async fn certify(&self, token: CheckedToken) -> Result<Credential, Stop> {
        let expected = check_expected(self.settings, token.claims())?;
        publicity::check(self.settings, self.instance, token.claims(), self.committer)?;
        let credential = self.signer.certify(token, now()?).await.map_err(Stop::new)?;
        let found = credential.identity();
        if let Some(expected) = expected.as_ref().filter(|expected| !is(found, expected)) {
            return Err(Stop::new(unexpected(found.subject.name(), &found.issuer, expected)));
        }
        for warning in credential.warnings() {
            terminal::say(&format!("git-keyless: warning: {warning}"));
        }
        Ok(credential)
    }
}

/// Whom a login must be for, if anybody is named.
pub(crate) fn expected(settings: &Settings) -> Result<Option<Accepted>, Stop> {
    let Some((text, value)) = settings.text(EXPECTED_IDENTITY).map_err(Stop::new)? else { return Ok(None) };
    Accepted::parse(text).map(Some).map_err(|why| Stop::new(settings.unusable(EXPECTED_IDENTITY, value, why)))
}

/// The same, refused where no certificate for these claims could be for them.
pub(crate) fn check_expected(settings: &Settings, claims: &Claims) -> Result<Option<Accepted>, Stop> {
    let expected = expected(settings)?;
    match expected.as_ref().filter(|expected| !could_be(claims, expected)) {
        Some(expected) => Err(Stop::new(unexpected(claims.name(), claims.certified_issuer(), expected))),
        None => Ok(expected),
    }
}

/// Whether this is exactly that identity.
pub(crate) fn is(identity: &Identity, expected: &Accepted) -> bool {
    identity.subject.name() == expected.subject && identity.issuer == expected.issuer
}

/// Whether a certificate for these claims could name that identity: of workloads the authority makes the name, and only
/// the certificate says it.
fn could_be(claims: &Claims, expected: &Accepted) -> bool {
    let name = || expected.subject.clone();
    [Subject::Email(name()), Subject::Uri(name()), Subject::OtherName(name())]
        .iter()
        .any(|subject| claims.allows(subject, &expected.issuer))
        && expected.issuer == claims.certified_issuer()
}

fn unexpected(subject: &str, issuer: &str, expected: &Accepted) -> String {
    format!(
        "this login is {subject} ({issuer}), and {EXPECTED_IDENTITY} wants {} ({}); log in as that, or change the setting",
        expected.subject, expected.issuer
    )
}

fn take_turn() -> Option<Turn> {
    let waiting = || _ = terminal::say("git-keyless: another login is going on; waiting for it");
    match Turn::take(TURN_DEADLINE, waiting) {
        Ok(turn) => Some(turn),
        Err(why) => {
            terminal::say(&format!("git-keyless: {why}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::time::Time;

    fn claims(email: Option<&str>, subject: &str, connector: Option<&str>) -> Claims {
        Claims {
            issuer: "https://issuer.test".into(),
            subject: subject.into(),
            audience: vec!["sigstore".into()],
            expiry: Time::from_seconds(0).unwrap(),
            email: email.map(str::to_owned),
            email_verified: email.map(|_| true),
            connector: connector.map(str::to_owned),
            job_workflow_ref: None,
            ci_config_ref_uri: None,
        }
    }

    fn pair(subject: &str, issuer: &str) -> Accepted {
        Accepted { subject: subject.into(), issuer: issuer.into() }
    }

    #[test]
    fn who_a_login_could_be() {
        let alice = claims(Some("alice@example.test"), "1", None);
        assert!(could_be(&alice, &pair("alice@example.test", "https://issuer.test")));
        assert!(!could_be(&alice, &pair("bob@example.test", "https://issuer.test")));
        assert!(!could_be(&alice, &pair("alice@example.test", "https://other.test")));
        // Behind a provider of providers the certificate names the one behind it, and only that one.
        let behind = claims(Some("alice@example.test"), "1", Some("https://behind.test"));
        assert!(could_be(&behind, &pair("alice@example.test", "https://behind.test")));
        assert!(!could_be(&behind, &pair("alice@example.test", "https://issuer.test")));
        // The name of a workload is its authority's to make.
        assert!(could_be(&claims(None, "job", None), &pair("https://forge.test/any", "https://issuer.test")));
        let spiffe = claims(None, "spiffe://a.test/x", None);
        assert!(could_be(&spiffe, &pair("spiffe://a.test/x", "https://issuer.test")));
        assert!(!could_be(&spiffe, &pair("spiffe://a.test/y", "https://issuer.test")));
    }
}
