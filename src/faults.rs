//! Named faults, for the tests: die here, freeze here, skip a check.
//!
//! In a build without the feature `faults` (every release build) each of these is nothing. The variable
//! `CRONTABBER_FAULT` names the faults of a process, separated by commas: a point where it kills itself
//! (`after-commit=kill`), where it stops until somebody continues it (`after-commit=stop`), or the name of a
//! planted bug (`claim-without-recheck`).

/// A point of the road where a test may want the process to die.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_name: &str) {}

#[cfg(feature = "faults")]
pub use on::{in_slow_motion, is_on, point};

#[cfg(feature = "faults")]
mod on {
    use nix::sys::signal::{Signal, raise};
    use tokio_postgres::{
        Client, Error,
        types::{ToSql, Type},
    };

    use crate::store::transaction::BEGIN;

    type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

    /// Whether a planted bug is wanted.
    #[must_use]
    pub fn is_on(name: &str) -> bool {
        wanted(name).is_some()
    }

    /// What `CRONTABBER_FAULT` says of a name: `Some("")` for a bare one.
    fn wanted(name: &str) -> Option<String> {
        let all = std::env::var("CRONTABBER_FAULT").ok()?;
        all.split(',').find_map(|fault| match fault.split_once('=') {
            Some((point, deed)) => (point == name).then(|| deed.to_owned()),
            None => (fault == name).then(String::new),
        })
    }

    /// A point of the road where a test may want the process to die.
    ///
    /// # Panics
    /// When the fault is `panic`: that is what it is for.
    pub fn point(name: &str) {
        match wanted(name).as_deref() {
            Some("kill") => raise(Signal::SIGKILL).expect("a process may kill itself"),
            Some("stop") => raise(Signal::SIGSTOP).expect("a process may stop itself"),
            Some("panic") => panic!("the planted fault `{name}`"),
            _ => {}
        }
    }

    /// A claim's statements one by one, to die between two of them (`after-lock`, `before-commit`): in one write,
    /// as they are sent otherwise, there is no between.
    pub async fn in_slow_motion(client: &Client, lock: &[Parameter<'_>], write: &[Parameter<'_>]) {
        if is_on("after-lock") || is_on("before-commit") {
            // A server that went away meanwhile is met again by the claim that follows.
            let _ = step_by_step(client, lock, write).await;
        }
    }

    async fn step_by_step(client: &Client, lock: &[Parameter<'_>], write: &[Parameter<'_>]) -> Result<(), Error> {
        client.batch_execute(BEGIN).await?;
        client.query_typed(include_str!("../sql/claim_lock.sql"), lock).await?;
        point("after-lock");
        client.query_typed(include_str!("../sql/claim.sql"), write).await?;
        point("before-commit");
        client.batch_execute("ROLLBACK").await
    }
}
