//! The seven steps from a payload to a signature.
//!
//! ```text
//! 1 ID token     for our audience, valid now                      -> CheckedToken
//! 2 key          P-256, in memory
//! 3 certificate  ours, for whom the token names, from our authority, seen by its log     -> Credential
//! 4 CMS          over the payload
//! 5 evidence     log entry and, where needed, timestamp, asked for at the same time
//! 6 ourselves    steps 1 to 8 of `verify` on the result
//! 7 hand over
//! ```
//!
//! A credential signs as often as its certificate's minutes allow. Whoever calls decides *between* 1 and 3 whether this
//! identity may become public: a certificate is published when it is issued. Nothing is handed over that this program
//! itself would not verify.

mod credential;
mod failure;
mod servers;

use std::time::Duration;

use crate::format::Malformed;
use crate::format::armor;
use crate::format::cert::Certificate;
use crate::format::cms::{self, SignedData};
use crate::format::entry::Entry;
use crate::format::object::Object;
use crate::format::time::Time;
use crate::format::timestamp::TstInfo;
use crate::key::{self, EphemeralKey, Memo};
use crate::outside::http::{Endpoint, Server};
use crate::outside::oidc::{CheckedToken, DEFAULT_AUDIENCE};
use crate::report::{self, Check, Facts, TimeSource};
use crate::trust::{Services, TrustRoot};
use crate::verify::Verifier;
use servers::Servers;

pub use credential::{Credential, LEAST_LIFE, NotTaken};
pub use failure::{Failure, Warning};

/// How to sign.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom to ask; the signing config chose them.
    pub services: Services,
    /// When to ask for a timestamp.
    pub timestamp: Timestamp,
    /// How long to wait for whom.
    pub deadlines: Deadlines,
    /// The pause before a request that may well succeed is made once more; none for never.
    pub retry: Option<Duration>,
}

impl Options {
    /// The usual ones.
    pub fn new(services: Services) -> Self {
        let retry = Some(Duration::from_secs(1));
        Self { services, timestamp: Timestamp::default(), deadlines: Deadlines::default(), retry }
    }

    /// Whether a timestamp is asked for: a promise gives a time only where the trust root lists the log that promises.
    pub fn needs_timestamp(&self, root: &TrustRoot) -> bool {
        self.services.log.version != 1 || root.logs.is_empty() || self.timestamp == Timestamp::Always
    }
}

/// When to ask for a timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamp {
    /// Where nothing else gives a time: Rekor v2, or a trust root that lists no log.
    #[default]
    AsNeeded,
    /// Always.
    Always,
}

/// How long to wait, per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For a certificate: 20 s. It takes milliseconds, the authority's own log a second or two.
    pub certificate: Duration,
    /// For a log entry: 40 s. Rekor v2 answers with its next checkpoint, up to 10 s later, witnesses included.
    pub entry: Duration,
    /// For a timestamp: 20 s. It takes milliseconds.
    pub timestamp: Duration,
    /// For all of a certificate, and again for all of a signature, second attempts included: 90 s.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { certificate: seconds(20), entry: seconds(40), timestamp: seconds(20), total: seconds(90) }
    }
}

/// A signature that this program verifies.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The armor, with its final LF.
    pub armor: String,
    /// What was verified of it.
    pub facts: Facts,
}

/// Signs under one trust root with the services of one instance.
pub struct Signer<'a> {
    root: &'a TrustRoot,
    servers: Servers<'a>,
    total: Duration,
    memo: Memo,
}

impl<'a> Signer<'a> {
    /// Refuses what could not end well, before anything is published.
    pub fn new(root: &'a TrustRoot, options: &Options) -> Result<Self, Failure> {
        Ok(Self { root, servers: Servers::of(root, options)?, total: options.deadlines.total, memo: Memo::new() })
    }

    /// Steps 2 and 3: a fresh key and its certificate, for whom `token` names. `now` is this machine's clock: it warns.
    pub async fn certify(&self, token: CheckedToken, now: Time) -> Result<Credential, Failure> {
        self.in_time(async {
            let key = EphemeralKey::generate()?;
            let leaf = self.servers.certificate(&token, &key).await?;
            let credential = Credential::of(key, leaf, self.root, &self.memo)?;
            let found = credential.identity();
            if !token.claims().allows(&found.subject, &found.issuer) {
                return Err(Failure::Identity { found: found.clone(), wanted: token.claims().name().to_owned() });
            }
            let warnings = warnings(&credential, &token, self.root, now);
            Ok(credential.warning(warnings))
        })
        .await
    }

