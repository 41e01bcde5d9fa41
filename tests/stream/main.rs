//! Output told while it is printed: who reads it, what it may cost, and what becomes of it when something fails.

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod clearing;
mod failing;
mod following;
mod world;
