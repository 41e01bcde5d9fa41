//! The hosts: who passed when, whose clock is wrong, on what they disagree; and where each job ran last.

mod agreement;
mod listed;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    plan::{Plan, no_host},
    store::{
        Connection, error::DatabaseError, hosts::Announced, identity::Identity, limited,
        transaction,
    },
};

use super::{
    Medium, Times,
    lines::Lines,
    subject,
    table::{Column, Row, render},
    text::{self, counted},
};

use listed::{Listed, row};

pub use agreement::{Agreement, Disagreement, Hash, OnlyOn};

/// All that is known of the hosts.
#[derive(Debug)]
pub struct Hosts<'a> {
    /// What a pass would do.
    pub plan: &'a Plan<'a>,
    /// What they have announced, by name.
    pub announced: &'a [Announced],
    /// What the live ones do not have in common.
    pub agreement: &'a Agreement,
    /// Which database they share, if they do.
    pub database: &'a Identity,
    /// With those that have been silent for longer than [`LISTED_FOR`].
    pub all: bool,
}

/// How long after its last announcement a host is listed.
pub const LISTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How many lines of a kind stand below the table.
const SHOWN: usize = 10;

/// A job that no live host may run, as `hosts --json` has it.
#[derive(Debug, Serialize)]
struct Unplaced<'a> {
    name: &'a str,
    why: String,
}

/// The answer as `hosts --json` has it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    database: &'a Identity,
    hosts: Vec<Listed<'a>>,
    not_listed: usize,
    #[serde(flatten)]
    agreement: &'a Agreement,
    no_live_host: Vec<Unplaced<'a>>,
}

impl<'a> Hosts<'a> {
    /// For people a table, what is odd, and which database it is; for programs one line a host.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let times = Times {
            now: self.plan.now,
            medium,
        };
        let columns = [
            Column::left("HOST"),
            Column::left("STATE").toned(),
            Column::left("SEEN"),
            Column::left("VERSION"),
            Column::left("TAGS").yields(1, 8),
            Column::left("CLOCK"),
            Column::left("CONFIG"),
            Column::right("JOBS"),
            Column::right("ONGOING"),
            Column::left("KIND"),
            Column::left("STATUS").yields(2, 12),
        ];
        let rows: Vec<Row> = self.listed().iter().map(|host| row(host, &times)).collect();
        let mut text = render(&columns, &rows, medium);
        if medium.is_terminal() {
            text.push_str(&self.footer(&times));
        }
        text
    }

    /// An object.
    #[must_use]
    pub fn json(&self) -> String {
        text::json(&Answer {
            database: self.database,
            hosts: self.listed(),
            not_listed: self.not_listed(),
            agreement: self.agreement,
            no_live_host: self.unplaced(|at| format!("since {at}")),
        })
    }

    fn is_listed(&self, host: &Announced) -> bool {
        self.all || self.plan.now.duration_since(host.seen.at) <= LISTED_FOR
    }

    fn listed(&self) -> Vec<Listed<'a>> {
        let runs = self.runs();
        let listed = self.announced.iter().filter(|host| self.is_listed(host));
        listed
            .map(|host| {
                let ongoing = runs.get(host.seen.place.host.as_str());
                Listed::of(host, self.plan.now, ongoing.copied().unwrap_or(0))
            })
            .collect()
    }

    /// How many runs each host has, of all jobs and ghosts.
    fn runs(&self) -> HashMap<String, usize> {
        let mut runs = HashMap::new();
        for ongoing in subject::all(self.plan).filter_map(|job| job.ongoing(self.plan.now)) {
            *runs.entry(ongoing.host).or_default() += 1;
        }
        runs
    }

    fn not_listed(&self) -> usize {
        self.announced
            .iter()
            .filter(|host| !self.is_listed(host))
            .count()
    }

    /// The jobs of this configuration that no live host may run, due or not.
    fn unplaced(&self, silent: impl Fn(Timestamp) -> String) -> Vec<Unplaced<'a>> {
        let plan = self.plan;
        // Once a job, however many rows it has.
        let jobs = plan.jobs.chunk_by(|job, next| job.index == next.index);
        let jobs = jobs.filter_map(|rows| {
            let job = rows.first()?;
            let no_host = no_host(&job.spec.placement, plan.hosts, plan.now)?;
            Some(Unplaced {
                name: job.spec.name.as_str(),
                why: no_host.sentence(&silent),
            })
        });
        jobs.collect()
    }

    fn footer(&self, times: &Times) -> String {
        let mut lines = Lines::new(times.medium);
        lines.line(&self.summary());
        for host in self.listed() {
            host.remarks(times).for_each(|remark| lines.line(&remark));
        }
        let unplaced = self.unplaced(|at| format!("for {}", times.since(at)));
        let unplaced = unplaced.iter();
        self.some(
            &mut lines,
            unplaced.map(|job| format!("{}: {}", job.name, job.why)),
        );
        let differ = self.agreement.disagreements.iter();
        self.some(
            &mut lines,
            differ.map(|job| format!("{}: {}", job.name, job.words())),
        );
        let only = self.agreement.only_on.iter();
        self.some(
            &mut lines,
            only.map(|job| {
                format!(
                    "{}: only known on {}",
                    job.name,
                    agreement::named(&job.hosts)
                )
            }),
        );
        lines.line(&format!("database {}", self.database.words()));
        if let Some(job) = self.agreement.disagreements.first() {
            lines.line(&format!(
                "hint: crontabber config show {}, on each",
                job.name
            ));
        }
        lines.into_text()
    }

    /// The first of a kind, or all of them: a deploy that has reached half of the hosts may touch a thousand jobs.
    fn some(&self, lines: &mut Lines, kind: impl ExactSizeIterator<Item = String>) {
        let most = if self.all { usize::MAX } else { SHOWN };
        let more = kind.len().saturating_sub(most);
        kind.take(most).for_each(|line| lines.line(&line));
        if more > 0 {
            lines.line(&format!(
                "... and {}: --all shows them",
                counted(more, "job")
            ));
        }
    }

    /// `3 hosts: 2 live, 1 silent; the live ones agree on every job.`
    fn summary(&self) -> String {
        let listed = self.listed();
        let live = listed.iter().filter(|host| host.state == "live").count();
        let mut parts = vec![format!("{live} live")];
        if live < listed.len() {
            parts.push(format!("{} silent", listed.len() - live));
        }
        let hidden = match self.not_listed() {
            0 => String::new(),
            number => format!("; {number} silent for more than a day: --all shows them"),
        };
        let agree = match (live, self.agreement.disagreements.len()) {
            (0 | 1, _) => String::new(),
            (_, 0) => "; live hosts agree on every job they share".to_owned(),
            (_, number) => format!("; live hosts disagree on {}", counted(number, "job")),
        };
        let hosts = counted(listed.len(), "host");
        if listed.is_empty() && hidden.is_empty() {
            return "no host has passed yet: `crontabber tick` on each of them, every minute"
                .to_owned();
        }
        format!("{hosts}: {}{hidden}{agree}", parts.join(", "))
    }
}

/// Where each job ran last, by the name of the job.
pub async fn last_of_each(client: &Connection) -> Result<HashMap<String, String>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_last_hosts.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let hosts = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>((row.try_get("app_name")?, row.try_get("host")?))
    });
    Ok(hosts.collect::<Result<_, _>>()?)
}
