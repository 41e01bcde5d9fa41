//! Runs under the real supervisor and its guards, and every fault that promise 3 speaks of.

mod again;
mod cgroups;
mod faults;
mod hanging;
mod house;
mod other_host;
mod output;
mod running;
mod stopping;
mod terms;
