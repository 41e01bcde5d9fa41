//! The slots ahead, told without the table: of all jobs together, of one job, of a schedule of no job.

mod lines;

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use serde::Serialize;

use crate::{
    duration::written,
    schedule::{Remark, Timetable, zone},
    spec::{JobSpec, Parent, on_host},
};

use super::{Medium, show::waited_for, text};

/// Which slots, and when they are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// The clock of who looks.
    pub now: Timestamp,
    /// The instant that periods count from, where only the table knows from which.
    pub counted_from: Timestamp,
    /// The slots after this instant.
    pub after: Timestamp,
    /// And no later than this; `None`: however late.
    pub until: Option<Timestamp>,
    /// So many of them, at most.
    pub number: usize,
}

/// Whose slots are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// Those of a schedule of no job.
    Schedule(&'a Timetable),
    /// Those of one job.
    Job(Named<'a>),
    /// Those of all of these jobs, in order of time.
    Jobs(&'a [JobSpec]),
}

/// A job, or one row of it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// What it is called: the job, or `name@host`.
    pub name: &'a str,
    /// What it is.
    pub spec: &'a JobSpec,
}

/// The slots ahead.
#[derive(Debug)]
pub struct Next<'a> {
    window: Window,
    asked: Asked<'a>,
    /// In order of time, and in one instant in that of the jobs.
    slots: Vec<Slot<'a>>,
    is_cut: bool,
}

/// A slot, of a job or of none.
#[derive(Debug, Clone)]
struct Slot<'a> {
    job: Option<Named<'a>>,
    timetable: &'a Timetable,
    at: Timestamp,
}

impl<'a> Next<'a> {
    /// Computes them.
    #[must_use]
    pub fn of(asked: Asked<'a>, window: Window) -> Self {
        let jobs = asked.jobs();
        let timetables: Vec<(Option<Named<'a>>, &'a Timetable)> = match asked {
            Asked::Schedule(timetable) => vec![(None, timetable)],
            Asked::Job(_) | Asked::Jobs(_) => {
                let scheduled = |job: Named<'a>| Some((Some(job), job.spec.timetable.as_ref()?));
                jobs.into_iter().filter_map(scheduled).collect()
            }
        };
        // One more than is shown says whether there are more.
        let mut slots = merged(&timetables, &window, window.number + 1);
        let is_cut = slots.len() > window.number;
        slots.truncate(window.number);
        Self {
            window,
            asked,
            slots,
            is_cut: is_cut && window.until.is_some(),
        }
    }

    /// Whether there are more slots up to the end that was asked for.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// For people a table, and what is to be said beside it; for programs one line a slot: the job where there are
    /// several, the slot in its zone and in UTC, when it starts, what is to be said.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        if medium.is_terminal() {
            self.lines(medium)
        } else {
            self.tabbed()
        }
    }

    /// Of a schedule an array of instants; of jobs one of objects, a slot each, jobs without slots at the end.
    #[must_use]
    pub fn json(&self) -> String {
        if let Asked::Schedule(_) = self.asked {
            let instants: Vec<Timestamp> = self.slots.iter().map(|slot| slot.at).collect();
            return text::json(&instants);
        }
        let slots = self.slots.iter().filter_map(|slot| {
            let job = slot.job?;
            Some(Listed {
                slot: Some(slot.at),
                local: slot.local().map(|local| rfc3339(&local)),
                start: slot.start(),
                remark: slot.remark().map(|remark| remark.to_string()),
                counted_from: self.counted_from(slot.timetable),
                note: slot.by_host(),
                ..Listed::of(job)
            })
        });
        let without = self.without_slots().map(|(job, why)| Listed {
            note: Some(why),
            ..Listed::of(job)
        });
        let listed: Vec<Listed<'_>> = slots.chain(without).collect();
        text::json(&listed)
    }

    /// The jobs that no clock starts, and what does.
    fn without_slots(&self) -> impl Iterator<Item = (Named<'a>, String)> {
        let jobs = self.asked.jobs().into_iter();
        jobs.filter(|job| job.spec.timetable.is_none())
            .map(|job| (job, started_by(job.spec)))
    }

    /// Where the slots of a timetable are counted from, if only the table knows better.
    fn counted_from(&self, timetable: &Timetable) -> Option<Timestamp> {
        timetable.is_anchored().then_some(self.window.counted_from)
    }
}

