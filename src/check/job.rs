//! What is wrong with one job.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    duration,
    plan::{Block, Live, NoHost, Planned, Verdict, next_run},
    spec::{CatchUp, Lease},
    store::table::JobState,
    view::{Times, text::counted},
};

use super::{
    Kind, Known, Problem, Severity, age,
    blocked::{Root, to_blame},
};

/// Everything that is wrong with it. One never run and not yet due is well; so is one that somebody has paused.
pub(super) fn problems(
    job: &Planned<'_>,
    known: &Known<'_>,
    roots: &HashMap<&str, Root<'_>>,
) -> Vec<Problem> {
    let about = About { job, known };
    let other = match &job.verdict {
        Verdict::Paused(_) => return Vec::new(),
        // That its last run failed, or was lost, is part of the story.
        Verdict::Held => return about.held().into_iter().collect(),
        Verdict::New(_) | Verdict::NotYet(_) | Verdict::AfterParents => None,
        Verdict::Skip(skip) if !skip.blocks.is_empty() => about.blocked(&skip.blocks, roots),
        Verdict::Run(_)
        | Verdict::Skip(_)
        | Verdict::Elsewhere(_)
        | Verdict::Refused(_)
        | Verdict::ForDaemons => about.late(),
        Verdict::NoHost(no_host) => about.no_host(no_host),
        Verdict::Blocked(blocks) => about.blocked(blocks, roots),
        Verdict::Ongoing(live) => about.stuck(live).or_else(|| about.ongoing(live)),
    };
    let mut problems: Vec<Problem> = about.failing().into_iter().chain(other).collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

struct About<'a> {
    job: &'a Planned<'a>,
    known: &'a Known<'a>,
}

