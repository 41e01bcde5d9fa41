//! The statements that write a record, in their order.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::Record;
use crate::store::{recurring::Parameter, transaction::Asked};

/// What the statements of a record are given beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// The time of the database's clock; `None`: now.
    pub(super) now: Option<Timestamp>,
    /// Whether an effect is committed with it, which must not be without it.
    pub(super) is_with_effects: bool,
}

impl Terms {
    /// Of records that come alone.
    pub(super) fn at(now: Option<Timestamp>) -> Self {
        Self {
            now,
            is_with_effects: false,
        }
    }
}

/// All that is asked to write a record: the first answers with the row as it is then, or with none.
pub(super) fn statements<'a>(record: &'a Record, terms: &'a Terms) -> Vec<Asked<'a>> {
    let mut all: Vec<Asked<'_>> = vec![
        (row(), of_row(record, terms)),
        (
            include_str!("../../sql/record_log.sql"),
            of_log(record, terms),
        ),
    ];
    if record.passed > 0 {
        let sql = include_str!("../../sql/record_skipped.sql");
        all.push((sql, of_skipped(record, terms)));
    }
    all
}

fn row() -> &'static str {
    crate::faults::planted(include_str!("../../sql/record.sql"))
}

fn of_row<'a>(record: &'a Record, terms: &'a Terms) -> Vec<Parameter<'a>> {
    vec![
        (&terms.now, Type::TIMESTAMPTZ),
        (&record.job, Type::TEXT),
        (&record.run_id, Type::UUID),
        (&record.fence, Type::INT8),
        (&record.outcome, Type::TEXT),
        (&record.reason, Type::TEXT),
        (&record.effect, Type::TEXT),
        (&record.last_error, Type::TEXT),
        (&record.next_slot, Type::TIMESTAMPTZ),
        (&record.next_run, Type::TIMESTAMPTZ),
        (&record.hold, Type::BOOL),
    ]
}

fn of_log<'a>(record: &'a Record, terms: &'a Terms) -> Vec<Parameter<'a>> {
    vec![
        (&terms.now, Type::TIMESTAMPTZ),
        (&record.run_id, Type::UUID),
        (&record.outcome, Type::TEXT),
        (&record.reason, Type::TEXT),
        (&record.exit_code, Type::INT4),
        (&record.signal, Type::INT4),
        (&record.output, Type::TEXT),
        (&record.effect, Type::TEXT),
        (&terms.is_with_effects, Type::BOOL),
    ]
}

fn of_skipped<'a>(record: &'a Record, terms: &'a Terms) -> Vec<Parameter<'a>> {
    vec![
        (&terms.now, Type::TIMESTAMPTZ),
        (&record.run_id, Type::UUID),
        (&record.job, Type::TEXT),
        (&record.first_passed, Type::TIMESTAMPTZ),
        (&record.last_passed, Type::TIMESTAMPTZ),
        (&record.passed, Type::INT8),
    ]
}
