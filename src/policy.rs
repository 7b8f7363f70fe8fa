//! Step 9: whose signatures are accepted, and under which name a tag may stand.
//!
//! An identity is always the pair of subject and issuer, compared byte for byte: the same address at two issuers is two
//! people, and no pattern is ever matched.

use std::fmt;

use crate::format::status::{escape, unescape};
use crate::report::{Check, Facts, Reason, Step};

/// Who is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    accepted: Vec<Accepted>,
    denied: Vec<Accepted>,
    required: bool,
}

/// One accepted identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The subject alternative name.
    pub subject: String,
    /// The OIDC issuer.
    pub issuer: String,
}

/// A pair that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAPair(String);

impl fmt::Display for NotAPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not `<subject> <issuer>`: two words, blanks inside them as %20", self.0)
    }
}

impl Accepted {
    /// From `<subject> <issuer>`, each percent-encoded, one blank between them.
    pub fn parse(text: &str) -> Result<Self, NotAPair> {
        let wrong = || NotAPair(text.to_owned());
        let words: Vec<_> = text.split_ascii_whitespace().collect();
        let [subject, issuer] = words.as_slice() else { return Err(wrong()) };
        Ok(Self { subject: unescape(subject).ok_or_else(wrong)?, issuer: unescape(issuer).ok_or_else(wrong)? })
    }
}

impl fmt::Display for Accepted {
    /// As [`Accepted::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", escape(&self.subject), escape(&self.issuer))
    }
}

/// Where the object stood when it was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstance {
    /// The reference that a tag was asked for by, without `refs/tags/`.
    pub tag: Option<String>,
}

impl Policy {
    /// `accepted` may be empty: then nobody was named, and `required` decides whether that is refused.
    pub fn new(accepted: Vec<Accepted>, required: bool) -> Self {
        Self { accepted, denied: Vec::new(), required }
    }

    /// The same with identities that are refused, whoever accepts them.
    pub fn denying(self, denied: Vec<Accepted>) -> Self {
        Self { denied, ..self }
    }

    /// Whether anybody was named.
    pub fn names_anybody(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// Step 9. Runs only on facts whose identity was verified.
    pub fn judge(&self, facts: &Facts, circumstance: &Circumstance) -> Check {
        match self.check(facts, circumstance) {
            Ok(check) => check,
            Err(reason) => Check::refused(Step::Policy, reason),
        }
    }

    fn check(&self, facts: &Facts, circumstance: &Circumstance) -> Result<Check, Reason> {
        if let (Some(asked), Some(tag)) = (&circumstance.tag, &facts.tag)
            && *asked != tag.name
        {
            return Err(Reason::TagNameMismatch { asked: asked.clone(), tag: tag.name.clone() });
        }
        let Some(identity) = &facts.identity else { return Err(Reason::IdentityNotNamed) };
        // Without a log nothing but the verifier's own list stands between any identity and `good`.
        let required = self.required || facts.entries.is_empty();
        let who = Accepted { subject: identity.subject.name().to_owned(), issuer: identity.issuer.clone() };
        if self.denied.contains(&who) {
            return Err(Reason::IdentityDenied { identity: who.to_string() });
        }
        match (self.accepted.contains(&who), self.accepted.len()) {
            (true, _) => Ok(Check::passed(Step::Policy, format!("{who} is accepted"))),
            (false, 0) if required => Err(Reason::IdentityNotNamed),
            (false, 0) => Ok(Check::not_required(Step::Policy, "nobody said whose signatures are accepted")),
            (false, accepted) => Err(Reason::IdentityNotAccepted { identity: who.to_string(), accepted }),
        }
    }
}
