//! Table of contents. One binary, so that the crate is linked once.

mod corpus;
mod payload;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
#[expect(dead_code, reason = "shared with the real-server suite")]
mod support;
