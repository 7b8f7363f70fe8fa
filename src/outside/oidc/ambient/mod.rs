//! Identities that a workload has by where it runs. Those of CI jobs count where their own variables are set; metadata
//! servers, sockets, Vault and projected files only when somebody names them, and nothing is ever probed: otherwise
//! any stray or fake source could sign for a person.

mod github;
mod google;
mod printed;
mod spiffe;
mod vault;

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::source::{Asking, Source, SourceFailure};
use super::surroundings::Surroundings;
use crate::format::id_token::IdToken;
use crate::outside::http::{Endpoint, Failure, Request};

pub use github::GitHub;
pub use google::Google;
pub use printed::Printed;
pub use spiffe::Spiffe;
pub use vault::Vault;

/// Most bytes of an answer with a token in it.
const MAX_REPLY_BYTES: usize = 128 << 10;
/// Where Sigstore's clients look for a projected token.
const KUBERNETES_FILE: &str = "/var/run/sigstore/cosign/oidc-token";

/// A workload's identity that must be asked for.
#[derive(Clone)]
pub enum Ambient {
    /// A job of GitHub Actions, or of what speaks like it (Gitea, Forgejo).
    GitHub(GitHub),
    /// A machine of Google's cloud.
    Google(Google),
    /// A job whose agent prints it: Buildkite, CircleCI.
    Printed(Printed),
    /// A workload that a SPIFFE agent knows.
    Spiffe(Spiffe),
    /// Whatever HashiCorp's Vault, or OpenBao, knows.
    Vault(Vault),
}

impl fmt::Display for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitHub(_) => f.write_str("GitHub Actions"),
            Self::Google(_) => f.write_str("Google's metadata server"),
            Self::Printed(printed) => write!(f, "{printed}"),
            Self::Spiffe(_) => f.write_str("the SPIFFE Workload API"),
            Self::Vault(_) => f.write_str("Vault"),
        }
    }
}

impl Ambient {
    /// What it takes to ask, and is not on this machine. Nobody is asked.
    pub fn missing(&self) -> Option<String> {
        match self {
            Self::Printed(printed) => printed.missing(),
            Self::Spiffe(spiffe) => spiffe.missing(),
            Self::GitHub(_) | Self::Google(_) | Self::Vault(_) => None,
        }
    }

    pub(super) async fn request(&self, asking: Asking<'_>) -> Result<IdToken, SourceFailure> {
        let token = match self {
            Self::GitHub(github) => github.request(asking).await.map_err(SourceFailure::Server)?,
            Self::Google(google) => google.request(asking).await.map_err(SourceFailure::Server)?,
            Self::Printed(printed) => printed.request(asking).await.map_err(|why| self.no_token(&why))?,
            Self::Spiffe(spiffe) => spiffe.request(asking).await.map_err(|why| self.no_token(&why))?,
            Self::Vault(vault) => vault.request(asking).await.map_err(SourceFailure::Server)?,
        };
        IdToken::parse(&token).map_err(|why| self.no_token(&why))
    }

    fn no_token(&self, why: &dyn fmt::Display) -> SourceFailure {
        SourceFailure::NoToken { source: self.to_string(), why: why.to_string() }
    }
}

/// The identity of the job that this is, by its own variables; what the job lacks, where it has none.
pub fn of_job(surroundings: &Surroundings, audience: &str) -> Option<Result<Source, String>> {
    let yes = |name: &str| surroundings.variable(name) == Some("true");
    if yes("GITHUB_ACTIONS") {
        return Some(named("github", surroundings, audience));
    }
    let kinds = [("GITLAB_CI", "gitlab"), ("BUILDKITE", "buildkite"), ("CIRCLECI", "circleci")];
    kinds.into_iter().find(|(variable, _)| yes(variable)).map(|(_, kind)| named(kind, surroundings, audience))
}

