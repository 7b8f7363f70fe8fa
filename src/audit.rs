//! The road of many: revisions to objects to reports, on all cores, answers in the order of the questions.

use crate::format::object::Object;
use crate::format::time::Time;
use crate::outside::repo::{Named, Repository, Unreadable};
use crate::policy::{Circumstance, Policy};
use crate::report::Report;
use crate::verify::Verifier;

/// Objects that are held at once; bounds memory, and keeps the first answer from waiting for the last.
const BATCH: usize = 64;
/// Bytes of objects after which no further one is read into a batch: many at the limit of one would be gigabytes.
const BATCH_BYTES: usize = 16 << 20;

/// Judges each of `revs` for itself and gives the answers to `answer` in their order; stops when that does.
pub fn judge_each<E>(
    repository: &Repository,
    revs: &[String],
    verifier: &Verifier<'_>,
    policy: &Policy,
    now: Time,
    mut answer: impl FnMut(&str, Result<Report, Unreadable>) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = revs;
    while !rest.is_empty() {
        let read = read_batch(repository, rest);
        let judge = |found: &Result<(Named, Object), Unreadable>| match found {
            Ok((named, object)) => {
                let circumstance = Circumstance { tag: named.tag.clone() };
                Ok(verifier.verify(object, now).report(policy, &circumstance))
            }
            Err(error) => Err(error.clone()),
        };
        for (rev, judged) in rest.iter().zip(on_all_cores(&read, judge)) {
            answer(rev, judged)?;
        }
        rest = rest.get(read.len()..).unwrap_or_default();
    }
    Ok(())
}

/// The first of `revs`, at least one.
fn read_batch(repository: &Repository, revs: &[String]) -> Vec<Result<(Named, Object), Unreadable>> {
    let (mut held, mut bytes) = (Vec::new(), 0_usize);
    for rev in revs.iter().take(BATCH) {
        let found = read(repository, rev);
        let raw = found.as_ref().ok().and_then(|(_, object)| object.stored());
        bytes = bytes.saturating_add(raw.map_or(0, |stored| stored.raw.len()));
        held.push(found);
        if bytes > BATCH_BYTES {
            break;
        }
    }
    held
}

fn read(repository: &Repository, rev: &str) -> Result<(Named, Object), Unreadable> {
    let named = repository.resolve(rev)?;
    let found = repository.read(&named.id).map_err(|error| error.asked_as(rev))?;
    let object = Object::split(found.raw, found.kind, found.format, Some(named.id.clone()));
    Ok((named, object))
}

/// `each` for every item, shared out between the cores; one item costs no thread.
fn on_all_cores<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    if cores <= 1 {
        return items.iter().map(each).collect();
    }
    let share = items.len().div_ceil(cores);
    std::thread::scope(|scope| {
        let each = &each;
        let workers: Vec<_> =
            items.chunks(share).map(|chunk| scope.spawn(move || chunk.iter().map(each).collect::<Vec<_>>())).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
