//! Feeds as they are seen: in a list, and one with all about it. They are JSON as they are.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio_postgres::{Row, types::Type};

use crate::store::{
    Database, DatabaseError,
    recurring::Parameter,
    transaction::{run, run_in_turn},
};

/// A feed among others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub url: String,
    /// Its state, as the table has it.
    pub state: String,
    /// Why, where it is not active.
    pub reason: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// How often it is fetched where all is well.
    #[serde(rename = "every_seconds", serialize_with = "whole")]
    pub every: Duration,
    /// Failures in a row.
    pub error_count: i32,
    /// The last of them.
    pub last_error: Option<String>,
    /// When it is fetched next; `None`: it is not fetched.
    pub next_fetch: Option<Timestamp>,
    /// When it was last well.
    pub last_success: Option<Timestamp>,
    /// How many episodes of it there are, those that have vanished with them.
    pub episodes: i64,
}

/// All about a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What is in a list, too.
    #[serde(flatten)]
    pub listed: Listed,
    /// The feed whose address it has moved to.
    pub duplicate_of: Option<i64>,
    /// When it was last claimed to be fetched.
    pub last_fetch: Option<Timestamp>,
    /// When its episodes have last become more, others or fewer.
    pub last_change: Option<Timestamp>,
    /// The last status.
    pub last_status: Option<i32>,
    /// What is shown to the server, and to whom.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
    /// The address that has given the two.
    pub validators_url: Option<String>,
    /// Its format, as [`Kind::as_str`](crate::actions::feeds::parse::Kind::as_str) has it.
    pub kind: Option<String>,
    /// Whose it is.
    pub author: Option<String>,
    /// The page that it belongs to.
    pub site_url: Option<String>,
    /// Its picture.
    pub image_url: Option<String>,
    /// Its language.
    pub language: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// How many of all its episodes are not in its document any more.
    pub vanished: i64,
    /// Its last fetches, the newest first.
    pub fetches: Vec<Fetch>,
    /// Its newest episodes, the newest first.
    #[serde(rename = "newest_episodes")]
    pub newest: Vec<Newest>,
}

/// A fetch, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetch {
    /// When it ended.
    pub at: Timestamp,
    /// The status, if there was an answer.
    pub status: Option<i32>,
    /// How long it took.
    #[serde(rename = "took_seconds", serialize_with = "fractional")]
    pub took: Option<Duration>,
    /// How many bytes there were.
    pub bytes: Option<i64>,
    /// Episodes that were new; `None`, here and below: no document came.
    pub added: Option<i32>,
    /// Those that were another.
    pub changed: Option<i32>,
    /// Those that were not there any more.
    pub vanished: Option<i32>,
    /// Why it has failed.
    pub error: Option<String>,
    /// Who was asked.
    pub from_url: Option<String>,
}

/// An episode, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newest {
    /// Its guid.
    pub guid: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// The page that it has.
    pub link: Option<String>,
    /// The file.
    pub enclosure_url: Option<String>,
    /// How long it takes, in seconds.
    #[serde(rename = "duration_seconds")]
    pub duration: Option<i32>,
    /// When it came out.
    pub published: Option<Timestamp>,
    /// When it was first seen here.
    pub first_seen: Timestamp,
}

/// How many feeds are listed at most.
pub const MOST_LISTED: usize = 10_000;

/// Of how many feeds the episodes are counted in one statement.
const COUNTED: usize = 250;

/// How many fetches are shown.
const FETCHES: i64 = 10;

/// How many episodes are shown.
const EPISODES: i64 = 5;

