//! What others say, and what they are told: that something has changed which only they, or only this host, can act upon.
//!
//! A word is a hint. Who misses it looks after `poll`.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::Daemon;
use crate::{
    spec::JobName,
    store::listen::{FINISHED, Listener, tell},
};

/// Beyond so many jobs the whole table is read.
const MOST: usize = 100;

/// What was said and is not acted upon yet. Cheap to clone; the clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hearing {
    heard: Arc<Mutex<Heard>>,
    is_told: Arc<Notify>,
}

/// What was said.
#[derive(Debug, Default)]
struct Heard {
    /// The connection is another than before, and the database behind it perhaps, too.
    is_new_connection: bool,
    /// Anything may have changed.
    anything: bool,
    /// Runs of these jobs have ended.
    finished: BTreeSet<JobName>,
}

impl Hearing {
    /// Waits until something is said. To be dropped and asked again at will.
    pub(super) async fn is_told(&self) {
        self.is_told.notified().await;
    }

    fn hear(&self, word: &str) {
        let mut heard = self.heard();
        match word.strip_prefix(FINISHED).map(str::parse) {
            Some(Ok(job)) if heard.finished.len() < MOST => {
                heard.finished.insert(job);
            }
            _ => heard.anything = true,
        }
        heard.is_new_connection |= word.is_empty();
        drop(heard);
        self.is_told.notify_one();
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // Nothing that holds this lock can panic half-way through a change.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Daemon {
    /// Listens, until the listener is dropped.
    pub(super) fn listen(&self) -> Listener {
        let (heart, hearing) = (Arc::clone(&self.engine.heart), self.hearing.clone());
        Listener::start(self.engine.database.clone(), move |word| {
            // The heartbeat brings back what is to be cancelled.
            if word.starts_with("cancel") {
                heart.beat_now();
            }
            hearing.hear(word);
        })
    }

    /// Acts upon what was said.
    pub(super) fn told(&mut self) {
        let heard = std::mem::take(&mut *self.hearing.heard());
        if heard.is_new_connection {
            self.compare();
        }
        if heard.anything {
            return self.looking.want_all();
        }
        for job in &heard.finished {
            self.look_around(job);
        }
    }

    /// Tells the other hosts that a run of this job has ended.
    pub(super) fn tell_others(&self, job: &JobName) {
        let (database, word) = (self.engine.database.clone(), format!("{FINISHED}{job}"));
        tokio::spawn(async move {
            if let Err(error) = tell(&database, &word).await {
                tracing::debug!(%error, "the other hosts could not be told, and will look");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_job_is_kept_by_its_name_and_everything_else_is_anything() {
        let hearing = Hearing::default();
        hearing.hear("finished report");
        assert!(!hearing.heard().anything);
        assert_eq!(hearing.heard().finished.len(), 1);
        hearing.hear("pause report");
        assert!(hearing.heard().anything);
        assert!(!hearing.heard().is_new_connection);
        hearing.hear("");
        assert!(hearing.heard().is_new_connection);
    }

    #[test]
    fn what_cannot_be_kept_is_anything() {
        let hearing = Hearing::default();
        for job in 0..=MOST {
            assert!(!hearing.heard().anything);
            hearing.hear(&format!("finished j{job}"));
        }
        assert!(hearing.heard().anything);
        assert_eq!(hearing.heard().finished.len(), MOST);
        let hearing = Hearing::default();
        hearing.hear("finished no/name");
        assert!(hearing.heard().anything);
    }
}
