//! Table of contents. One binary, so that the crate is linked once.

// What fails here is a test that fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod bits;
mod corpus;
mod demo;
mod door;
mod floors;
mod format_gitsign;
mod git;
#[cfg(feature = "sandbox")]
mod login;
mod man;
mod oracle;
mod payload;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
#[cfg(feature = "sandbox")]
mod session;
#[cfg(feature = "sandbox")]
mod suite;
#[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "the suite uses all of it"))]
mod support;
mod vectors;
mod windows;
