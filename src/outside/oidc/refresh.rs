//! Another ID token without another login: refresh tokens (RFC 6749 section 6, OpenID Connect Core 1.0 sections 11
//! and 12).

use std::fmt;

use openidconnect::core::{CoreErrorResponseType, CoreTokenResponse};
use openidconnect::{Nonce, OAuth2TokenResponse as _, RefreshToken, RequestTokenError};
use zeroize::Zeroizing;

use super::failure::LoginFailure;
use super::provider::Provider;
use crate::format::id_token::IdToken;
use crate::outside::http::excerpt;

/// The scope that asks for one.
pub(super) const OFFLINE_ACCESS: &str = "offline_access";

/// What a provider takes for another ID token. Whoever has it is the person, for that provider: it is wiped when it is
/// dropped, and printed by nothing.
#[derive(Clone)]
pub struct Refresh {
    token: Zeroizing<String>,
    nonce: String,
}

impl Refresh {
    /// `nonce` is the login's: a later ID token has the same one, or none.
    pub fn new(token: Zeroizing<String>, nonce: String) -> Self {
        Self { token, nonce }
    }

    /// The secret itself: for the provider that gave it, and nobody else.
    pub fn reveal(&self) -> &str {
        &self.token
    }

    /// The login's nonce.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The one in an answer of the token endpoint.
    pub(super) fn found(answer: &CoreTokenResponse, nonce: &Nonce) -> Option<Self> {
        let token = answer.refresh_token().map(|token| Zeroizing::new(token.secret().clone()))?;
        (!token.is_empty()).then(|| Self::new(token, nonce.secret().clone()))
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refresh")
    }
}

/// What a login gives.
#[derive(Debug)]
pub struct LoggedIn {
    /// Known to be the provider's.
    pub token: IdToken,
    /// Only where it was asked for, and the provider gives any.
    pub refresh: Option<Refresh>,
}

/// Gives the next refresh token too: a new one where the provider has changed it, else the same again.
pub(super) async fn renew(provider: &Provider<'_>, refresh: &Refresh) -> Result<(IdToken, Refresh), LoginFailure> {
    let client = provider.client()?;
    let held = RefreshToken::new(refresh.reveal().to_owned());
    let answer = client
        .exchange_refresh_token(&held)
        .map_err(|_| provider.unusable("it names no token endpoint"))?
        .request_async(&provider.exchange)
        .await
        .map_err(|error| match &error {
            RequestTokenError::ServerResponse(said) if *said.error() == CoreErrorResponseType::InvalidGrant => {
                LoginFailure::NotRenewed { issuer: provider.login.issuer.clone(), said: excerpt(&said.to_string()) }
            }
            _ => provider.failure(error),
        })?;
    let nonce = Nonce::new(refresh.nonce.clone());
    let token = provider.id_token(&client, &answer, |found: Option<&Nonce>| match found {
        // OpenID Connect Core 1.0 section 12.2: it should not be there, and must be the login's where it is.
        None => Ok(()),
        Some(found) if found.secret() == nonce.secret() => Ok(()),
        Some(_) => Err("it is for another login: its nonce is another".to_owned()),
    })?;
    Ok((token, Refresh::found(&answer, &nonce).unwrap_or_else(|| refresh.clone())))
}
