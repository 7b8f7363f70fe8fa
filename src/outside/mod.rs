//! Touches the world: bytes in, bytes out. Nothing in here judges.

pub mod files;
pub mod repo;
