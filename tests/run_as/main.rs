//! Jobs that say `user`, `nice` and `memory_max`: run so where the host may, and left to others where it may not.
//!
//! To become somebody else takes root. Where the tests run as root, an ordinary user's host is played by `setpriv`; where
//! they do not, everything that takes root says that it was not tried.

#[path = "../common/mod.rs"]
mod common;
mod granted;
mod refused;
mod world;
