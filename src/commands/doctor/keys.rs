//! What is signed today must be judged by keys of today.

use super::{Finding, mend};
use crate::commands::instance::Instance;
use crate::format::time::{Time, Window};
use crate::trust::{Authority, Log};

const CHECK: &str = "trust-root-keys";
/// How long before the last key of a kind ends that is worth a word.
const SOON_SECONDS: u64 = 30 * 86_400;

pub(super) fn examine(instance: &Instance, now: Time) -> Vec<Finding> {
    let root = &instance.root;
    let kinds = [
        ("certificate authority", Some(of_authorities(&root.authorities))),
        ("certificate transparency log", of_logs(&root.ct_logs)),
        ("transparency log", of_logs(&root.logs)),
        (
            "timestamp authority",
            instance.options.needs_timestamp(root).then(|| of_authorities(&root.timestamp_authorities)),
        ),
    ];
    let kinds = kinds.into_iter().filter_map(|(what, windows)| Some((what, windows?)));
    let findings: Vec<_> = kinds.filter_map(|(what, windows)| judge(what, &windows, now)).collect();
    match findings.is_empty() {
        true => vec![Finding::good(CHECK, &"of each kind that signing needs one counts now")],
        false => findings,
    }
}

fn judge(what: &str, windows: &[Window], now: Time) -> Option<Finding> {
    let current: Vec<_> = windows.iter().filter(|window| window.contains(now)).collect();
    // An open end is never soon.
    let Some(last) = current.iter().max_by_key(|window| window.left(now)) else {
        return Some(Finding::fault(CHECK, &format!("no {what} of the trust root is valid now"), mend::root()));
    };
    let end = last.end.filter(|_| last.left(now).as_secs() < SOON_SECONDS)?;
    Some(Finding::warning(CHECK, &format!("no {what} of the trust root is valid after {end}"), mend::root()))
}

/// Each with the narrowest of its own window and the dates of its certificates.
fn of_authorities(authorities: &[Authority]) -> Vec<Window> {
    let readable = authorities.iter().filter_map(|one| Some((one.window, one.chain.as_ref().ok()?)));
    readable.map(|(window, chain)| chain.iter().filter_map(|one| one.validity().ok()).fold(window, narrowest)).collect()
}

fn narrowest(one: Window, other: Window) -> Window {
    Window { start: one.start.max(other.start), end: one.end.into_iter().chain(other.end).min() }
}

/// None where none is listed: then none is asked for.
fn of_logs(logs: &[Log]) -> Option<Vec<Window>> {
    let usable = logs.iter().filter(|log| log.key.is_ok()).flat_map(|log| log.windows.iter().copied());
    (!logs.is_empty()).then(|| usable.collect())
}
