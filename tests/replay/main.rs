//! Days and weeks on the real tables with a virtual clock: the real engine and the real jobs, and a time that jumps from
//! one instant at which something is due to the next.

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod month;
mod simulated;
mod world;
