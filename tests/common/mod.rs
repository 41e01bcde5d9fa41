//! The harness: a real PostgreSQL, the real program, and ways to wait for what they do.
//!
//! | for | use |
//! |---|---|
//! | an empty database, gone after the test | `Postgres::database().await` |
//! | one that holds the tables already | `Postgres::shared().await.from(&template).await` |
//! | a server of one's own, to stop, kill, freeze | `Private::new()` |
//! | a run of the program | `Crontabber::new(["tick"]).env("HOME", "/").run().await` |
//! | what the jobs did | `Ledger` |
//! | when runs were alive | `Beats` |
//! | a configuration, its hosts, what ran | `Site::with(&database, \|site\| ...)`, `site.on("alpha", &["tick"])` |
//! | a job on each host, raced for | `each::race` |
//! | many processes in one instant | `Gate`, `race` |
//! | hosts of both kinds in one instant | `fleet::Fleet` |
//! | a host whose clock is wrong | `Crontabber::new(["tick"]).clock("-13h")` |
//! | a database of Python's | `legacy::database().await` |
//! | a database with our tables and no row | `tables().await` |
//! | a host of crontabber 0.18.1, step by step | `python::Python`, `python::Turn` |
//! | the real crontabber 0.18.1, where there is one | `python::Real` |
//! | one job of SQL | `bank::Bank` |
//! | money that jobs move while their hosts are killed | `money::Money` |
//! | PgBouncer in transaction mode before a database | `Bouncer::before(url).await` |
//! | a connection that breaks at a commit | `Proxy` |
//! | a pass with a row locked under it | `locked` |
//! | a service manager to speak to | `NotifySocket::new()`, `.until(limit, "READY=1")` |
//! | something that takes a moment | `until(limit, "the sentence it fails with", async \|\| ...)` |

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "every test binary compiles all of this and uses its own part of it"
)]

pub mod bank;
mod beats;
mod database;
pub mod each;
mod faketime;
pub mod fleet;
mod gate;
pub mod host;
mod ledger;
pub mod legacy;
pub mod locked;
pub mod money;
mod notify_socket;
pub mod pgbouncer;
mod postgres;
#[cfg(feature = "embedded")]
mod private;
mod process;
mod proxy;
pub mod python;
pub mod race;
mod site;
mod tables;
mod until;

pub use beats::{Beats, Life, uptime};
pub use database::Database;
pub use gate::Gate;
pub use ledger::{Ledger, RunStart};
pub use notify_socket::{Heard, NotifySocket};
pub use pgbouncer::Bouncer;
pub use postgres::parse as postgres_config;
pub use postgres::{Postgres, Template};
#[cfg(feature = "embedded")]
pub use private::Private;
pub use process::{Crontabber, Finished, Running, children, left_over};
pub use proxy::{Cut, Proxy};
pub use site::Site;
pub use tables::{drop_guard, tables};
pub use until::until;
