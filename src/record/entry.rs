//! What a record writes, whole: as parameters of its statement, and as a file for a database that is away.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{After, ascii};
use crate::{claim::Held, run::Finished};

/// Everything that is written about a run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub(crate) job: String,
    pub(crate) run_id: Uuid,
    pub(crate) fence: i64,
    pub(crate) slot: Timestamp,
    pub(crate) started_at: Timestamp,
    /// When it ended, by the database's clock as far as its host could tell.
    pub(crate) finished_at: Timestamp,
    pub(crate) host: String,
    pub(crate) trigger: String,
    pub(crate) outcome: String,
    pub(crate) effect: String,
    pub(crate) reason: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) output: Option<String>,
    pub(crate) last_error: Option<String>,
    pub(crate) next_slot: Timestamp,
    pub(crate) next_run: Timestamp,
    pub(crate) first_passed: Option<Timestamp>,
    pub(crate) last_passed: Option<Timestamp>,
    pub(crate) passed: i64,
    pub(crate) hold: bool,
}

impl Record {
    pub(super) fn new(finished: &Finished, after: &After, host: &str) -> Self {
        let output = finished.ended.output.text();
        Self {
            output: (!output.is_empty()).then_some(output),
            finished_at: finished.at,
            ..Self::without_output(&finished.held, after, host)
        }
    }

    /// What is to be known of it later, when it has just been recorded.
    pub(crate) fn without_output(held: &Held, after: &After, host: &str) -> Self {
        Self {
            job: held.job().to_string(),
            run_id: held.run_id,
            fence: held.fence,
            slot: held.slot,
            started_at: held.since,
            finished_at: held.database_now(),
            host: host.to_owned(),
            trigger: held.trigger.as_str().to_owned(),
            outcome: after.outcome.as_str().to_owned(),
            effect: after.effect.as_str().to_owned(),
            reason: after.reason.clone(),
            exit_code: after.exit_code,
            signal: after.signal,
            output: None,
            last_error: after.last_error.clone(),
            next_slot: after.slot,
            next_run: after.next_run,
            first_passed: after.passed.map(|slots| slots.first),
            last_passed: after.passed.map(|slots| slots.last),
            passed: after.passed.map_or(0, |slots| slots.count),
            hold: after.hold,
        }
    }

    /// What happened, in a phrase.
    pub(super) fn summary(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.outcome),
            None => self.outcome.clone(),
        }
    }

    /// The same for a database that has no other characters.
    pub(super) fn in_ascii(self) -> Self {
        Self {
            output: self.output.as_deref().map(ascii),
            reason: self.reason.as_deref().map(ascii),
            ..self
        }
    }
}

#[cfg(test)]
impl Record {
    pub(crate) fn of_a_test() -> Self {
        let noon: Timestamp = "2031-05-05T12:00:00Z".parse().unwrap();
        Self {
            job: "report".into(),
            run_id: Uuid::from_u128(7),
            fence: 7,
            slot: noon,
            started_at: noon,
            finished_at: noon,
            host: "alpha".into(),
            trigger: "schedule".into(),
            outcome: "failure".into(),
            effect: "failed".into(),
            reason: Some("exit code 1".into()),
            exit_code: Some(1),
            signal: None,
            output: Some("a \u{1F980}\n".into()),
            last_error: Some("{}".into()),
            next_slot: noon,
            next_run: noon,
            first_passed: None,
            last_passed: None,
            passed: 0,
            hold: false,
        }
    }
}
