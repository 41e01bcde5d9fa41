//! A host that stays: what wakes it, what becomes of its runs when something dies, freezes or is cut off, and how it ends.

#![cfg(feature = "embedded")]

#[path = "../common/mod.rs"]
mod common;

mod chaos;
mod leases;
mod life;
mod names;
mod outages;
mod wakes;
mod world;
