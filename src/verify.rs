//! Steps 1 to 8: a pure function of bytes, trust root and time.
//!
//! Each step takes the evidence of the steps it needs, so that a check that is left out does not compile. Evidence has
//! private fields, lives beside the check that makes it, and never leaves this module: [`Facts`] is a plain copy.
//! Every step runs whose needs are met; a report does not stop at the first fault.

mod chain;
mod cms;
mod entry;
mod merkle;
mod object;
mod profile;
mod sct;
mod time;
mod token;
mod validity;

use crate::format::bundle;
use crate::format::cert::Certificate;
use crate::format::object::Object;
use crate::format::time::Time;
use crate::format::{Malformed, hex};
use crate::key::{Memo, sha1_of};
use crate::policy::{Circumstance, Policy};
use crate::report::{Check, Facts, Identity, Reason, Report, Step};
use crate::trust::TrustRoot;

/// Judges objects under one trust root. Cheap to make, shared between threads.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    root: &'a TrustRoot,
    memo: &'a Memo,
}

/// What steps 1 to 8 say: all that a cache may hold. Step 9 always runs anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    checks: [Check; 8],
    facts: Facts,
}

impl<'a> Verifier<'a> {
    /// `memo` may outlive this verifier and serve others.
    pub fn new(root: &'a TrustRoot, memo: &'a Memo) -> Self {
        Self { root, memo }
    }

    /// The eight steps. `now` decides one thing: a verified time later than it is unknown.
    pub fn verify(&self, object: &Object, now: Time) -> Verified {
        let (root, memo) = (self.root, self.memo);
        let id = object::id(object);
        let armor = Stage::of(object::verify_object(object, id.as_deref()));
        let signature = armor.then("step 1", |armor| cms::verify_signature(armor, object.payload(), memo));
        let leaf = signature.then("step 2", |signature| chain::verify_issuer(signature.leaf(), root, memo));
        let sct = match root.ct_logs.is_empty() {
            true => Stage::Waived("the trust root lists no certificate transparency log"),
            false => leaf.then("step 3", |leaf| sct::verify_sct(leaf, root, memo)),
        };
        let identity = leaf.then("step 3", profile::verify_profile);
        let entry = match root.logs.is_empty() {
            true => Stage::Waived("the trust root lists no transparency log"),
            false => signature.then("step 2", |signature| entry::verify_entry(signature, root, memo)),
        };
        let times = match time::has_source(signature.held(), entry.held())
            || matches!(entry, Stage::Held(_) | Stage::Waived(_))
        {
            true => signature.then("step 2", |signature| time::verify_times(signature, entry.held(), root, memo, now)),
            false => Stage::Waiting("step 6 or a timestamp token"),
        };
        let chain = match (leaf.held(), times.held()) {
            (Some(leaf), Some(times)) => Stage::of(validity::verify_validity(leaf, times, entry.held(), memo)),
            _ => Stage::Waiting("steps 3 and 7"),
        };

        let named = signature.held().filter(|_| leaf.held().is_some() && sct.stands() && identity.held().is_some());
        let facts = Facts {
            object: id,
            kind: Some(object.kind()),
            identity: named.and(identity.held()).map(profile::ProvenIdentity::fact),
            times: times.held().map(time::VerifiedTimes::facts).unwrap_or_default(),
            entries: entry.held().map(entry::VerifiedEntry::fact).into_iter().collect(),
            certificate: leaf.held().map(chain::IssuedLeaf::fact),
            tag: named.and_then(|_| object.tag()),
            instance: root.instance.clone(),
            trust_root: root.digest,
            fingerprint: signature
                .held()
                .map(|signature| signature.leaf().clone())
                .or_else(|| armor.held().and_then(cms::claimed_leaf))
                .map(|leaf| hex(&sha1_of(&[leaf.der()]))),
            notes: [
                entry.held().and_then(entry::VerifiedEntry::note),
                times.held().and_then(time::VerifiedTimes::note),
            ]
            .into_iter()
            .flatten()
            .collect(),
        };
        let checks = [
            armor.check(Step::Object, |_| "one native signature, nothing around it".into()),
            signature.check(Step::Cms, cms::VerifiedSignature::detail),
            leaf.check(Step::Chain, chain::IssuedLeaf::detail),
            sct.check(Step::Sct, sct::VerifiedSct::detail),
            identity.check(Step::Profile, profile::ProvenIdentity::detail),
            entry.check(Step::Entry, entry::VerifiedEntry::detail),
            times.check(Step::Time, time::VerifiedTimes::detail),
            chain.check(Step::Validity, validity::VerifiedChain::detail),
        ];
        Verified { checks, facts }
    }
}

