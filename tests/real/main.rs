//! Table of contents of the suite against real Sigstore servers and real git. See README.md beside this file.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod harness;
mod http;
mod proxy;
mod stack;
#[path = "../support/mod.rs"]
mod support;
