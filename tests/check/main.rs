//! `check`: what it finds, what it prints whatever jobs have printed, and what its exit code says.

#[path = "../common/mod.rs"]
mod common;

mod asked;
mod codes;
mod documents;
mod fleet;
mod found;
mod grammar;
mod kept;
mod printed;
mod program;
mod waiting;
mod world;
