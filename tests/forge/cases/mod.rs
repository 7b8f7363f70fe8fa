//! What the forge makes, step by step.

mod chain;
mod cms;
mod entry;
mod good;
mod object;
mod openssl;
mod policy;
mod profile;
mod sct;
mod time;
mod validity;

use super::{Case, Forge};

pub(super) fn all(forge: &Forge) -> Vec<Case> {
    [
        good::all(forge),
        object::all(forge),
        cms::all(forge),
        chain::all(forge),
        sct::all(forge),
        profile::all(forge),
        entry::all(forge),
        openssl::all(forge),
        time::all(forge),
        validity::all(forge),
        policy::all(forge),
    ]
    .concat()
}
