//! Every reason there is: one alphabetical list, to be read by its entry.

use std::fmt;

use crate::format::time::{Time, Window};
use crate::format::{Malformed, printable};

/// Why a signature is not good: the word in JSON, the heading in the man page, the folder of its vectors. Variants
/// carry the two things that were compared, where there are two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An algorithm that is not used here.
    AlgorithmUnsupported {
        /// Where it stands and which it is.
        what: String,
    },
    /// The armor is not one PEM block with our label.
    ArmorMalformed(String),
    /// Bytes before or behind the armor.
    ArmorSurrounded(&'static str),
    /// A required signed attribute is missing, repeated, or has not one value.
    AttributeInvalid(Malformed),
    /// An authority's certificate or its window in the trust root does not cover a verified time, or the leaf's start.
    AuthorityOutsideWindow {
        /// The time.
        time: Time,
        /// The window.
        window: Window,
        /// Whose.
        authority: String,
    },
    /// The leaf names one of our authorities by key, whose signature it does not bear.
    CertificateForged(String),
    /// The leaf was not valid at a verified time.
    CertificateNotValid {
        /// The time.
        time: Time,
        /// The leaf's dates.
        window: Window,
    },
    /// Path validation refuses the certificate.
    ChainInvalid(String),
    /// The checkpoint cannot be read.
    CheckpointMalformed(Malformed),
    /// The proof does not lead to the root or size that the log signed.
    CheckpointMismatch(String),
    /// No checkpoint beside the proof.
    CheckpointMissing,
    /// The log's signature on its checkpoint is missing or does not verify.
    CheckpointSignatureInvalid(String),
    /// No CMS, or not in DER.
    CmsMalformed(Malformed),
    /// A CMS that is not of the profile: version, signers, algorithms, content.
    CmsProfile(String),
    /// The payload is not what was signed.
    DigestMismatch {
        /// SHA-256 of the payload, in hexadecimal.
        payload: String,
        /// What the signature says.
        signed: String,
    },
    /// The stored body of the entry is about something else.
    EntryBodyMismatch,
    /// An entry of a kind that cannot be rebuilt.
    EntryKindUnsupported {
        /// Kind and version.
        kind: String,
    },
    /// The entry cannot be read.
    EntryMalformed(Malformed),
    /// No entry inside: it may be in a log, but nothing here proves it.
    EntryMissing(&'static str),
    /// More than one entry: which one counts?
    EntryRepeated {
        /// How many attributes.
        attributes: usize,
        /// How many values.
        values: usize,
    },
    /// The policy denies this identity.
    IdentityDenied {
        /// Who.
        identity: String,
    },
    /// The identity is none of those that were named.
    IdentityNotAccepted {
        /// Who.
        identity: String,
        /// How many were named.
        accepted: usize,
    },
    /// Nobody said whose signatures are accepted, and somebody demands it.
    IdentityNotNamed,
    /// The index that was signed or proved is not the entry's.
    IndexMismatch {
        /// As the entry says.
        entry: i64,
        /// As the proof says.
        proof: i64,
    },
    /// The issuer extension is missing, unreadable, or says two things.
    IssuerInvalid(String),
    /// No authority of the trust root issued the certificate.
    IssuerUnknown {
        /// The name of who did.
        issuer: String,
    },
    /// More or larger than any real signature has.
    LimitExceeded {
        /// What.
        what: &'static str,
        /// How much.
        found: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// The log's key was not valid at a verified time.
    LogOutsideWindow {
        /// The time.
        time: Time,
        /// The window.
        window: Window,
    },
    /// The entry is from a log that the trust root does not list.
    LogUnknown {
        /// Its id, in hexadecimal.
        id: String,
    },
    /// A signature of another program: OpenPGP or SSH.
    NotCms(&'static str),
    /// The leaf is not for signing code.
    NotCodeSigning(String),
    /// A CMS signature whose certificate is not Fulcio's: S/MIME.
    NotKeyless,
    /// The bytes are not those that the id names.
    ObjectIdMismatch {
        /// As asked.
        asked: String,
        /// As computed.
        computed: String,
    },
    /// The inclusion promise does not verify.
    PromiseInvalid,
    /// The inclusion proof does not verify.
    ProofInvalid(String),
    /// No inclusion proof.
    ProofMissing,
    /// A timestamp of a log for another certificate, or a broken one.
    SctInvalid,
    /// No log of the trust root gave a timestamp.
    SctLogUnknown {
        /// The log's id, in hexadecimal.
        id: String,
    },
    /// The SCT list cannot be read.
    SctMalformed(Malformed),
    /// No signed certificate timestamp.
    SctMissing,
    /// The CT log's key was not valid when it signed.
    SctOutsideWindow {
        /// When it signed.
        time: Time,
        /// The window.
        window: Window,
    },
    /// A header that git drops from the payload and nobody signs in.
    SignatureHeaderUnknown(String),
    /// The signature does not verify under the certificate's key.
    SignatureInvalid,
    /// The object is not signed.
    SignatureMissing,
    /// More than one signature header.
    SignaturesSeveral,
    /// No certificate inside is the one that the signer names.
    SignerCertificateMissing,
    /// No subject, several, or one that cannot be read.
    SubjectInvalid(String),
    /// The tag's own name is not the name it was asked for by.
    TagNameMismatch {
        /// The reference.
        asked: String,
        /// The tag's header.
        tag: String,
    },
    /// A verified time lies in the future.
    TimeInFuture {
        /// The time.
        time: Time,
        /// Now.
        now: Time,
    },
    /// No authenticated time.
    TimeMissing,
    /// A timestamp token of a known authority does not verify.
    TimestampInvalid(String),
    /// A timestamp token cannot be read.
    TimestampMalformed(Malformed),
    /// The trust root lists keys of a kind of which none can be used.
    TrustRootUnusable(String),
}

impl Reason {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlgorithmUnsupported { .. } => "algorithm-unsupported",
            Self::ArmorMalformed(_) => "armor-malformed",
            Self::ArmorSurrounded(_) => "armor-surrounded",
            Self::AttributeInvalid(_) => "attribute-invalid",
            Self::AuthorityOutsideWindow { .. } => "authority-outside-window",
            Self::CertificateForged(_) => "certificate-forged",
            Self::CertificateNotValid { .. } => "certificate-not-valid",
            Self::ChainInvalid(_) => "chain-invalid",
            Self::CheckpointMalformed(_) => "checkpoint-malformed",
            Self::CheckpointMismatch(_) => "checkpoint-mismatch",
            Self::CheckpointMissing => "checkpoint-missing",
            Self::CheckpointSignatureInvalid(_) => "checkpoint-signature-invalid",
            Self::CmsMalformed(_) => "cms-malformed",
            Self::CmsProfile(_) => "cms-profile",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::EntryBodyMismatch => "entry-body-mismatch",
            Self::EntryKindUnsupported { .. } => "entry-kind-unsupported",
            Self::EntryMalformed(_) => "entry-malformed",
            Self::EntryMissing(_) => "entry-missing",
            Self::EntryRepeated { .. } => "entry-repeated",
            Self::IdentityDenied { .. } => "identity-denied",
            Self::IdentityNotAccepted { .. } => "identity-not-accepted",
            Self::IdentityNotNamed => "identity-not-named",
            Self::IndexMismatch { .. } => "index-mismatch",
            Self::IssuerInvalid(_) => "issuer-invalid",
            Self::IssuerUnknown { .. } => "issuer-unknown",
            Self::LimitExceeded { .. } => "limit-exceeded",
            Self::LogOutsideWindow { .. } => "log-outside-window",
            Self::LogUnknown { .. } => "log-unknown",
            Self::NotCms(_) => "not-cms",
            Self::NotCodeSigning(_) => "not-code-signing",
            Self::NotKeyless => "not-keyless",
            Self::ObjectIdMismatch { .. } => "object-id-mismatch",
            Self::PromiseInvalid => "promise-invalid",
            Self::ProofInvalid(_) => "proof-invalid",
            Self::ProofMissing => "proof-missing",
            Self::SctInvalid => "sct-invalid",
            Self::SctLogUnknown { .. } => "sct-log-unknown",
            Self::SctMalformed(_) => "sct-malformed",
            Self::SctMissing => "sct-missing",
            Self::SctOutsideWindow { .. } => "sct-outside-window",
            Self::SignatureHeaderUnknown(_) => "signature-header-unknown",
            Self::SignatureInvalid => "signature-invalid",
            Self::SignatureMissing => "signature-missing",
            Self::SignaturesSeveral => "signatures-several",
            Self::SignerCertificateMissing => "signer-certificate-missing",
            Self::SubjectInvalid(_) => "subject-invalid",
            Self::TagNameMismatch { .. } => "tag-name-mismatch",
            Self::TimeInFuture { .. } => "time-in-future",
            Self::TimeMissing => "time-missing",
            Self::TimestampInvalid(_) => "timestamp-invalid",
            Self::TimestampMalformed(_) => "timestamp-malformed",
            Self::TrustRootUnusable(_) => "trust-root-unusable",
        }
    }

    /// Whether it says that something is missing or not known, rather than false.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::AlgorithmUnsupported { .. }
            | Self::CheckpointMissing
            | Self::EntryKindUnsupported { .. }
            | Self::EntryMissing(_)
            | Self::IdentityNotNamed
            | Self::IssuerUnknown { .. }
            | Self::LogUnknown { .. }
            | Self::NotCms(_)
            | Self::NotKeyless
            | Self::ProofMissing
            | Self::SctLogUnknown { .. }
            | Self::SctMissing
            | Self::SignatureMissing
            | Self::TimeInFuture { .. }
            | Self::TimeMissing
            | Self::TrustRootUnusable(_) => true,
            Self::ArmorMalformed(_)
            | Self::ArmorSurrounded(_)
            | Self::AttributeInvalid(_)
            | Self::AuthorityOutsideWindow { .. }
            | Self::CertificateForged(_)
            | Self::CertificateNotValid { .. }
            | Self::ChainInvalid(_)
            | Self::CheckpointMalformed(_)
            | Self::CheckpointMismatch(_)
            | Self::CheckpointSignatureInvalid(_)
            | Self::CmsMalformed(_)
            | Self::CmsProfile(_)
            | Self::DigestMismatch { .. }
            | Self::EntryBodyMismatch
            | Self::EntryMalformed(_)
            | Self::EntryRepeated { .. }
            | Self::IdentityDenied { .. }
            | Self::IdentityNotAccepted { .. }
            | Self::IndexMismatch { .. }
            | Self::IssuerInvalid(_)
            | Self::LimitExceeded { .. }
            | Self::LogOutsideWindow { .. }
            | Self::NotCodeSigning(_)
            | Self::ObjectIdMismatch { .. }
            | Self::PromiseInvalid
            | Self::ProofInvalid(_)
            | Self::SctInvalid
            | Self::SctMalformed(_)
            | Self::SctOutsideWindow { .. }
            | Self::SignatureHeaderUnknown(_)
            | Self::SignatureInvalid
            | Self::SignaturesSeveral
            | Self::SignerCertificateMissing
            | Self::SubjectInvalid(_)
            | Self::TagNameMismatch { .. }
            | Self::TimestampInvalid(_)
            | Self::TimestampMalformed(_) => false,
        }
    }

    /// What a person can do now: one sentence, as the man page begins its own.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::AlgorithmUnsupported { .. } => "use a newer git-keyless, or ask the signer for a P-256 key",
            Self::ArmorMalformed(_) => {
                "look at the object with git cat-file: a broken signing program writes its error message there"
            }
            Self::ArmorSurrounded(_) | Self::SignatureHeaderUnknown(_) | Self::SignaturesSeveral => {
                "do not trust this object"
            }
            Self::AuthorityOutsideWindow { .. } | Self::LogOutsideWindow { .. } | Self::SctOutsideWindow { .. } => {
                "make sure that the trust root is current; otherwise do not trust this signature"
            }
            Self::CheckpointMissing | Self::ProofMissing => "sign again, with the whole entry inside",
            Self::DigestMismatch { .. } => "do not trust this object: it was changed after it was signed",
            Self::EntryKindUnsupported { .. } => "use a newer git-keyless, or sign again",
            Self::EntryMissing(_) => "sign again with the entry inside; with gitsign: gitsign.rekorMode=offline",
            Self::IdentityDenied { .. } => {
                "ask whoever set keyless.deniedIdentity: nothing of this identity counts here"
            }
            Self::IdentityNotAccepted { .. } => {
                "if this person may sign, add the pair: --identity and --issuer, or keyless.trustedIdentity"
            }
            Self::IdentityNotNamed => "name them: --identity and --issuer, or keyless.trustedIdentity",
            Self::IssuerUnknown { .. } | Self::LogUnknown { .. } | Self::SctLogUnknown { .. } => {
                "if it is from a private instance, name its trust root: --trusted-root or keyless.trustedRoot"
            }
            Self::NotCms(_) => "git verifies it with gpg or ssh-keygen: git verify-commit",
            Self::NotKeyless => {
                "verify it with the program that made it, such as gpgsm; git asks it where keyless.fallbackProgram names it"
            }
            Self::ObjectIdMismatch { .. } => "do not trust the object store: git fsck",
            Self::SctMissing => "nothing can be added to it; decide by other means",
            Self::SignatureMissing => "sign it: git commit -S, git tag -s",
            Self::TagNameMismatch { .. } => "do not trust this reference: the tag was made under another name",
            Self::TimeInFuture { .. } => "check the clock of this machine",
            Self::TimeMissing => "name the trust root of the instance it comes from, or sign again with a timestamp",
            Self::TrustRootUnusable(_) => "use a newer git-keyless, or another trust root",
            Self::AttributeInvalid(_)
            | Self::CertificateForged(_)
            | Self::CertificateNotValid { .. }
            | Self::ChainInvalid(_)
            | Self::CheckpointMalformed(_)
            | Self::CheckpointMismatch(_)
            | Self::CheckpointSignatureInvalid(_)
            | Self::CmsMalformed(_)
            | Self::CmsProfile(_)
            | Self::EntryBodyMismatch
            | Self::EntryMalformed(_)
            | Self::EntryRepeated { .. }
            | Self::IndexMismatch { .. }
            | Self::IssuerInvalid(_)
            | Self::LimitExceeded { .. }
            | Self::NotCodeSigning(_)
            | Self::PromiseInvalid
            | Self::ProofInvalid(_)
            | Self::SctInvalid
            | Self::SctMalformed(_)
            | Self::SignatureInvalid
            | Self::SignerCertificateMissing
            | Self::SubjectInvalid(_)
            | Self::TimestampInvalid(_)
            | Self::TimestampMalformed(_) => "do not trust this signature; `git keyless show` prints all of it",
        }
    }
}

