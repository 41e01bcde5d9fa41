//! Sessions for the SQL of jobs: each for one job at a time, and used again when nothing of that job is left in it.
//!
//! A new session costs the server a process that has to learn its catalogues: several times what a short job does. So
//! those that are done and clean wait here for the next job, as many as are likely to be wanted at once, and not for
//! long. Not behind a pooler: what is cleaned there after a commit may be somebody else's session.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::join;
use tokio_postgres::Row;

use super::{
    Connection,
    admission::Admitted,
    limited,
    transaction::{Asked, ask_in_turn},
};

/// How many wait here at most. What a burst has opened beyond that is closed: so many keep two processors of a server busy,
/// and each is a process of its.
const MOST: usize = 64;

/// Takes away what a job may leave in its session, at the end of its transaction: cursors, channels, temporary tables, the
/// last numbers of sequences.
pub(crate) const CLEAN: &str = "CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES";

/// What is left when its transaction is over: locks, which others may be waiting for until then, and the names of
/// statements.
const LEFT: &str = include_str!("../../sql/session_left.sql");

/// The same, when the statistics can be told at once.
const LEFT_TOLD: &str = include_str!("../../sql/session_left_told.sql");

/// The sessions of a database that wait for a job.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    /// What jobs were told in it.
    told: Vec<&'static str>,
    /// Whether the server's statistics know what they have changed.
    is_flushed: bool,
    since: Instant,
}

impl Spare {
    /// The one that was given back last: what its server process knows is fresh. Of those in which nothing was told that
    /// the next job is not told as well: a setting that a session has had once is empty there, and not missing.
    /// With whether the server's statistics know what it has changed.
    pub(super) fn take(&self, told: &[&'static str]) -> Option<(Connection, bool)> {
        let mut waiting = self.waiting();
        waiting.retain(|waiting| waiting.connection.is_usable());
        let is_told = |waiting: &Waiting| waiting.told.iter().all(|name| told.contains(name));
        let at = waiting.iter().rposition(is_told)?;
        let waiting = waiting.remove(at);
        Some((waiting.connection, waiting.is_flushed))
    }

    fn keep(&self, connection: Connection, told: Vec<&'static str>, is_flushed: bool) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST && connection.is_usable() {
            waiting.push(Waiting {
                connection,
                told,
                is_flushed,
                since: Instant::now(),
            });
        }
    }

    /// Closes those that nobody has wanted for so long.
    pub(super) fn close_idle(&self, longer_than: Duration) {
        self.waiting()
            .retain(|waiting| waiting.since.elapsed() < longer_than);
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for the SQL of one job. Dropped, it is closed.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    told: Vec<&'static str>,
    is_flushed: bool,
    spare: Arc<Spare>,
    /// The next may begin when this one is over.
    _admitted: Admitted,
}

impl std::ops::Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Session {
    pub(super) fn new(
        (connection, is_flushed): (Connection, bool),
        told: Vec<&'static str>,
        spare: Arc<Spare>,
        admitted: Admitted,
    ) -> Self {
        Self {
            connection,
            told,
            is_flushed,
            spare,
            _admitted: admitted,
        }
    }

    /// Whether all that its server process has changed and not yet told the statistics is this job's. Not known behind a
    /// pooler; to be asked when it is known whether there is one.
    pub(crate) fn counts_from_nothing(&self) -> bool {
        self.is_flushed && self.connection.known_direct().get() == Some(&true)
    }

    /// Sends the last statements and the COMMIT, and lets the next job have the session if nothing of this one is left in it;
    /// in one round trip. The rows of each; should one fail, nothing is committed.
    ///
    /// Roles and settings must have been taken back before, what the job has made with [`CLEAN`], and it must have been asked
    /// before the transaction whether it leads to the server itself: else the session is closed.
    pub(crate) async fn commit_with(
        self,
        last: &[Asked<'_>],
        limit: Duration,
    ) -> Result<Vec<Vec<Row>>, super::DatabaseError> {
        let client = &self.connection;
        let last = last
            .iter()
            .map(|(sql, parameters)| client.question_in_a_transaction(sql, parameters));
        let last: Vec<_> = last.collect();
        let is_direct = client.known_direct().get() == Some(&true);
        let is_flushed = is_direct && client.flushes_statistics();
        let left = if is_flushed { LEFT_TOLD } else { LEFT };
        let left = client.question_in_a_transaction(left, &[]);
        if !is_direct {
            // The pooler's session goes on to others: better a moment too early than never.
            let sent = async {
                let (last, left, committed) = join!(
                    ask_in_turn(client, &last),
                    left.ask(client),
                    client.batch_execute("COMMIT")
                );
                let answers = last?;
                left?;
                committed.map(|()| answers)
            };
            return limited(limit, client.fuse(), sent).await;
        }
        let committed = async {
            let (last, committed) =
                join!(ask_in_turn(client, &last), client.batch_execute("COMMIT"));
            let answers = last?;
            committed.map(|()| answers)
        };
        let sent = async {
            let (committed, left) = join!(committed, left.ask(client));
            committed.map(|answers| (answers, left))
        };
        let (answers, left) = limited(limit, client.fuse(), sent).await?;
        if left.is_ok_and(|rows| is_clean(&rows)) {
            client.hear_with(None);
            client.prepare_what_recurs().await;
            self.spare.keep(self.connection, self.told, is_flushed);
        }
        Ok(answers)
    }
}

/// Whether nothing of a job is left, by the row of `session_left.sql`.
fn is_clean(rows: &[Row]) -> bool {
    let has_names = rows.first().map(|row| row.try_get("has_names"));
    matches!(has_names, Some(Ok(false)))
}
