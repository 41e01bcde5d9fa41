//! The tables of the action, as a pass uses them: claims of feeds that are due, and what their fetches have found.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

// A document, whole: what is known of it, what it changes, and how that is sent.
mod columns;
mod copy;
mod difference;
mod save;

pub use save::save;

use super::{
    parse::Feed,
    policy::{After, Before},
};
use crate::{
    http::Validators,
    store::{Database, DatabaseError, recurring::Parameter, transaction::run},
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
