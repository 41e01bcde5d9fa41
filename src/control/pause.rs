//! Pausing and resuming.
//!
//! A pause keeps every host from starting a job, Python's too: `next_run` moves to its end, where they look. The pending
//! slot stays in the row, and what no row says about when it may start is taken from the definition here.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::store::{Database, error::DatabaseError};

use super::{Answer, By, Happened, Statement, Target, change};

/// What the statements unnest: when the pending slot of each job may start.
#[derive(Default)]
struct Waiting<'a> {
    names: Vec<&'a str>,
    /// Seconds from a slot to its start; `None`: no schedule.
    delays: Vec<Option<f64>>,
    /// The pending slot of a row that has none.
    firsts: Vec<Option<Timestamp>>,
}

impl<'a> Waiting<'a> {
    fn of(targets: &[Target<'a>], read_at: Timestamp) -> Self {
        let mut waiting = Self::default();
        for target in targets {
            let (delay, first) = match target.spec {
                Some(spec) => match &spec.timetable {
                    Some(when) => {
                        // A Python host that recorded a run during the pause has left no slot: the one after that run.
                        let ran = target.row.and_then(|row| row.last_run).unwrap_or(read_at);
                        let delay = when.offset(target.name).as_secs_f64();
                        (Some(delay), Some(when.next(ran, ran).unwrap_or(read_at)))
                    }
                    // It starts when it may, from any instant on.
                    None if spec.keep_running => (Some(0.0), Some(read_at)),
                    None => (None, None),
                },
                // Only Python's hosts know it, and they start what is due.
                None => (Some(0.0), Some(read_at)),
            };
            waiting.names.push(target.name);
            waiting.delays.push(delay);
            waiting.firsts.push(first);
        }
        waiting
    }
}

/// Pauses jobs until an instant, or with [`never()`](crate::store::table::never) until somebody resumes them; one that
/// is paused already gets the new end and reason. Runs that are going on go on, and their records keep the pause.
///
/// `read_at` is the time of the look that the targets come from.
pub async fn pause(
    database: &Database,
    by: &By<'_>,
    targets: &[Target<'_>],
    until: Timestamp,
    read_at: Timestamp,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let waiting = Waiting::of(targets, read_at);
    let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
        (&waiting.names, Type::TEXT_ARRAY),
        (&waiting.delays, Type::FLOAT8_ARRAY),
        (&waiting.firsts, Type::TIMESTAMPTZ_ARRAY),
        (&until, Type::TIMESTAMPTZ),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/pause.sql"),
        parameters: &parameters,
    };
    // It has no condition but the row.
    let why_not = |_: &str, _: &_| Happened::ChangedMeanwhile;
    change(database, &waiting.names, statement, why_not, now).await
}

/// Ends the pauses of jobs, and the holds after lost runs. What their pending slots are due for is due at once; the
/// slots passed meanwhile are the claim's, as after an outage.
///
/// `read_at` is the time of the look that the targets come from.
pub async fn resume(
    database: &Database,
    by: &By<'_>,
    targets: &[Target<'_>],
    read_at: Timestamp,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let waiting = Waiting::of(targets, read_at);
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&waiting.names, Type::TEXT_ARRAY),
        (&waiting.delays, Type::FLOAT8_ARRAY),
        (&waiting.firsts, Type::TIMESTAMPTZ_ARRAY),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/resume.sql"),
        parameters: &parameters,
    };
    let why_not = |_: &str, _: &_| Happened::NotPaused;
    change(database, &waiting.names, statement, why_not, now).await
}
