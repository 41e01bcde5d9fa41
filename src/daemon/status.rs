//! What a daemon says of itself: a line for `systemctl status` and `hosts`, and on USR1 all it has in mind.

use std::{sync::PoisonError, time::Duration};

use super::Daemon;
use crate::{clock::Boottime, plan::plan, store::table::never};

/// How often it is told at most: whoever hears it writes it down.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How many running jobs the line names.
const NAMED: usize = 3;

impl Daemon {
    /// Tells the service manager and the other hosts, if there is something new: in a burst now and then.
    pub(super) fn tell(&mut self) {
        let now = Boottime::now();
        if now < self.told + TELL_EVERY {
            self.tell_at = Some(self.told + TELL_EVERY);
            return;
        }
        (self.told, self.tell_at) = (now, None);
        let status = self.status();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.status != status {
            said.status.clone_from(&status);
            drop(said);
            self.manager.status(&status);
        }
    }

    /// What it is doing, in a line: what runs, what is next, and what is wrong.
    pub(super) fn status(&self) -> String {
        let mut parts = Vec::new();
        let running = self.engine.heart.runs();
        let running: Vec<String> = running.into_iter().map(|(job, _)| job).collect();
        parts.push(match running.as_slice() {
            [] => "nothing running".to_owned(),
            jobs if jobs.len() <= NAMED => format!("{} running: {}", jobs.len(), jobs.join(", ")),
            jobs => format!("{} running: {}, ...", jobs.len(), jobs[..NAMED].join(", ")),
        });
        if self.ending.is_some() {
            parts.push("stopping".to_owned());
        } else if self.draining.is_some() {
            parts.push("drained".to_owned());
        } else if let Some((job, at)) = self.agenda.first() {
            let job = &self.engine.graph.jobs()[job].name;
            parts.push(format!("next {job} at {at}"));
        }
        if let Some((_, error)) = self.looking.away() {
            parts.push(format!("the database is away: {error}"));
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &said.config_error {
            parts.push(format!(
                "the configuration has mistakes and is kept as it was: {error}"
            ));
        }
        if said.other.is_some() {
            parts.push("another daemon goes by this name".to_owned());
        }
        parts.join("; ")
    }

    /// All it has in mind, for the log.
    pub(super) fn dump(&self) {
        let engine = &self.engine;
        tracing::info!(
            status = self.status(),
            waiting = self.work.waiting(),
            "asked what it is doing"
        );
        for (job, run_id) in engine.heart.runs() {
            tracing::info!(%job, %run_id, "running");
        }
        let tally = &self.tally;
        tracing::info!(
            well = tally.well,
            failed = tally.failed,
            contended = tally.contended,
            ongoing = tally.ongoing,
            doubtful = tally.doubtful,
            "since the start"
        );
        if let Some((since, error)) = self.looking.away() {
            let for_ = Boottime::now().saturating_since(since);
            tracing::info!(?for_, error, "the database is away");
        }
        let Some(table) = &self.table else { return };
        let plan = plan(&engine.graph, table, &engine.host.place);
        for job in &plan.jobs {
            let next_run = job.row.and_then(|row| row.next_run);
            let next_run = next_run.filter(|at| *at < never());
            let state = job.state(plan.now);
            tracing::info!(job = %job.name, %state, next_run = next_run.map(tracing::field::display), reason = job.reason(), "planned");
        }
    }
}
