//! What becomes public with each signature, and whether that is wanted.

use super::login::Who;
use super::{Finding, mend};
use crate::commands::instance::Instance;
use crate::commands::publicity;
use crate::config::{PUBLIC_IDENTITY, Settings};
use crate::outside::git::Seen;

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
    let known = who.identity();
    let foreseen = match who {
        // It is public already, and nobody is asked again.
        Who::Certified(identity) => publicity::check_kept(settings, instance, identity),
        _ => publicity::foresee(settings, instance, known.as_ref().map(|one| (one, who.email())), committer),
    };
    let allow = known.as_ref().map_or_else(
        || format!("git config --global --add {PUBLIC_IDENTITY} '<subject> <issuer>'"),
        publicity::allowing,
    );
    let refused = foreseen.err().map(|stop| Finding::fault(CHECK, &stop, mend::of(&stop, seen, allow)));
    std::iter::once(published(who, committer)).chain(refused).collect()
}

/// Whoever hides their address in commits does not want it in a public log.
fn published(who: &Who, committer: &str) -> Finding {
    let hides = publicity::is_hiding(committer) && !who.email().is_some_and(|own| own.eq_ignore_ascii_case(committer));
    let what = who.identity().map_or("the address or name of your login".to_owned(), |one| one.subject);
    match hides {
        true => Finding::warning(
            CHECK,
            &format!("git commits as {committer}, and each signature of the public instance publishes {what}"),
            "use a private instance, or log in with an address that may be public",
        ),
        false => Finding::note(CHECK, &format!("each signature publishes {what}, in a log that anybody can read")),
    }
}