/// The feeds, or those in a state, those that need somebody first; one more than [`MOST_LISTED`] where there are more.
pub async fn list(database: &Database, state: Option<&str>) -> Result<Vec<Listed>, DatabaseError> {
    let most = i64::try_from(MOST_LISTED + 1).unwrap_or(i64::MAX);
    let parameters: [Parameter<'_>; 2] = [(&state, Type::TEXT), (&most, Type::INT8)];
    let rows = run(database, include_str!("../sql/list.sql"), &parameters).await?;
    let rows = rows.iter().map(|row| listed(row, 0));
    let mut feeds = rows.collect::<Result<Vec<Listed>, _>>()?;
    for some in feeds.chunks_mut(COUNTED) {
        let ids: Vec<i64> = some.iter().map(|feed| feed.id).collect();
        let parameters: [Parameter<'_>; 1] = [(&ids, Type::INT8_ARRAY)];
        let rows = run(database, include_str!("../sql/count.sql"), &parameters).await?;
        let counts = rows
            .iter()
            .map(|row| Ok((row.try_get("feed_id")?, row.try_get("episodes")?)));
        let counts = counts.collect::<Result<HashMap<i64, i64>, DatabaseError>>()?;
        for feed in some {
            feed.episodes = counts.get(&feed.id).copied().unwrap_or_default();
        }
    }
    Ok(feeds)
}

fn listed(row: &Row, episodes: i64) -> Result<Listed, DatabaseError> {
    let state: String = row.try_get("state")?;
    let next_fetch = row.try_get("next_fetch")?;
    Ok(Listed {
        id: row.try_get("id")?,
        url: row.try_get("url")?,
        next_fetch: (state == "active").then_some(next_fetch),
        state,
        reason: row.try_get("reason")?,
        title: row.try_get("title")?,
        every: seconds(row.try_get("every")?),
        error_count: row.try_get("error_count")?,
        last_error: row.try_get("last_error")?,
        last_success: row.try_get("last_success")?,
        episodes,
    })
}

/// All about a feed; `None`: it is not there any more.
pub async fn show(database: &Database, id: i64) -> Result<Option<Shown>, DatabaseError> {
    let number: [Parameter<'_>; 1] = [(&id, Type::INT8)];
    let fetches: [Parameter<'_>; 2] = [(&id, Type::INT8), (&FETCHES, Type::INT8)];
    let episodes: [Parameter<'_>; 2] = [(&id, Type::INT8), (&EPISODES, Type::INT8)];
    let statements: [(&'static str, &[Parameter<'_>]); 3] = [
        (include_str!("../sql/show.sql"), &number),
        (include_str!("../sql/show_fetches.sql"), &fetches),
        (include_str!("../sql/show_episodes.sql"), &episodes),
    ];
    let answers = run_in_turn(database, &statements).await?;
    let [feed, fetches, episodes] = answers.as_slice() else {
        return Ok(None);
    };
    let Some(row) = feed.first() else {
        return Ok(None);
    };
    Ok(Some(Shown {
        listed: listed(row, row.try_get("episodes")?)?,
        duplicate_of: row.try_get("duplicate_of")?,
        last_fetch: row.try_get("last_fetch")?,
        last_change: row.try_get("last_change")?,
        last_status: row.try_get("last_status")?,
        etag: row.try_get("etag")?,
        last_modified: row.try_get("last_modified")?,
        validators_url: row.try_get("validators_url")?,
        kind: row.try_get("kind")?,
        author: row.try_get("author")?,
        site_url: row.try_get("site_url")?,
        image_url: row.try_get("image_url")?,
        language: row.try_get("language")?,
        created_at: row.try_get("created_at")?,
        vanished: row.try_get("vanished")?,
        fetches: fetches.iter().map(fetch).collect::<Result<_, _>>()?,
        newest: episodes.iter().map(newest).collect::<Result<_, _>>()?,
    }))
}

fn fetch(row: &Row) -> Result<Fetch, DatabaseError> {
    Ok(Fetch {
        at: row.try_get("at")?,
        status: row.try_get("status")?,
        took: row.try_get::<_, Option<f64>>("took")?.map(seconds),
        bytes: row.try_get("bytes")?,
        added: row.try_get("added")?,
        changed: row.try_get("changed")?,
        vanished: row.try_get("vanished")?,
        error: row.try_get("error")?,
        from_url: row.try_get("from_url")?,
    })
}

fn newest(row: &Row) -> Result<Newest, DatabaseError> {
    Ok(Newest {
        guid: row.try_get("guid")?,
        title: row.try_get("title")?,
        link: row.try_get("link")?,
        enclosure_url: row.try_get("enclosure_url")?,
        duration: row.try_get("duration")?,
        published: row.try_get("published")?,
        first_seen: row.try_get("first_seen")?,
    })
}

/// An interval of the table; what cannot be one here is none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn whole<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(duration.as_secs())
}

#[expect(clippy::ref_option, reason = "serde hands over references")]
fn fractional<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs_f64())
        .serialize(to)
}
