//! How somebody says who they are: a token that is named, a browser, a code, and the login that is kept.

use super::Finding;
use crate::commands::credential::{Applicant, expected};
use crate::commands::instance::Instance;
use crate::commands::kept::Found;
use crate::commands::renewal::Renewal;
use crate::commands::session::committer;
use crate::commands::{Stop, identity};
use crate::config::Settings;
use crate::outside::oidc::{Person, Source, WAYS_OUT, Way};
use crate::sign::Signer;

pub(super) fn examine(settings: &Settings, instance: &Instance) -> Vec<Finding> {
    match identity::signer(settings, &instance.options.services).map(|signer| signer.source) {
        Err(stop) => vec![Finding::fault("id-token", &stop, WAYS_OUT)],
        Ok(Source::Person(person)) => {
            let (kept, logged_in) = kept(settings, instance, &person);
            std::iter::once(way(&person.way, logged_in)).chain(kept).collect()
        }
        Ok(source) => vec![Finding::good("id-token", &format!("from {source}"))],
    }
}

fn way(way: &Way, logged_in: bool) -> Finding {
    match way {
        Way::Browser => Finding::good("id-token", &"somebody logs in, in a browser"),
        Way::Device => Finding::good("id-token", &"somebody logs in, with a code that the terminal shows"),
        Way::Neither(why) if logged_in => {
            Finding::note("id-token", &format!("nobody can log in here ({why}), and a login is kept for now"))
        }
        Way::Neither(why) => Finding::fault("id-token", &format!("nobody can log in here: {why}"), WAYS_OUT),
    }
}

/// What the keyring has, and whether that is somebody. Nothing where git does not know who commits: that is found
/// elsewhere.
fn kept(settings: &Settings, instance: &Instance, person: &Person) -> (Option<Finding>, bool) {
    let committer = match expected(settings) {
        Ok(None) => committer().ok(),
        _ => Some(committer().unwrap_or_default()),
    };
    let Some(committer) = committer else { return (None, false) };
    let (finding, logged_in) = kept_for(&committer, settings, instance, person);
    (Some(finding), logged_in)
}

fn kept_for(committer: &str, settings: &Settings, instance: &Instance, person: &Person) -> (Finding, bool) {
    const CHECK: &str = "kept-login";
    match read(committer, settings, instance, person) {
        Ok((Found::Nothing(keyring), Some(renewal))) => {
            let (subject, until) = (renewal.identity.subject.name(), renewal.until);
            (Finding::good(CHECK, &format!("of {subject}, renewed until {until}, in {keyring}")), true)
        }
        Ok((Found::Credential(credential, keyring), _)) => {
            let subject = credential.identity().subject.name();
            (Finding::good(CHECK, &format!("of {subject}, in {keyring}")), true)
        }
        Ok((Found::Nothing(keyring), None)) => {
            (Finding::good(CHECK, &format!("none now; {keyring} would keep it")), false)
        }
        Ok((Found::NoKeyring(why), _)) => {
            let found = format!("a login is not kept, each signature asks anew: {why}");
            (Finding::warning(CHECK, &found, "git config --global keyless.credentialStore auto, and a keyring"), false)
        }
        Err(stop) => (Finding::warning(CHECK, &stop, "git config --global keyless.credentialStore auto"), false),
    }
}

fn read(
    committer: &str,
    settings: &Settings,
    instance: &Instance,
    person: &Person,
) -> Result<(Found, Option<Renewal>), Stop> {
    expected(settings)?;
    let signer = Signer::new(&instance.root, &instance.options).map_err(Stop::new)?;
    let kept = Applicant { settings, instance, signer: &signer, committer }.kept(&person.login)?;
    let found = kept.read(&signer)?;
    let renewal = match &found {
        Found::Credential(_, keyring) | Found::Nothing(keyring) => kept.renewal(*keyring)?,
        Found::NoKeyring(_) => None,
    };
    Ok((found, renewal))
}
