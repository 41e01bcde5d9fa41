//! What a job's SQL has done and nobody can see yet: an open transaction that only its record commits.

use futures_util::join;
use tokio_postgres::{Row, types::Type};

use crate::{
    clock::Boottime,
    store::{Connection, DatabaseError, Session, limited, recurring::Parameter, transaction},
};

/// The effects of a run, not committed. Dropped, they are rolled back.
#[derive(Debug)]
pub(crate) struct Effects {
    session: Session,
    /// Until when the claim was proven last: so long the record may wait for the row.
    proven_until: Boottime,
}

/// What became of effects and record.
#[derive(Debug)]
pub(crate) enum Settled {
    /// Both are durable; what the record returned.
    Committed(Row),
    /// Neither is: the claim was not ours any more.
    Fenced,
    /// Neither is; for people, why not.
    Refused(String),
    /// Both are or neither is: the acknowledgement was lost. The log knows.
    InDoubt(String),
}

impl Effects {
    pub(super) fn new(session: Session, proven_until: Boottime) -> Self {
        Self {
            session,
            proven_until,
        }
    }

    /// Writes the record as the last statement of the transaction, and commits; if the record finds no claim, rolls
    /// everything back.
    ///
    /// Last, because it locks the row: earlier it would keep the heartbeats of a long run out.
    pub(crate) async fn settle(
        self,
        record: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Settled {
        let client = &self.session;
        if crate::faults::is_apart() {
            return commit_apart(client).await;
        }
        let wait = self.proven_until.saturating_since(Boottime::now());
        let wait = wait.max(transaction::LIMIT);
        // Further the server cannot count: 24 days.
        let at_most = format!("{}ms", i32::try_from(wait.as_millis()).unwrap_or(i32::MAX));
        let at_most: [Parameter<'_>; 1] = [(&at_most, Type::TEXT)];
        let end = client.question_in_a_transaction(ENDING, &at_most);
        let record = client.question_in_a_transaction(record, parameters);
        let recorded = async {
            let (reset, ended, recorded) = join!(
                client.batch_execute(RESET),
                end.ask(client),
                record.ask(client)
            );
            reset?;
            ended?;
            recorded
        };
        let limit = wait.saturating_add(transaction::LIMIT);
        let row = match limited(limit, client.fuse(), recorded).await {
            Ok(rows) => rows.into_iter().next(),
            Err(error) => {
                return Settled::Refused(format!("rolled back, its record was refused: {error}"));
            }
        };
        let Some(row) = row else {
            // An error here ends the connection, and that rolls back too.
            let _ = limited(
                transaction::LIMIT,
                client.fuse(),
                client.batch_execute("ROLLBACK"),
            )
            .await;
            return Settled::Fenced;
        };
        crate::faults::point("before-effects-commit");
        match self.session.commit().await {
            Ok(()) => Settled::Committed(row),
            Err(error) => lost_or_refused(&error),
        }
    }
}

fn lost_or_refused(error: &DatabaseError) -> Settled {
    if error.is_unknown_outcome() {
        Settled::InDoubt(format!("the connection was lost at its commit: {error}"))
    } else {
        Settled::Refused(format!("rolled back, its commit was refused: {error}"))
    }
}

/// The planted bug `sql-record-apart`: effects first, their record in a transaction of its own.
async fn commit_apart(client: &Connection) -> Settled {
    let _ = client.batch_execute("COMMIT").await;
    crate::faults::point("before-effects-commit");
    Settled::InDoubt(String::new())
}

/// Takes back whatever role and settings the SQL has left: behind a pooler the session goes on to others.
pub(super) const RESET: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL";

/// What comes between that and the record.
const ENDING: &str = include_str!("../../sql/execute_ending.sql");
