//! Google's cloud: the metadata server says who a machine is; the machine may be allowed to speak for another account.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ask, field};
use crate::outside::http::{Endpoint, Failure, Server};
use crate::outside::oidc::source::Asking;
use crate::outside::oidc::surroundings::Surroundings;

/// By number: a name could be anybody's.
const METADATA_HOST: &str = "169.254.169.254";
const CREDENTIALS_URL: &str = "https://iamcredentials.googleapis.com";
/// Without it the server answers nobody; with it no browser can be made to ask.
const FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// Which metadata server, and for whom to speak.
#[derive(Clone)]
pub struct Google {
    host: String,
    impersonation: Option<Impersonation>,
}

/// A service account that this machine may speak for.
#[derive(Clone, Debug)]
pub struct Impersonation {
    /// Its address.
    pub account: String,
    /// Who gives its tokens.
    pub credentials_url: String,
}

impl Impersonation {
    /// By Google's own service.
    pub fn of(account: String) -> Self {
        Self { account, credentials_url: CREDENTIALS_URL.to_owned() }
    }
}

#[derive(Deserialize)]
struct Access {
    access_token: String,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

impl Google {
    /// `GCE_METADATA_HOST` is what Google's own clients know it by.
    pub fn found(surroundings: &Surroundings, impersonation: Option<Impersonation>) -> Self {
        let host = surroundings.variable("GCE_METADATA_HOST").unwrap_or(METADATA_HOST).to_owned();
        Self { host, impersonation }
    }

    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, Failure> {
        match &self.impersonation {
            Some(account) => self.impersonate(account, asking).await,
            None => {
                let endpoint = self.account("identity")?;
                // The full format has the e-mail address, which the certificate names.
                let endpoint = endpoint.with_parameter("audience", asking.audience).with_parameter("format", "full");
                let body = ask(&endpoint, &[FLAVOR], None, asking).await?;
                let text = std::str::from_utf8(&body).map_err(|_| endpoint.unreadable("not text"))?;
                Ok(Zeroizing::new(text.to_owned()))
            }
        }
    }

    async fn impersonate(&self, of: &Impersonation, asking: Asking<'_>) -> Result<Zeroizing<String>, Failure> {
        let metadata = self.account("token")?;
        let body = ask(&metadata, &[FLAVOR], None, asking).await?;
        let access = field(&metadata, &body, |access: Access| access.access_token)?;
        let account = utf8_percent_encode(&of.account, NON_ALPHANUMERIC);
        let endpoint = format!("{}/v1/projects/-/serviceAccounts/{account}:generateIdToken", of.credentials_url);
        let endpoint = Endpoint::parse(Server::IdentityProvider, &endpoint)?;
        let wanted = serde_json::json!({ "audience": asking.audience, "includeEmail": true }).to_string();
        let authorization = Zeroizing::new(format!("Bearer {}", access.as_str()));
        let body = ask(&endpoint, &[("authorization", &authorization)], Some(wanted.as_bytes()), asking).await?;
        field(&endpoint, &body, |answer: Answer| answer.token)
    }

    fn account(&self, what: &str) -> Result<Endpoint, Failure> {
        let url = format!("http://{}/computeMetadata/v1/instance/service-accounts/default/{what}", self.host);
        Endpoint::parse(Server::MetadataServer, &url)
    }
}
