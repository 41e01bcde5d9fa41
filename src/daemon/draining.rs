//! A daemon whose host is drained: it starts nothing, and what runs has the time of a drain. It stays, or a service
//! manager would start it again.

use jiff::Timestamp;

use super::Daemon;
use crate::clock::Boottime;

/// What becomes of the runs of a drained host.
#[derive(Debug)]
pub(super) struct Draining {
    /// When what still runs is killed; `None`: it was.
    kill_at: Option<Boottime>,
}

impl Daemon {
    /// Takes up what the table says.
    pub(super) fn mind_drain(&mut self, drained: Option<Timestamp>) {
        match (drained, &self.draining) {
            (Some(since), None) => {
                tracing::info!(%since, limit = ?self.engine.drain, "drained: what runs may end, nothing more is started");
                // They would never end by themselves, and another host may have them at once.
                self.engine.heart.stop_kept();
                self.draining = Some(Draining {
                    kill_at: Some(Boottime::now() + self.engine.drain),
                });
            }
            (None, Some(_)) => {
                tracing::info!("drained no longer");
                self.draining = None;
                if self.ending.is_none() {
                    self.engine.heart.go_on();
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// When what still runs has had its time.
    pub(super) fn kill_at(&self) -> Option<Boottime> {
        self.draining.as_ref()?.kill_at
    }

    /// Kills what has had its time.
    pub(super) fn kill_if_due(&mut self, now: Boottime) {
        let Some(draining) = &mut self.draining else {
            return;
        };
        if draining.kill_at.is_some_and(|at| at <= now) {
            draining.kill_at = None;
            if !self.work.is_idle() {
                tracing::warn!(
                    "what is still running on a drained host has had its time: killing it"
                );
            }
            self.engine.heart.stop_all();
        }
    }
}
