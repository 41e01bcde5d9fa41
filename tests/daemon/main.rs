//! A host that stays: what wakes it, what becomes of its runs when something dies, freezes or is cut off, and how it ends.

#![cfg(feature = "embedded")]

#[path = "../common/mod.rs"]
mod common;

mod chaos;
mod failover;
mod hung;
mod leases;
mod life;
mod names;
mod outages;
mod partitions;
mod reloads;
mod wakes;
mod world;
