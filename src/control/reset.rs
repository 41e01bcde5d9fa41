//! Resetting: failures forgotten, holds released, the next slot from now.
//!
//! crontabber's `--reset-job` deletes the row, under whoever is running the job, and everything it knew with it. Here
//! the row, its fence and its history stay, and a job that is running is left alone.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    plan::Slots,
    spec::JobSpec,
    store::{
        Database,
        error::DatabaseError,
        table::{JobState, never},
    },
};

use super::{Answer, By, Happened, Locked, Passed, Statement, Target, change};

/// What becomes of a Python host's claim, which no lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claims {
    /// It is respected: the job is running.
    Respected,
    /// It is taken away, and its run is `lost`. The Python process may still be running.
    TakenAway,
}

/// From where to where a reset moves a job. Decided from what was read; compared again under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resetting<'a> {
    name: &'a str,
    pending: Option<Timestamp>,
    /// `None`: no schedule, it stays.
    slot: Option<Timestamp>,
    next_run: Timestamp,
    passed: Option<Slots>,
    after_pending: Option<Timestamp>,
}

/// What a reset does to each of these that a definition is known of, `now` being the time of the look.
#[must_use]
pub fn resettings<'a>(jobs: &[Target<'a>], now: Timestamp) -> Vec<Resetting<'a>> {
    jobs.iter()
        .filter_map(|job| Some((job.spec?, job)))
        .map(|(spec, job)| resetting(spec, job, now))
        .collect()
}

fn resetting<'a>(spec: &JobSpec, job: &Target<'a>, now: Timestamp) -> Resetting<'a> {
    let pending = job.row.and_then(JobState::pending);
    let stay = Resetting {
        name: job.name,
        pending,
        slot: None,
        next_run: never(),
        passed: None,
        after_pending: None,
    };
    let Some(when) = &spec.timetable else {
        // A start that has come and found nobody yet stays the one to come.
        let at = pending.filter(|&pending| pending <= now).unwrap_or(now);
        return Resetting {
            slot: spec.keep_running.then_some(at),
            next_run: if spec.keep_running { at } else { never() },
            ..stay
        };
    };
    // A job that no clock starts any more has a schedule again: its slots are new.
    let pending = pending.filter(|&pending| pending < never());
    let anchor = pending.unwrap_or(now);
    let Some(slot) = when.next(now, anchor) else {
        return stay;
    };
    let passed = pending.filter(|&first| first <= now).map(|first| {
        let last = when
            .latest(now, first)
            .map_or(first, |last| last.max(first));
        let count = when.count(first, last).max(1);
        Slots { first, last, count }
    });
    Resetting {
        slot: Some(slot),
        next_run: spec.start_of(job.name, slot),
        passed,
        after_pending: when.next(anchor, anchor),
        ..stay
    }
}

/// Resets jobs that are not running.
pub async fn reset(
    database: &Database,
    by: &By<'_>,
    resettings: &[Resetting<'_>],
    claims: Claims,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let names: Vec<&str> = resettings.iter().map(|reset| reset.name).collect();
    let pending: Vec<_> = resettings.iter().map(|reset| reset.pending).collect();
    let slots: Vec<_> = resettings.iter().map(|reset| reset.slot).collect();
    let next_runs: Vec<_> = resettings.iter().map(|reset| reset.next_run).collect();
    let mut passed = Passed::default();
    for reset in resettings {
        passed.push(reset.passed, reset.after_pending);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 12] = [
        (&names, Type::TEXT_ARRAY),
        (&pending, Type::TIMESTAMPTZ_ARRAY),
        (&slots, Type::TIMESTAMPTZ_ARRAY),
        (&next_runs, Type::TIMESTAMPTZ_ARRAY),
        (&passed.after_pending, Type::TIMESTAMPTZ_ARRAY),
        (&passed.last, Type::TIMESTAMPTZ_ARRAY),
        (&passed.slots, Type::INT8_ARRAY),
        (&(claims == Claims::TakenAway), Type::BOOL),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/reset.sql"),
        parameters: &parameters,
    };
    let why_not = |_: &str, locked: &Locked| {
        let taken_away = locked.row.claim.is_none() && claims == Claims::TakenAway;
        if locked.row.ongoing.is_some() && !taken_away {
            Happened::Ongoing
        } else {
            Happened::ChangedMeanwhile
        }
    };
    change(database, &names, statement, why_not, now).await
}
