//! The tables of the action: claims of feeds that are due, and what their fetches have found.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

// A document, whole.
mod save;

pub use save::save;

use super::{
    parse::{Episode, Feed},
    policy::{After, Before},
};
use crate::{
    http::Validators,
    store::{
        Database, DatabaseError, limited,
        recurring::Parameter,
        transaction::{BEGIN, LIMIT, run},
    },
};

/// A feed that this process is to fetch.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub url: String,
    /// Scheme, name and port of that, as they are written: whom to spare.
    pub host: String,
    /// What it was shown last time.
    pub validators: Option<Validators>,
    /// Its errors, and how often it is fetched.
    pub before: Before,
    /// What makes the claim this one.
    next_fetch: Timestamp,
}

/// A document that was read, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// What it says.
    pub feed: &'a Feed,
    /// The address to ask from now on.
    pub url: &'a str,
    /// What to show next time.
    pub validators: &'a Validators,
    /// How many bytes it had.
    pub bytes: usize,
}

/// How many episodes a document has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Those that were not there before.
    pub added: i64,
    /// Those that were, and were another.
    pub changed: i64,
    /// Those that are not there any more.
    pub vanished: i64,
}

/// A feed, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Failures in a row.
    pub errors: i32,
    /// The last of them.
    pub last_error: Option<String>,
    /// When it is fetched next, if it is.
    pub next_fetch: Timestamp,
    /// When it was last well.
    pub last_success: Option<Timestamp>,
    /// How many episodes of it there are.
    pub episodes: i64,
}

/// Makes the tables where they are missing: who only uses them need not be allowed to.
pub async fn prepare(database: &Database) -> Result<(), DatabaseError> {
    let there = run(database, include_str!("sql/are_there.sql"), &[]).await?;
    let are_there = there.first().map(|row| row.try_get(0)).transpose()?;
    if are_there == Some(true) {
        return Ok(());
    }
    let client = database.get().await?;
    let sql = format!("{BEGIN}; {}; COMMIT", include_str!("sql/tables.sql"));
    let made = limited(LIMIT, client.fuse(), client.batch_execute(&sql)).await;
    if made.is_err() {
        // Its transaction is still open.
        client.retire();
    }
    made
}

/// Takes some feeds that are due, 16 at most, for so long, and none of these hosts.
pub async fn claim(
    database: &Database,
    lasting: Duration,
    except: &[String],
) -> Result<Vec<Claimed>, DatabaseError> {
    let sql = include_str!("sql/claim.sql");
    let lasting = lasting.as_secs_f64();
    let parameters: [Parameter<'_>; 2] = [(&lasting, Type::FLOAT8), (&except, Type::TEXT_ARRAY)];
    let rows = run(database, sql, &parameters).await?;
    rows.iter().map(claimed).collect()
}

fn claimed(row: &Row) -> Result<Claimed, DatabaseError> {
    let whose = row.try_get::<_, Option<String>>("validators_url")?;
    let (etag, last_modified) = (row.try_get("etag")?, row.try_get("last_modified")?);
    let errors: i32 = row.try_get("error_count")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        url: row.try_get("url")?,
        host: row.try_get("host")?,
        validators: whose.map(|address| Validators {
            address,
            etag,
            last_modified,
        }),
        before: Before {
            errors: errors.unsigned_abs(),
            every: Duration::try_from_secs_f64(row.try_get("every")?).unwrap_or_default(),
        },
        next_fetch: row.try_get("next_fetch")?,
    })
}

/// A fetch that has brought no document, and what follows.
#[derive(Debug, Clone)]
pub struct Noted {
    id: i64,
    next_fetch: Timestamp,
    status: Option<i32>,
    error: Option<String>,
    after: After,
    took: Duration,
}

impl Noted {
    /// Of a claimed feed: the status, if there was one, and the error, if it is one.
    #[must_use]
    pub fn new(
        claimed: &Claimed,
        (status, error): (Option<u16>, Option<String>),
        after: After,
        took: Duration,
    ) -> Self {
        Self {
            id: claimed.id,
            next_fetch: claimed.next_fetch,
            status: status.map(i32::from),
            error,
            after,
            took,
        }
    }

    /// The number of the feed.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }
}

