//! `git keyless login`, `logout` and `whoami`: the kept credential by hand.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::credential::{Applicant, expected};
use super::instance::{Instance, instance};
use super::kept::Found;
use super::renewal::Renewal;
use super::{Stop, complain, identity, now, print, settings, stopped, wait_for};
use crate::cli;
use crate::config::Settings;
use crate::format::object::committer_email;
use crate::format::printable;
use crate::format::time::Window;
use crate::outside::git;
use crate::outside::oidc::Source;
use crate::outside::session::Keyring;
use crate::report::Identity;
use crate::sign::Signer;

/// Logs in, in place of what was kept. 0 when it is kept, 2 when not.
pub fn login() -> ExitCode {
    answered(|here| {
        let signer = here.signer()?;
        let (credential, keyring) = wait_for(here.applicant(&signer).renew())?;
        let (identity, end) = (credential.identity(), credential.window().end);
        print(&format!(
            "logged in as {} ({}) until {}, kept in {keyring}",
            printable(identity.subject.name()),
            printable(&identity.issuer),
            end.map(|end| end.to_string()).unwrap_or_default()
        ))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Forgets everything that is kept, for whatever instance and person. 0 when nothing is left, 2 when that is not sure.
pub fn logout() -> ExitCode {
    forget().unwrap_or_else(|stop| stopped(&stop))
}

/// Says who signs here without another login. 0 when somebody does, 1 when nobody, 2 when that cannot be said.
pub fn whoami(args: &cli::Whoami) -> ExitCode {
    answered(|here| {
        let nobody = |why: String| {
            if args.json {
                print(&json!({ "schema": 1, "identity": null, "message": why }).to_string())?;
            } else {
                complain(&why);
            }
            Ok(ExitCode::FAILURE)
        };
        let who = identity::signer(&here.settings, &here.instance.options.services)?;
        let Source::Person(person) = &who.source else {
            return nobody(format!("each signature takes its ID token from {}", who.source));
        };
        let signer = here.signer()?;
        let kept = here.applicant(&signer).kept(&person.login)?;
        let (credential, keyring) = match kept.read(&signer)? {
            Found::Credential(credential, keyring) => (Some(credential), keyring),
            Found::Nothing(keyring) => (None, keyring),
            Found::NoKeyring(why) => {
                return nobody(format!("nobody is logged in here, and a login is not kept: {why}"));
            }
        };
        let renewal = kept.renewal(keyring)?;
        let of_login = renewal.as_ref().map(|renewal| &renewal.identity);
        match credential.as_ref().map(|credential| credential.identity()).or(of_login) {
            None => nobody("nobody is logged in here; git keyless login does it now".to_owned()),
            Some(identity) => {
                let window = credential.as_ref().map(|credential| credential.window());
                print(&here.described(identity, window, renewal.as_ref(), keyring, args.json)?)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

/// The repository around, and who commits in it.
struct Here {
    settings: Settings,
    instance: Instance,
    committer: String,
}

impl Here {
    fn read() -> Result<Self, Stop> {
        let settings = settings(Path::new("."))?;
        let instance = instance(&settings, now()?)?;
        let committer = match expected(&settings)? {
            Some(_) => committer().unwrap_or_default(),
            None => committer()?,
        };
        Ok(Self { settings, instance, committer })
    }

    fn signer(&self) -> Result<Signer<'_>, Stop> {
        Signer::new(&self.instance.root, &self.instance.options).map_err(Stop::new)
    }

    fn applicant<'a>(&'a self, signer: &'a Signer<'a>) -> Applicant<'a> {
        Applicant { settings: &self.settings, instance: &self.instance, signer, committer: &self.committer }
    }

    /// `window` is the certificate's, if there is one now.
    fn described(
        &self,
        identity: &Identity,
        window: Option<Window>,
        renewal: Option<&Renewal>,
        keyring: Keyring,
        json: bool,
    ) -> Result<String, Stop> {
        let (instance, now) = (&self.instance.root.instance, now()?);
        let left = window.map_or(0, |window| window.left(now).as_secs());
        let end = window.map(|window| window.end.map(|end| end.to_string()).unwrap_or_default());
        let renewed = renewal.map(|renewal| renewal.until.to_string());
        if json {
            return Ok(json!({
                "schema": 1,
                "identity": {
                    "subject": identity.subject.name(),
                    "subject_type": identity.subject.kind(),
                    "issuer": identity.issuer,
                },
                "instance": instance,
                "not_after": end,
                "seconds_left": left,
                "renews_until": renewed,
                "kept_in": keyring.name(),
            })
            .to_string());
        }
        let end = match end {
            Some(end) => format!("until     {end}, {} min {} s left\n", left / 60, left % 60),
            None => String::new(),
        };
        let renewed = renewed.map(|until| format!("renewed   until {until}, without a login\n")).unwrap_or_default();
        let (name, issuer) = (printable(identity.subject.name()), printable(&identity.issuer));
        Ok(format!("{name}\nissuer    {issuer}\ninstance  {instance}\n{end}{renewed}kept in   {keyring}"))
    }
}

fn answered(work: impl FnOnce(&Here) -> Result<ExitCode, Stop>) -> ExitCode {
    Here::read().and_then(|here| work(&here)).unwrap_or_else(|stop| stopped(&stop))
}

/// As git itself would write it into a commit.
pub(crate) fn committer() -> Result<String, Stop> {
    let unknown = || Stop::new("git does not know who commits here: git config --global user.email YOU@EXAMPLE.COM");
    let printed = git::output(&["var", "GIT_COMMITTER_IDENT"]).map_err(|failure| {
        // git's own advice is ten lines long; anything else that is wrong is for git to say.
        let said = failure.to_string();
        if ["tell me who you are", "ident"].iter().any(|part| said.contains(part)) {
            unknown()
        } else {
            Stop::new(said)
        }
    })?;
    committer_email(&[b"committer ", printed.as_slice()].concat()).ok_or_else(unknown)
}

/// In every keyring that is here, whichever the settings choose now.
fn forget() -> Result<ExitCode, Stop> {
    let (mut forgotten, mut failed) = (0, Vec::new());
    for keyring in Keyring::ALL {
        match keyring.forget_all() {
            Ok(number) => forgotten += number,
            Err(why) if !why.is_here() => {}
            Err(why) => failed.push(why.to_string()),
        }
    }
    if !failed.is_empty() {
        return Err(Stop::new(format!(
            "something may still be kept: {}; try again when it answers",
            failed.join("; ")
        )));
    }
    print(&match forgotten {
        0 => "nothing was kept".to_owned(),
        1 => "one entry forgotten".to_owned(),
        more => format!("{more} entries forgotten"),
    })?;
    Ok(ExitCode::SUCCESS)
}