    /// A credential out of what [`Credential::to_bytes`] gave, wherever that was kept: judged anew, as if it had just
    /// arrived, and only with some life left at `now`.
    pub fn take_back(&self, bytes: &[u8], now: Time) -> Result<Credential, NotTaken> {
        Credential::from_bytes(bytes, self.root, &self.memo, now)
    }

    /// Steps 4 to 6. `now` is this machine's clock: it becomes the signing time, which proves nothing.
    pub async fn sign(&self, payload: &[u8], credential: &Credential, now: Time) -> Result<Signed, Failure> {
        self.in_time(async {
            let mut draft = Draft::of(payload, credential, now)?;
            let evidence = match self.servers.evidence(&draft).await? {
                Some(evidence) => evidence,
                // The log has this very signature from an attempt whose answer was lost: a fresh one has another body.
                None => {
                    draft = Draft::of(payload, credential, now)?;
                    self.servers.evidence(&draft).await?.ok_or(Failure::Unusable(
                        "the transparency log calls a fresh signature a duplicate; try again later, or ask who runs it",
                    ))?
                }
            };
            let armor = draft.armor(&evidence)?;
            let facts = verify_own(payload, &armor, self.root, &self.memo, evidence.latest(now)?)
                .map_err(|check| Failure::Refused { by: self.servers.behind(check.step), check: Box::new(check) })?;
            // Beside a promise a token of an unknown authority is ignored; one that was asked for must count.
            if evidence.token.is_some() && !facts.times.iter().any(|(source, _)| *source == TimeSource::Timestamp) {
                return Err(Failure::Unusable(
                    "the timestamp is of an authority that the trust root does not list; use the trust root and the signing config of one instance",
                ));
            }
            Ok(Signed { armor, facts })
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.total, work).await.unwrap_or(Err(Failure::Late(self.total)))
    }
}

fn warnings(credential: &Credential, token: &CheckedToken, root: &TrustRoot, now: Time) -> Vec<Warning> {
    let window = credential.window();
    let clock = (!window.contains(now)).then_some(Warning::Clock { now, window });
    // No public authority takes tokens of an issuer on this machine.
    let issuer = Endpoint::parse(Server::IdentityProvider, &token.claims().issuer);
    let replayable = !root.is_public() && !issuer.is_ok_and(|issuer| issuer.is_loopback());
    let shared = (replayable && token.audience() == DEFAULT_AUDIENCE)
        .then(|| Warning::SharedAudience { audience: token.audience().to_owned(), instance: root.instance.clone() });
    clock.into_iter().chain(shared).collect()
}

/// Step 4: everything of the CMS but its evidence.
struct Draft<'a> {
    leaf: &'a Certificate,
    attributes: Vec<u8>,
    digest: [u8; 32],
    signature: Vec<u8>,
}

impl<'a> Draft<'a> {
    fn of(payload: &[u8], credential: &'a Credential, now: Time) -> Result<Self, Failure> {
        let attributes = cms::signed_attributes(&key::sha256(payload), now)?;
        let signature = credential.key().sign(&attributes)?;
        Ok(Self { leaf: credential.leaf(), digest: key::sha256(&attributes), attributes, signature })
    }

    fn armor(&self, evidence: &Evidence) -> Result<String, Failure> {
        let mut unsigned = vec![cms::entry_attribute(&evidence.entry.to_bytes())?];
        if let Some(token) = &evidence.token {
            unsigned.push(cms::token_attribute(token)?);
        }
        Ok(armor::armor(&cms::assemble(self.leaf, &self.attributes, &self.signature, unsigned)?)?)
    }
}

/// Step 5: what proves when.
struct Evidence {
    entry: Entry,
    token: Option<Vec<u8>>,
}

impl Evidence {
    /// The latest of now and what the log and the authority claim: our clock may be behind theirs. No claim gains
    /// anything by it, since all of them are verified.
    fn latest(&self, now: Time) -> Result<Time, Malformed> {
        let stamped = self.token.as_deref().map(|token| SignedData::parse(token).and_then(|token| TstInfo::of(&token)));
        let stamped = stamped.transpose()?.map_or(now, |info| info.time);
        Ok(now.max(stamped).max(Time::from_seconds(self.entry.integrated_time)?))
    }
}

/// Step 6: nothing leaves that does not verify.
fn verify_own(payload: &[u8], armor: &str, root: &TrustRoot, memo: &Memo, now: Time) -> Result<Facts, Check> {
    let object = Object::of(payload.to_vec(), armor.as_bytes().to_vec());
    let verified = Verifier::new(root, memo).verify(&object, now);
    match report::refused(verified.checks()).or_else(|| verified.checks().iter().find(|check| !check.holds())) {
        Some(check) => Err(check.clone()),
        None => Ok(verified.facts().clone()),
    }
}
