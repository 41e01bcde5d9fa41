//! `check`: what it finds, what it prints whatever jobs have printed, and what its exit code says.

#[path = "../common/mod.rs"]
mod common;

mod documents;
mod found;
mod grammar;
mod printed;
mod program;
mod world;
