//! The database, reached: where it is, how a session with it is opened, and what its refusals mean.
//!
//! An [`Address`] is what libpq would make of the operator's text and environment. A [`Database`] opens
//! [`Connection`]s to it, pooled or dedicated, none of them without a limit; and every failure is one
//! [`DatabaseError`], which says what happened and what to do next and never shows a password.

// Where the database is, and on what terms it is reached.
pub mod address;
// A password from `~/.pgpass`.
mod pgpass;
// Which connections are encrypted, and whose certificate is believed.
pub mod tls;
// One open connection: its warnings counted, its cut-off work never inherited.
pub mod connection;
// Whether a connection leads to the server itself.
mod direct;
// Statements that keep coming on one connection.
pub(crate) mod recurring;
// Opening connections: the pool, and those outside of it.
pub mod connect;
// Sessions for the SQL of jobs.
mod session;
// How many of them begin at the same time.
mod admission;
// Databases that are not the referee's.
mod elsewhere;
// Trying again while it is away.
pub(crate) mod again;
// Being told that something has changed.
pub(crate) mod listen;
// How every transaction of the protocol begins, and single statements in one.
pub mod transaction;
// Instants that others have written.
pub(crate) mod instant;
// The state table, as a pass reads it.
pub mod table;
// What keeps Python hosts from starting a job twice.
mod guard;
// The hosts, as they have announced themselves.
pub mod hosts;
// How long runs took lately.
pub mod durations;
// Which database it is.
pub mod identity;
// What a doctor asks about it.
pub mod checkup;
// The version of the tables, and the migrations.
pub mod schema;
// What can go wrong, in words to act on.
pub mod error;

pub use address::{Address, AddressError, Environment};
pub use connect::{Database, Pooled};
pub use connection::{Connection, Ear, Fuse, Said, limited};
pub use elsewhere::Elsewhere;
pub use error::DatabaseError;
pub(crate) use session::CLEAN;
pub use session::Session;