impl Verified {
    /// Steps 1 to 8, in order.
    pub fn checks(&self) -> &[Check; 8] {
        &self.checks
    }

    /// What was verified.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Step 9 and the report. Steps 4, 5 and 8 must hold before anybody's identity is judged.
    pub fn report(self, policy: &Policy, circumstance: &Circumstance) -> Report {
        let Self { checks: [object, cms, chain, sct, profile, entry, time, validity], facts } = self;
        let last = match [&sct, &profile, &validity].iter().all(|check| check.holds()) {
            true => policy.judge(&facts, circumstance),
            false => Check::not_reached(Step::Policy, "needs steps 4, 5 and 8"),
        };
        Report::conclude([object, cms, chain, sct, profile, entry, time, validity, last], facts)
    }
}

/// How far a step came, with its evidence while the steps behind it need it.
enum Stage<E> {
    Held(E),
    Refused(Reason),
    Waiting(&'static str),
    Waived(&'static str),
}

impl<E> Stage<E> {
    fn of(result: Result<E, Reason>) -> Self {
        match result {
            Ok(evidence) => Self::Held(evidence),
            Err(reason) => Self::Refused(reason),
        }
    }

    /// The next step, if this one's evidence is there; `need` names this one.
    fn then<F>(&self, need: &'static str, next: impl FnOnce(&E) -> Result<F, Reason>) -> Stage<F> {
        match self {
            Self::Held(evidence) => Stage::of(next(evidence)),
            _ => Stage::Waiting(need),
        }
    }

    fn held(&self) -> Option<&E> {
        match self {
            Self::Held(evidence) => Some(evidence),
            _ => None,
        }
    }

    fn stands(&self) -> bool {
        matches!(self, Self::Held(_) | Self::Waived(_))
    }

    fn check(self, step: Step, detail: impl FnOnce(&E) -> String) -> Check {
        match self {
            Self::Held(evidence) => Check::passed(step, detail(&evidence)),
            Self::Refused(reason) => Check::refused(step, reason),
            Self::Waiting(need) => Check::not_reached(step, format!("needs {need}")),
            Self::Waived(why) => Check::not_required(step, why),
        }
    }
}

/// Steps 3 to 5 of a certificate alone, as its authority answers with it: before anything is signed with its key and
/// logged. What step 8 will ask of it at a verified time is asked at the start of its validity.
pub fn verify_issued(leaf: &Certificate, root: &TrustRoot, memo: &Memo) -> Result<Identity, Reason> {
    let leaf = chain::verify_issuer(leaf, root, memo)?;
    if !root.ct_logs.is_empty() {
        sct::verify_sct(&leaf, root, memo)?;
    }
    let identity = profile::verify_profile(&leaf)?;
    validity::check_certificates(&leaf, leaf.validity().start, memo)?;
    Ok(identity.fact())
}

/// The Sigstore bundle of an object whose signature verifies (step 2); none else. Its body is rebuilt here, so that
/// other verifiers see what we judged.
pub fn bundle(object: &Object) -> Result<Option<serde_json::Value>, Malformed> {
    let memo = Memo::new();
    let armor = object::verify_object(object, object::id(object).as_deref());
    let signature = armor.and_then(|armor| cms::verify_signature(&armor, object.payload(), &memo));
    let Ok(signature) = signature else { return Ok(None) };
    let entry = entry::with_body(&signature);
    bundle::to_json(&bundle::Parts {
        digest: signature.attributes_digest(),
        signature: signature.signature(),
        leaf: signature.leaf().der(),
        entry: entry.as_ref(),
        tokens: &time::tokens(&signature),
    })
    .map(Some)
}
