//! One pass: claims what is due, fetches it, reads it, keeps it.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

// Which feeds, and when.
mod due;
// What has come instead of documents.
mod notes;

use futures_util::{StreamExt as _, join, stream};
use serde::Serialize;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use self::{
    due::{CLAIM, Due, Hosts},
    notes::{Notes, notes},
};
use super::{
    fetch::{Document, Fetcher, Without},
    parse::{Feed, parse},
    policy::{self, Came, State, after},
    store::{self, Changes, Claimed, Noted, Reading},
};
use crate::{
    http::shown_address,
    store::{Database, DatabaseError},
    supervise::give_back_freed_memory,
};

/// What a pass has done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Done {
    /// Feeds that were fetched.
    pub fetched: usize,
    /// Of them those that had nothing new to say.
    pub not_modified: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that are not fetched any more from now on, by their new state.
    pub ended: BTreeMap<&'static str, usize>,
    /// Episodes that were not there before.
    pub added: i64,
    /// Episodes that were, and are another now.
    pub changed: i64,
    /// Episodes that are not in their feeds any more.
    pub vanished: i64,
    /// Feeds that somebody else took over while they were fetched.
    pub taken_over: usize,
}

/// How one feed has fared.
#[derive(Debug)]
enum Fared {
    Kept(Changes),
    NotModified,
    Failed(String),
    Ended,
    TakenOver,
}

/// How many feeds are claimed for each that can be fetched at once: most of them wait for their hosts.
const AHEAD: usize = 16;

/// How long what a fetch has brought may take to be kept.
const KEEPING: Duration = Duration::from_mins(1);

/// How many failures are told one by one.
const TOLD: usize = 20;

/// Fetches all feeds that are due until there is none; a failure is told by `tell`.
///
/// So many are fetched and kept at once as the fetcher has slots, `parallel`. A feed waits for its host before it takes one.
/// Where the pass has to end by an instant, none is fetched that might not be kept by then.
pub async fn pass(
    database: &Database,
    fetcher: &Fetcher,
    parallel: usize,
    end: Option<Instant>,
    tell: impl FnMut(&str),
) -> Result<Done, DatabaseError> {
    let (notes, pile) = notes();
    let hosts = Hosts::default();
    let last_start = end.map(|end| last_start(end, fetcher));
    let due = Due::new(database, &hosts, last_start);
    let due = stream::unfold(due, async |mut due| {
        Some((due.next().await.transpose()?, due))
    });
    let work = async {
        let worker = Worker {
            database,
            fetcher,
            notes,
            last_start,
        };
        let fared = due.map(async |due| {
            let (claimed, at) = due?;
            let fared = worker.feed(&claimed, at).await;
            hosts.left(&claimed.host);
            Ok::<_, DatabaseError>((claimed, fared?))
        });
        let mut fared = std::pin::pin!(fared.buffer_unordered(parallel * AHEAD));
        let mut tally = Tally {
            done: Done::default(),
            tell,
        };
        while let Some(result) = fared.next().await {
            let (claimed, fared) = result?;
            if let Some((fared, state)) = fared {
                tally.add(&claimed, fared, state);
            }
        }
        if last_start.is_some_and(|last_start| Instant::now() >= last_start) {
            (tally.tell)(
                "the time of this run is nearly over: what is due still is left to the next",
            );
        }
        Ok(tally.done)
    };
    // Who works hands in the notes, and there are none any more when that is over.
    let (done, ()) = join!(work, pile.write_down(database));
    done
}

/// After when no fetch may begin, for it could not be kept by this end.
fn last_start(end: Instant, fetcher: &Fetcher) -> Instant {
    let left = end.saturating_duration_since(Instant::now());
    let kept_by = KEEPING.min(left / 4) + fetcher.timeout();
    end.checked_sub(kept_by).unwrap_or_else(Instant::now)
}

/// What has been done so far.
struct Tally<Tell> {
    done: Done,
    tell: Tell,
}

impl<Tell: FnMut(&str)> Tally<Tell> {
    fn add(&mut self, claimed: &Claimed, fared: Fared, state: State) {
        let done = &mut self.done;
        done.fetched += 1;
        if state != State::Active {
            *done.ended.entry(state.as_str()).or_default() += 1;
        }
        match fared {
            Fared::Kept(changes) => {
                done.added += changes.added;
                done.changed += changes.changed;
                done.vanished += changes.vanished;
            }
            Fared::NotModified => done.not_modified += 1,
            Fared::Ended => {}
            Fared::TakenOver => done.taken_over += 1,
            Fared::Failed(why) => {
                done.failed += 1;
                let failed = done.failed;
                self.failed(failed, claimed, &why);
            }
        }
    }

