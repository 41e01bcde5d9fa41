//! A job that runs on each host: a row for each, with a slot, a lease and a history of its own; who waits for which of
//! them; what people do to one and to all; and what becomes of the rows of hosts that are gone.

#[path = "../common/mod.rs"]
mod common;

mod gone;
mod graph;
mod mixed;
mod people;
mod rows;
mod stay;
mod world;