/// A source by the name that `keyless.tokenSource` gives it: `KIND` or `KIND:DETAIL`.
pub fn named(name: &str, surroundings: &Surroundings, audience: &str) -> Result<Source, String> {
    let (kind, detail) = name.split_once(':').map_or((name, None), |(kind, detail)| (kind, Some(detail)));
    let detail = detail.filter(|detail| !detail.is_empty());
    let needs = |variable: &str, hint: &str| {
        surroundings.variable(variable).map(str::to_owned).ok_or_else(|| format!("{variable} is not set; {hint}"))
    };
    let file = |path: String| Ok(Source::File(PathBuf::from(path)));
    match (kind, detail) {
        ("environment", variable) => value(variable.unwrap_or("SIGSTORE_ID_TOKEN"), surroundings),
        ("gitlab", variable) => {
            let variable = variable.map_or_else(|| gitlab_variable(audience), str::to_owned);
            value(&variable, surroundings)
                .map_err(|why| format!("{why}: give the job `id_tokens: {{ {variable}: {{ aud: {audience} }} }}`"))
        }
        ("file", Some(path)) => file(path.to_owned()),
        ("github", None) => GitHub::found(surroundings).map(|github| Source::Ambient(Ambient::GitHub(github))),
        ("buildkite", None) => Ok(Source::Ambient(Ambient::Printed(Printed::buildkite(audience)))),
        ("circleci", None) => Ok(Source::Ambient(Ambient::Printed(Printed::circleci(audience)))),
        ("google", None) => Ok(Source::Ambient(Ambient::Google(Google::found(surroundings, None)))),
        ("google-impersonation", account) => {
            let account = match account {
                Some(account) => account.to_owned(),
                None => needs("GOOGLE_SERVICE_ACCOUNT_NAME", "name the account: google-impersonation:ACCOUNT")?,
            };
            Ok(Source::Ambient(Ambient::Google(Google::found(surroundings, Some(account)))))
        }
        ("aws", None) => file(needs("AWS_WEB_IDENTITY_TOKEN_FILE", "give the pod a service account with a role")?),
        ("azure", None) => file(needs("AZURE_FEDERATED_TOKEN_FILE", "give the pod workload identity")?),
        ("kubernetes", path) => file(path.unwrap_or(KUBERNETES_FILE).to_owned()),
        ("spiffe", socket) => {
            Spiffe::found(surroundings, socket).map(|spiffe| Source::Ambient(Ambient::Spiffe(spiffe)))
        }
        ("vault", Some(role)) => Vault::found(surroundings, role).map(|vault| Source::Ambient(Ambient::Vault(vault))),
        ("vault" | "file", None) => Err(format!("`{kind}` needs a detail: {kind}:{}", kind_detail(kind))),
        _ => Err(format!("`{name}` is none of {KINDS}")),
    }
}

/// For messages and the manual.
pub const KINDS: &str = "browser, device, environment[:VARIABLE], file:PATH, command, github, gitlab[:VARIABLE], \
                         buildkite, circleci, google, google-impersonation[:ACCOUNT], aws, azure, \
                         kubernetes[:PATH], spiffe[:SOCKET], vault:ROLE";

fn kind_detail(kind: &str) -> &'static str {
    if kind == "vault" { "ROLE" } else { "PATH" }
}

/// The name that GitLab's users, and every client of Sigstore, give it: `SIGSTORE_ID_TOKEN` for `sigstore`.
fn gitlab_variable(audience: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    audience.chars().map(letter).chain("_ID_TOKEN".chars()).collect()
}

fn value(variable: &str, surroundings: &Surroundings) -> Result<Source, String> {
    let token = surroundings.variable(variable).ok_or_else(|| format!("{variable} is not set"))?;
    Ok(Source::Value { variable: variable.to_owned(), token: Zeroizing::new(token.to_owned()) })
}

/// A request for a token, and its answer.
async fn ask(
    endpoint: &Endpoint,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
    asking: Asking<'_>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let request = Request {
        endpoint,
        body: body.map(|body| ("application/json", body)),
        accept: "application/json, text/plain, */*",
        headers,
        limit: MAX_REPLY_BYTES,
        deadline: asking.deadline,
    };
    asking.http.send(request).await?.success().map(Zeroizing::new)
}

/// One field of a JSON object, found by `pick`.
fn field<'a, T: serde::Deserialize<'a>>(
    endpoint: &Endpoint,
    body: &'a [u8],
    pick: fn(T) -> String,
) -> Result<Zeroizing<String>, Failure> {
    serde_json::from_slice(body).map(pick).map(Zeroizing::new).map_err(|error| endpoint.unreadable(error))
}
