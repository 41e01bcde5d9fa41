//! The plan and the history as people and programs read them.
//!
//! ```text
//! Plan, Entry*, Announced* ─▶ list · ongoing · show · why · history · logs · hosts ─▶ text for a Medium, or JSON
//! ```
//!
//! Everything here takes values and returns a text: the time is the database's, handed in, and the [`Medium`]
//! says whether people or programs read it. On a terminal times are relative, states have marks and colours, and
//! tables fit the width; in a pipe there are words and tabs, RFC 3339 and nothing else. What comes out of the
//! database may hold anything, and none of it reaches a terminal unescaped.

// Who reads it: a terminal of some width, or a program.
pub mod medium;
// Texts made harmless, measured and clipped.
pub mod text;
// Instants and spans in words.
pub mod times;
// Signs and colours.
pub mod mark;
// Rows and columns.
pub mod table;
// Labelled lines.
pub mod lines;
// What a run has counted.
pub mod counts;
// One run, or slots that did not run, out of the log.
pub mod entry;
// Who passed when, on what they disagree, and where each job ran last.
pub mod hosts;
// What is known about one name.
pub mod subject;
// Every job and its state.
pub mod list;
// What is wanted next.
pub mod next;
// What runs now, and where.
pub mod ongoing;
// One job, all of it.
pub mod show;
// Why a job runs or does not run now.
pub mod why;
// The runs there were.
pub mod history;
// What a run printed.
pub mod logs;
// The same while it is being printed.
pub mod follow;
// What needs a person, as monitoring reads it.
pub mod check;
// What a host stands on, and what to do about it.
pub mod doctor;
// What would happen, over time.
pub mod simulate;
// What people have changed by hand just now.
pub mod changes;
// What came of ending a run.
pub mod cancel;
// What came of asking for a run.
pub mod trigger;
// How making up for past slots goes.
pub mod backfill;
// Rows that no job has.
pub mod ghosts;
// What people have ever changed by hand.
pub mod audit;
// All of it in the words of crontabber 0.18.
pub mod legacy;

pub use medium::Medium;
pub use times::Times;
