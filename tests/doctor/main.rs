//! What the doctor says of hosts and databases that are well, and of each thing that can be wrong with them.

#[path = "../common/mod.rs"]
mod common;

mod files;
mod hosts;
mod said;
mod server;
mod tables;
