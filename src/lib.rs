//! Sign git commits with the identity you already have, and verify them anywhere, offline.
//!
//! ```text
//!          git              a person           a server
//!  =========|=================|=====================================  doors
//!      commands/gpg    commands/verify ...          main, cli, config
//!           |                 |          \
//!  ---------|-----------------|-----------\-------------------------  roads
//!        sign.rs              |         audit.rs        the world
//!           |   \             |             |      +----------------+
//!           |    \____________|_____________|_____>| outside/       |
//!           | verify our own  |             |      |  repo http     |
//!           v                 v             v      |  oidc fulcio   |
//!  ----------------------------------------------  |  rekor tsa     |
//!      verify.rs                     (pure: no     |  process       |
//!       | verify/ \-> policy.rs      clock, disk,  |  terminal      |
//!       |  trust.rs   report.rs      network)      +-------+--------+
//!  ----------------------------------------------          |
//!      key.rs    format/ object cms cert sct timestamp     |
//!                checkpoint entry bundle status time  <----+
//!  =================================================================  ground
//! ```
//!
//! Two roads: [`verify`] judges one object in nine steps, `sign` makes a signature in seven. Read
//! [`report`] first (what an answer is), then [`verify`] (one screen), then a file of `verify/`.
//!
//! Without default features only the pure half is there: the verifier as a library, for programs that bring their own
//! objects. The two central signatures are
//!
//! ```text
//! Verifier::new(&TrustRoot, &Memo).verify(&Object, now) -> Verified     steps 1-8; what a cache may hold
//! Policy::judge(&Facts, &Circumstance) -> Check                         step 9; always runs
//! ```

// Where nobody reads what they print, they end the program.
#![deny(clippy::print_stderr, clippy::print_stdout)]

#[cfg(feature = "cli")]
pub mod audit;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod config;
pub mod format;
pub mod key;
#[cfg(feature = "cli")]
pub mod outside;
pub mod policy;
pub mod report;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "cli")]
pub mod sign;
pub mod trust;
pub mod verify;
