//! Table of contents of what needs real Sigstore servers. See README.md beside this file.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "sandbox")]
mod compare;
#[cfg(feature = "sandbox")]
mod foreign;
mod harness;
#[cfg(feature = "sandbox")]
mod login;
mod servers;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
