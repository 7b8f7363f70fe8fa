//! Table of contents of the tests that need nothing but the library: what `all.sh` tries mutants of it against.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[path = "../certificates.rs"]
mod certificates;
#[path = "../cores.rs"]
mod cores;
#[path = "../format_gitsign.rs"]
mod format_gitsign;
#[path = "../instances.rs"]
mod instances;
#[path = "../limits.rs"]
mod limits;
#[path = "../parts.rs"]
mod parts;
#[path = "../payload.rs"]
mod payload;
#[path = "../properties.rs"]
mod properties;
#[path = "../report.rs"]
mod report;
#[path = "../status.rs"]
mod status;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
#[path = "../timestamps.rs"]
mod timestamps;
#[allow(dead_code)]
#[path = "../vectors.rs"]
mod vectors;
#[path = "../windows.rs"]
mod windows;