impl fmt::Display for Reason {
    /// One line, lower case, no full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmUnsupported { what } => write!(f, "{what} is not supported"),
            Self::ArmorMalformed(why) => write!(f, "the armor is malformed: {why}"),
            Self::ArmorSurrounded(place) => write!(f, "there are bytes {place} of the armor's block"),
            Self::AttributeInvalid(why) => write!(f, "signed attribute {why}"),
            Self::AuthorityOutsideWindow { time, window, authority } => {
                write!(f, "at {time} the authority {} was not valid ({window})", printable(authority))
            }
            Self::CertificateForged(issuer) => {
                write!(f, "the certificate names {} as its issuer and does not bear its signature", printable(issuer))
            }
            Self::CertificateNotValid { time, window } => {
                write!(f, "at {time} the certificate was not valid ({window})")
            }
            Self::ChainInvalid(why) => write!(f, "the certificate does not validate: {why}"),
            Self::CheckpointMalformed(why) => write!(f, "{why}"),
            Self::CheckpointMismatch(why) => write!(f, "the checkpoint is for another tree: {why}"),
            Self::CheckpointMissing => f.write_str("the inclusion proof has no checkpoint"),
            Self::CheckpointSignatureInvalid(why) => write!(f, "the checkpoint is not signed by its log: {why}"),
            Self::CmsMalformed(why) => write!(f, "{why}"),
            Self::CmsProfile(why) => write!(f, "not a commit signature: {why}"),
            Self::DigestMismatch { payload, signed } => {
                write!(f, "the content was changed: its SHA-256 is {payload}, {signed} was signed")
            }
            Self::EntryBodyMismatch => f.write_str("the stored body of the log entry is about another signature"),
            Self::EntryKindUnsupported { kind } => {
                write!(f, "log entries of kind {} are not supported", printable(kind))
            }
            Self::EntryMalformed(why) => write!(f, "{why}"),
            Self::EntryMissing(what) => f.write_str(what),
            Self::EntryRepeated { attributes, values } => {
                write!(f, "{attributes} log entry attributes with {values} values instead of one with one")
            }
            Self::IdentityDenied { identity } => write!(f, "{} is denied", printable(identity)),
            Self::IdentityNotAccepted { identity, accepted: 1 } => {
                write!(f, "{} is not the one accepted identity", printable(identity))
            }
            Self::IdentityNotAccepted { identity, accepted } => {
                write!(f, "{} is none of the {accepted} accepted identities", printable(identity))
            }
            Self::IdentityNotNamed => f.write_str("nobody said whose signatures are accepted"),
            Self::IndexMismatch { entry, proof } => write!(f, "the entry says index {entry}, its proof {proof}"),
            Self::IssuerInvalid(why) => write!(f, "the certificate names no one issuer: {}", printable(why)),
            Self::IssuerUnknown { issuer } => {
                write!(f, "the certificate is from {}, whom the trust root does not list", printable(issuer))
            }
            Self::LimitExceeded { what, found, limit } => write!(f, "{what}: {found}, more than {limit}"),
            Self::LogOutsideWindow { time, window } => write!(f, "at {time} the log's key was not valid ({window})"),
            Self::LogUnknown { id } => write!(f, "the entry is in the log {id}, which the trust root does not list"),
            Self::NotCms(program) => write!(f, "this is an {program} signature"),
            Self::NotCodeSigning(why) => write!(f, "the certificate is not for signing code: {why}"),
            Self::NotKeyless => f.write_str("an X.509 signature, but not by a keyless certificate"),
            Self::ObjectIdMismatch { asked, computed } => write!(f, "asked for {asked}, these bytes are {computed}"),
            Self::PromiseInvalid => f.write_str("the log's inclusion promise does not verify"),
            Self::ProofInvalid(why) => write!(f, "the inclusion proof does not verify: {why}"),
            Self::ProofMissing => f.write_str("the log entry has no inclusion proof"),
            Self::SctInvalid => f.write_str("the signed certificate timestamp does not verify for this certificate"),
            Self::SctLogUnknown { id } => {
                write!(f, "the certificate was logged in {id}, which the trust root does not list")
            }
            Self::SctMalformed(why) => write!(f, "{why}"),
            Self::SctMissing => f.write_str("the certificate has no signed certificate timestamp"),
            Self::SctOutsideWindow { time, window } => {
                write!(f, "at {time} the certificate log's key was not valid ({window})")
            }
            Self::SignatureHeaderUnknown(name) => {
                write!(f, "the header `{}` hides from git what is in it", printable(name))
            }
            Self::SignatureInvalid => f.write_str("the signature does not verify under the certificate's key"),
            Self::SignatureMissing => f.write_str("not signed"),
            Self::SignaturesSeveral => f.write_str("more than one signature header"),
            Self::SignerCertificateMissing => f.write_str("no certificate inside is the one that the signer names"),
            Self::SubjectInvalid(why) => write!(f, "the certificate names no one subject: {}", printable(why)),
            Self::TagNameMismatch { asked, tag } => {
                write!(f, "the tag says its name is `{}`, it was asked for as `{}`", printable(tag), printable(asked))
            }
            Self::TimeInFuture { time, now } => {
                write!(f, "it was signed at {time}, after this machine's {}", now.whole())
            }
            Self::TimeMissing => f.write_str("nobody who is known says when it was signed"),
            Self::TimestampInvalid(why) => write!(f, "the timestamp token does not verify: {why}"),
            Self::TimestampMalformed(why) => write!(f, "{why}"),
            Self::TrustRootUnusable(why) => write!(f, "the trust root demands what this program cannot check: {why}"),
        }
    }
}