impl<'a> Asked<'a> {
    fn jobs(&self) -> Vec<Named<'a>> {
        match *self {
            Self::Schedule(_) => Vec::new(),
            Self::Job(job) => vec![job],
            Self::Jobs(specs) => specs
                .iter()
                .map(|spec| Named {
                    name: spec.name.as_str(),
                    spec,
                })
                .collect(),
        }
    }
}

/// The next slots of several timetables, in order of time.
fn merged<'a>(
    timetables: &[(Option<Named<'a>>, &'a Timetable)],
    window: &Window,
    number: usize,
) -> Vec<Slot<'a>> {
    let next = |which: usize, after: Timestamp| {
        let at = timetables[which].1.next(after, window.counted_from)?;
        let is_wanted = window.until.is_none_or(|until| at <= until);
        is_wanted.then_some(Reverse((at, which)))
    };
    let first = (0..timetables.len()).filter_map(|which| next(which, window.after));
    let mut ahead: BinaryHeap<_> = first.collect();
    let mut slots = Vec::new();
    while slots.len() < number
        && let Some(Reverse((at, which))) = ahead.pop()
    {
        let (job, timetable) = timetables[which];
        slots.push(Slot { job, timetable, at });
        ahead.extend(next(which, at));
    }
    slots
}

impl Slot<'_> {
    /// What a clock of its zone shows.
    fn local(&self) -> Option<Zoned> {
        let zone: TimeZone = zone(&self.timetable.timezone).ok()?;
        Some(self.at.to_zoned(zone))
    }

    /// When it starts: later by the offset of its row. `None`: later on each host, by another offset.
    fn start(&self) -> Option<Timestamp> {
        let Some(job) = self.job else {
            return Some(self.at);
        };
        let is_of_each_host = job.spec.is_on_each() && on_host(job.name).is_none();
        if is_of_each_host && !self.timetable.jitter.is_zero() {
            return None;
        }
        Some(job.spec.start_of(job.name, self.at))
    }

    /// How much later than itself it starts.
    fn offset(&self) -> SignedDuration {
        let start = self.start().unwrap_or(self.at);
        start.duration_since(self.at)
    }

    /// Why it has no one start.
    fn by_host(&self) -> Option<String> {
        let jitter = written(self.timetable.jitter);
        self.start().is_none().then(|| {
            format!(
                "each host starts at another moment of the {jitter} after the slot (name one: NAME@HOST)"
            )
        })
    }

    fn remark(&self) -> Option<Remark> {
        self.timetable.remark(self.at)
    }
}

/// What starts a job that has no times.
fn started_by(spec: &JobSpec) -> String {
    if spec.keep_running {
        return "kept running: it has no slots, daemons start it whenever it does not run"
            .to_owned();
    }
    let parents: Vec<String> = spec.depends_on.iter().map(waited_for).collect();
    match parents.as_slice() {
        parents if !spec.depends_on.iter().all(Parent::is_usual) => format!(
            "no schedule: it runs when each of these has done anew what it waits for: {}",
            parents.join(", ")
        ),
        [] => "no schedule and no parents: it runs when it is asked for (crontabber trigger)"
            .to_owned(),
        [parent] => format!("no schedule: it runs when {parent} has succeeded anew"),
        parents => format!(
            "no schedule: it runs when each of {} has succeeded anew",
            parents.join(", ")
        ),
    }
}

/// `2027-03-28T03:00:00+02:00`.
fn rfc3339(local: &Zoned) -> String {
    local
        .timestamp()
        .display_with_offset(local.offset())
        .to_string()
}

/// A slot of a job, or a job without slots, as `next --json` has it.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    schedule: Option<String>,
    timezone: Option<&'a str>,
    slot: Option<Timestamp>,
    local: Option<String>,
    start: Option<Timestamp>,
    remark: Option<String>,
    counted_from: Option<Timestamp>,
    note: Option<String>,
}

impl<'a> Listed<'a> {
    fn of(job: Named<'a>) -> Self {
        let timetable = job.spec.timetable.as_ref();
        Self {
            name: job.name,
            schedule: timetable.map(ToString::to_string),
            timezone: timetable.map(|timetable| timetable.timezone.as_str()),
            slot: None,
            local: None,
            start: None,
            remark: None,
            counted_from: None,
            note: None,
        }
    }
}
