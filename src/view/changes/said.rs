//! The sentences: what was done to a job, when it runs next, or what keeps it from being changed.

use jiff::Timestamp;

use crate::{
    control::{Change, Happened},
    plan::ON_LOST,
    store::table::{JobState, never},
    view::{
        text::counted,
        why::{pause, quoted},
    },
};

use super::{Changes, Verb};

impl Changes<'_> {
    /// What happened to a job, or why nothing, behind its name.
    pub(super) fn said(&self, change: &Change) -> String {
        let (Some(before), after) = (&change.before, change.after.as_ref()) else {
            return "has no row: no host has met it yet, or it was removed".to_owned();
        };
        match (&change.happened, self.verb) {
            (Happened::Done, Verb::Pause) => self.paused(before, after),
            (Happened::Done, Verb::Resume) => {
                let held = is_held(before, self.times.now).then_some("was held after a lost run; ");
                format!(
                    "{}{}",
                    held.unwrap_or_default(),
                    self.next(change.at, after)
                )
            }
            (Happened::Done, Verb::Reset) => self.reset(before, change.at, after),
            (Happened::Done, Verb::Mark) => {
                let slot = change
                    .slot
                    .map(|slot| self.times.both(slot))
                    .unwrap_or_default();
                format!(
                    "slot {slot} counts as succeeded; {}",
                    self.next(change.at, after)
                )
            }
            (Happened::Done, Verb::Remove) => "its row is removed; its history stays".to_owned(),
            (refused, _) => self.refused(refused, &change.name, before),
        }
    }

    fn paused(&self, before: &JobState, after: Option<&JobState>) -> String {
        let until = after
            .and_then(|row| row.paused_until)
            .filter(|&until| until < never());
        let until = until.map_or_else(
            || "somebody resumes it".to_owned(),
            |until| self.times.both(until),
        );
        let mut words = vec![format!("is paused until {until}")];
        if is_held(before, self.times.now) {
            words.push("it was held after a lost run".to_owned());
        } else if is_paused(before, self.times.now) {
            let pause = pause(Some(before), &self.times);
            words.push(format!("before, it was {pause}"));
        }
        if let Some(run) = self.run_of(before) {
            words.push(format!("its run on {} goes on", run.host));
        }
        words.join("; ")
    }

    fn reset(&self, before: &JobState, at: Option<Timestamp>, after: Option<&JobState>) -> String {
        let errors = usize::try_from(before.error_count).unwrap_or(0);
        let mut words = vec![match errors {
            0 => "had no errors".to_owned(),
            1 => "its error is forgotten".to_owned(),
            many => format!("its {} are forgotten", counted(many, "error")),
        }];
        if is_held(before, self.times.now) {
            words.push("it is held no longer".to_owned());
        }
        if let Some(since) = before.ongoing {
            words.push(format!(
                "the run that a Python host started {} is counted as lost, but its process may still be running",
                self.times.both(since)
            ));
        }
        words.push(self.next(at, after));
        words.join("; ")
    }

    /// When it runs next.
    fn next(&self, at: Option<Timestamp>, after: Option<&JobState>) -> String {
        let Some(row) = after else {
            return "it was removed meanwhile".to_owned();
        };
        // A pause ends with the very change that is told.
        let now = at.map_or(self.times.now, |at| at.max(self.times.now));
        if is_held(row, now) {
            return "it waits for a person still, after a lost run".to_owned();
        }
        if is_paused(row, now) {
            return format!("it is still {}", pause(Some(row), &self.times));
        }
        if let Some(run) = self.run_of(row) {
            return format!("it is running on {}", run.host);
        }
        match (row.next_run, row.pending()) {
            (Some(at), Some(slot)) if at <= self.times.now => {
                format!("it is due now, for its slot {}", self.times.both(slot))
            }
            (Some(at), _) if at < never() => format!("it runs next {}", self.times.both(at)),
            _ => "it runs when its parents or people start it".to_owned(),
        }
    }

    fn refused(&self, why: &Happened, name: &str, row: &JobState) -> String {
        let typed = quoted(name).unwrap_or_else(|| "JOB".to_owned());
        match why {
            Happened::Ongoing => self.ongoing(row, &typed),
            Happened::NotPaused => "is not paused".to_owned(),
            Happened::Paused => format!("is paused; first: crontabber resume {typed}"),
            Happened::Succeeded(slot) => {
                let slot = self.times.both(*slot);
                format!("nothing to do: its slot {slot} has succeeded, and no failure is left")
            }
            Happened::NoSlot => "has no slot yet that could have succeeded".to_owned(),
            Happened::KnownBy(hosts) if hosts.is_empty() => {
                "was met by a host that knows it a moment ago".to_owned()
            }
            Happened::KnownBy(hosts) => format!(
                "is known on {}, which would make its row anew; --force removes it all the same",
                hosts.join(", ")
            ),
            Happened::Ended => "is not running any more".to_owned(),
            Happened::AskedBefore => "was asked to stop before".to_owned(),
            Happened::Done | Happened::NoRow | Happened::ChangedMeanwhile => format!(
                "was changed by somebody else at this moment; look again: crontabber show {typed}"
            ),
        }
    }

    fn ongoing(&self, row: &JobState, typed: &str) -> String {
        let now = self.times.now;
        let Some(claim) = &row.claim else {
            let since = row
                .ongoing
                .map(|since| self.times.both(since))
                .unwrap_or_default();
            return format!(
                "was started by a Python host {since}, which has not recorded it yet; where that process is dead: \
                 crontabber reset {typed} --clear-ongoing"
            );
        };
        let since = row.ongoing.unwrap_or(now);
        let running = format!(
            "is running on {} since {}, run {}",
            claim.host,
            self.times.both(since),
            claim.run_id
        );
        if claim.lease_until < now {
            let ended = self.times.both(claim.lease_until);
            return format!(
                "{running}; its lease ended {ended}: a pass of any host counts it as lost, then type this again"
            );
        }
        format!("{running}; to stop it: crontabber cancel {typed}")
    }
}

fn is_paused(row: &JobState, now: Timestamp) -> bool {
    row.paused_until.is_some_and(|until| until > now)
}

fn is_held(row: &JobState, now: Timestamp) -> bool {
    is_paused(row, now) && row.paused_by.as_deref() == Some(ON_LOST)
}
