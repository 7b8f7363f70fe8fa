//! A login, and a trial signature through git itself: a commit in a room that goes away.
//!
//! A certificate is published when it is issued. So on a public instance the login alone says who this is, unless the
//! person has agreed to more: by `keyless.publicIdentity=allow`, or here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::agreed;
use crate::commands::instance::{Instance, instance};
use crate::commands::session::committer;
use crate::commands::{Stop, identity, now, print, publicity, settings, wait_for};
use crate::config::Settings;
use crate::format::hex;
use crate::format::object::{Kind, Object, ObjectFormat};
use crate::key::{self, Memo};
use crate::outside::folder::Folder;
use crate::outside::git::{Scope, complaint};
use crate::outside::oidc::Occasion;
use crate::outside::process;
use crate::policy::Accepted;
use crate::trust::TrustRoot;
use crate::verify::Verifier;

/// Who the person turned out to be.
pub(super) struct Introduced {
    pub(super) who: Accepted,
    trial: Option<Trial>,
}

/// None when the person does not want to, or nobody is there to be asked.
pub(super) fn run(yes: bool, scope: Scope) -> Result<Option<Introduced>, Stop> {
    let settings = settings(Path::new("."))?;
    let instance = instance(&settings, now()?)?;
    if may_publish(&instance, &settings)? {
        const QUESTION: &str =
            "Log in (kept for minutes), trust that identity from now on, and make a trial signature?";
        let wanted = yes || agreed(QUESTION)? == Some(true);
        return if wanted { sign(&instance.root, scope).map(Some) } else { Ok(None) };
    }
    print(
        "Signatures of a public instance are public: each puts your address or name into a log that anybody can read,\n\
         for ever, at the moment the certificate is issued.",
    )?;
    match agreed("Make such a trial signature now?")? {
        Some(true) => sign(&instance.root, scope).map(Some),
        Some(false) if agreed("Log in without one, so that your own signatures are trusted?")? == Some(true) => {
            log_in(&settings, &instance).map(Some)
        }
        None if yes => log_in(&settings, &instance).map(Some),
        _ => Ok(None),
    }
}

/// What is private stays so; for the rest somebody must have said so.
fn may_publish(instance: &Instance, settings: &Settings) -> Result<bool, Stop> {
    Ok(!instance.is_public() || publicity::is_allowed(settings)?)
}

/// The token goes nowhere: only what it says is read.
fn log_in(settings: &Settings, instance: &Instance) -> Result<Introduced, Stop> {
    let signer = identity::signer(settings, &instance.options.services)?;
    let token = wait_for(identity::token(&signer))?;
    let claims = token.claims();
    match &claims.email {
        Some(email) => {
            let who = Accepted { subject: email.clone(), issuer: claims.certified_issuer().to_owned() };
            Ok(Introduced { who, trial: None })
        }
        None => Err(Stop::new(format!(
            "the name that {} will have in a certificate is the authority's to make: sign once, and trust what \
             git keyless show says of it",
            claims.name()
        ))),
    }
}

/// As git does it: a commit's bytes go to this program, and what comes back becomes a header. git before 2.40 keeps to
/// itself why a signature was refused, so it is not git who calls here; that it calls us shows when it verifies.
fn sign(root: &TrustRoot, scope: Scope) -> Result<Introduced, Stop> {
    let room = Room::new(scope)?;
    let tree = room.git(&["mktree"], b"")?;
    let message = "a trial of git keyless setup";
    let unsigned = room.git(&["commit-tree", "--no-gpg-sign", "-m", message, tree.trim()], b"")?;
    let payload = room.git(&["cat-file", "commit", unsigned.trim()], b"")?;
    let own = std::env::current_exe().map_err(Stop::new)?;
    let armor = room.run(Command::new(own).args(["--status-fd=2", "-bsau", "trial"]), payload.as_bytes())?;
    let format = if unsigned.trim().len() == 64 { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 };
    let raw = with_header(&payload, &armor, format);
    let id = room.git(&["hash-object", "-t", "commit", "-w", "--stdin"], raw.as_bytes())?.trim().to_owned();
    let object = Object::split(raw.into_bytes(), Kind::Commit, format, None);
    let verified = Verifier::new(root, &Memo::new()).verify(&object, now()?);
    let identity = verified.facts().identity.clone();
    let identity = identity.ok_or_else(|| Stop::new("the trial signature names nobody; please report this"))?;
    let who = Accepted { subject: identity.subject.name().to_owned(), issuer: identity.issuer };
    Ok(Introduced { who, trial: Some(Trial { room, id }) })
}

