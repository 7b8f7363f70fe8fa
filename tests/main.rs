//! Table of contents. One binary, so that the crate is linked once.

// What fails here is a test that fails.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod bits;
mod certificates;
mod classes;
mod cores;
mod corpus;
mod demo;
#[cfg(feature = "sandbox")]
mod doctor;
mod door;
mod endless;
#[cfg(feature = "sandbox")]
mod ends;
mod fallback;
mod floors;
#[cfg(feature = "sandbox")]
mod folders;
#[cfg(feature = "sandbox")]
mod forge;
mod format_gitsign;
#[path = "fuzz/seeds.rs"]
mod fuzz_seeds;
mod git;
mod guards;
mod install;
mod instances;
#[cfg(feature = "sandbox")]
mod jj;
mod limits;
#[cfg(feature = "sandbox")]
mod login;
mod man;
#[cfg(feature = "sandbox")]
mod newcomer;
mod oracle;
mod parts;
mod payload;
mod properties;
mod report;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
#[cfg(feature = "sandbox")]
mod session;
#[cfg(feature = "sandbox")]
mod setup;
mod status;
mod stores;
#[cfg(feature = "sandbox")]
mod suite;
#[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "the suite uses all of it"))]
mod support;
mod timestamps;
mod vectors;
mod windows;
