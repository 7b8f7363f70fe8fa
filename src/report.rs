//! What verification answers: nine checks, one verdict, one reason, and the facts that were verified.
//!
//! A report is always complete and is never an error: a refusal is an answer. The verdict is computed here and
//! nowhere else; nothing takes one.

mod reason;

use serde_json::{Value, json};

use crate::format::cert::Subject;
use crate::format::hex;
use crate::format::object::{Kind, TagHeader};
pub use crate::format::printable;
use crate::format::time::{Time, Window};

pub use reason::Reason;

/// The nine steps, with the same numbers in code, man page and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// 1: exactly one native signature in the raw bytes, nothing ambiguous around it.
    Object = 1,
    /// 2: a CMS signature over the payload verifies under the leaf's key.
    Cms,
    /// 3: a certificate authority of the trust root issued the leaf.
    Chain,
    /// 4: a certificate transparency log of the trust root signed for the leaf.
    Sct,
    /// 5: the leaf is for code signing and names one identity.
    Profile,
    /// 6: a log of the trust root includes this signature.
    Entry,
    /// 7: at least one authenticated time.
    Time,
    /// 8: certificates and keys were valid at every verified time.
    Validity,
    /// 9: the identity is accepted.
    Policy,
}

impl Step {
    /// All nine, in order.
    pub const ALL: [Self; 9] = [
        Self::Object,
        Self::Cms,
        Self::Chain,
        Self::Sct,
        Self::Profile,
        Self::Entry,
        Self::Time,
        Self::Validity,
        Self::Policy,
    ];

    /// Its word in output and man page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Cms => "cms",
            Self::Chain => "chain",
            Self::Sct => "sct",
            Self::Profile => "profile",
            Self::Entry => "entry",
            Self::Time => "time",
            Self::Validity => "validity",
            Self::Policy => "policy",
        }
    }

    /// 1 to 9.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// The evidence is there and is false.
    Failed(Reason),
    /// The evidence is missing, or nobody here knows who made it.
    Missing(Reason),
    /// An earlier step did not give what this one needs.
    NotReached,
    /// Neither the trust root nor the caller asks for it.
    NotRequired,
}

/// One step of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
    /// One line for people: what was found.
    pub detail: String,
}

impl Check {
    /// The step holds; `detail` says what was found.
    pub fn passed(step: Step, detail: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::Passed, detail: detail.into() }
    }

    /// The step does not hold: missing or failed, as the reason's class says.
    pub fn refused(step: Step, reason: Reason) -> Self {
        let detail = reason.to_string();
        let outcome = if reason.is_unknown() { Outcome::Missing(reason) } else { Outcome::Failed(reason) };
        Self { step, outcome, detail }
    }

    /// The step could not run; `detail` says what it needs.
    pub fn not_reached(step: Step, detail: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::NotReached, detail: detail.into() }
    }

    /// Nobody asks for the step; `detail` says why.
    pub fn not_required(step: Step, detail: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::NotRequired, detail: detail.into() }
    }

    /// Whether nothing stands against `good` here.
    pub fn holds(&self) -> bool {
        matches!(self.outcome, Outcome::Passed | Outcome::NotRequired)
    }

    /// Why not, if it was refused.
    pub fn reason(&self) -> Option<&Reason> {
        match &self.outcome {
            Outcome::Failed(reason) | Outcome::Missing(reason) => Some(reason),
            Outcome::Passed | Outcome::NotReached | Outcome::NotRequired => None,
        }
    }

    fn result(&self) -> &'static str {
        match self.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Missing(_) => "missing",
            Outcome::NotReached => "not-reached",
            Outcome::NotRequired => "not-required",
        }
    }
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every step holds.
    Good,
    /// Some evidence is there and is false.
    Bad,
    /// Some evidence is missing or from somebody unknown.
    Unknown,
}

impl Verdict {
    /// Its word in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// What the caller's list or policy makes of the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Good, and the identity is one that somebody named.
    Fully,
    /// Nobody said.
    Undefined,
    /// Not good for sure.
    Never,
}

impl Trust {
    /// Its word in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fully => "fully",
            Self::Undefined => "undefined",
            Self::Never => "never",
        }
    }
}

/// Who: subject and issuer, always the pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject alternative name.
    pub subject: Subject,
    /// The OIDC issuer.
    pub issuer: String,
}

/// Who said when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// An inclusion promise of Rekor v1.
    Promise,
    /// An RFC 3161 token.
    Timestamp,
}

impl TimeSource {
    /// Its word in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Promise => "promise",
            Self::Timestamp => "timestamp",
        }
    }
}

/// Where the signature was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFact {
    /// Base URL of the log, from the trust root.
    pub log: String,
    /// Index: over all shards in Rekor v1, in the tree in Rekor v2.
    pub index: u64,
    /// Kind and version of the body that verified.
    pub kind: String,
}

/// What the leaf says of itself, once its issuer vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFact {
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
    /// Serial number, content octets.
    pub serial: Vec<u8>,
    /// Its dates.
    pub validity: Window,
}

