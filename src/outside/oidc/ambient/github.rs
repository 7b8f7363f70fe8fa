//! GitHub Actions: a job with `permissions: id-token: write` is told where to ask, and with what.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ask, field};
use crate::outside::http::{Endpoint, Failure, Server};
use crate::outside::oidc::source::Asking;
use crate::outside::oidc::surroundings::Surroundings;

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Where to ask, and with what.
#[derive(Clone)]
pub struct GitHub {
    url: String,
    authorization: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

impl GitHub {
    pub(super) fn found(surroundings: &Surroundings) -> Result<Self, String> {
        match (surroundings.variable(URL), surroundings.variable(TOKEN)) {
            (Some(url), Some(token)) => {
                Ok(Self { url: url.to_owned(), authorization: Zeroizing::new(format!("bearer {token}")) })
            }
            _ => Err(format!("{URL} or {TOKEN} is not set; give the job `permissions: id-token: write`")),
        }
    }

    /// The audience is one more parameter of the address.
    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, Failure> {
        let endpoint =
            Endpoint::parse(Server::IdentityProvider, &self.url)?.with_parameter("audience", asking.audience);
        let body = ask(&endpoint, &[("authorization", &self.authorization)], None, asking).await?;
        field(&endpoint, &body, |answer: Answer| answer.value)
    }
}
