//! What the server says to some claims, and what follows from it for each.

use std::collections::HashMap;

use tokio_postgres::{
    Error, Row,
    error::{DbError, Severity, SqlState},
};
use uuid::Uuid;

use super::{Claimed, Held, request::Request};
use crate::{
    clock::Boottime,
    plan::{Due, Live, Trigger},
    store::{error::DatabaseError, instant::Instant},
};

/// What the server said to the four messages.
pub(super) struct Answer {
    pub(super) begun: Result<(), Error>,
    pub(super) locked: Result<Vec<Row>, Error>,
    pub(super) written: Result<Vec<Row>, Error>,
    pub(super) committed: Result<(), Error>,
}

/// What it means for one claim.
pub(super) enum Decided {
    /// Nothing is written.
    Not(Claimed),
    /// It is written.
    Written(Box<Held>),
}

impl Answer {
    /// Whether it is known what was carried out. Not when the connection was lost: all four were under way
    /// together. Nor when the BEGIN was refused: what followed it was then no transaction.
    pub(super) fn is_known(&self) -> bool {
        // A session that is ended says so itself; and a pooler that has lost the server's answer says in its place that
        // the connection is gone (class 08).
        let ends = |said: &DbError| {
            let is_end = matches!(
                said.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            );
            is_end || said.code().code().starts_with("08")
        };
        let lost = |error: &Error| error.as_db_error().is_none_or(ends);
        self.begun.is_ok()
            && !self.locked.as_ref().is_err_and(lost)
            && !self.written.as_ref().is_err_and(lost)
            && !self.committed.as_ref().is_err_and(lost)
    }

    /// What it means for each. The error is one answer for all: everything was rolled back.
    pub(super) fn decide(
        self,
        requests: &[Request<'_>],
        since_here: Boottime,
    ) -> Result<Vec<Result<Decided, DatabaseError>>, Result<Claimed, DatabaseError>> {
        let locked = match self.locked {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                return Err(Ok(Claimed::Contended));
            }
            locked => locked.map_err(refused)?,
        };
        let written = match self.written {
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                // An invariant held by an index: a running log row whose claim is gone. The reaper closes it.
                let why = DatabaseError::from(error).to_string();
                return Err(Ok(Claimed::Doubtful(why)));
            }
            written => written.map_err(refused)?,
        };
        self.committed.map_err(refused)?;
        // From here on it is written: what cannot be read is no refusal.
        let decided = each(requests, since_here, (&locked, &written));
        Ok(decided.unwrap_or_else(|error| {
            let error = DatabaseError::from(error);
            requests.iter().map(|_| Err(error.clone())).collect()
        }))
    }
}

fn each(
    requests: &[Request<'_>],
    since_here: Boottime,
    (locked, written): (&[Row], &[Row]),
) -> Result<Vec<Result<Decided, DatabaseError>>, Error> {
    let (locked, written) = (by_job(locked)?, by_run_id(written)?);
    let decided = requests.iter().map(|request| {
        let Some(row) = locked.get(request.row.as_str()) else {
            return Ok(Decided::Not(Claimed::Gone));
        };
        match written.get(&request.run_id) {
            Some(row) => Ok(Decided::Written(Box::new(request.held(row, since_here)?))),
            None => Ok(Decided::Not(not_claimed(row, request.due)?)),
        }
    });
    Ok(decided.collect())
}

fn refused(error: Error) -> Result<Claimed, DatabaseError> {
    Err(error.into())
}

fn by_job(rows: &[Row]) -> Result<HashMap<&str, &Row>, Error> {
    let rows = rows.iter().map(|row| Ok((row.try_get("app_name")?, row)));
    rows.collect()
}

pub(super) fn by_run_id(rows: &[Row]) -> Result<HashMap<Uuid, &Row>, Error> {
    let rows = rows.iter().map(|row| Ok((row.try_get("run_id")?, row)));
    rows.collect()
}

/// Why the re-check wrote nothing, as far as the locked row tells.
fn not_claimed(row: &Row, due: &Due) -> Result<Claimed, DatabaseError> {
    let Some(Instant(since)) = row.try_get("ongoing")? else {
        return Ok(Claimed::Changed);
    };
    Ok(Claimed::Ongoing(Live {
        since,
        host: row.try_get("host")?,
        run_id: row.try_get("run_id")?,
        lease_until: row.try_get("lease_until")?,
        due: matches!(due.trigger, Trigger::Schedule | Trigger::Parents),
    }))
}
