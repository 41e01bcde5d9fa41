//! How much there is to listen to.

mod shown;

use std::time::Duration;

use tokio_postgres::{Row, types::Type};

use crate::store::{Database, DatabaseError, limited, recurring::Parameter};

/// What feeds hold, and how much they bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hours {
    /// How many episodes there are.
    pub episodes: i64,
    /// How many of them nobody knows the duration of.
    pub without_duration: i64,
    /// How many hours the others take.
    pub hours: f64,
    /// How many hours come in a week; `None`: there are no two dated episodes a week apart.
    pub hours_per_week: Option<f64>,
}

/// A feed.
#[derive(Debug, Clone, PartialEq)]
pub struct OfFeed {
    /// Its number.
    pub id: i64,
    /// Its title.
    pub title: Option<String>,
    /// What it holds.
    pub hours: Hours,
}

/// Feeds, those that bring most first, and all of them together.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Those that were asked for.
    pub listed: Vec<OfFeed>,
    /// How many feeds there are.
    pub feeds: i64,
    /// How many of them have no rate and are not in that of all.
    pub without_rate: i64,
    /// All together.
    pub total: Hours,
}

/// How long the database may count: some seconds for a million episodes.
const LIMIT: Duration = Duration::from_mins(2);

impl Hours {
    /// How many hours come in a day.
    #[must_use]
    pub fn per_day(&self) -> Option<f64> {
        self.hours_per_week.map(|week| week / 7.0)
    }

    /// How many hours come in a month: a twelfth of 365.25 days.
    #[must_use]
    pub fn per_month(&self) -> Option<f64> {
        self.hours_per_week.map(|week| week * 365.25 / 12.0 / 7.0)
    }
}

/// Counts one feed, or all, and lists so many of them. `None`: there is no such feed.
pub async fn count(
    database: &Database,
    feed: Option<i64>,
    most: i64,
) -> Result<Option<Stats>, DatabaseError> {
    let client = database.get().await?;
    let parameters: [Parameter<'_>; 2] = [(&feed, Type::INT8), (&most, Type::INT8)];
    let asked = client.query_typed(include_str!("sql/stats.sql"), &parameters);
    let rows = limited(LIMIT, client.fuse(), asked).await?;
    let mut listed = Vec::new();
    let mut total = None;
    for row in &rows {
        let hours = hours(row)?;
        match row.try_get("id")? {
            Some(id) => listed.push(OfFeed {
                id,
                title: row.try_get("title")?,
                hours,
            }),
            None => total = Some((row.try_get("feeds")?, row.try_get("without_rate")?, hours)),
        }
    }
    let is_known = feed.is_none() || !listed.is_empty();
    let stats = total.map(|(feeds, without_rate, total)| Stats {
        listed,
        feeds,
        without_rate,
        total,
    });
    Ok(stats.filter(|_| is_known))
}

fn hours(row: &Row) -> Result<Hours, tokio_postgres::Error> {
    Ok(Hours {
        episodes: row.try_get("episodes")?,
        without_duration: row.try_get("without_duration")?,
        hours: row.try_get("hours")?,
        hours_per_week: row.try_get("hours_per_week")?,
    })
}
