//! Table of contents. One binary, so that the crate is linked once.

mod corpus;
mod door;
mod format_gitsign;
mod payload;
mod schema;
#[expect(dead_code, reason = "shared with the real-server suite")]
mod support;
