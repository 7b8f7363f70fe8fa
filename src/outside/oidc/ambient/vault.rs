//! HashiCorp's Vault (and OpenBao): a role of its identity engine says what the token holds, its audience included.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ask, field};
use crate::outside::http::{Endpoint, Failure, Server};
use crate::outside::oidc::source::Asking;
use crate::outside::oidc::surroundings::Surroundings;

/// Which Vault, as whom, and which role.
#[derive(Clone)]
pub struct Vault {
    address: String,
    namespace: Option<String>,
    role: String,
    token: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    token: String,
}

impl Vault {
    /// By the variables of Vault's own client.
    pub(super) fn found(surroundings: &Surroundings, role: &str) -> Result<Self, String> {
        let needs = |name: &str| {
            surroundings
                .variable(name)
                .map(str::to_owned)
                .ok_or_else(|| format!("{name} is not set; Vault's client needs it too"))
        };
        Ok(Self {
            address: needs("VAULT_ADDR")?,
            namespace: surroundings.variable("VAULT_NAMESPACE").map(str::to_owned),
            role: role.to_owned(),
            token: Zeroizing::new(needs("VAULT_TOKEN")?),
        })
    }

    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<Zeroizing<String>, Failure> {
        let role = utf8_percent_encode(&self.role, NON_ALPHANUMERIC);
        let address = self.address.trim_end_matches('/');
        let endpoint = Endpoint::parse(Server::IdentityProvider, &format!("{address}/v1/identity/oidc/token/{role}"))?;
        let namespace = self.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace));
        let headers = [("x-vault-token", self.token.as_str()), ("x-vault-request", "true")];
        let headers: Vec<_> = headers.into_iter().chain(namespace).collect();
        let body = ask(&endpoint, &headers, None, asking).await?;
        field(&endpoint, &body, |answer: Answer| answer.data.token)
    }
}
