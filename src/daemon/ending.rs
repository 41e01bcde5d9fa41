//! How a daemon ends: it starts nothing more, waits for what runs, kills it in time, and says goodbye.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Daemon;
use crate::{exit::Exit, stop::Stop, tick::LAST_WORDS};

/// How often the service manager is asked for more time.
const EXTEND_EVERY: Duration = Duration::from_secs(5);

/// How much more it is asked for than the next step may take.
const EXTEND_BY: Duration = Duration::from_secs(30);

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a daemon still does that was told to stop.
#[derive(Debug)]
pub(super) struct Ending {
    /// When patience is over: with what runs, and after it was killed, with the database.
    until: Instant,
    /// Whether what ran was killed.
    is_killed: bool,
    /// When to ask the service manager for more time.
    extend_at: Instant,
}

impl Daemon {
    /// Somebody has asked it to stop.
    pub(super) fn stop(&mut self, asked: Stop) {
        self.tally.asked_to_stop(asked);
        self.work.want_nothing();
        let (limit, is_killed) = match asked {
            Stop::Drain => (self.engine.drain, false),
            Stop::Kill(_) => (LAST_WORDS, true),
        };
        if is_killed {
            self.engine.heart.stop_all();
        } else {
            // They would never end by themselves, and another host may have them at once.
            self.engine.heart.stop_kept();
        }
        let now = Instant::now();
        self.ending = Some(Ending {
            until: now + limit,
            is_killed,
            extend_at: now,
        });
        self.manager.stopping(&self.status());
        self.ending_is_due();
    }

    /// When the next step of the ending is due.
    pub(super) fn ending_at(&self) -> Option<Instant> {
        let ending = self.ending.as_ref()?;
        Some(ending.until.min(ending.extend_at))
    }

    /// Takes the step that is due.
    pub(super) fn ending_is_due(&mut self) {
        let Some(ending) = &mut self.ending else {
            return;
        };
        let now = Instant::now();
        if now >= ending.until {
            if ending.is_killed {
                // Dead by now, and the database takes no record of it.
                self.work.give_up();
            } else {
                tracing::warn!("what is still running has had its time: killing it");
                self.engine.heart.stop_all();
            }
            (ending.is_killed, ending.until) = (true, now + LAST_WORDS);
        }
        if now >= ending.extend_at {
            self.manager.extend(EXTEND_EVERY + EXTEND_BY);
            ending.extend_at = now + EXTEND_EVERY;
        }
    }

    /// The exit code, if all is done.
    pub(super) fn is_over(&self) -> Option<Exit> {
        self.ending.as_ref()?;
        let killed_by = self.tally.killed_by;
        self.work
            .is_idle()
            .then(|| killed_by.map_or(Exit::Ok, Exit::of_signal))
    }

    /// Says goodbye; who does not hear it notices later.
    pub(super) async fn take_leave(&self) {
        let goodbye = self.engine.host.take_leave(&self.engine.database);
        match timeout(GOODBYE, goodbye).await {
            Ok(Ok(())) => tracing::info!("stopped"),
            Ok(Err(error)) => {
                tracing::info!(%error, "stopped, and could not say so in the database");
            }
            Err(_) => tracing::info!("stopped, and could not say so in the database in time"),
        }
    }
}
