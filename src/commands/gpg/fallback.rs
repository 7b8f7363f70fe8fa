//! Signatures that are not ours share `gpg.x509.program` with ours: another program may be asked about them.
//!
//! It verifies and never signs; it is asked only about one signer whose certificate is inside and not Fulcio's; it gets
//! copies that nobody else can change; and what it says is read and written anew, so that no line of its own reaches git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::complain;
use crate::commands::Stop;
use crate::config::{FALLBACK_PROGRAM, FALLBACK_TRUST, Settings};
use crate::format::armor;
use crate::format::object::Object;
use crate::format::status::{Answer, ForeignTrust, Said};
use crate::format::{cms, hex};
use crate::key;
use crate::outside::files;
use crate::outside::folder::Folder;
use crate::outside::process;

/// How long it may take: gpgsm looks for revocation lists in the network.
const DEADLINE: Duration = Duration::from_secs(30);
/// Most bytes of its status lines; gpgsm prints one kilobyte.
const MAX_STATUS_BYTES: usize = 64 << 10;
/// Set for its processes: whoever finds it set is being asked by us, and asks nobody.
const ASKED: &str = "GIT_KEYLESS_FALLBACK";

/// None when nobody is to be asked: no program is named, or the signature is not of its kind.
pub(super) fn ask(object: &Object, settings: &Settings, require_trusted: bool) -> Result<Option<Answer>, Stop> {
    let Some((name, value)) = settings.text(FALLBACK_PROGRAM).map_err(Stop::new)? else { return Ok(None) };
    let Some(der) = armor::dearmor(object.signature()).ok().filter(|der| cms::is_foreign(der)) else {
        complain(&format!(
            "{name} is not asked: that is no detached signature of one signer with the certificate inside \
             (gpgsm: include-certs 1)"
        ));
        return Ok(None);
    };
    let refused = |why: String| Stop::new(settings.unusable(FALLBACK_PROGRAM, value, why));
    if std::env::var_os(ASKED).is_some() {
        return Err(refused(format!("`{name}` asks this program again; name the program that made the signature")));
    }
    let program = find(name).map_err(refused)?;
    let pass = passes(settings)?;
    let folder = Folder::new(&hex(&key::random::<8>().map_err(Stop::new)?)).map_err(Stop::new)?;
    let said = question(&program, &der, object.payload(), &folder).and_then(|question| put(question, DEADLINE));
    let answer = said.map_or_else(
        |why| unknown(&format!("{name} does not help: {why}")),
        |(said, success)| answer(name, said, success, pass),
    );
    Ok(Some(trusted_enough(answer, require_trusted)))
}

/// Whether that program's trust is passed on.
pub(in crate::commands) fn passes(settings: &Settings) -> Result<bool, Stop> {
    match settings.text(FALLBACK_TRUST).map_err(Stop::new)? {
        None | Some(("undefined", _)) => Ok(false),
        Some(("pass", _)) => Ok(true),
        Some((other, value)) => {
            Err(Stop::new(settings.unusable(FALLBACK_TRUST, value, format!("`{other}` is neither undefined nor pass"))))
        }
    }
}

/// A name on PATH or an absolute path: from the working directory, where git calls us, a checkout could choose.
pub(in crate::commands) fn find(name: &str) -> Result<PathBuf, String> {
    let path = files::expand(name)?;
    let own = std::env::current_exe().and_then(fs::canonicalize).ok();
    if !path.is_absolute() && path.components().count() != 1 {
        return Err(format!("`{name}` is a relative path; name it from / or by its name on PATH"));
    }
    let found = process::find(&path).ok_or_else(|| format!("`{name}` is not there; install it, or name another"))?;
    match own.is_some_and(|own| fs::canonicalize(&found).is_ok_and(|found| found == own)) {
        true => Err(format!("`{name}` is this program; name the one that made the signature, such as gpgsm")),
        false => Ok(found),
    }
}

/// Both as files: newer gpgsm no longer reads the data from standard input.
fn question(program: &Path, der: &[u8], payload: &[u8], folder: &Folder) -> Result<Command, String> {
    let armor = armor::armor(der).map_err(|why| why.to_string())?;
    let (signature, data) = (folder.write("signature", armor.as_bytes())?, folder.write("data", payload)?);
    let mut command = Command::new(program);
    command.args(["--status-fd=1", "--verify"]).args([signature, data]).env(ASKED, "1");
    Ok(command)
}

/// What it says, and whether it ended well.
fn put(question: Command, deadline: Duration) -> Result<(Said, bool), String> {
    let (printed, status) =
        process::answer(question, MAX_STATUS_BYTES, deadline).map_err(|failure| failure.to_string())?;
    Ok((Said::parse(&printed), status.success()))
}

/// GOODSIG counts only with exit code 0; for git the other way round.
fn answer(name: &str, said: Said, success: bool, pass: bool) -> Answer {
    match (said, success) {
        (Said::Good { trust: None, .. }, _) => unknown(&format!("{name} never trusts whoever signed this")),
        (Said::Good { fingerprint, name: who, valid, trust: Some(trust) }, true) => {
            complain(&format!("not a keyless signature; {name} calls it good, by {who}"));
            let trust = if pass { trust } else { ForeignTrust::Undefined };
            Answer::Foreign { fingerprint, name: who, valid, trust }
        }
        (Said::Good { .. }, false) => {
            unknown(&format!("{name} verifies the signature, and does not trust it: look at its own answer"))
        }
        (Said::Bad, _) => {
            complain(&format!("not a keyless signature; {name} calls it bad"));
            Answer::Bad { fingerprint: None }
        }
        (Said::Revoked, _) => unknown(&format!("{name} says that its certificate is revoked")),
        (Said::Unclear(why), _) => unknown(&format!("{name} does not help: {why}")),
    }
}

fn unknown(why: &str) -> Answer {
    complain(&format!("not a keyless signature; {why}"));
    Answer::Unknown { fingerprint: None }
}

fn trusted_enough(answer: Answer, require_trusted: bool) -> Answer {
    match answer {
        Answer::Foreign { fingerprint, trust: ForeignTrust::Undefined | ForeignTrust::Marginal, .. }
            if require_trusted =>
        {
            complain("nobody vouches for whoever signed this (keyless.requireTrusted)");
            Answer::Unknown { fingerprint: Some(fingerprint) }
        }
        answer => answer,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn nobody_keeps_git_waiting_or_fills_the_memory() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            put(command, Duration::from_millis(300))
        };
        assert!(shell("sleep 60").unwrap_err().contains("did not end"));
        assert!(shell("sleep 60 & printf '[GNUPG:] GOODSIG'").unwrap_err().contains("did not end"));
        assert!(shell("yes '[GNUPG:] NEWSIG'").unwrap_err().contains("more than"));
        assert!(matches!(shell("exit 3"), Ok((Said::Unclear(_), false))));
    }
}
