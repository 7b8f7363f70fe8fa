//! Who a token is for: the forms of identity, the claims that say them, and what Fulcio writes down of those claims.
//!
//! Fulcio: `docs/oidc.md` for the forms, `docs/oid-info.md` for the extensions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Failure;
use super::http::put;
use crate::format::hex;
use crate::key::sha256;

/// Whom a token is for, as the command line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An e-mail address.
    Email(String),
    /// An e-mail address that the provider has from another one, as the public instance's has: the certificate names
    /// that one as its issuer.
    Federated {
        /// The address.
        email: String,
        /// The other provider, a URL.
        connector: String,
    },
    /// A SPIFFE id.
    Spiffe(String),
    /// A URI: a workload.
    Uri(String),
    /// A workflow of GitHub Actions, `OWNER/REPOSITORY/PATH@REF`.
    Workflow(String),
}

impl Identity {
    /// The issuer that vouches for it.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Email(_) => Kind::Email,
            Self::Federated { .. } => Kind::Federated,
            Self::Spiffe(_) => Kind::Spiffe,
            Self::Uri(_) => Kind::Uri,
            Self::Workflow(_) => Kind::Workflow,
        }
    }

    /// What a token says about it: all but `aud` and times.
    pub(super) fn claims(&self, base: &str) -> Result<Value, Failure> {
        let mut claims = match self {
            Self::Email(email) => json!({ "email": email, "email_verified": true, "sub": email }),
            Self::Federated { email, connector } => json!({
                "email": email,
                "email_verified": true,
                "federated_claims": { "connector_id": connector, "user_id": "1" },
                "sub": URL_SAFE_NO_PAD.encode(email),
            }),
            Self::Spiffe(id) | Self::Uri(id) => json!({ "sub": id }),
            Self::Workflow(reference) => workflow_claims(reference)?,
        };
        put(&mut claims, "iss", self.kind().issuer(base));
        Ok(claims)
    }
}

/// A run of the workflow at `reference`, after a push to the branch that it is from.
fn workflow_claims(reference: &str) -> Result<Value, Failure> {
    let none = || Failure::new(format!("`{reference}` is not OWNER/REPOSITORY/PATH@REF"));
    let (place, git_ref) = reference.split_once('@').ok_or_else(none)?;
    let (owner, rest) = place.split_once('/').ok_or_else(none)?;
    let (name, path) = rest.split_once('/').ok_or_else(none)?;
    if !is_readable(reference) || [owner, name, path, git_ref].contains(&"") {
        return Err(none());
    }
    let repository = format!("{owner}/{name}");
    let file = path.rsplit('/').next().unwrap_or(path);
    let sha: String = hex(&sha256(reference.as_bytes())).chars().take(40).collect();
    Ok(json!({
        "event_name": "push",
        "job_workflow_ref": reference,
        "job_workflow_sha": sha,
        "ref": git_ref,
        "repository": repository,
        "repository_id": "1",
        "repository_owner": owner,
        "repository_owner_id": "2",
        "repository_visibility": "public",
        "run_attempt": "1",
        "run_id": "3",
        "runner_environment": "github-hosted",
        "sha": sha,
        "sub": format!("repo:{repository}:ref:{git_ref}"),
        "workflow": file.split('.').next().unwrap_or(file),
        "workflow_ref": reference,
        "workflow_sha": sha,
    }))
}

/// What a provider vouches for, each with an issuer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Email,
    Federated,
    Spiffe,
    Uri,
    Workflow,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Email, Self::Federated, Self::Spiffe, Self::Uri, Self::Workflow];

    /// Below the provider's address.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Federated => "dex",
            Self::Spiffe => "spiffe",
            Self::Uri => "uri",
            Self::Workflow => "github",
        }
    }

    /// `iss` under the provider at `base`.
    pub(super) fn issuer(self, base: &str) -> String {
        format!("{base}/{}", self.path())
    }

    /// Fulcio's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Email | Self::Federated => "email",
            Self::Spiffe => "spiffe",
            Self::Uri => "uri",
            Self::Workflow => "github-workflow",
        }
    }

    /// The claim that a proof of possession is a signature over.
    pub(super) fn challenge_claim(self) -> &'static str {
        match self {
            Self::Email | Self::Federated => "email",
            Self::Spiffe | Self::Uri | Self::Workflow => "sub",
        }
    }
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Email(String),
    Uri(String),
}

