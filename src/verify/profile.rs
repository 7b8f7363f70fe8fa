//! Step 5: the leaf is for code signing and names one subject and one issuer.

use super::chain::IssuedLeaf;
use crate::format::cert::{CODE_SIGNING, Certificate, Subject};
use crate::report::{Identity, Reason};

/// Who the issuing authority says this is.
pub(super) struct ProvenIdentity(Identity);

impl ProvenIdentity {
    pub(super) fn fact(&self) -> Identity {
        self.0.clone()
    }

    pub(super) fn detail(&self) -> String {
        format!("{} {}, by {}", self.0.subject.kind(), self.0.subject.name(), self.0.issuer)
    }
}

pub(super) fn verify_profile(leaf: &IssuedLeaf<'_>) -> Result<ProvenIdentity, Reason> {
    let leaf = leaf.leaf();
    check_usage(leaf)?;
    let subject = sole_subject(leaf)?;
    let issuer = leaf.identity_issuer().map_err(|error| Reason::IssuerInvalid(error.to_string()))?;
    match issuer {
        Some(issuer) if is_readable(&issuer) => Ok(ProvenIdentity(Identity { subject, issuer })),
        Some(_) => Err(Reason::IssuerInvalid("empty, or with control characters".into())),
        None => Err(Reason::IssuerInvalid("no issuer extension".into())),
    }
}

fn check_usage(leaf: &Certificate) -> Result<(), Reason> {
    let wrong = |why: &str| Err(Reason::NotCodeSigning(why.to_owned()));
    let unreadable = |error: crate::format::Malformed| Reason::NotCodeSigning(error.to_string());
    match leaf.extended_key_usage().map_err(unreadable)? {
        Some((_, usages)) if usages.contains(&CODE_SIGNING) => {}
        Some(_) => return wrong("its extended key usage does not say so"),
        None => return wrong("it has no extended key usage"),
    }
    if leaf.is_ca().map_err(unreadable)? {
        return wrong("it is an authority's");
    }
    if !leaf.may_sign().map_err(unreadable)? {
        return wrong("its key usage does not allow digital signatures");
    }
    Ok(())
}

fn sole_subject(leaf: &Certificate) -> Result<Subject, Reason> {
    let mut subjects = leaf.subjects().map_err(|error| Reason::SubjectInvalid(error.to_string()))?;
    match (subjects.pop(), subjects.len()) {
        (None, _) => Err(Reason::SubjectInvalid("no subject alternative name".into())),
        (Some(subject), 0) if is_readable(subject.name()) => check_form(subject),
        (Some(_), 0) => Err(Reason::SubjectInvalid("empty, or with control characters".into())),
        (Some(_), more) => Err(Reason::SubjectInvalid(format!("{} subject alternative names", more + 1))),
    }
}

/// A URI has a scheme and an address has none (RFC 5280 section 4.2.1.6), so neither can pass for the other where names
/// are compared.
fn check_form(subject: Subject) -> Result<Subject, Reason> {
    match &subject {
        Subject::Uri(uri) if !has_scheme(uri) => Err(Reason::SubjectInvalid("a URI without scheme".into())),
        Subject::Email(email) if has_scheme(email) => Err(Reason::SubjectInvalid("a URI for an e-mail address".into())),
        _ => Ok(subject),
    }
}

/// RFC 3986 section 3.1.
fn has_scheme(name: &str) -> bool {
    name.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

fn is_readable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}
