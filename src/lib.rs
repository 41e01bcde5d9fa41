//! cron for several hosts, with one PostgreSQL table as the referee.
//!
//! ```text
//! jobs/*.toml ─ config ─▶ JobSpec* ─ dag ─▶ JobGraph ─┐
//!                                                     ├─ plan ─▶ Verdict* ─ claim ─▶ Claim ─ run ─▶ Finished ─ record ─▶ row + log
//! table crontabber ─────── store ──────▶ JobState* ───┘            │NOWAIT      (under a guard)                 │
//!       ▲                                             Contended / Ongoing: next job                             │
//!       └─────────────────────────── next_run, slot, error_count ◀──────────────────────────────────────────────┘
//! ```
//!
//! The modules stand in the order in which a job meets them. The middle (`config` to `plan`) is pure:
//! values in, values out, no clock, no database, no `async`.

// Taking over from cron and from crontabber: their files in, a configuration out.
pub mod import;
// What the operator wrote, checked.
pub mod config;
// A job as it is meant: the nouns everybody shares.
pub mod spec;
// How long, as people write it.
pub mod duration;
// How much memory, as people write it.
pub mod memory;
// When a job is next wanted.
pub mod schedule;
// How long to leave a failing job alone.
pub mod backoff;
// From a heap of jobs to a graph that is known to be sound.
pub mod dag;
// Where this program keeps what must outlive it.
mod state_directory;
// A private PostgreSQL of the machine's own, for who has none.
#[cfg(feature = "embedded")]
pub mod embedded;
// Which programs actions are, and those that are shipped, each in a process of its own.
pub mod actions;
// As whom, how willingly and with how much memory: what jobs ask for, and what this host may do of it.
pub mod rights;
// Hosts, as jobs and other hosts see them.
pub mod place;
// Which process it is, told from every other one of any host.
pub mod instance;
// The database, reached: its address, its connections, its tables.
pub mod store;
// What should happen to each job now, and why.
pub mod plan;
// What several ask for at the same time, carried out together.
mod together;
// Taking a job, on this host and no other.
pub mod claim;
// Leaving slots behind that no run is for.
pub mod skip;
// What a run printed: the beginning and the end.
pub mod output;
// The same while it is being printed.
pub mod stream;
// How a run ended, whoever carried it out.
pub mod ended;
// Processes under guard, whose trees end in time.
pub mod supervise;
// Renewing this host's claims.
pub mod heartbeat;
// Doing the work of a claim.
pub mod run;
// Outcomes that the database has not taken yet, on disk.
pub mod outcomes;
// Writing down how it went, and when the job is wanted next.
pub mod record;
// Closing the runs of hosts that stopped renewing.
pub mod reap;
// This host: who it is, what it announces.
pub mod host;
// What people change by hand.
pub mod control;
// What the stations of a pass share.
pub mod engine;
// How a pass went.
pub mod pass;
// What this process has under way.
mod work;
// One pass: look, plan, claim, run, record.
pub mod tick;
// A run that somebody waits for.
pub mod attended;
// Making up for slots of the past.
pub mod backfill;
// A host that stays: passes until it is told to stop.
pub mod daemon;
// Being told to stop.
pub mod stop;
// What the service manager is told.
pub mod systemd;
// The clock that goes on in suspend and that nobody sets.
pub mod clock;
// What would happen, on a virtual clock.
pub mod simulate;
// The plan and the history, for people on a terminal and for programs behind a pipe.
pub mod view;
// What needs a person, by thresholds.
pub mod check;
// What a host stands on: facts in, findings out.
pub mod doctor;
// HTTP as a client, for actions.
#[cfg(feature = "http")]
pub mod http;
// What the exit codes mean.
pub mod exit;
// What went on, for people and for machines.
pub mod log;
// What may be typed, and which command answers.
pub mod cli;
// Named faults, for the tests; nothing in a release build.
pub mod faults;
