//! Touches the world: bytes in, bytes out. Nothing in here judges.

pub mod files;
pub mod folder;
pub mod fulcio;
pub mod git;
pub mod http;
pub mod oidc;
pub mod process;
pub mod rekor;
pub mod repo;
pub mod session;
pub mod terminal;
pub mod tsa;
