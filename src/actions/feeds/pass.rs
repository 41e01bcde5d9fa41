//! One pass: claims what is due, fetches it, reads it, keeps it.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::{task::spawn_blocking, time::Instant};

use super::{
    fetch::{Fetcher, Without},
    parse::parse,
    policy::{self, Came, State, after},
    store::{self, Changes, Claimed, Reading},
};
use crate::{
    http::shown_address,
    store::{Database, DatabaseError},
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

/// How long a claim is ours: longer than a fetch can take, and some that wait for it at the same host.
const CLAIM: Duration = Duration::from_mins(15);

/// How many failures are told one by one.
const TOLD: usize = 20;

/// Fetches all feeds that are due until there is none; a failure is told by `tell`.
pub async fn pass(
    database: &Database,
    fetcher: &Fetcher,
    parallel: usize,
    mut tell: impl FnMut(&str),
) -> Result<Done, DatabaseError> {
    let mut done = Done::default();
    let due = stream::unfold(Vec::new(), |mut claimed| async move {
        if claimed.is_empty() {
            let number = i64::try_from(parallel * 2).unwrap_or(64);
            match store::claim(database, number, CLAIM).await {
                Ok(more) => claimed = more,
                Err(error) => return Some((Err(error), claimed)),
            }
        }
        let next = claimed.pop()?;
        Some((Ok(next), claimed))
    });
    let fetched = due.map(|claimed| async move {
        let claimed = claimed?;
        let (fared, state) = feed(database, fetcher, &claimed).await?;
        Ok::<_, DatabaseError>((claimed, fared, state))
    });
    let mut fetched = std::pin::pin!(fetched.buffer_unordered(parallel));
    while let Some(result) = fetched.next().await {
        let (claimed, fared, state) = result?;
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
                match done.failed {
                    ..=TOLD => tell(&format!(
                        "feed {} ({}): {why}",
                        claimed.id,
                        shown_address(&claimed.url)
                    )),
                    number if number == TOLD + 1 => {
                        tell("and others: see `crontabber action feeds list`");
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(done)
}

async fn feed(
    database: &Database,
    fetcher: &Fetcher,
    claimed: &Claimed,
) -> Result<(Fared, State), DatabaseError> {
    let started = Instant::now();
    let fetched = fetcher
        .fetch(&claimed.url, claimed.validators.as_ref())
        .await;
    let document = match fetched {
        Ok(document) => document,
        Err(without) => {
            let error = (without != Without::NotModified).then(|| without.to_string());
            let noted = (without.came(), without.status(), error);
            return note(database, claimed, noted, started.elapsed()).await;
        }
    };
    let bytes = document.body.len();
    let (content_type, address) = (document.content_type.clone(), document.address.clone());
    // Milliseconds for a long one: the others need not wait.
    let body = document.body;
    let read = spawn_blocking(move || parse(&body, content_type.as_deref(), &address)).await;
    let read = match read {
        Ok(read) => read.map_err(|why| why.to_string()),
        Err(_) => Err("reading it has failed: this is a bug in crontabber".to_owned()),
    };
    let feed = match read {
        Ok(feed) => feed,
        Err(why) => {
            let noted = (Came::NoFeed, Some(200), Some(why));
            return note(database, claimed, noted, started.elapsed()).await;
        }
    };
    let told = [&feed.moved_to, &document.permanent_address];
    let url = policy::address(&claimed.url, told.into_iter().flatten());
    if url != claimed.url && store::end_as_duplicate(database, claimed, url).await? {
        return Ok((Fared::Ended, State::Duplicate));
    }
    let came = Came::Well {
        hint: feed.interval_hint,
        is_complete: feed.is_complete,
    };
    let after = after(claimed.before, came, chance());
    let reading = Reading {
        feed: &feed,
        url,
        validators: &document.validators,
        bytes,
    };
    match store::save(database, claimed, reading, &after, started.elapsed()).await {
        Ok(Some(changes)) => Ok((Fared::Kept(changes), after.state)),
        Ok(None) => Ok((Fared::TakenOver, State::Active)),
        // One that cannot be kept must not keep the others from it.
        Err(error @ DatabaseError::Other(_))
            if error.server().is_some() && !error.is_transient() =>
        {
            let noted = (
                Came::NoFeed,
                Some(200),
                Some(format!("cannot be kept: {error}")),
            );
            note(database, claimed, noted, started.elapsed()).await
        }
        Err(error) => Err(error),
    }
}

async fn note(
    database: &Database,
    claimed: &Claimed,
    (came, status, error): (Came, Option<u16>, Option<String>),
    took: Duration,
) -> Result<(Fared, State), DatabaseError> {
    let after = after(claimed.before, came, chance());
    let noted = (status, error.as_deref());
    if !store::note(database, claimed, noted, &after, took).await? {
        return Ok((Fared::TakenOver, State::Active));
    }
    let fared = error.map_or(Fared::NotModified, Fared::Failed);
    Ok((fared, after.state))
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(());
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