/// Writes down fetches that have brought no document; gives back the feeds that were still this process's.
pub async fn note(database: &Database, noted: &[Noted]) -> Result<Vec<i64>, DatabaseError> {
    fn each<'a, T>(noted: &'a [Noted], of: impl FnMut(&'a Noted) -> T) -> Vec<T> {
        noted.iter().map(of).collect()
    }
    let errors = |one: &Noted| i32::try_from(one.after.errors).unwrap_or(i32::MAX);
    let parameters: [Parameter<'_>; 9] = [
        (&each(noted, |one| one.id), Type::INT8_ARRAY),
        (&each(noted, |one| one.next_fetch), Type::TIMESTAMPTZ_ARRAY),
        (
            &each(noted, |one| one.after.state.as_str()),
            Type::TEXT_ARRAY,
        ),
        (
            &each(noted, |one| one.after.reason.as_deref()),
            Type::TEXT_ARRAY,
        ),
        (
            &each(noted, |one| one.after.wait.as_secs_f64()),
            Type::FLOAT8_ARRAY,
        ),
        (&each(noted, |one| one.status), Type::INT4_ARRAY),
        (&each(noted, errors), Type::INT4_ARRAY),
        (&each(noted, |one| one.error.as_deref()), Type::TEXT_ARRAY),
        (
            &each(noted, |one| one.took.as_secs_f64()),
            Type::FLOAT8_ARRAY,
        ),
    ];
    let rows = run(database, include_str!("sql/note.sql"), &parameters).await?;
    rows.iter().map(|row| Ok(row.try_get("feed_id")?)).collect()
}

/// Ends a feed whose new address another feed has already. `false`: no other has it.
pub async fn end_as_duplicate(
    database: &Database,
    claimed: &Claimed,
    url: &str,
) -> Result<bool, DatabaseError> {
    let parameters: [Parameter<'_>; 3] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&url, Type::TEXT),
    ];
    let rows = run(database, include_str!("sql/duplicate.sql"), &parameters).await?;
    Ok(!rows.is_empty())
}

/// Adds feeds that are not known yet; gives back those that were not.
pub async fn add(
    database: &Database,
    urls: &[String],
    every: Duration,
) -> Result<Vec<String>, DatabaseError> {
    let every = every.as_secs_f64();
    let parameters: [Parameter<'_>; 2] = [(&urls, Type::TEXT_ARRAY), (&every, Type::FLOAT8)];
    let rows = run(database, include_str!("sql/add.sql"), &parameters).await?;
    rows.iter().map(|row| Ok(row.try_get("url")?)).collect()
}

/// Makes these active again; gives back those that there are.
pub async fn resume(database: &Database, ids: &[i64]) -> Result<Vec<i64>, DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&ids, Type::INT8_ARRAY)];
    let rows = run(database, include_str!("sql/resume.sql"), &parameters).await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

/// All feeds, or those in a state.
pub async fn list(database: &Database, state: Option<&str>) -> Result<Vec<Listed>, DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&state, Type::TEXT)];
    let rows = run(database, include_str!("sql/list.sql"), &parameters).await?;
    let listed = rows.iter().map(|row| {
        Ok(Listed {
            id: row.try_get("id")?,
            url: row.try_get("url")?,
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            title: row.try_get("title")?,
            errors: row.try_get("error_count")?,
            last_error: row.try_get("last_error")?,
            next_fetch: row.try_get("next_fetch")?,
            last_success: row.try_get("last_success")?,
            episodes: row.try_get("episodes")?,
        })
    });
    listed.collect()
}

/// What the table takes for a duration: no more than a week.
fn duration(episode: &Episode) -> Option<i32> {
    let seconds = episode.duration.filter(|seconds| *seconds <= 604_800);
    seconds.and_then(|seconds| seconds.try_into().ok())
}

/// Episodes as a statement takes them: a list for each column.
#[derive(Default)]
struct Columns<'a> {
    key: Vec<&'a [u8]>,
    guid: Vec<Option<&'a str>>,
    title: Vec<Option<&'a str>>,
    summary: Vec<Option<&'a str>>,
    link: Vec<Option<&'a str>>,
    enclosure_url: Vec<Option<&'a str>>,
    enclosure_type: Vec<Option<&'a str>>,
    enclosure_bytes: Vec<Option<i64>>,
    duration: Vec<Option<i32>>,
    published: Vec<Option<Timestamp>>,
    content_hash: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(episodes: &'a [Episode]) -> Self {
        let mut columns = Self::default();
        for episode in episodes {
            let enclosure = episode.enclosure.as_ref();
            let bytes = enclosure.and_then(|enclosure| enclosure.length);
            columns.key.push(&episode.key);
            columns.guid.push(episode.guid.as_deref());
            columns.title.push(episode.title.as_deref());
            columns.summary.push(episode.summary.as_deref());
            columns.link.push(episode.link.as_deref());
            columns
                .enclosure_url
                .push(enclosure.map(|enclosure| enclosure.url.as_str()));
            columns
                .enclosure_type
                .push(enclosure.and_then(|enclosure| enclosure.media_type.as_deref()));
            columns
                .enclosure_bytes
                .push(bytes.and_then(|bytes| bytes.try_into().ok()));
            columns.duration.push(duration(episode));
            columns.published.push(episode.published);
            columns.content_hash.push(&episode.content_hash);
        }
        columns
    }
}
