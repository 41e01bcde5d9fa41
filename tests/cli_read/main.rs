//! The reading commands: what they show for every state of a job, to people and to programs, and that they write
//! nothing.

#[path = "../common/mod.rs"]
mod common;

mod at;
mod golden;
mod host;
mod json;
mod program;
mod streams;
mod world;
