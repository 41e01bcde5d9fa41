//! What people change by hand: what it does to the job, on every host, Python's included; what it refuses; and that
//! each change has its row in the audit, and no refusal has one.

#[path = "../common/mod.rs"]
mod common;

mod cancel;
mod drain;
mod ghosts;
mod json;
mod mark;
mod names;
mod operator;
mod pause;
mod races;
mod reset;
mod told;
mod trigger;
