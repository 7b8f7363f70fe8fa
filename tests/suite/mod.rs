//! What holds on any Sigstore: the same tests on the sandbox (binary `main`) and on real servers (binary `real`).

pub(crate) mod callers;
pub(crate) mod configs;
pub(crate) mod faults;
pub(crate) mod good;
pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod letters;
pub(crate) mod library;
pub(crate) mod places;
pub(crate) mod proxy;
pub(crate) mod secrecy;
pub(crate) mod stack;
#[cfg(feature = "sandbox")]
pub(crate) mod token;
pub(crate) mod wrong_keys;
