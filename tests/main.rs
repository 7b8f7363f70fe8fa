//! Table of contents. One binary, so that the crate is linked once.

mod corpus;
mod floors;
mod oracle;
