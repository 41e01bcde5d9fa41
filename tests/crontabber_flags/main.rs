//! The command lines of crontabber 0.18 on our program: what they do, their exit codes and their words.

#[path = "../common/mod.rs"]
mod common;

mod imported;
mod lines;
mod look;
mod old;
mod python;
mod work;
