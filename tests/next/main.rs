//! `next`: the slots ahead of jobs and of schedules that no job has, with no database anywhere.

#[path = "../common/mod.rs"]
mod common;

mod lines;
mod program;
mod wrong;
