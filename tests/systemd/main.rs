//! The units in `systemd/`: clean, as tight as they say, and no hindrance to a pass and its jobs, on a real systemd.

#[path = "../common/mod.rs"]
mod common;

mod by_name;
mod cgroups;
mod checks;
mod daemon;
mod installed;
mod life;
mod machine;
mod notify;
mod relay;
mod sandbox;
mod unit;
