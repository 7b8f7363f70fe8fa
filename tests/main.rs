//! Table of contents. One binary, so that the crate is linked once.

// What fails here is a test that fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod corpus;
mod floors;
mod oracle;
