//! `git keyless setup --undo`: what set-up changed, newest first, is what it was before.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::change::{Change, Way};
use super::{alone, gitsign};
use crate::commands::{Stop, print, shell_word};
use crate::format::printable;
use crate::outside::git::{self, Scope};

/// 0 also when there is nothing to take back.
pub(super) fn run(scope: Scope, dry: bool) -> Result<ExitCode, Stop> {
    let _alone = if dry { None } else { alone(scope) };
    let written = Change::written(&git::read(scope).map_err(Stop::new)?).map_err(Stop::new)?;
    if written.is_empty() {
        print(&format!("set-up has changed nothing in git's {} configuration{}", scope.name(), elsewhere(scope)))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&format!("git's {} configuration:", scope.name()))?;
    for (number, change) in written.iter().rev() {
        // Anew for each: the one before may have put back what this one set.
        let file = git::read(scope).map_err(Stop::new)?;
        let way = change.way_back(&file);
        report(change, &way, scope)?;
        if !dry {
            change.take_back(scope, *number, &way).map_err(|failure| {
                Stop::new(format!("{failure}; what is not taken back yet stays written down: run it again"))
            })?;
        }
    }
    let files: BTreeSet<_> =
        written.iter().map(|(_, change)| &change.now).filter(|name| gitsign::wrote(name)).collect();
    for name in files {
        print(&format!("  {} stays, since other repositories may name it; remove it if none does", printable(name)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(change: &Change, way: &Way, scope: Scope) -> Result<(), Stop> {
    let (key, now) = (&change.key, printable(&change.now));
    match way {
        Way::Nothing => print(&format!("  {key}: was back already")),
        Way::Unset => print(&format!("  {key} = {now} goes")),
        Way::Replace(was) => print(&format!("  {key} = {} again", printable(was))),
        Way::Theirs => print(&format!(
            "  {key}: somebody has changed it since, so it stays; set-up found {} and set {now}: git config --{} --get-all {}",
            change.before,
            scope.name(),
            shell_word(key)
        )),
    }
}

/// Where else it has left something.
fn elsewhere(scope: Scope) -> String {
    let others = [Scope::Global, Scope::Local, Scope::System].into_iter().filter(|other| *other != scope);
    let named = others
        .filter(|other| git::read(*other).is_ok_and(|file| Change::written(&file).is_ok_and(|all| !all.is_empty())))
        .map(|other| format!("; try git keyless setup --{} --undo", other.name()));
    named.collect()
}
