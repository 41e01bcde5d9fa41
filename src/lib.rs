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

// What the operator wrote, checked.
pub mod config;
// A job as it is meant: the nouns everybody shares.
pub mod spec;
// How long, as people write it.
pub mod duration;
// When a job is next wanted.
pub mod schedule;
// How long to leave a failing job alone.
pub mod backoff;
