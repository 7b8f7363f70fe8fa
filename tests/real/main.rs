//! Table of contents of the suite against real Sigstore servers and real git. See README.md beside this file.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod callers;
#[cfg(feature = "sandbox")]
mod compare;
mod configs;
mod faults;
#[cfg(feature = "sandbox")]
mod foreign;
mod good;
mod harness;
mod http;
mod judge;
mod letters;
mod library;
mod places;
mod proxy;
mod secrecy;
mod stack;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
mod wrong_keys;
