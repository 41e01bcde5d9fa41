//! What a job's SQL has done and nobody can see yet: an open transaction that only its record commits.

use tokio_postgres::{Row, error::SqlState};

use crate::{
    clock::Boottime,
    store::{
        Connection, Session,
        transaction::{self, Asked},
    },
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

    /// Writes the record with the last statements of the transaction, and commits, in one trip: should it find no claim,
    /// that is an error, and the COMMIT behind it rolls everything back.
    ///
    /// Last, because it locks the row: earlier it would keep the heartbeats of a long run out.
    pub(crate) async fn settle(self, record: &[Asked<'_>]) -> Settled {
        if crate::faults::is_apart() {
            return commit_apart(&self.session).await;
        }
        crate::faults::point("before-effects-commit");
        // So long the claim was proven last, and so long the record may wait for the row.
        let wait = self.proven_until.saturating_since(Boottime::now());
        let limit = wait.saturating_add(transaction::LIMIT);
        let recorded = self.session.commit_with(record, limit).await;
        match recorded.map(|answers| answers.into_iter().flatten().next()) {
            Ok(Some(row)) => Settled::Committed(row),
            Ok(None) => Settled::InDoubt("its record has returned no row".to_owned()),
            Err(error) if error.sql_state() == Some(&NO_CLAIM) => Settled::Fenced,
            Err(error) if error.is_unknown_outcome() => {
                Settled::InDoubt(format!("the connection was lost at its commit: {error}"))
            }
            Err(error) => Settled::Refused(format!(
                "rolled back, its record or commit was refused: {error}"
            )),
        }
    }
}

/// What `record_log.sql` fails with where there must be a claim and is none.
const NO_CLAIM: SqlState = SqlState::INVALID_TEXT_REPRESENTATION;

/// The planted bug `sql-record-apart`: effects first, their record in a transaction of its own.
async fn commit_apart(client: &Connection) -> Settled {
    let _ = client.batch_execute("COMMIT").await;
    crate::faults::point("before-effects-commit");
    Settled::InDoubt(String::new())
}
