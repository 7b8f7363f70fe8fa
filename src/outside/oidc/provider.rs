//! An OpenID provider where people log in: what it publishes about itself, its client, and its tokens.
//!
//! The protocol is `openidconnect`'s; every byte goes through our own HTTP, with its limits and without redirects.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, AuthType, ClaimsVerificationError, ClientId, ClientSecret,
    DeviceAuthorizationUrl, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, ErrorResponse, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, ProviderMetadata, RequestTokenError, Scope, TokenResponse as _, http,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::CLOCK_LEEWAY;
use super::failure::LoginFailure;
use super::refresh::OFFLINE_ACCESS;
use crate::format::id_token::IdToken;
use crate::outside::http::{Endpoint, Failure, Fault, Http, Request, Server, excerpt};

/// Most bytes of an answer of a provider: key sets of providers with many tenants are the largest.
const MAX_REPLY_BYTES: usize = 512 << 10;

/// Whom people log in with, and as which client.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// `iss` of the tokens; its discovery document is below it.
    pub issuer: String,
    /// `client_id`, and the audience of the tokens.
    pub client_id: String,
    /// Where the provider wants one; native programs cannot really keep it (RFC 8252 section 8.5).
    pub client_secret: Option<Zeroizing<String>>,
    /// Which of the providers behind a provider of providers (dex): its `connector_id`.
    pub connector: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, client_id, client_secret: _, connector } = self;
        write!(f, "Login({issuer}, {client_id}, {connector:?})")
    }
}

/// What Discovery 1.0 leaves to others: RFC 8414 section 2 and RFC 8628 section 4.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    code_challenge_methods_supported: Option<Vec<String>>,
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// A provider that has told what it is.
pub(super) struct Provider<'a> {
    pub(super) login: &'a Login,
    pub(super) exchange: Exchange<'a>,
    metadata: Metadata,
    refresh: bool,
}

impl<'a> Provider<'a> {
    /// Asks for the discovery document and the keys. Each exchange has the `deadline`.
    pub(super) async fn discover(login: &'a Login, http: &'a Http, deadline: Duration) -> Result<Self, LoginFailure> {
        let unusable = |why: String| LoginFailure::Unusable { issuer: login.issuer.clone(), why };
        let endpoint = Endpoint::parse(Server::IdentityProvider, &login.issuer).map_err(LoginFailure::Server)?;
        let issuer = IssuerUrl::new(login.issuer.clone()).map_err(|error| unusable(error.to_string()))?;
        let exchange = Exchange { http, deadline, here: endpoint.is_loopback() };
        let metadata = Metadata::discover_async(issuer, &exchange).await.map_err(|error| match error {
            DiscoveryError::Request(failure) => LoginFailure::Server(failure),
            DiscoveryError::Parse(why) => unusable(excerpt(&why.to_string())),
            other => unusable(excerpt(&other.to_string())),
        })?;
        Ok(Self { login, exchange, metadata, refresh: false })
    }

    /// From now on, unless it names its scopes and leaves that one out: then it could refuse the whole login.
    pub(super) fn ask_for_refresh(&mut self, wanted: bool) {
        let known = self.metadata.scopes_supported();
        self.refresh = wanted && known.is_none_or(|scopes| scopes.iter().any(|scope| scope.as_str() == OFFLINE_ACCESS));
    }

    /// Whether a refresh token is asked for.
    pub(super) fn refreshes(&self) -> bool {
        self.refresh
    }

    /// What a login asks for.
    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> {
        ["email"].into_iter().chain(self.refresh.then_some(OFFLINE_ACCESS)).map(|scope| Scope::new(scope.to_owned()))
    }