/// What a token proves: who, and the words that Fulcio writes down about it.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    pub(super) subject: Subject,
    issuer: String,
    challenge: String,
    /// `sub`.
    token_subject: String,
    workflow: Vec<(u64, String)>,
}

impl Principal {
    /// Whom claims are about that the provider at `base` has signed; none when Fulcio takes no such claims.
    pub(super) fn of(claims: &Value, base: &str) -> Option<Self> {
        let claimed = text(claims, "iss")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.issuer(base) == claimed)?;
        let token_subject = text(claims, "sub").filter(|subject| !subject.is_empty())?;
        let (mut issuer, mut workflow) = (claimed, Vec::new());
        let subject = match kind {
            Kind::Email => Subject::Email(address(claims)?),
            Kind::Federated => {
                issuer = text(claims.get("federated_claims")?, "connector_id")?;
                Subject::Email(address(claims)?)
            }
            Kind::Spiffe => Subject::Uri(Some(token_subject.clone()).filter(|id| is_spiffe_id(id))?),
            Kind::Uri => Subject::Uri(Some(token_subject.clone()).filter(|uri| uri.contains(':') && is_readable(uri))?),
            Kind::Workflow => {
                workflow = workflow_words(claims)?;
                Subject::Uri(on_github(&text(claims, "job_workflow_ref").filter(|place| is_readable(place))?))
            }
        };
        let challenge = text(claims, kind.challenge_claim())?;
        Some(Self { subject, issuer, challenge, token_subject, workflow })
    }

    /// What a proof of possession is a signature over.
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The extensions below 1.3.6.1.4.1.57264.1, by their last number.
    pub(super) fn words(&self) -> Vec<(u64, &str)> {
        let always = [(1, self.issuer.as_str()), (8, &self.issuer), (24, &self.token_subject)];
        let workflow = self.workflow.iter().map(|(number, word)| (*number, word.as_str()));
        let mut words: Vec<_> = always.into_iter().chain(workflow).collect();
        words.sort_unstable();
        words
    }
}

/// What Fulcio writes down about a run; every one of these claims must be there.
fn workflow_words(claims: &Value) -> Option<Vec<(u64, String)>> {
    let text = |name| text(claims, name);
    let (event, sha, repository) = (text("event_name")?, text("sha")?, text("repository")?);
    let run = format!("{repository}/actions/runs/{}/attempts/{}", text("run_id")?, text("run_attempt")?);
    Some(vec![
        (2, event.clone()),
        (3, sha.clone()),
        (4, text("workflow")?),
        (5, repository.clone()),
        (6, text("ref")?),
        (9, on_github(&text("job_workflow_ref")?)),
        (10, text("job_workflow_sha")?),
        (11, text("runner_environment")?),
        (12, on_github(&repository)),
        (13, sha),
        (14, text("ref")?),
        (15, text("repository_id")?),
        (16, on_github(&text("repository_owner")?)),
        (17, text("repository_owner_id")?),
        (18, on_github(&text("workflow_ref")?)),
        (19, text("workflow_sha")?),
        (20, event),
        (21, on_github(&run)),
        (22, text("repository_visibility")?),
    ])
}

fn text(claims: &Value, name: &str) -> Option<String> {
    claims.get(name)?.as_str().map(str::to_owned)
}

fn on_github(path: &str) -> String {
    format!("https://github.com/{path}")
}

/// The address of a person, if somebody has looked whether it is theirs.
fn address(claims: &Value) -> Option<String> {
    let verified = claims.get("email_verified") == Some(&Value::Bool(true));
    text(claims, "email").filter(|email| verified && is_address(email))
}

pub(super) fn is_address(text: &str) -> bool {
    let halves = text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
    halves.is_some_and(|(_, host)| !host.contains('@')) && is_readable(text)
}

/// Nothing that a certificate could not hold.
fn is_readable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// SPIFFE-ID, section 2: a trust domain in lower case, and segments of a path that lead nowhere else.
fn is_spiffe_id(id: &str) -> bool {
    let named = |word: &str, more: fn(&u8) -> bool| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        !word.is_empty() && word.bytes().all(|byte| known(byte) || more(&byte))
    };
    let mut parts = id.strip_prefix("spiffe://").unwrap_or_default().split('/');
    parts.next().is_some_and(|domain| named(domain, |_| false))
        && parts.all(|segment| named(segment, u8::is_ascii_uppercase) && segment != "." && segment != "..")
}
