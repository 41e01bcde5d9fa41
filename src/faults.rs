//! Named faults, for the tests: die here, freeze here, skip a check.
//!
//! In a build without the feature `faults` (every release build) each of these is nothing. The variable
//! `CRONTABBER_FAULT` names the faults of a process, separated by commas: a point where it kills itself
//! (`after-commit=kill`), where it stops until somebody continues it (`after-commit=stop`), or the name of a
//! planted bug (`claim-without-recheck`).

#[cfg(not(feature = "faults"))]
use crate::clock::Boottime;

/// A point of the road where a test may want the process to die.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn point(_name: &str) {}

/// A statement; in a process with a planted bug in it, without the part that the bug leaves out.
#[cfg(not(feature = "faults"))]
#[inline]
#[must_use]
pub fn planted(sql: &'static str) -> &'static str {
    sql
}

/// The deadline of a run, or what `guard-without-deadline` makes of it.
#[cfg(not(feature = "faults"))]
#[inline]
#[must_use]
pub fn deadline(deadline: Boottime) -> Boottime {
    deadline
}

/// Whether a job's SQL and its record are committed apart: the planted bug `sql-record-apart`.
#[cfg(not(feature = "faults"))]
#[inline]
#[must_use]
pub fn is_apart() -> bool {
    false
}

/// Whether the rows of a job on each host are called as if it were one job: the planted bug `row-without-host`.
#[cfg(not(feature = "faults"))]
#[inline]
#[must_use]
pub fn is_without_host() -> bool {
    false
}

#[cfg(feature = "faults")]
pub use on::{deadline, in_slow_motion, is_apart, is_on, is_without_host, planted, point};

#[cfg(feature = "faults")]
mod on {
    use std::time::Duration;

    use nix::sys::signal::{Signal, raise};
    use tokio_postgres::{
        Client, Error,
        types::{ToSql, Type},
    };

    use crate::{clock::Boottime, store::transaction::BEGIN};

    type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

    /// Whether a planted bug is wanted.
    #[must_use]
    pub fn is_on(name: &str) -> bool {
        wanted(name).is_some()
    }

    /// Whether a job's SQL and its record are committed apart.
    #[must_use]
    pub fn is_apart() -> bool {
        is_on("sql-record-apart")
    }

    /// Whether the rows of a job on each host are called as if it were one job.
    #[must_use]
    pub fn is_without_host() -> bool {
        is_on("row-without-host")
    }

    /// What `CRONTABBER_FAULT` says of a name: `Some("")` for a bare one.
    fn wanted(name: &str) -> Option<String> {
        let all = std::env::var("CRONTABBER_FAULT").ok()?;
        all.split(',')
            .find_map(|fault| match fault.split_once('=') {
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

    /// What a planted bug leaves out of a statement.
    struct Bug {
        name: &'static str,
        /// How the statement begins.
        statement: &'static str,
        /// From here, inclusive.
        from: &'static str,
        /// To here, exclusive.
        until: &'static str,
    }

    const BUGS: [Bug; 3] = [
        Bug {
            name: "claim-without-recheck",
            statement: "-- claim:",
            from: "       AND j.run_id IS NULL",
            until: "    RETURNING j.app_name, j.run_id",
        },
        Bug {
            name: "heartbeat-that-waits",
            statement: "-- heartbeat:",
            from: " SKIP LOCKED\n)",
            until: "\n)",
        },
        Bug {
            name: "record-without-fence",
            statement: "-- record:",
            from: " AND run_id = $3 AND fence = $4",
            until: "\n",
        },
    ];

    /// A statement; in a process with a planted bug in it, without the part that the bug leaves out.
    ///
    /// # Panics
    /// When the statement does not hold that part: the bug would not be planted.
    #[must_use]
    pub fn planted(sql: &'static str) -> &'static str {
        let bug = BUGS
            .iter()
            .find(|bug| sql.starts_with(bug.statement) && is_on(bug.name));
        let Some(bug) = bug else { return sql };
        let from = sql
            .find(bug.from)
            .expect("the statement holds what the bug leaves out");
        let until = sql[from..]
            .find(bug.until)
            .expect("the statement goes on after it")
            + from;
        // Leaked: a process of a test sends it a few times.
        String::leak(format!("{}{}", &sql[..from], &sql[until..]))
    }

    /// The deadline of a run, or what `guard-without-deadline` makes of it: as good as none.
    #[must_use]
    pub fn deadline(deadline: Boottime) -> Boottime {
        if is_on("guard-without-deadline") {
            deadline + Duration::from_hours(1)
        } else {
            deadline
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

    async fn step_by_step(
        client: &Client,
        lock: &[Parameter<'_>],
        write: &[Parameter<'_>],
    ) -> Result<(), Error> {
        client.batch_execute(BEGIN).await?;
        client
            .query_typed(include_str!("../sql/claim_lock.sql"), lock)
            .await?;
        point("after-lock");
        client
            .query_typed(include_str!("../sql/claim.sql"), write)
            .await?;
        point("before-commit");
        client.batch_execute("ROLLBACK").await
    }
}