impl About<'_> {
    fn times(&self) -> Times {
        Times::in_words(self.known.plan.now)
    }

    fn problem(&self, severity: Severity, kind: Kind, brief: String, sentence: String) -> Problem {
        Problem {
            severity,
            kind,
            name: Some(self.job.name.to_string()),
            host: None,
            brief,
            sentence,
        }
    }

    /// Since when it may run; `None`: neither a clock says so nor a person.
    fn due_since(&self) -> Option<Timestamp> {
        let row = self.job.row?;
        if let Some(asked) = self.job.triggered() {
            return Some(asked.at);
        }
        let at = next_run(row)?;
        Some(row.slot.map_or(at, |slot| slot.max(at)))
    }

    fn failing(&self) -> Option<Problem> {
        let row = self.job.row?;
        let errors = u32::try_from(row.error_count)
            .ok()
            .filter(|&errors| errors > 0)?;
        let limits = self.known.limits;
        // As crontabber counted: one failure of a backfill job is caught up on by itself.
        let severity = if self.job.spec.catch_up == CatchUp::All {
            limits.errors_backfill.of(errors)
        } else {
            limits.errors.of(errors)
        };
        let brief = counted(errors as usize, "error");
        Some(self.problem(severity?, Kind::Failing, brief, self.failure(row, errors)))
    }

    /// `4 errors in a row, the last run 9m ago: exit 1: 503; next try in 7m`.
    fn failure(&self, row: &JobState, errors: u32) -> String {
        let times = self.times();
        let last = row.last_run.map(|at| times.when(at)).unwrap_or_default();
        let why = row.last_error.as_deref().unwrap_or("nobody wrote down why");
        let then = match (&self.job.verdict, next_run(row)) {
            (Verdict::Ongoing(_), _) => "; it is running again now".to_owned(),
            (Verdict::NotYet(at), _) => format!("; next run {}", times.when(*at)),
            _ => String::new(),
        };
        match errors {
            1 => format!("failed {last}: {why}{then}"),
            _ => format!("{errors} errors in a row, the last run {last}: {why}{then}"),
        }
    }

    /// Due for too long, and nothing in the table keeps it.
    fn late(&self) -> Option<Problem> {
        let since = self.due_since()?;
        let late = age(self.known.plan.now, since);
        let has_run = self.job.row.is_some_and(|row| row.last_run.is_some());
        let (kind, limits, what) = if has_run {
            (Kind::Overdue, &self.known.limits.overdue, "overdue")
        } else {
            (
                Kind::NeverRun,
                &self.known.limits.never_run,
                "never run, due",
            )
        };
        let severity = limits.of(late)?;
        let times = self.times();
        let why = match &self.job.verdict {
            Verdict::Elsewhere(_) | Verdict::ForDaemons => {
                format!(": {}", self.job.reason())
            }
            // Not `Refused`: what monitoring may do says nothing of what the hosts may.
            _ => String::new(),
        };
        let brief = format!("{what} for {}", times.since(since));
        let sentence = format!("{what} since {}{why}", times.both(since));
        Some(self.problem(severity, kind, brief, sentence))
    }

    fn blocked(&self, blocks: &[Block], roots: &HashMap<&str, Root<'_>>) -> Option<Problem> {
        let row = self.job.row?;
        let since = row.blocked_since.or_else(|| self.due_since())?;
        let severity = self
            .known
            .limits
            .blocked
            .of(age(self.known.plan.now, since))?;
        let parent = to_blame(blocks)?.parent.as_str();
        let root = roots.get(self.job.name.as_ref())?;
        let waits = if root.name() == parent {
            root.why()
        } else {
            format!(
                "it waits for {parent}, which waits in the end for {}: {}",
                root.name(),
                root.why()
            )
        };
        let since = self.times().since(since);
        Some(self.problem(
            severity,
            Kind::Blocked,
            format!("blocked by {} for {since}", root.name()),
            format!("blocked for {since}: {waits}"),
        ))
    }

    fn no_host(&self, no_host: &NoHost) -> Option<Problem> {
        let severity = self.known.limits.no_host?;
        let times = self.times();
        let sentence = no_host.sentence(|at| format!("for {}", times.since(at)));
        let since = self
            .due_since()
            .map(|at| format!("due since {}, ", times.both(at)));
        let sentence = since.unwrap_or_default() + &sentence;
        Some(self.problem(severity, Kind::NoHost, "no live host".to_owned(), sentence))
    }

    fn held(&self) -> Option<Problem> {
        let severity = self.known.limits.held?;
        let row = self.job.row?;
        let why = row.pause_reason.as_deref().unwrap_or("its run was lost");
        let sentence = format!("held for a person: {why}");
        Some(self.problem(severity, Kind::Held, "held".to_owned(), sentence))
    }

    fn stuck(&self, live: &Live) -> Option<Problem> {
        let stuck = Stuck {
            name: &self.job.name,
            until: live.lease_until?,
            host: live.host.as_deref().unwrap_or_default(),
            lease: self.job.spec.lease,
        };
        stuck.problem(self.known)
    }

    fn ongoing(&self, live: &Live) -> Option<Problem> {
        let ran = age(self.known.plan.now, live.since);
        let spec = self.job.spec;
        let times = self.times();
        let since = times.since(live.since);
        let (severity, sentence) = if live.run_id.is_some() {
            let over = ran.checked_sub(spec.timeout.saturating_add(spec.lease.grace))?;
            let sentence = format!(
                "running on {} for {since}, and its timeout is {}",
                live.host.as_deref().unwrap_or("a host"),
                duration::written(spec.timeout)
            );
            (self.known.limits.ongoing.of(over)?, sentence)
        } else {
            // It says nothing of itself until it ends, and Python knows no timeouts: half the time for which it is
            // respected leaves the other half to look.
            let respected = self.known.max_ongoing_age;
            let is_old = ran > respected / 2;
            let severity = self.known.limits.ongoing.worst().filter(|_| is_old)?;
            let sentence = format!(
                "run by a Python host for {since}; after {} another host may take it over",
                duration::written(respected)
            );
            (severity.min(Severity::Warning), sentence)
        };
        let brief = format!("running for {since}");
        Some(self.problem(severity, Kind::Ongoing, brief, sentence))
    }
}

/// A claim of a host that may be gone.
pub(super) struct Stuck<'a> {
    /// Of which row.
    pub(super) name: &'a str,
    /// When its lease ended, or ends.
    pub(super) until: Timestamp,
    /// Whose it is.
    pub(super) host: &'a str,
    /// Its terms, as far as they are known here.
    pub(super) lease: Lease,
}

impl Stuck<'_> {
    /// If any pass would have counted it as lost by now.
    pub(super) fn problem(&self, known: &Known<'_>) -> Option<Problem> {
        let severity = known.limits.stuck?;
        // A server that was just started gives every host one lease to come back.
        let patience = self.lease.lease.saturating_add(self.lease.grace);
        if age(known.plan.now, self.until) <= patience {
            return None;
        }
        let since = Times::in_words(known.plan.now).since(self.until);
        Some(Problem {
            severity,
            kind: Kind::Stuck,
            name: Some(self.name.to_owned()),
            host: Some(self.host.to_owned()),
            brief: format!("stuck for {since}"),
            sentence: format!(
                "its run on {} lost its lease {since} ago, and no pass has counted it as lost: does any host pass, or \
                 does somebody hold the row?",
                self.host
            ),
        })
    }
}
