//! Feeds that are due, claimed a few at a time, and of no host more than others have to wait for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{
    actions::feeds::store::{self, Claimed},
    store::{Database, DatabaseError},
};

/// How long a claim is ours: longer than a fetch can take, and some that wait for it at the same host.
pub(super) const CLAIM: Duration = Duration::from_mins(15);

/// Of how many claimed feeds a host has enough: it is asked for one after the other.
const CROWDED: usize = 8;

/// How many claimed feeds each host has.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    feeds: Mutex<HashMap<String, usize>>,
    left: Notify,
}

impl Hosts {
    fn came(&self, host: &str) {
        *self.feeds().entry(host.to_owned()).or_default() += 1;
    }

    /// One of its feeds is done with.
    pub(super) fn left(&self, host: &str) {
        let mut feeds = self.feeds();
        if let Some(number) = feeds.get_mut(host) {
            *number -= 1;
            if *number == 0 {
                feeds.remove(host);
            }
        }
        self.left.notify_one();
    }

    fn crowded(&self) -> Vec<String> {
        let feeds = self.feeds();
        let crowded = feeds.iter().filter(|(_, number)| **number >= CROWDED);
        crowded.map(|(host, _)| host.clone()).collect()
    }

    /// Waits until a host is not crowded any more that was.
    async fn has_thinned(&self, crowded: usize) {
        while self.crowded().len() >= crowded {
            self.left.notified().await;
        }
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The feeds that are due, as they are claimed.
#[derive(Debug)]
pub(super) struct Due<'a> {
    database: &'a Database,
    hosts: &'a Hosts,
    /// After when there is no time to fetch any.
    last_start: Option<Instant>,
    claimed: Vec<Claimed>,
    at: Instant,
}

impl<'a> Due<'a> {
    pub(super) fn new(
        database: &'a Database,
        hosts: &'a Hosts,
        last_start: Option<Instant>,
    ) -> Self {
        Self {
            database,
            hosts,
            last_start,
            claimed: Vec::new(),
            at: Instant::now(),
        }
    }

    /// The next one, and when it was claimed. `None`: there is none any more.
    pub(super) async fn next(&mut self) -> Result<Option<(Claimed, Instant)>, DatabaseError> {
        while self.claimed.is_empty() {
            if self.last_start.is_some_and(|last| Instant::now() >= last) {
                return Ok(None);
            }
            let crowded = self.hosts.crowded();
            self.at = Instant::now();
            self.claimed = store::claim(self.database, CLAIM, &crowded).await?;
            for claimed in &self.claimed {
                self.hosts.came(&claimed.host);
            }
            if self.claimed.is_empty() {
                if crowded.is_empty() {
                    return Ok(None);
                }
                let thinned = self.hosts.has_thinned(crowded.len());
                match self.last_start {
                    // Too late is as good: it is looked at above.
                    Some(last) => timeout_at(last, thinned).await.unwrap_or_default(),
                    None => thinned.await,
                }
            }
        }
        Ok(self.claimed.pop().map(|claimed| (claimed, self.at)))
    }
}
