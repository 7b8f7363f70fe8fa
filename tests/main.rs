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
mod man;
mod oracle;
mod payload;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
#[expect(dead_code, reason = "shared with the real-server suite")]
mod support;
mod vectors;
mod windows;