fn with_header(payload: &str, armor: &str, format: ObjectFormat) -> String {
    let name = match format {
        ObjectFormat::Sha1 => "gpgsig",
        ObjectFormat::Sha256 => "gpgsig-sha256",
    };
    let (headers, message) = payload.split_once("\n\n").unwrap_or((payload, ""));
    format!("{headers}\n{name} {}\n\n{message}", armor.trim_end().replace('\n', "\n "))
}

impl Introduced {
    /// Now that the identity is trusted git must say so too; what it is in the end. How git shows the trial commit, if
    /// one was made.
    pub(super) fn judge(&self) -> Result<Option<Shown>, Stop> {
        let who = &self.who;
        match &self.trial {
            None => print(&format!("You are {who}.")).map(|()| None),
            Some(Trial { room, id }) => {
                room.git(&["-c", "gpg.minTrustLevel=fully", "verify-commit", id], b"")?;
                print(&format!("You are {who}: a trial commit was signed, and git verifies it."))?;
                let printed = room.git(&["log", "-1", "--no-color", "--show-signature", "--format=%G?", id], b"")?;
                Ok(printed.trim_end().rsplit_once('\n').map(|(lines, letter)| Shown {
                    lines: lines.lines().map(str::to_owned).collect(),
                    letter: letter.to_owned(),
                }))
            }
        }
    }
}

/// What git log says of a signature.
pub(super) struct Shown {
    /// With --show-signature.
    pub(super) lines: Vec<String>,
    /// For %G?.
    pub(super) letter: String,
}

/// A signed commit and where it is.
struct Trial {
    room: Room,
    id: String,
}

/// Where git writes: a folder that is gone when this is.
struct Room {
    /// What leads git there.
    variable: &'static str,
    place: PathBuf,
    /// Who commits around here: the room knows nobody.
    committer: String,
    _folder: Folder,
}

impl Room {
    /// A repository's settings are tried in it, others in an empty repository; nothing of either is changed.
    fn new(scope: Scope) -> Result<Self, Stop> {
        let committer = committer()?;
        let folder = Folder::new(&hex(&key::random::<8>().map_err(Stop::new)?)).map_err(Stop::new)?;
        if scope == Scope::Local {
            let place = folder.path().join("objects");
            fs::create_dir(&place).map_err(|error| Stop::new(format!("{}: {error}", place.display())))?;
            return Ok(Self { variable: "GIT_OBJECT_DIRECTORY", place, committer, _folder: folder });
        }
        let room = Self { variable: "GIT_DIR", place: folder.path().join(Occasion::TRIAL), committer, _folder: folder };
        room.git(&["init", "-q", "--bare", "--template="], b"")?;
        Ok(room)
    }

    fn git(&self, args: &[&str], input: &[u8]) -> Result<String, Stop> {
        self.run(Command::new("git").args(args), input)
    }

    /// What it prints, if it succeeds; what it complains about, if not.
    fn run(&self, command: &mut Command, input: &[u8]) -> Result<String, Stop> {
        let name = command.get_program().to_string_lossy().into_owned();
        let failed = |why: &dyn std::fmt::Display| Stop::new(format!("{name}: {why}"));
        command.env(self.variable, &self.place);
        command.envs([("GIT_AUTHOR_NAME", "trial"), ("GIT_COMMITTER_NAME", "trial")]);
        command.envs([("GIT_AUTHOR_EMAIL", &self.committer), ("GIT_COMMITTER_EMAIL", &self.committer)]);
        let output = process::fed(command, input).map_err(|error| failed(&error))?;
        let said = complaint(&output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(Stop::new(said.trim_start_matches("git-keyless: "))),
        }
    }
}