    fn failed(&mut self, number: usize, claimed: &Claimed, why: &str) {
        if number <= TOLD {
            let address = shown_address(&claimed.url);
            (self.tell)(&format!("feed {} ({address}): {why}", claimed.id));
        } else if number == TOLD + 1 {
            (self.tell)("and others: see `crontabber action feeds list`");
        }
    }
}

/// What fetching and keeping feeds needs.
struct Worker<'a> {
    database: &'a Database,
    fetcher: &'a Fetcher,
    notes: Notes,
    last_start: Option<Instant>,
}

impl Worker<'_> {
    /// Fetches a feed that was claimed then, and keeps what it brings. `None`: its host had no time for it as long as it was
    /// ours; who claims it next fetches it.
    async fn feed(
        &self,
        claimed: &Claimed,
        at: Instant,
    ) -> Result<Option<(Fared, State)>, DatabaseError> {
        let until = at + CLAIM.saturating_sub(self.fetcher.timeout() + KEEPING);
        let until = self.last_start.map_or(until, |last| until.min(last));
        let turn = timeout_at(until, self.fetcher.turn(&claimed.url)).await;
        let Some(turn) = turn.ok().filter(|_| Instant::now() < until) else {
            return Ok(None);
        };
        let started = Instant::now();
        let validators = claimed.validators.as_ref();
        let fetched = self.fetcher.fetch(turn, &claimed.url, validators).await;
        let fared = match fetched {
            Ok(document) => self.document(claimed, document, started).await,
            Err(without) => {
                let error = (without != Without::NotModified).then(|| without.to_string());
                let noted = (without.came(), without.status(), error);
                self.note(claimed, noted, started).await
            }
        };
        fared.map(Some)
    }

    /// Reads a document and keeps it; what it takes of memory is free again afterwards.
    async fn document(
        &self,
        claimed: &Claimed,
        document: Document,
        started: Instant,
    ) -> Result<(Fared, State), DatabaseError> {
        let is_large = document.taken.is_large();
        let (body, content_type) = (document.body, document.content_type);
        let (bytes, address) = (body.len(), document.address);
        // Milliseconds for a long one: the others need not wait. The body ends there.
        let read = spawn_blocking(move || parse(&body, content_type.as_deref(), &address)).await;
        let read = match read {
            Ok(read) => read.map_err(|why| why.to_string()),
            Err(_) => Err("reading it has failed: this is a bug in crontabber".to_owned()),
        };
        let fared = match read {
            Ok(feed) => {
                let told = [&feed.moved_to, &document.permanent_address];
                let url = policy::address(&claimed.url, told.into_iter().flatten());
                let reading = Reading {
                    feed: &feed,
                    url,
                    validators: &document.validators,
                    bytes,
                };
                self.keep(claimed, reading, started).await
            }
            Err(why) => {
                let noted = (Came::NoFeed, Some(200), Some(why));
                self.note(claimed, noted, started).await
            }
        };
        if is_large {
            give_back_freed_memory();
        }
        fared
    }

    async fn keep(
        &self,
        claimed: &Claimed,
        reading: Reading<'_>,
        started: Instant,
    ) -> Result<(Fared, State), DatabaseError> {
        let Reading { feed, url, .. } = reading;
        let Feed {
            interval_hint,
            is_complete,
            ..
        } = *feed;
        if url != claimed.url && store::end_as_duplicate(self.database, claimed, url).await? {
            return Ok((Fared::Ended, State::Duplicate));
        }
        let came = Came::Well {
            hint: interval_hint,
            is_complete,
        };
        let after = after(claimed.before, came, chance());
        match store::save(self.database, claimed, reading, &after, started.elapsed()).await {
            Ok(Some(changes)) => Ok((Fared::Kept(changes), after.state)),
            Ok(None) => Ok((Fared::TakenOver, State::Active)),
            Err(error) if is_its_own(&error) => {
                let error = format!("cannot be kept: {error}");
                let noted = (Came::NoFeed, Some(200), Some(error));
                self.note(claimed, noted, started).await
            }
            Err(error) => Err(error),
        }
    }

    async fn note(
        &self,
        claimed: &Claimed,
        (came, status, error): (Came, Option<u16>, Option<String>),
        started: Instant,
    ) -> Result<(Fared, State), DatabaseError> {
        let after = after(claimed.before, came, chance());
        let state = after.state;
        let noted = Noted::new(claimed, (status, error.clone()), after, started.elapsed());
        match self.notes.write(noted).await {
            Ok(true) => Ok((error.map_or(Fared::NotModified, Fared::Failed), state)),
            Ok(false) => Ok((Fared::TakenOver, State::Active)),
            // Its claim ends by itself.
            Err(bad) if is_its_own(&bad) => {
                let why = format!("cannot be written down: {bad}");
                Ok((Fared::Failed(why), State::Active))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the database does not take what one feed brings: that must not keep the others from it.
fn is_its_own(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Other(_)) && error.server().is_some() && !error.is_transient()
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(());
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
