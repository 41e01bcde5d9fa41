//! The names of rows.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use smol_str::{SmolStr, format_smolstr};

use super::{JobName, JobSpec, On};

/// The key of a row, `app_name` in SQL: the name of the job; of a job that runs on each host `name@host`, one a host.
///
/// It is what a run is told as `CRONTABBER_JOB`: a fence is checked by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RowName(SmolStr);

/// What stands between the job and the host: no name holds it, so that no two jobs share a row.
const AT: char = '@';

/// Stands for the live hosts, each with its row, where one row waits for all of theirs. No host is called this.
pub const EVERY_HOST: &str = "*";

impl RowName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The row of a job on a host.
    #[must_use]
    pub fn on_host(job: &JobName, host: &str) -> Self {
        if crate::faults::is_without_host() {
            return job.into();
        }
        Self(format_smolstr!("{job}{AT}{host}"))
    }
}

/// What the rows of a job that runs on each host begin with; the rest is the host.
pub(crate) fn of_hosts(job: &JobName) -> SmolStr {
    format_smolstr!("{job}{AT}")
}

impl From<&JobName> for RowName {
    fn from(job: &JobName) -> Self {
        Self(job.0.clone())
    }
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The job and the host that the name of a row tells; `None`: it is not a row of one host.
#[must_use]
pub fn on_host(row: &str) -> Option<(&str, &str)> {
    row.split_once(AT)
}

/// Whether a host may be called this: as it stands in the names of rows, in patterns and on a command line.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text.len() <= 253 && text.chars().all(allowed)
}

impl JobSpec {
    /// The row that a host of this name claims when it runs the job.
    #[must_use]
    pub fn row(&self, host: &str) -> RowName {
        match self.placement.on {
            On::One => (&self.name).into(),
            On::Each => RowName::on_host(&self.name, host),
        }
    }

    /// How much later than its slots a row starts: so the name of the row decides it, and the hosts of a job that runs
    /// on each do not start it together.
    #[must_use]
    pub fn jitter(&self, row: &str) -> Duration {
        let when = self.timetable.as_ref();
        when.map_or(Duration::ZERO, |when| when.offset(row))
    }

    /// When a slot of a row may start.
    #[must_use]
    pub fn start_of(&self, row: &str, slot: Timestamp) -> Timestamp {
        slot.saturating_add(self.jitter(row)).unwrap_or(slot)
    }

    /// Whether it has a row for each host.
    #[must_use]
    pub fn is_on_each(&self) -> bool {
        self.placement.on == On::Each
    }
}