    /// A client that may ask for S256 (RFC 7636): a provider that names its methods and leaves this one out is refused.
    pub(super) fn client(&self) -> Result<Client, LoginFailure> {
        let methods = self.metadata.additional_metadata().code_challenge_methods_supported.as_ref();
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(self.unusable("it does not support PKCE with S256"));
        }
        let secret = self.login.client_secret.as_ref().map(|secret| ClientSecret::new(secret.to_string()));
        let client = CoreClient::from_provider_metadata(
            self.metadata.clone(),
            ClientId::new(self.login.client_id.clone()),
            secret,
        );
        Ok(if self.wants_secret_in_body() { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    /// Where devices begin, if the provider knows devices.
    pub(super) fn device_endpoint(&self) -> Option<&DeviceAuthorizationUrl> {
        self.metadata.additional_metadata().device_authorization_endpoint.as_ref()
    }

    /// Where people are sent: spoken to by a browser, so it must be what we would speak to ourselves.
    pub(super) fn check_authorization_endpoint(&self) -> Result<(), LoginFailure> {
        Endpoint::parse(Server::IdentityProvider, self.metadata.authorization_endpoint().as_str())
            .map(|_| ())
            .map_err(LoginFailure::Server)
    }

    /// RFC 9207: an answer that says who it is from is from this provider, and one who always says so has said so.
    pub(super) fn answers_as(&self, iss: Option<&str>) -> bool {
        match iss {
            Some(iss) => iss == self.login.issuer,
            None => !self.metadata.additional_metadata().authorization_response_iss_parameter_supported,
        }
    }

    /// The ID token in an answer of the token endpoint: signed by the provider, for this client, for this login.
    pub(super) fn id_token(
        &self,
        client: &Client,
        answer: &CoreTokenResponse,
        nonce: impl FnOnce(Option<&Nonce>) -> Result<(), String>,
    ) -> Result<IdToken, LoginFailure> {
        let token = answer.id_token().ok_or_else(|| self.unusable("it gave no ID token"))?;
        let published = self.metadata.id_token_signing_alg_values_supported().iter();
        // What Fulcio checks too: signatures that only the provider can make.
        let asymmetric = published.filter(|alg| !is_symmetric(alg)).cloned();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(asymmetric)
            .set_time_fn(|| SystemTime::now().checked_sub(CLOCK_LEEWAY).unwrap_or(SystemTime::UNIX_EPOCH).into());
        token.claims(&verifier, nonce).map_err(|error| LoginFailure::WrongToken {
            issuer: self.login.issuer.clone(),
            why: match &error {
                ClaimsVerificationError::SignatureVerification(why) => excerpt(&format!("{error}: {why}")),
                _ => excerpt(&error.to_string()),
            },
        })?;
        let text = Zeroizing::new(token.to_string());
        IdToken::parse(&text).map_err(|why| self.unusable(&why.to_string()))
    }

    /// What went wrong at the token endpoint or at that of devices.
    pub(super) fn failure<E: ErrorResponse + fmt::Display + 'static>(
        &self,
        error: RequestTokenError<Failure, E>,
    ) -> LoginFailure {
        match error {
            RequestTokenError::Request(failure) => LoginFailure::Server(failure),
            RequestTokenError::ServerResponse(said) => {
                LoginFailure::Refused { issuer: self.login.issuer.clone(), said: excerpt(&said.to_string()) }
            }
            // Never the answer itself: a token could stand in it.
            RequestTokenError::Parse(why, _) => self.unusable(&excerpt(&why.to_string())),
            RequestTokenError::Other(why) => self.unusable(&excerpt(&why)),
        }
    }

    pub(super) fn unusable(&self, why: &str) -> LoginFailure {
        LoginFailure::Unusable { issuer: self.login.issuer.clone(), why: why.to_owned() }
    }

    /// Basic authentication is the default (OpenID Connect Core 1.0 section 9).
    fn wants_secret_in_body(&self) -> bool {
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        methods.is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        })
    }
}

fn is_symmetric(alg: &CoreJwsSigningAlgorithm) -> bool {
    use CoreJwsSigningAlgorithm::{HmacSha256, HmacSha384, HmacSha512, None};
    matches!(alg, HmacSha256 | HmacSha384 | HmacSha512 | None)
}

/// Our HTTP, as the library asks for it.
pub(super) struct Exchange<'a> {
    http: &'a Http,
    deadline: Duration,
    /// Whether the provider is on this machine.
    here: bool,
}

impl<'c> AsyncHttpClient<'c> for Exchange<'_> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Exchange<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let endpoint = Endpoint::parse(Server::IdentityProvider, &request.uri().to_string())?;
        // Code, secret and answer would reach whatever listens there.
        if endpoint.is_loopback() && !self.here {
            let why = "a provider elsewhere names an address of this machine".to_owned();
            return Err(endpoint.failure(Fault::NotAnEndpoint { why }));
        }
        let authorization = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let authorization = authorization.map(|value| ("authorization", value));
        let form = ("application/x-www-form-urlencoded", request.body().as_slice());
        let reply = self
            .http
            .send(Request {
                endpoint: &endpoint,
                body: (request.method() == http::Method::POST).then_some(form),
                accept: "application/json",
                headers: authorization.as_slice(),
                limit: MAX_REPLY_BYTES,
                deadline: self.deadline,
            })
            .await?;
        // RFC 6749 section 5.2: what is refused is for the library to read; any other status is the server's trouble.
        if !(200..300).contains(&reply.status) && !is_oauth_error(reply.status, &reply.body) {
            return Err(reply.refusal());
        }
        let (status, body) = (reply.status, reply.body);
        http::Response::builder().status(status).body(body).map_err(|error| endpoint.unreadable(error))
    }
}

fn is_oauth_error(status: u16, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "error")]
        _error: String,
    }
    (400..500).contains(&status) && serde_json::from_slice::<Refusal>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing listens there: who does not refuse it finds nobody.
    #[test]
    fn a_provider_elsewhere_leads_to_nothing_on_this_machine() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = Http::new();
        let sent = |here: bool, address: &str| {
            let exchange = Exchange { http: &http, deadline: Duration::from_secs(5), here };
            let request = http::Request::post(address).body(b"code=1".to_vec()).unwrap();
            runtime.block_on(async { exchange.send(request).await }).unwrap_err().fault().clone()
        };
        for address in ["http://127.0.0.1:1/token", "http://localhost:1/token", "https://[::1]:1/token"] {
            assert!(matches!(sent(false, address), Fault::NotAnEndpoint { .. }), "{address}");
            assert!(matches!(sent(true, address), Fault::Unreachable { .. }), "{address}");
        }
    }
}
