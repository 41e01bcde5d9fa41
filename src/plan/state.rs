//! The state of a job, one word of a closed set, and the sentence that explains it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::store::table::{JobState, Triggered};

use super::{Block, BlockedBy, NotHere, ON_LOST, Planned, Skip, Skipped, Verdict};

/// The state of a job: the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A row that no configuration knows.
    Ghost,
    /// A run is going on.
    Ongoing,
    /// Somebody paused it.
    Paused,
    /// It gave up and needs a person.
    Held,
    /// It is due, and a parent or the lack of a host keeps it waiting.
    Blocked,
    /// It has been due for too long, and nothing explains it.
    Overdue,
    /// Its last run failed; the same slot is tried again.
    Retrying,
    /// Its last run failed; it waits for its next slot.
    Failing,
    /// It is due.
    Due,
    /// It has never run.
    NeverRun,
    /// All is well.
    Ok,
}

impl State {
    /// Every one of them, in the order in which they are asked for.
    pub const ALL: [Self; 11] = [
        Self::Ghost,
        Self::Ongoing,
        Self::Paused,
        Self::Held,
        Self::Blocked,
        Self::Overdue,
        Self::Retrying,
        Self::Failing,
        Self::Due,
        Self::NeverRun,
        Self::Ok,
    ];

    /// The word in tables, JSON and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ghost => "ghost",
            Self::Ongoing => "ongoing",
            Self::Paused => "paused",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Overdue => "overdue",
            Self::Retrying => "retrying",
            Self::Failing => "failing",
            Self::Due => "due",
            Self::NeverRun => "never_run",
            Self::Ok => "ok",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a pass leaves a due job alone that is kept running.
const FOR_DAEMONS: &str = "kept running by daemons: no pass runs it";

/// How long a job may be due before it is overdue: two passes of a host that asks every minute, and a margin.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(10);

impl Planned<'_> {
    /// The state of the job.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        let Some(row) = self.row else {
            return State::NeverRun;
        };
        let late = self
            .due_since()
            .is_some_and(|at| now.duration_since(at) > OVERDUE_AFTER);
        let pause = row.paused_until.filter(|&until| until > now);
        match &self.verdict {
            Verdict::Ongoing(_) => State::Ongoing,
            // Also while it waits for a host for a run that somebody has asked for.
            _ if pause.is_some() && row.paused_by.as_deref() == Some(ON_LOST) => State::Held,
            _ if pause.is_some() => State::Paused,
            Verdict::Paused(_) => State::Paused,
            Verdict::Held => State::Held,
            Verdict::NoHost(_) | Verdict::Blocked(_) => State::Blocked,
            Verdict::Skip(skip) if !skip.blocks.is_empty() => State::Blocked,
            Verdict::Run(_)
            | Verdict::Skip(_)
            | Verdict::Elsewhere(_)
            | Verdict::Refused(_)
            | Verdict::ForDaemons
                if late =>
            {
                State::Overdue
            }
            _ if row.error_count > 0 && self.retries() => State::Retrying,
            _ if row.error_count > 0 => State::Failing,
            Verdict::Run(_)
            | Verdict::Skip(_)
            | Verdict::Elsewhere(_)
            | Verdict::Refused(_)
            | Verdict::ForDaemons => State::Due,
            _ if row.last_run.is_none() => State::NeverRun,
            Verdict::NotYet(_) | Verdict::AfterParents | Verdict::New(_) => State::Ok,
        }
    }

    /// The run of it that somebody has asked for, and that no host has claimed yet.
    #[must_use]
    pub fn triggered(&self) -> Option<&Triggered> {
        self.row?.triggered.as_deref()
    }

    /// Since when it may run, or will be: by the request of somebody, or by the clock.
    fn due_since(&self) -> Option<Timestamp> {
        let asked = self.triggered().map(|asked| asked.at);
        asked.or_else(|| self.row?.next_run)
    }

    /// Whether the pending slot is one that has failed and is tried again. One that is kept running has no other.
    fn retries(&self) -> bool {
        if self.spec.keep_running {
            return true;
        }
        let Some(row) = self.row else { return false };
        let by_clock = super::next_run(row);
        match (row.slot, by_clock) {
            (Some(slot), Some(at)) => at > self.spec.start_of(&self.name, slot),
            (None, _) | (_, None) => false,
        }
    }

    /// Why the job is in its state, in a few words; empty when there is nothing to explain.
    #[must_use]
    pub fn reason(&self) -> String {
        let why = self.own_reason();
        match (self.triggered().map(Triggered::words), &self.verdict) {
            (None, _) => why,
            (Some(asked), Verdict::Ongoing(_)) => format!("another run was {asked}"),
            (Some(asked), Verdict::Run(_)) => asked,
            (Some(asked), _) => format!("{asked}; {why}"),
        }
    }

    fn own_reason(&self) -> String {
        let error = || {
            self.row
                .filter(|row| row.error_count > 0)
                .and_then(|row| row.last_error.clone())
                .unwrap_or_default()
        };
        match &self.verdict {
            Verdict::Blocked(blocks) => all(blocks),
            Verdict::Skip(skip) if !skip.blocks.is_empty() => all(&skip.blocks),
            Verdict::NoHost(no_host) => no_host.sentence(|at| format!("since {at}")),
            Verdict::Paused(_) => self.row.map(paused).unwrap_or_default(),
            Verdict::Held => self
                .row
                .and_then(|row| row.pause_reason.clone())
                .map_or_else(
                    || "its run was lost".to_owned(),
                    |why| format!("held: {why}"),
                ),
            Verdict::Elsewhere(NotHere::Placement) if self.spec.is_on_each() => match self.host() {
                Some(host) => format!("{host} runs it"),
                None => "no host that it runs on has met it yet".to_owned(),
            },
            Verdict::Elsewhere(NotHere::Placement) => {
                format!("runs on hosts = {:?}, not here", self.spec.placement.hosts)
            }
            Verdict::Elsewhere(NotHere::Drained(since)) => {
                format!("this host is drained since {since}")
            }
            Verdict::Elsewhere(NotHere::Older(hosts)) => older(hosts),
            Verdict::Refused(why) => why.clone(),
            Verdict::ForDaemons => FOR_DAEMONS.to_owned(),
            Verdict::Skip(skip) => skip.to_string(),
            Verdict::Ongoing(live) if live.run_id.is_none() => "run by a Python host".to_owned(),
            Verdict::New(_) => "no host has met it yet".to_owned(),
            Verdict::Ongoing(_) | Verdict::Run(_) | Verdict::NotYet(_) | Verdict::AfterParents => {
                error()
            }
        }
    }
}

