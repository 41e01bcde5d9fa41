//! Records as their statement takes them: a list for each column.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::Record;
use crate::store::recurring::Parameter;

/// What `record.sql` is given.
pub(super) struct Columns<'a> {
    now: Option<Timestamp>,
    job: Vec<&'a str>,
    run_id: Vec<Uuid>,
    fence: Vec<i64>,
    outcome: Vec<&'a str>,
    reason: Vec<Option<&'a str>>,
    exit_code: Vec<Option<i32>>,
    signal: Vec<Option<i32>>,
    output: Vec<Option<&'a str>>,
    effect: Vec<&'a str>,
    last_error: Vec<Option<&'a str>>,
    next_slot: Vec<Timestamp>,
    next_run: Vec<Timestamp>,
    first_passed: Vec<Option<Timestamp>>,
    last_passed: Vec<Option<Timestamp>>,
    passed: Vec<i64>,
    hold: Vec<bool>,
    /// Whether one that is not written is an error: an effect is committed with it.
    must_be: bool,
}

impl<'a> Columns<'a> {
    /// At this time of the database's clock; `None`: now.
    pub(super) fn of(records: &[&'a Record], now: Option<Timestamp>) -> Self {
        fn each<'a, T>(records: &[&'a Record], of: impl FnMut(&'a Record) -> T) -> Vec<T> {
            records.iter().copied().map(of).collect()
        }
        Self {
            now,
            job: each(records, |one| one.job.as_str()),
            run_id: each(records, |one| one.run_id),
            fence: each(records, |one| one.fence),
            outcome: each(records, |one| one.outcome.as_str()),
            reason: each(records, |one| one.reason.as_deref()),
            exit_code: each(records, |one| one.exit_code),
            signal: each(records, |one| one.signal),
            output: each(records, |one| one.output.as_deref()),
            effect: each(records, |one| one.effect.as_str()),
            last_error: each(records, |one| one.last_error.as_deref()),
            next_slot: each(records, |one| one.next_slot),
            next_run: each(records, |one| one.next_run),
            first_passed: each(records, |one| one.first_passed),
            last_passed: each(records, |one| one.last_passed),
            passed: each(records, |one| one.passed),
            hold: each(records, |one| one.hold),
            must_be: false,
        }
    }

    /// Of a run whose effects are committed with it.
    pub(super) fn of_effects(record: &'a Record, now: Option<Timestamp>) -> Self {
        Self {
            must_be: true,
            ..Self::of(&[record], now)
        }
    }

    /// In the order of `record.sql`.
    pub(super) fn parameters(&self) -> [Parameter<'_>; 18] {
        [
            (&self.now, Type::TIMESTAMPTZ),
            (&self.job, Type::TEXT_ARRAY),
            (&self.run_id, Type::UUID_ARRAY),
            (&self.fence, Type::INT8_ARRAY),
            (&self.outcome, Type::TEXT_ARRAY),
            (&self.reason, Type::TEXT_ARRAY),
            (&self.exit_code, Type::INT4_ARRAY),
            (&self.signal, Type::INT4_ARRAY),
            (&self.output, Type::TEXT_ARRAY),
            (&self.effect, Type::TEXT_ARRAY),
            (&self.last_error, Type::TEXT_ARRAY),
            (&self.next_slot, Type::TIMESTAMPTZ_ARRAY),
            (&self.next_run, Type::TIMESTAMPTZ_ARRAY),
            (&self.first_passed, Type::TIMESTAMPTZ_ARRAY),
            (&self.last_passed, Type::TIMESTAMPTZ_ARRAY),
            (&self.passed, Type::INT8_ARRAY),
            (&self.hold, Type::BOOL_ARRAY),
            (&self.must_be, Type::BOOL),
        ]
    }
}
