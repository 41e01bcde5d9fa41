//! HTTP as a client: what actions ask of servers that are not theirs.
//!
//! ```text
//! Request ─ guard ─▶ exchange (connect, head, body: each with its limit) ─▶ Answer
//!    ▲                  │ failed, or a status that may pass ─ retry ─▶ again, after a wait
//!    └─ redirect ◀──────┘ 3xx: the next address, checked like the first
//! ```
//!
//! Servers are taken for careless and sometimes for hostile: everything that comes from one has a limit, and none of
//! them can send a request to an address that this host keeps to itself.
//!
//! What decides ([`retry`], [`retry_after`], `redirect`, [`network`], `pace`) is values in, values out; `exchange` and
//! [`client`] are the rim.
//!
//! The first client reads the system's root certificates; nothing is read or installed before.

// When a request is sent again.
pub mod retry;
// When the server wants to be asked again.
pub mod retry_after;
// Where an answer sends us.
mod redirect;
// Ranges of addresses.
pub mod network;
// Which addresses are not asked.
mod guard;
// How fast a body comes.
mod pace;
// How much memory bodies take.
mod room;
// What went wrong.
mod error;
// Whose certificates are believed.
mod roots;
// One request, one answer.
mod exchange;
// Redirects, retries and limits put together.
pub mod client;
// One request at a time for each host.
pub mod host_gate;

pub use reqwest::{
    Method,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

pub use self::{
    client::{Answer, Attempt, Client, Failed, Request, Settings, Validators},
    error::{HttpError, SettingsError, Timeout, shown_address},
    exchange::Limits,
    guard::{Refused, check_for_another},
    host_gate::{HostGate, Pass},
    network::Network,
    pace::Pace,
    retry::Policy,
    room::Share,
};
