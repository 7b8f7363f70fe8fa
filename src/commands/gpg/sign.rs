//! Signing: the payload comes on standard input, the armor and nothing else goes to standard output.
//!
//! git throws standard error away when signing succeeds, so what a person should hear goes to the terminal itself.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::{SignCall, complain};
use crate::commands::credential::Applicant;
use crate::commands::instance::instance;
use crate::commands::{Stop, now, policy, settings, trusted_identities, wait_for};
use crate::config::Settings;
use crate::format::armor;
use crate::format::object::{Kind, MAX_OBJECT_BYTES, committer_email};
use crate::format::status;
use crate::format::time::Time;
use crate::outside::{files, terminal};
use crate::policy::Circumstance;
use crate::sign::{Signed, Signer};

/// Nothing on standard output unless everything held.
pub(super) fn run(call: &SignCall) -> ExitCode {
    match sign(call) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            complain(&stop.to_string());
            // Older gits throw standard error away here too.
            if !io::stderr().is_terminal() {
                terminal::say(&format!("git-keyless: {stop}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn sign(call: &SignCall) -> Result<(), Stop> {
    // To its end before anything else: a payload that is left unread makes git say that signing failed.
    let payload = files::read_limited(io::stdin().lock(), MAX_OBJECT_BYTES, "standard input").map_err(Stop::new)?;
    check_somebody_listens(call)?;
    check_findable(&payload)?;
    let settings = settings(Path::new("."))?;
    let instance = instance(&settings, now()?)?;
    let committer = committer_email(&payload).unwrap_or_default();
    let signer = Signer::new(&instance.root, &instance.options).map_err(Stop::new)?;
    let applicant = Applicant { settings: &settings, instance: &instance, signer: &signer, committer: &committer };
    let (signed, now) = wait_for(async {
        let credential = applicant.credential().await?;
        let now = now()?;
        let signed = signer.sign(&payload, &credential, now).await.map_err(Stop::new)?;
        Ok((signed, now))
    })?;
    tell(&signed, &settings)?;
    hand_over(call, &signed, now)
}

/// What is signed is public at once: never for a caller that cannot take it, or that handed over nothing.
fn check_somebody_listens(call: &SignCall) -> Result<(), Stop> {
    if files::was_closed(io::stdout()) {
        return Err(Stop::new("standard output is closed, and the signature would be lost; call with it open"));
    }
    if call.status.is_closed() {
        return Err(Stop::new("the status descriptor is closed; call with it open or without --status-fd"));
    }
    Ok(())
}

/// git looks for a tag's signature at the beginning of a line, and would glue it to the last one.
fn check_findable(payload: &[u8]) -> Result<(), Stop> {
    if payload.is_empty() {
        return Err(Stop::new("nothing is on standard input, and nothing is not signed"));
    }
    match Kind::guess(payload) == Kind::Tag && !payload.ends_with(b"\n") {
        true => Err(Stop::new(
            "this tag's message does not end with a line feed, and git would never find a signature behind it; \
             make the tag without --cleanup=verbatim",
        )),
        false => Ok(()),
    }
}

/// Step 9 only warns: who is accepted is for others to say.
fn tell(signed: &Signed, settings: &Settings) -> Result<(), Stop> {
    let policy = policy(settings, trusted_identities(settings)?, false)?;
    if let Some(reason) = policy.judge(&signed.facts, &Circumstance::default()).reason() {
        terminal::say(&format!("git-keyless: warning: {reason} (keyless.trustedIdentity)"));
    }
    Ok(())
}

fn hand_over(call: &SignCall, signed: &Signed, now: Time) -> Result<(), Stop> {
    let out = match call.armor {
        true => signed.armor.clone().into_bytes(),
        false => armor::dearmor(signed.armor.as_bytes()).map_err(|fault| Stop::new(format!("{fault:?}")))?,
    };
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&out)
        .and_then(|()| stdout.flush())
        .map_err(|error| Stop::new(format!("cannot write to standard output: {error}")))?;
    drop(stdout);
    let fingerprint = signed.facts.fingerprint.as_deref().unwrap_or(status::NO_FINGERPRINT);
    match call.status.write(&status::signed(fingerprint, now)) {
        true => Ok(()),
        false => Err(Stop::new("cannot write to the status descriptor")),
    }
}
