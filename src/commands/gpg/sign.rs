//! Signing: the payload comes on standard input, the armor and nothing else goes to standard output.
//!
//! git throws standard error away when signing succeeds, so what a person should hear goes to the terminal itself.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::{SignCall, complain};
use crate::commands::{Stop, identity, now, settings, trust_root, trusted_identities};
use crate::config::{SIGNING_CONFIG, Settings, TIMESTAMP, TRUSTED_ROOT};
use crate::format::cms;
use crate::format::object::{Kind, MAX_OBJECT_BYTES};
use crate::format::status;
use crate::format::time::Time;
use crate::outside::{files, terminal};
use crate::policy::{Circumstance, Policy};
use crate::sign::{self, Options, Signed, Timestamp};
use crate::trust::{MAX_TRUST_BYTES, SigningConfig, TrustRoot};

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
    let root = trust_root(None, &settings)?;
    let options = options(&settings, now()?)?;
    check_one_instance(&options, &root, &settings)?;
    let signer = identity::signer(&settings, &options.services)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Stop::new)?;
    let signed = runtime.block_on(async {
        let token = identity::token(&signer).await?;
        // A login takes its time.
        let now = now()?;
        sign::sign(&payload, token, &root, &options, now).await.map_err(Stop::new).map(|signed| (signed, now))
    });
    // A command that ignores its deadline must not keep git waiting.
    runtime.shutdown_background();
    let (signed, now) = signed?;
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

/// The built-in root speaks for the public instance alone: a token is not sent anywhere whose certificate could not
/// be judged afterwards.
fn check_one_instance(options: &Options, root: &TrustRoot, settings: &Settings) -> Result<(), Stop> {
    let explicit = settings.text(TRUSTED_ROOT).map_err(Stop::new)?.is_some();
    let url = options.services.authority.url.as_str();
    match explicit || root.authorities.iter().any(|authority| authority.uri.trim_end_matches('/') == url) {
        true => Ok(()),
        false => Err(Stop::new(format!(
            "{SIGNING_CONFIG} names {url}, which is not the public instance; name its trust root too: \
             git config --global {TRUSTED_ROOT} FILE"
        ))),
    }
}

/// The services, which only an explicit signing config names: nobody writes to a public log by accident.
fn options(settings: &Settings, now: Time) -> Result<Options, Stop> {
    let Some((path, value)) = settings.text(SIGNING_CONFIG).map_err(Stop::new)? else {
        return Err(Stop::new(format!(
            "nothing says where to sign: git config --global {SIGNING_CONFIG} FILE, a signing config of your instance"
        )));
    };
    let refused = |why: &dyn std::fmt::Display| Stop::new(settings.unusable(SIGNING_CONFIG, value, why));
    let bytes = files::expand(path)
        .and_then(|path| files::read_trusted(&path, MAX_TRUST_BYTES, settings.git_dir()))
        .map_err(|why| refused(&why))?;
    // A client trust config carries the trust root that belongs to it: verifying must use that one too.
    if TrustRoot::parse(&bytes, "custom").is_ok() && settings.text(TRUSTED_ROOT).map_err(Stop::new)?.is_none() {
        return Err(refused(&format!(
            "it brings a trust root of its own; name it for verifying too: git config --global {TRUSTED_ROOT} {path}"
        )));
    }
    let services = SigningConfig::parse(&bytes)
        .map_err(|why| refused(&why))?
        .services(now)
        .map_err(|why| refused(&format!("{why}; ask who runs the instance for a current one")))?;
    let timestamp = match settings.text(TIMESTAMP).map_err(Stop::new)? {
        None | Some(("needed", _)) => Timestamp::AsNeeded,
        Some(("always", _)) => Timestamp::Always,
        Some((other, value)) => {
            return Err(Stop::new(settings.unusable(
                TIMESTAMP,
                value,
                format!("`{other}` is neither needed nor always"),
            )));
        }
    };
    Ok(Options { timestamp, ..Options::new(services) })
}

/// Step 9 only warns: who is accepted is for others to say.
fn tell(signed: &Signed, settings: &Settings) -> Result<(), Stop> {
    for warning in &signed.warnings {
        terminal::say(&format!("git-keyless: warning: {warning}"));
    }
    let policy = Policy::new(trusted_identities(settings)?, false);
    if let Some(reason) = policy.judge(&signed.facts, &Circumstance::default()).reason() {
        terminal::say(&format!("git-keyless: warning: {reason} (keyless.trustedIdentity)"));
    }
    Ok(())
}

fn hand_over(call: &SignCall, signed: &Signed, now: Time) -> Result<(), Stop> {
    let out = match call.armor {
        true => signed.armor.clone().into_bytes(),
        false => cms::dearmor(signed.armor.as_bytes()).map_err(|fault| Stop::new(format!("{fault:?}")))?,
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
