//! What the hosts say, told as lines of the timeline, and the races counted.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    DemoError,
    event::{Event, Race, Run},
    timeline::{Timeline, Tone},
};

/// Jobs that run each second: only their ends are shown.
const BRIEF: [&str; 2] = ["pulse", "memory"];

/// Tells what happens, and remembers what it needs for that.
pub(crate) struct Narrator<'a> {
    timeline: &'a Timeline,
    /// When each run that is going on was started.
    since: HashMap<String, Instant>,
    races: Races,
}

/// The races that were lost politely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Races {
    /// The row was held at that instant.
    pub(crate) contended: u32,
    /// The job had just been started.
    pub(crate) ongoing: u32,
    /// The job had just been run.
    pub(crate) done: u32,
}

impl<'a> Narrator<'a> {
    /// One who has nothing to tell yet.
    pub(crate) fn new(timeline: &'a Timeline) -> Self {
        Self {
            timeline,
            since: HashMap::new(),
            races: Races::default(),
        }
    }

    /// Where it is told.
    pub(crate) fn timeline(&self) -> &'a Timeline {
        self.timeline
    }

    /// The races so far.
    pub(crate) fn races(&self) -> Races {
        self.races
    }

    /// Tells one event.
    pub(crate) fn tell(
        &mut self,
        host: usize,
        event: &Event,
        now: Instant,
    ) -> Result<(), DemoError> {
        match event {
            Event::Ongoing(run) => {
                self.since.insert(run.run_id.clone(), now);
                self.tell_start(host, run)
            }
            Event::Ended {
                run,
                outcome,
                reason,
                again_in,
            } => {
                let lasted = self
                    .since
                    .remove(&run.run_id)
                    .map_or(Duration::ZERO, |since| now - since);
                self.tell_end(host, run, (outcome, lasted), reason.as_deref())?;
                match again_in {
                    Some(delay) => {
                        let what = format!("wanted again in {:.1}s", delay.as_secs_f64());
                        self.timeline.job(host, &run.job, &what, Tone::Plain)
                    }
                    None => Ok(()),
                }
            }
            Event::Beaten { job, how, by } => {
                let what = self.races.count(*how, by.as_deref());
                self.timeline.job(host, job, &what, Tone::Faint)
            }
            Event::Lost { job, run_id, on } => {
                self.since.remove(run_id);
                self.timeline.job(
                    host,
                    job,
                    &format!("lost on {on}: its lease is over"),
                    Tone::Bad,
                )
            }
            Event::Trouble(what) => self.timeline.host(host, what, Tone::Bad),
            Event::Detail => Ok(()),
        }
    }

    fn tell_start(&self, host: usize, run: &Run) -> Result<(), DemoError> {
        match run.attempt {
            1 if BRIEF.contains(&run.job.as_str()) => Ok(()),
            1 => self.timeline.job(host, &run.job, "ongoing", Tone::Plain),
            attempt => self.timeline.job(
                host,
                &run.job,
                &format!("ongoing, attempt {attempt}"),
                Tone::Striking,
            ),
        }
    }

    fn tell_end(
        &self,
        host: usize,
        run: &Run,
        (outcome, lasted): (&str, Duration),
        reason: Option<&str>,
    ) -> Result<(), DemoError> {
        let tone = match outcome {
            "success" if BRIEF.contains(&run.job.as_str()) => Tone::Faint,
            "success" => Tone::Good,
            _ => Tone::Bad,
        };
        let mut what = format!("{outcome} {:.2}s", lasted.as_secs_f64());
        if let Some(reason) = reason {
            what = format!("{what}, {reason}");
        }
        self.timeline.job(host, &run.job, &what, tone)
    }
}

impl Races {
    /// Counts one more, and says what it was.
    fn count(&mut self, how: Race, by: Option<&str>) -> String {
        let (number, what) = match how {
            Race::Contended => (
                &mut self.contended,
                "contended: left to the other".to_owned(),
            ),
            Race::Ongoing => (
                &mut self.ongoing,
                format!("ongoing on {}: left to it", by.unwrap_or("another")),
            ),
            Race::Done => (&mut self.done, "just run by the other".to_owned()),
        };
        *number += 1;
        what
    }

    /// All of them.
    pub(crate) fn sum(self) -> u32 {
        self.contended + self.ongoing + self.done
    }
}
