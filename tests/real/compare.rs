//! The same requests to the sandbox and to the real servers: are the answers of one kind?
//!
//! `GIT_KEYLESS_COMPARE=1 cargo test --test real compare -- --nocapture` prints them all.

mod known;
mod requests;
mod shape;
mod side;

use std::collections::BTreeSet;

use git_keyless::format::hex;
use git_keyless::sandbox::{Options, Rekor, Sandbox};

use self::known::KNOWN;
use self::side::Side;
use crate::suite::stack::Stack;
use crate::support::PROGRAM;

#[test]
fn the_sandbox_answers_as_the_servers_do() {
    let Some(stack) = Stack::shared() else { return };
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        directory: directory.path().join("sandbox"),
        rekor: Rekor::V1,
        failing: Vec::new(),
        program: PROGRAM.into(),
    };
    let sandbox = Sandbox::start(&options).unwrap();
    let (ours, theirs) = (requests::all(&Side::Sandbox(&sandbox)), requests::all(&Side::Servers(stack)));
    let mut found = BTreeSet::new();
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        if std::env::var_os("GIT_KEYLESS_COMPARE").is_some() {
            let body = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap_or_else(|_| hex(body));
            println!("{name}\n  {} {}\n  {} {}", ours.status, body(&ours.body), theirs.status, body(&theirs.body));
        }
        found.extend(shape::differences(ours, theirs).into_iter().map(|difference| (*name, difference)));
    }
    let known: BTreeSet<_> = KNOWN.iter().map(|(name, difference, _)| (*name, (*difference).to_owned())).collect();
    let new: Vec<_> = found.difference(&known).map(|(name, difference)| format!("{name}: {difference}")).collect();
    let gone: Vec<_> = known.difference(&found).map(|(name, difference)| format!("{name}: {difference}")).collect();
    println!("{} requests, {} known differences", ours.len(), known.len());
    assert!(new.is_empty(), "differences that are not listed (the sandbox | the servers):\n{}", new.join("\n"));
    assert!(gone.is_empty(), "listed differences that are no more:\n{}", gone.join("\n"));
}
