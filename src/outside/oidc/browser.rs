//! Logging in with a browser on this machine: authorization code with PKCE, state and nonce (RFC 6749 section 4.1,
//! RFC 7636, RFC 8252).

use std::time::{Duration, SystemTime};

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::url::Url;
use openidconnect::{AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};

use super::callback::{Answer, Listener};
use super::failure::LoginFailure;
use super::opener::Opened;
use super::pages;
use super::person::Person;
use super::provider::{Client, Provider};
use super::refresh::{LoggedIn, Refresh};
use super::{CheckedToken, check};
use crate::format::time::Time;
use crate::outside::http::excerpt;
use crate::outside::terminal;

/// How often the program that opened the browser is asked whether it failed.
const LOOK: Duration = Duration::from_millis(100);

/// Sends the person's browser to the provider and waits for it. Says where on the terminal too, for a browser
/// that does not open by itself.
pub(super) async fn log_in(
    provider: &Provider<'_>,
    Person { opener, occasion, browser_limit, forwarded, .. }: &Person,
) -> Result<LoggedIn, LoginFailure> {
    provider.check_authorization_endpoint()?;
    let mut listener = Listener::open(*forwarded).await?;
    let attempt = Attempt::new(provider, &listener)?;
    terminal::say("git-keyless: log in with your browser, to sign; if none opens, open this address on this machine:");
    terminal::say(&format!("  {}", attempt.url));
    let opened = match opener.open(&listener.start_uri(&attempt.url)) {
        Ok(opened) => Some(opened),
        Err(failure) => by_hand(provider, failure).map(|()| None)?,
    };
    let answer = match tokio::time::timeout(*browser_limit, wait(provider, &mut listener, opened)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(LoginFailure::NotBack { limit: *browser_limit }),
    };
    let outcome = attempt.finish(provider, &answer).await;
    let page = match &outcome {
        Ok((checked, now, _)) => pages::success(checked.claims(), occasion, *now),
        Err(failure) => pages::failure(&failure.to_string(), occasion),
    };
    listener.close(answer, page).await;
    outcome.map(|(checked, _, refresh)| LoggedIn { token: checked.token().clone(), refresh })
}

/// Nothing opened: with a terminal the person can, where the provider has no better way.
fn by_hand(provider: &Provider<'_>, failure: LoginFailure) -> Result<(), LoginFailure> {
    if provider.device_endpoint().is_none() && terminal::say(&format!("git-keyless: {failure}")) {
        return Ok(());
    }
    Err(failure)
}

/// The browser's answer, or that its program failed to start one.
async fn wait(
    provider: &Provider<'_>,
    listener: &mut Listener,
    mut opened: Option<Opened>,
) -> Result<Answer, LoginFailure> {
    loop {
        tokio::select! {
            answer = listener.answer() => return answer,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some(why) = opened.as_mut().and_then(Opened::failed) {
            by_hand(provider, LoginFailure::NoBrowser { why })?;
            opened = None;
        }
    }
}

/// The token, when it was checked, and what renews it.
type Finished = (CheckedToken, Time, Option<Refresh>);

/// What one login must be recognised by.
struct Attempt {
    client: Client,
    redirect: RedirectUrl,
    url: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl Attempt {
    fn new(provider: &Provider<'_>, listener: &Listener) -> Result<Self, LoginFailure> {
        let redirect =
            RedirectUrl::new(listener.redirect_uri()).map_err(|error| provider.unusable(&error.to_string()))?;
        let client = provider.client()?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirected = client.clone().set_redirect_uri(redirect.clone());
        let mut request = redirected
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(provider.scopes())
            .set_pkce_challenge(challenge);
        if let Some(connector) = &provider.login.connector {
            request = request.add_extra_param("connector_id", connector.clone());
        }
        if provider.refreshes() {
            // OpenID Connect Core 1.0 section 11: without it the scope may be ignored.
            request = request.add_prompt(CoreAuthPrompt::Consent);
        }
        let (url, state, nonce) = request.url();
        Ok(Self { client, redirect, url, state, nonce, verifier })
    }

    /// A token for this login and no other; checked here, so that the page can say whose it is.
    async fn finish(self, provider: &Provider<'_>, answer: &Answer) -> Result<Finished, LoginFailure> {
        let code = self.code(provider, answer)?;
        let answer = self
            .client
            .clone()
            .set_redirect_uri(self.redirect)
            .exchange_code(code)
            .map_err(|_| provider.unusable("it names no token endpoint"))?
            .set_pkce_verifier(self.verifier)
            .request_async(&provider.exchange)
            .await
            .map_err(|error| provider.failure(error))?;
        let token = provider.id_token(&self.client, &answer, |found: Option<&Nonce>| match found {
            Some(nonce) if nonce.secret() == self.nonce.secret() => Ok(()),
            Some(_) => Err("it is for another login: its nonce is another".to_owned()),
            None => Err("it has no nonce".to_owned()),
        })?;
        let wrong = |why: String| LoginFailure::WrongToken { issuer: provider.login.issuer.clone(), why };
        // A login takes minutes: what the time was when it began does not count.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = Time::from_unix(Duration::from_secs(since.as_secs())).map_err(|why| wrong(why.to_string()))?;
        let checked = check(token, &provider.login.client_id, now).map_err(|why| wrong(why.to_string()))?;
        let refresh = provider.refreshes().then(|| Refresh::found(&answer, &self.nonce)).flatten();
        Ok((checked, now, refresh))
    }

    fn code(&self, provider: &Provider<'_>, answer: &Answer) -> Result<AuthorizationCode, LoginFailure> {
        // Before anything else of it is believed, its refusal included.
        if answer.parameter("state")? != Some(self.state.secret()) {
            return Err(LoginFailure::NotThisLogin { why: "its state is another" });
        }
        if !provider.answers_as(answer.parameter("iss")?) {
            return Err(LoginFailure::NotThisLogin { why: "it is from another identity provider" });
        }
        if let Some(error) = answer.parameter("error")? {
            let description = answer.parameter("error_description")?.unwrap_or_default();
            let said = excerpt(format!("{error} {description}").trim());
            let issuer = provider.login.issuer.clone();
            return Err(match error {
                "access_denied" => LoginFailure::Denied { issuer, said },
                _ => LoginFailure::Refused { issuer, said },
            });
        }
        let code = answer.parameter("code")?.filter(|code| !code.is_empty());
        let code = code.ok_or(LoginFailure::NotThisLogin { why: "there is no code in it" })?;
        Ok(AuthorizationCode::new(code.to_owned()))
    }
}