fn all(blocks: &[Block]) -> String {
    let blocks = blocks.iter().map(ToString::to_string);
    blocks.collect::<Vec<_>>().join("; ")
}

/// Who has a newer definition of the job than this host.
pub(crate) fn older(hosts: &[String]) -> String {
    let who = match hosts {
        [] => "another host has".to_owned(),
        [one] => format!("{one} has"),
        [first, second] => format!("{first} and {second} have"),
        [first, rest @ ..] => format!("{first} and {} others have", rest.len()),
    };
    format!("{who} a newer definition of it; reload this host's configuration")
}

impl Triggered {
    /// `asked for by anna@web1`.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.by {
            Some(by) => format!("asked for by {by}"),
            None => "asked for".to_owned(),
        }
    }
}

/// `3 slots since 2031-05-05T12:00:00Z have passed: blocked by feeds`.
impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skipped { slots, reason } = &self.skipped;
        match slots.count {
            1 => write!(f, "its slot {} has passed: {reason}", slots.first),
            count => write!(
                f,
                "{count} slots since {} have passed: {reason}",
                slots.first
            ),
        }
    }
}

fn paused(row: &JobState) -> String {
    match (&row.paused_by, &row.pause_reason) {
        (Some(who), Some(why)) => format!("paused by {who}: {why}"),
        (Some(who), None) => format!("paused by {who}"),
        (None, Some(why)) => format!("paused: {why}"),
        (None, None) => "paused".to_owned(),
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent = &self.parent;
        match &self.why {
            BlockedBy::NeverRan => write!(f, "{parent} has never succeeded"),
            BlockedBy::NoHost => write!(f, "{parent} has no row of a live host"),
            BlockedBy::NoLiveHost(no_host) => {
                write!(
                    f,
                    "{parent} has {}",
                    no_host.sentence(|at| format!("since {at}"))
                )
            }
            BlockedBy::Running => write!(f, "{parent} is running"),
            BlockedBy::Failing(Some(error)) => write!(f, "{parent} is failing: {error}"),
            BlockedBy::Failing(None) => write!(f, "{parent} is failing"),
            BlockedBy::Paused => write!(f, "{parent} is paused"),
            BlockedBy::Pending => write!(f, "{parent} has not run its slot yet"),
        }
    }
}