/// What was verified. A fact that was not verified is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Id computed from the bytes judged, in hexadecimal; none when git kept them.
    pub object: Option<String>,
    /// Which object it is.
    pub kind: Option<Kind>,
    /// Only when steps 1 to 5 hold.
    pub identity: Option<Identity>,
    /// Every authenticated time.
    pub times: Vec<(TimeSource, Time)>,
    /// The entry, when step 6 holds.
    pub entries: Vec<EntryFact>,
    /// The leaf, when step 3 holds.
    pub certificate: Option<CertificateFact>,
    /// Of a tag: its own name and target; only when steps 1 to 5 hold.
    pub tag: Option<TagHeader>,
    /// Under which instance it was judged.
    pub instance: String,
    /// SHA-256 of the trust root.
    pub trust_root: [u8; 32],
    /// SHA-1 of the certificate that the signature names, in hexadecimal. No evidence: git's status lines carry it.
    pub fingerprint: Option<String>,
    /// What was seen and decides nothing.
    pub notes: Vec<String>,
}

/// The answer about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    checks: [Check; 9],
    facts: Facts,
}

impl Report {
    /// Puts nine checks and the facts together. The verdict follows from them: see [`Report::verdict`].
    pub fn conclude(checks: [Check; 9], facts: Facts) -> Self {
        Self { checks, facts }
    }

    /// The nine, in order.
    pub fn checks(&self) -> &[Check; 9] {
        &self.checks
    }

    /// What was verified.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Good when all nine hold. Else bad outranks unknown, and a step that was not reached is never good.
    pub fn verdict(&self) -> Verdict {
        if self.checks.iter().any(|check| matches!(check.outcome, Outcome::Failed(_))) {
            Verdict::Bad
        } else if self.checks.iter().all(Check::holds) {
            Verdict::Good
        } else {
            Verdict::Unknown
        }
    }

    /// The check that made the verdict, if that is not good.
    pub fn refused(&self) -> Option<&Check> {
        refused(&self.checks)
    }

    /// Why it is not good.
    pub fn reason(&self) -> Option<&Reason> {
        self.refused().and_then(Check::reason)
    }

    /// What the caller's list makes of the identity.
    pub fn trust(&self) -> Trust {
        let [.., policy] = &self.checks;
        match (self.verdict(), &policy.outcome) {
            (Verdict::Good, Outcome::Passed) => Trust::Fully,
            (Verdict::Bad, Outcome::Failed(Reason::IdentityNotAccepted { .. })) if self.reason() == policy.reason() => {
                Trust::Undefined
            }
            (Verdict::Bad, _) => Trust::Never,
            _ => Trust::Undefined,
        }
    }

    /// One sentence: the identity and when, or the reason.
    pub fn message(&self) -> String {
        match (self.verdict(), self.reason()) {
            (Verdict::Good, _) => match &self.facts.identity {
                Some(identity) => format!(
                    "good signature from {} ({})",
                    printable(identity.subject.name()),
                    printable(&identity.issuer)
                ),
                None => "good signature".to_owned(),
            },
            (verdict, Some(reason)) => format!("{} signature: {}: {reason}", verdict.name(), reason.code()),
            (verdict, None) => format!("{} signature", verdict.name()),
        }
    }

    /// One object of the JSON Lines that `verify --json` prints; `rev` is what the caller asked for.
    pub fn to_json(&self, rev: &str) -> Value {
        let facts = &self.facts;
        let mut json = json!({
            "schema": 1,
            "rev": rev,
            "object": facts.object,
            "type": facts.kind.map(Kind::name),
            "verdict": self.verdict().name(),
            "reason": self.reason().map(Reason::code),
            "message": self.message(),
            "checks": self.checks.iter().map(check_json).collect::<Vec<_>>(),
            "times": facts.times.iter().map(|(source, time)| json!({ "source": source.name(), "time": time.to_string() })).collect::<Vec<_>>(),
            "entries": facts.entries.iter().map(|entry| json!({ "log": entry.log, "index": entry.index, "kind": entry.kind })).collect::<Vec<_>>(),
            "instance": facts.instance,
            "trust": self.trust().name(),
            "trust_root": format!("sha256:{}", hex(&facts.trust_root)),
        });
        let Some(fields) = json.as_object_mut() else { return json };
        if let Some(identity) = &facts.identity {
            fields.insert(
                "identity".into(),
                json!({ "subject": identity.subject.name(), "subject_type": identity.subject.kind(), "issuer": identity.issuer }),
            );
        }
        if let Some(certificate) = &facts.certificate {
            let end = certificate.validity.end.map(|end| end.to_string());
            fields.insert("certificate".into(), json!({ "sha256": hex(&certificate.sha256), "serial": hex(&certificate.serial), "not_before": certificate.validity.start.to_string(), "not_after": end }));
        }
        if let Some(tag) = &facts.tag {
            fields.insert("tag".into(), json!({ "name": tag.name, "target": tag.target }));
        }
        if !facts.notes.is_empty() {
            fields.insert("notes".into(), json!(facts.notes));
        }
        json
    }
}

/// The one that decides: what failed outranks what is missing, and among equals the lowest step does.
pub(crate) fn refused(checks: &[Check]) -> Option<&Check> {
    let failed = checks.iter().find(|check| matches!(check.outcome, Outcome::Failed(_)));
    failed.or_else(|| checks.iter().find(|check| matches!(check.outcome, Outcome::Missing(_))))
}

fn check_json(check: &Check) -> Value {
    json!({
        "step": check.step.number(),
        "name": check.step.name(),
        "result": check.result(),
        "reason": check.reason().map(Reason::code),
        "detail": check.detail,
    })
}
