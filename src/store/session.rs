//! Sessions for the SQL of jobs: each for one job at a time, and used again when nothing of that job is left in it.
//!
//! A new session costs the server a process that has to learn its catalogues: several times what a short job does. So
//! those that are done and clean wait here for the next job, as many as are likely to be wanted at once, and not for
//! long. Not behind a pooler: what is cleaned there after a commit may be somebody else's session.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Connection, limited, transaction};

/// How many wait here at most. What a burst has opened beyond that is closed.
const MOST: usize = 16;

/// What is left of a job when its transaction is over: cursors, channels, locks, temporary tables, the last numbers of
/// sequences. The last statement returns the names that it has given to statements: those would be in the way of the
/// next one, and to forget them is to forget ours.
const CLEAN: &str = "CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
    SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql";

/// The sessions of a database that wait for a job.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    connection: Connection,
    since: Instant,
}

impl Spare {
    /// The one that was given back last: what its server process knows is fresh.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut waiting = self.waiting();
        while let Some(Waiting { connection, .. }) = waiting.pop() {
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST && connection.is_usable() {
            let since = Instant::now();
            waiting.push(Waiting { connection, since });
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
    spare: Arc<Spare>,
}

impl std::ops::Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Session {
    pub(super) fn new(connection: Connection, spare: Arc<Spare>) -> Self {
        Self { connection, spare }
    }

    /// Commits, and lets the next job have the session if nothing of this one is left in it; in one round trip.
    ///
    /// Roles and settings must have been taken back before, and it must have been asked before the transaction whether
    /// it leads to the server itself: else the session is closed.
    pub(crate) async fn commit(self) -> Result<(), super::DatabaseError> {
        let client = &self.connection;
        if client.known_direct().get() != Some(&true) {
            let commit = client.batch_execute("COMMIT");
            return limited(transaction::LIMIT, client.fuse(), commit).await;
        }
        let sent = async {
            let (committed, cleaned) =
                futures_util::join!(client.batch_execute("COMMIT"), client.simple_query(CLEAN));
            committed.map(|()| cleaned)
        };
        let cleaned = limited(transaction::LIMIT, client.fuse(), sent).await?;
        let is_row = |answer: &_| matches!(answer, tokio_postgres::SimpleQueryMessage::Row(_));
        // The locks' row is one; each more is a name.
        let is_clean = cleaned
            .is_ok_and(|answers| answers.iter().filter(|&answer| is_row(answer)).count() == 1);
        if is_clean {
            client.hear_with(None);
            client.prepare_what_recurs().await;
            self.spare.keep(self.connection);
        }
        Ok(())
    }
}
