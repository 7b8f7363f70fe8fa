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

/// A service account that this machine may speak for, and who gives its tokens.
#[derive(Clone)]
struct Impersonation {
    account: String,
    credentials_url: String,
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
    /// As the machine's own account, or as the `account` that it may speak for. Where the servers are is said by the
    /// variables that Google's own clients know them by.
    pub fn found(surroundings: &Surroundings, account: Option<String>) -> Self {
        let place = |variable: &str, usual: &str| surroundings.variable(variable).unwrap_or(usual).to_owned();
        let credentials_url = place("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", CREDENTIALS_URL);
        Self {
            host: place("GCE_METADATA_HOST", METADATA_HOST),
            impersonation: account.map(|account| Impersonation { account, credentials_url }),
        }
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
        let service = of.credentials_url.trim_end_matches('/');
        let endpoint = format!("{service}/v1/projects/-/serviceAccounts/{account}:generateIdToken");
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
