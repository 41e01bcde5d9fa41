//! The actions that are shipped with the program: each lives in a folder of its own, and knows nothing of the engine.

#[cfg(feature = "feeds")]
pub mod feeds;

/// Their names: `crontabber action NAME`.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "feeds")]
    "feeds",
];
