//! Leaving slots behind that are not run any more.
//!
//! The transaction that moves the pending slot writes down what becomes of those it passes. Most are passed by a claim;
//! where there is nothing to claim, this does it.

use tokio_postgres::types::{ToSql, Type};

use jiff::Timestamp;

use crate::{
    claim::Needs,
    place::Place,
    plan::Skip,
    spec::{JobSpec, RowName},
    store::{Database, error::DatabaseError, table::JobState, transaction},
};

/// Leaves slots behind, and returns the row as it is then; `None`: it is not any more as it was read.
///
/// `now` is the time to take for the database's clock: `None` in production.
pub async fn skip(
    database: &Database,
    place: &Place,
    (spec, name): (&JobSpec, &RowName),
    skip: &Skip,
    now: Option<Timestamp>,
) -> Result<Option<Box<JobState>>, DatabaseError> {
    let start = skip.slot.map(|slot| spec.start_of(name.as_str(), slot));
    let after = spec
        .timetable
        .as_ref()
        .and_then(|when| when.next(skip.pending, skip.pending));
    let slots = &skip.skipped.slots;
    let reason = skip.skipped.reason.to_string();
    let needs = Needs::of(skip.needs.iter());
    let parameters: [(&(dyn ToSql + Sync), Type); 16] = [
        (&name.as_str(), Type::TEXT),
        (&skip.pending, Type::TIMESTAMPTZ),
        (&skip.next_run, Type::TIMESTAMPTZ),
        (&skip.last_run, Type::TIMESTAMPTZ),
        (&skip.slot, Type::TIMESTAMPTZ),
        (&start, Type::TIMESTAMPTZ),
        (&slots.last, Type::TIMESTAMPTZ),
        (&slots.count, Type::INT8),
        (&after, Type::TIMESTAMPTZ),
        (&reason, Type::TEXT),
        (&place.host, Type::TEXT),
        (&needs.parents, Type::TEXT_ARRAY),
        (&needs.slots, Type::TIMESTAMPTZ_ARRAY),
        (&needs.finishes, Type::BOOL_ARRAY),
        (&now, Type::TIMESTAMPTZ),
        (&place.max_ongoing_age.as_secs_f64(), Type::FLOAT8),
    ];
    let sql = include_str!("../sql/skip.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    let row = rows.first().map(|row| JobState::from_row(row, 1));
    Ok(row.transpose()?.map(Box::new))
}
