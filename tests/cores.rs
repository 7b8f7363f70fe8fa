//! Work on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `each` for all of them, on all cores; whatever it returns is collected.
pub(crate) fn on_all_cores<R: Sync, T: Send>(all: &[R], each: impl Fn(&R) -> Option<T> + Sync) -> Vec<T> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    found.lock().unwrap().extend(each(one));
                }
            });
        }
    });
    found.into_inner().unwrap()
}
