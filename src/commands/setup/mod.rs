//! `git keyless setup`: git's configuration in one command, and back again.
//!
//! What is set is shown first; what was there is written down beside it (`change`), and `--undo` puts it back. git
//! itself writes its files. Then a trial, where nothing becomes public that the person has not agreed to.

mod change;
mod gitsign;
mod trial;
mod undo;

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::instance::lists;
use super::session::committer;
use super::{Stop, complain, print, stopped};
use crate::cli;
use crate::config::{SIGNING_CONFIG, Settings, TRUSTED_IDENTITY, TRUSTED_ROOT};
use crate::format::printable;
use crate::outside::files;
use crate::outside::git::{self, Pair, Scope, Seen};
use crate::outside::session::Turn;
use crate::policy::Accepted;
use crate::trust::{MAX_TRUST_BYTES, SigningConfig, TrustRoot};

use change::Change;
use gitsign::Taken;
use trial::Shown;

/// How long others may take who write the same file.
const TURN_DEADLINE: Duration = Duration::from_secs(30);

/// Runs it. 0 when git is set up and, where it was tried, signs; 1 when it is set up and the trial failed; 2 when
/// nothing was set.
pub fn run(args: &cli::Setup) -> ExitCode {
    let scope = scope(args);
    let done = match args.undo {
        true => undo::run(scope, args.dry_run),
        false => set_up(args, scope),
    };
    done.unwrap_or_else(|stop| stopped(&stop))
}

fn scope(args: &cli::Setup) -> Scope {
    match (args.system, args.local) {
        (true, _) => Scope::System,
        (_, true) => Scope::Local,
        _ => Scope::Global,
    }
}

