//! A configuration, a table and hosts, for checks without a database.

use std::{collections::HashMap, fs};

use crontabber::{
    check::{Checked, Known, Limits, Problem, Scope, check},
    config::{Config, Surroundings, load_in},
    place::{Place, Seen},
    plan::plan,
    store::{
        hosts::{Announced, Meaning},
        table::{JobState, LiveClaim, Table, never},
    },
    view::hosts::Agreement,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The database's clock.
pub(crate) fn now() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("a timestamp")
}

/// So many minutes from now; negative: ago.
pub(crate) fn minutes(number: i64) -> Timestamp {
    now() + SignedDuration::from_mins(number)
}

/// What a check looks at.
#[derive(Debug)]
pub(crate) struct World {
    config: Config,
    table: HashMap<String, JobState>,
    hosts: Vec<Announced>,
    meanings: Vec<Meaning>,
    scope: Scope,
}

impl World {
    /// These sections, no rows, and one host that passed a minute ago.
    pub(crate) fn new(sections: &str) -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let file = directory.path().join("crontabber.toml");
        let text = format!("[database]\nurl = \"postgres:///x\"\n{sections}");
        fs::write(&file, text).expect("the directory is ours");
        let config = load_in(Some(&file), &Surroundings::none());
        Self {
            config: config.unwrap_or_else(|report| panic!("{report}")),
            table: HashMap::new(),
            hosts: vec![announced("web1", -1, 0.0)],
            meanings: Vec::new(),
            scope: Scope::default(),
        }
    }

    /// With this row.
    pub(crate) fn row(mut self, name: &str, row: JobState) -> Self {
        self.table.insert(name.to_owned(), row);
        self
    }

    /// The same with an empty table.
    pub(crate) fn without_rows(mut self) -> Self {
        self.table.clear();
        self
    }

    /// With these hosts in place of the one.
    pub(crate) fn hosts(mut self, hosts: &[Announced]) -> Self {
        self.hosts = hosts.to_vec();
        self
    }

    /// With hosts that mean this by a job.
    pub(crate) fn meaning(mut self, job: &str, hash: &str, hosts: &[&str]) -> Self {
        self.meanings.push(Meaning {
            name: job.into(),
            hash: hash.into(),
            hosts: hosts.iter().map(|&host| host.into()).collect(),
        });
        self
    }

    /// Only these jobs.
    pub(crate) fn only(mut self, jobs: &[&str], tags: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        self.scope = Scope {
            jobs: owned(jobs),
            tags: owned(tags),
        };
        self
    }

    /// From where on something is a problem.
    pub(crate) fn limits(&self) -> &Limits {
        &self.config.check
    }

    /// All that is found.
    pub(crate) fn checked(&self) -> Checked {
        let table = Table {
            now: now(),
            jobs: self
                .table
                .iter()
                .map(|(name, row)| (name.as_str().into(), Box::new(row.clone())))
                .collect(),
            hosts: self.hosts.iter().map(|host| host.seen.clone()).collect(),
            ..Table::default()
        };
        let place = Place::default();
        let plan = plan(&self.config.graph, &table, &place);
        let known = Known {
            plan: &plan,
            hosts: &self.hosts,
            disagreements: &Agreement::of(self.meanings.clone()).disagreements,
            limits: self.limits(),
            lease: self.config.daemon.lease,
            max_ongoing_age: place.max_ongoing_age,
        };
        check(&known, &self.scope)
    }

    /// `critical feeds: sentence`, one a problem.
    pub(crate) fn problems(&self) -> Vec<String> {
        let told = |problem: &Problem| {
            let severity = format!("{:?}", problem.severity).to_lowercase();
            let name = problem.name.as_ref().map(|name| format!(" {name}"));
            format!(
                "{severity}{}: {}",
                name.unwrap_or_default(),
                problem.sentence
            )
        };
        self.checked().problems.iter().map(told).collect()
    }
}

/// A row of a job that is well and wanted at this minute from now.
pub(crate) fn well(next: i64) -> JobState {
    JobState {
        next_run: Some(minutes(next)),
        first_run: Some(minutes(-10_000)),
        last_run: Some(minutes(-6)),
        last_success: Some(minutes(-6)),
        ongoing: None,
        error_count: 0,
        last_error: None,
        slot: Some(minutes(next)),
        success_slot: Some(minutes(-6)),
        finish_slot: None,
        blocked_since: None,
        claim: None,
        paused_until: None,
        paused_by: None,
        pause_reason: None,
        definition_hash: None,
        triggered: None,
    }
}

/// The same after so many failures.
pub(crate) fn failed(errors: i32, error: &str, next: i64) -> JobState {
    JobState {
        error_count: errors,
        last_error: Some(error.to_owned()),
        ..well(next)
    }
}

/// A run on `web1` since this minute, with a lease until that one.
pub(crate) fn running(since: i64, lease_until: i64) -> JobState {
    let claim = LiveClaim {
        run_id: Uuid::from_u128(7),
        slot: minutes(since),
        trigger: "schedule".into(),
        attempt: 1,
        host: "web1".into(),
        lease_until: minutes(lease_until),
    };
    JobState {
        ongoing: Some(minutes(since)),
        claim: Some(Box::new(claim)),
        ..well(since)
    }
}

/// A run of a Python host since this minute.
pub(crate) fn running_in_python(since: i64) -> JobState {
    JobState {
        ongoing: Some(minutes(since)),
        slot: None,
        ..well(since)
    }
}

/// A job that nobody starts until this minute.
pub(crate) fn paused(until: Option<i64>, by: &str, reason: &str) -> JobState {
    JobState {
        paused_until: Some(until.map_or(never(), minutes)),
        paused_by: Some(by.into()),
        pause_reason: Some(reason.into()),
        ..failed(3, "exit 1", -30)
    }
}

/// A host that passed at this minute, with its clock so many seconds ahead.
pub(crate) fn announced(host: &str, at: i64, skew: f64) -> Announced {
    Announced {
        seen: Seen {
            place: Place {
                host: host.into(),
                ..Place::default()
            },
            at: minutes(at),
            drained: None,
        },
        version: "0.1.0".into(),
        clock_skew: Some(skew),
        configuration: String::new(),
        jobs: 1,
        ..Announced::default()
    }
}
