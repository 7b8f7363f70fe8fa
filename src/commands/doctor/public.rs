//! What becomes public with each signature, and whether that is wanted.

use super::login::Who;
use super::{Finding, mend};
use crate::commands::instance::Instance;
use crate::commands::publicity;
use crate::config::{PUBLIC_IDENTITY, Settings};
use crate::outside::git::Seen;
use crate::policy::Accepted;
use crate::report::Identity;

const CHECK: &str = "publicity";

/// `committer` is empty where git does not know who commits.
pub(super) fn examine(
    settings: &Settings,
    seen: &[Seen],
    instance: &Instance,
    who: &Who,
    committer: &str,
) -> Vec<Finding> {
    if !instance.is_public() {
        return Vec::new();
    }
    let foreseen = match who {
        Who::Kept(identity) => publicity::check_kept(settings, instance, identity),
        Who::Token(claims) => publicity::foresee(settings, instance, Some(claims), committer),
        Who::Unknown => publicity::foresee(settings, instance, None, committer),
    };
    let allow = match who {
        Who::Kept(Identity { subject, issuer }) => allowing(subject.name(), issuer),
        Who::Token(claims) => allowing(claims.name(), claims.certified_issuer()),
        Who::Unknown => format!("git config --global --add {PUBLIC_IDENTITY} '<subject> <issuer>'"),
    };
    let refused = foreseen.err().map(|stop| Finding::fault(CHECK, &stop, mend::of(&stop, seen, allow)));
    std::iter::once(published(who, committer)).chain(refused).collect()
}

fn allowing(subject: &str, issuer: &str) -> String {
    publicity::allowing(&Accepted { subject: subject.to_owned(), issuer: issuer.to_owned() })
}

/// Whoever hides their address in commits does not want it in a public log.
fn published(who: &Who, committer: &str) -> Finding {
    let hides = publicity::is_hiding(committer) && !who.email().is_some_and(|own| own.eq_ignore_ascii_case(committer));
    let what = who.name().unwrap_or("the address or name of your login");
    match hides {
        true => Finding::warning(
            CHECK,
            &format!("git commits as {committer}, and each signature of the public instance publishes {what}"),
            "use a private instance, or log in with an address that may be public",
        ),
        false => Finding::note(CHECK, &format!("each signature publishes {what}, in a log that anybody can read")),
    }
}