fn set_up(args: &cli::Setup, scope: Scope) -> Result<ExitCode, Stop> {
    let git = git::version().map_err(Stop::new)?;
    let file = git::read(scope).map_err(Stop::new)?;
    let introduces = !args.no_login && !args.verify_only && scope != Scope::System;
    if introduces {
        committer()?;
    }
    let mut wanted = wanted(args)?;
    let taken = taken(args, scope, wanted.iter().any(names_instance))?;
    wanted.splice(0..0, taken.wanted.iter().cloned());
    check_complete(args, scope, &file, &wanted)?;
    let changes = changes(&file, &wanted)?;
    show(&git, scope, &changes)?;
    if scope == Scope::System {
        in_homes(&wanted)?;
    }
    if introduces {
        print("Then a login, and its identity goes into keyless.trustedIdentity (not with --no-login).")?;
    }
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if !changes.is_empty() {
        ask(args.yes, "Set these?")?;
    }
    taken.write()?;
    set(scope, &wanted, &changes)?;
    let effective = is_effective(&wanted)?;
    let tried = if introduces { introduce(args, scope)? } else { Tried::Not };
    match tried {
        Tried::Failed => return Ok(ExitCode::FAILURE),
        Tried::Not => farewell(args, scope, effective, None)?,
        Tried::Signed(shown) => farewell(args, scope, effective, Some(&shown))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What gitsign is configured with, where that is asked for; or where it alone says where to sign: once set-up has said
/// who is trusted, gitsign's trust root counts no more, so its instance becomes ours whole. For a machine set-up says
/// that of nobody, and a file of one person's is nothing for all.
fn taken(args: &cli::Setup, scope: Scope, own_instance: bool) -> Result<Taken, Stop> {
    if scope == Scope::System {
        return taken_for_machine(args, own_instance);
    }
    let settings = super::settings(Path::new("."))?;
    let takes_over = !own_instance && !args.verify_only && is_gitsigns(&settings)?;
    if takes_over && !args.from_gitsign {
        print("only gitsign's settings say where to sign: they are taken over, as with --from-gitsign")?;
    }
    match args.from_gitsign || takes_over {
        true => Taken::read(settings.foreign(), own_instance, settings.git_dir()),
        false => Ok(Taken::default()),
    }
}

fn taken_for_machine(args: &cli::Setup, own_instance: bool) -> Result<Taken, Stop> {
    let machines = gitsign::of_machine()?;
    let has_instance = machines.signing_config().map_err(Stop::new)?.is_some();
    if !has_instance && super::settings(Path::new(".")).and_then(|own| is_gitsigns(&own)).unwrap_or(false) {
        print("note: gitsign's settings in files and variables of yours do not count: the machine is everybody's")?;
    }
    match (args.from_gitsign, has_instance && !own_instance) {
        (false, _) => Ok(Taken::default()),
        (true, false) => Taken::read(&machines, own_instance, None),
        (true, true) => Err(Stop::new(
            "gitsign's instance would become a file of yours, which others on this machine cannot read; \
             name one that they can: --client-trust-config FILE",
        )),
    }
}

/// Whether gitsign's instance is the one to sign with.
fn is_gitsigns(settings: &Settings) -> Result<bool, Stop> {
    let Some(foreign) = settings.foreign_instance() else { return Ok(false) };
    foreign.signing_config().map(|config| config.is_some()).map_err(Stop::new)
}

fn names_instance((key, _): &(&'static str, String)) -> bool {
    [SIGNING_CONFIG, TRUSTED_ROOT].contains(key)
}

/// Keys and values, in the order in which they are set: git calls us last, when everything it needs is there.
fn wanted(args: &cli::Setup) -> Result<Vec<(&'static str, String)>, Stop> {
    let (root, config) = match &args.client_trust_config {
        Some(both) => (Some(both), Some(both)),
        None => (args.trusted_root.as_ref(), args.signing_config.as_ref()),
    };
    let mut wanted = Vec::new();
    if let Some(path) = root {
        let check = |bytes: &[u8]| TrustRoot::parse(bytes, "custom").map(drop).map_err(|why| why.to_string());
        wanted.push((TRUSTED_ROOT, instance_file(path, check)?));
    }
    if let Some(path) = config {
        let check = |bytes: &[u8]| SigningConfig::parse(bytes).map(drop).map_err(|why| why.to_string());
        wanted.push((SIGNING_CONFIG, instance_file(path, check)?));
    }
    wanted.push(("gpg.x509.program", program()?));
    if !args.verify_only {
        wanted.push(("gpg.format", "x509".to_owned()));
        wanted.push(("commit.gpgSign", "true".to_owned()));
        wanted.push(("tag.gpgSign", "true".to_owned()));
    }
    Ok(wanted)
}

/// A file that can be used, by a name that says where it is from anywhere.
fn instance_file(path: &Path, check: impl Fn(&[u8]) -> Result<(), String>) -> Result<String, Stop> {
    let refused = |why: &dyn std::fmt::Display| Stop::new(format!("{}: {why}", path.display()));
    let bytes = files::read_trusted(path, MAX_TRUST_BYTES, None).map_err(Stop::new)?;
    check(&bytes).map_err(|why| refused(&why))?;
    text(lasting(path).map_err(|why| refused(&why))?)
}

/// Without `..`, which needs every folder before it to stay. A link in the file's place stays one: whoever made it may
/// let it name another file tomorrow.
fn lasting(path: &Path) -> io::Result<PathBuf> {
    // Windows takes `..` away by itself, and calls what is canonical as no person does.
    if cfg!(windows) {
        return std::path::absolute(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(folder.canonicalize()?.join(path.file_name().unwrap_or_default()))
}

fn text(path: PathBuf) -> Result<String, Stop> {
    path.into_os_string().into_string().map_err(|path| {
        Stop::new(format!("{} is not UTF-8; git's configuration needs a name that is", path.to_string_lossy()))
    })
}

/// This program by the name that stays when it is upgraded: the one on PATH, if that is this one.
fn program() -> Result<String, Stop> {
    let own =
        std::env::current_exe().map_err(|error| Stop::new(format!("this program cannot find itself: {error}")))?;
    let real = fs::canonicalize(&own).unwrap_or_else(|_| own.clone());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(format!("git-keyless{}", std::env::consts::EXE_SUFFIX)))
        .find(|file| fs::canonicalize(file).is_ok_and(|file| file == real));
    text(on_path.unwrap_or(own))
}

/// With `commit.gpgSign` and nowhere to sign, every commit would fail.
fn check_complete(
    args: &cli::Setup,
    scope: Scope,
    file: &[Pair],
    wanted: &[(&'static str, String)],
) -> Result<(), Stop> {
    if args.verify_only {
        return Ok(());
    }
    let planned = |key| wanted.iter().any(|(name, _)| *name == key);
    // Whoever uses this machine has the machine's file, and nothing of whoever sets it up.
    let here = |key| scope == Scope::System && change::values(file, key).last().is_some_and(Option::is_some);
    let settings = if scope == Scope::System { Settings::default() } else { super::settings(Path::new("."))? };
    let rooted =
        planned(TRUSTED_ROOT) || here(TRUSTED_ROOT) || settings.text(TRUSTED_ROOT).map_err(Stop::new)?.is_some();
    if let Some(path) = args.signing_config.as_ref().filter(|_| !rooted) {
        check_public(path)?;
    }
    if planned(SIGNING_CONFIG) || here(SIGNING_CONFIG) {
        return Ok(());
    }
    let own = settings.text(SIGNING_CONFIG).map_err(Stop::new)?.is_some();
    let machines = || gitsign::of_machine()?.signing_config().map_err(Stop::new);
    match own || scope == Scope::System && !wanted.iter().any(names_instance) && machines()?.is_some() {
        true => Ok(()),
        false => Err(Stop::new(format!(
            "nothing says where to sign, and every commit would fail: name your instance with --client-trust-config FILE, \
             or --signing-config FILE and --trusted-root FILE; --verify-only sets git up without signing; \
             to try signing, see git keyless sandbox ({SIGNING_CONFIG})"
        ))),
    }
}

/// The built-in trust root judges what the public instance makes, and nothing else.
fn check_public(path: &Path) -> Result<(), Stop> {
    let bytes = files::read_trusted(path, MAX_TRUST_BYTES, None).map_err(Stop::new)?;
    let config = SigningConfig::parse(&bytes).map_err(Stop::new)?;
    let services = config.services(super::now()?).map_err(Stop::new)?;
    let url = services.authority.url.as_str();
    let root = TrustRoot::public_good().map_err(Stop::new)?;
    match lists(&root, url) {
        true => Ok(()),
        false => Err(Stop::new(format!(
            "{} names {url}, which is not the public instance, and no commit could be signed: name its trust root too, \
             with --trusted-root FILE, or both in one with --client-trust-config FILE",
            path.display()
        ))),
    }
}

/// What others on this machine may not be able to reach.
fn in_homes(wanted: &[(&str, String)]) -> Result<(), Stop> {
    let own = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let is_home = |path: &Path| {
        ["/home", "/root", "/Users"].iter().any(|homes| path.starts_with(homes))
            || own.as_ref().is_some_and(|home| path.starts_with(home))
    };
    wanted.iter().filter(|(_, value)| is_home(Path::new(value))).try_for_each(|(key, value)| {
        print(&format!("note: {key} = {} is in somebody's home folder: others may not reach it", printable(value)))
    })
}

fn changes(file: &[Pair], wanted: &[(&str, String)]) -> Result<Vec<Change>, Stop> {
    let planned = wanted.iter().map(|(key, now)| Change::plan(file, key, now).map_err(Stop::new));
    Ok(planned.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn show(git: &str, scope: Scope, changes: &[Change]) -> Result<(), Stop> {
    if changes.is_empty() {
        return print(&format!("{git}: its {} configuration is as set-up would make it.", scope.name()));
    }
    print(&format!("{git}: its {} configuration gets", scope.name()))?;
    changes.iter().try_for_each(|change| print(&format!("  {change}")))
}

/// Asks the person at the terminal; there, or by `--yes`, somebody must have agreed.
fn ask(yes: bool, question: &str) -> Result<(), Stop> {
    if yes
        || agreed(question)?.ok_or_else(|| Stop::new("nobody is here to ask; say --yes, or --dry-run to only look"))?
    {
        return Ok(());
    }
    Err(Stop::new("nothing was changed"))
}

/// None when nobody is there. Anything but yes is no.
fn agreed(question: &str) -> Result<Option<bool>, Stop> {
    let (stdin, mut stdout) = (io::stdin(), io::stdout());
    if !stdin.is_terminal() || !stdout.is_terminal() {
        return Ok(None);
    }
    let failed = |error: io::Error| Stop::new(format!("the terminal cannot be used: {error}"));
    write!(stdout, "{question} [y/N] ").and_then(|()| stdout.flush()).map_err(failed)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(failed)?;
    Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
}

/// What was shown, and agreed to, is what is set: others may have written the file while the person read.
fn set(scope: Scope, wanted: &[(&str, String)], shown: &[Change]) -> Result<(), Stop> {
    let _alone = alone(scope);
    let file = git::read(scope).map_err(Stop::new)?;
    let changes = changes(&file, wanted)?;
    match changes.is_empty() || changes == shown {
        true => apply(scope, &file, &changes),
        false => Err(Stop::new(format!(
            "git's {} configuration was changed meanwhile; nothing was set: run it again, to see what it sets now",
            scope.name()
        ))),
    }
}

/// What is read stays so until what follows from it is written. Nothing where no such turn can be had, or somebody keeps
/// it: anybody who may look into that folder can. Each change is still whole then, since git locks its file for it.
fn alone(scope: Scope) -> Option<Turn> {
    let waiting = || complain("another set-up is going on; waiting for it");
    Turn::take_at(&git::folder(scope)?, TURN_DEADLINE, waiting).ok()
}

/// One after the other, each written down first. Run again, it goes on where it was interrupted.
fn apply(scope: Scope, file: &[Pair], changes: &[Change]) -> Result<(), Stop> {
    let written = Change::written(file).map_err(Stop::new)?;
    let next = written.last().map_or(1, |(number, _)| number + 1);
    for (number, change) in (next..).zip(changes) {
        change.apply(scope, number).map_err(|failure| {
            Stop::new(match number == next {
                true => format!("{failure}; nothing was set"),
                false => format!("{failure}; what was set so far stays: run it again, or with --undo"),
            })
        })?;
    }
    Ok(())
}

/// What git reads in the end may stand elsewhere: then set-up has done its part and git does something else.
fn is_effective(wanted: &[(&str, String)]) -> Result<bool, Stop> {
    let mut effective = true;
    let seen = git::seen().map_err(Stop::new)?;
    for (key, now) in wanted {
        let Some(last) = seen.iter().rev().find(|seen| seen.key.eq_ignore_ascii_case(key)) else { continue };
        let same = last.value.as_deref() == Some(now) || last.value.is_none() && now == "true";
        if !same {
            effective = false;
            print(&format!("note: here git reads {}", shadow(key, last)))?;
        }
    }
    Ok(effective)
}

fn shadow(key: &str, last: &Seen) -> String {
    let value = printable(last.value.as_deref().unwrap_or("true"));
    format!("{key} = {value} from {} ({}), which outranks this", printable(&last.origin), last.scope)
}

/// Whether signing works, as far as it was tried.
enum Tried {
    Failed,
    Not,
    Signed(Shown),
}

/// A login, a trial signature where it may be made, and the identity among those that are trusted.
fn introduce(args: &cli::Setup, scope: Scope) -> Result<Tried, Stop> {
    match trial::run(args.yes, scope) {
        Ok(None) => Ok(Tried::Not),
        Ok(Some(introduced)) => {
            accept(scope, &introduced.who)?;
            Ok(introduced.judge()?.map_or(Tried::Not, Tried::Signed))
        }
        Err(stop) => {
            complain(&format!("git is set up, and signing does not work yet: {stop}"));
            complain(&format!(
                "every commit fails until that is mended: git keyless doctor says more, git keyless setup --{} --undo \
                 takes it back",
                scope.name()
            ));
            Ok(Tried::Failed)
        }
    }
}

fn accept(scope: Scope, who: &Accepted) -> Result<(), Stop> {
    let _alone = alone(scope);
    let file = git::read(scope).map_err(Stop::new)?;
    let settings = super::settings(Path::new("."))?;
    if super::trusted_identities(&settings)?.contains(who) {
        return Ok(());
    }
    let Some(change) = Change::plan_list(&file, TRUSTED_IDENTITY, &who.to_string()) else { return Ok(()) };
    apply(scope, &file, std::slice::from_ref(&change))?;
    print(&format!("  {change}"))
}

/// What comes now, the look of a commit last where one was made.
fn farewell(args: &cli::Setup, scope: Scope, effective: bool, shown: Option<&Shown>) -> Result<(), Stop> {
    let undo = format!("Undo: git keyless setup --{} --undo", scope.name());
    if !effective {
        return print(&format!(
            "What outranks it decides here until that is gone: git keyless doctor says more. {undo}"
        ));
    }
    if args.verify_only {
        return print(&format!("git log --show-signature now judges keyless signatures. {undo}"));
    }
    print(&format!(
        "From now on git commit and git tag -s sign: each signature asks who you are, unless you have just said so.\n\
         A plain git tag NAME makes a signed tag, too, and asks for its message.\n\
         See them with git log --show-signature, or git keyless show. {undo}"
    ))?;
    let Some(Shown { lines, letter }) = shown else { return Ok(()) };
    print(&format!("Of such a commit git log says {letter} for %G?, and with --show-signature:"))?;
    lines.iter().try_for_each(|line| print(&format!("  {}", printable(line))))
}
