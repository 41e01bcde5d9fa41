//! Hosts of crontabber 0.18.1 (Python 2), for fleets that are half of them.
//!
//! | for | use |
//! |---|---|
//! | one step of such a host at a time | `Python`, `Turn`: its statements and the borders of its transactions |
//! | all of its pass | `Python::pass` |
//! | its `--list-jobs`, `--nagios`, `--audit-ghosts`, `--reset-job` | `readings` |
//! | the program itself, where a Python 2 is to be had (`scripts/need python2`) | `Real` |
//!
//! The re-enactment keeps to the program in what a database can see: which statement reads what, in which transaction,
//! which columns it writes back, and which error becomes which exit code. The clock that decides is the host's, not
//! the database's, and an age is taken modulo a day, as `timedelta.seconds` does.

mod pass;
pub mod readings;
mod real;
mod state;

pub use pass::{Job, Turn, exit};
pub use real::{Real, installed};
pub use state::{Info, Python, Stop};
