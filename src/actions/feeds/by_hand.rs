//! What people ask of the tables and change in them: feeds found by what somebody types, listed, shown, resumed, removed,
//! handed on.

use std::str::FromStr;

use thiserror::Error;
use tokio_postgres::types::Type;

use super::parse::Outline;
use crate::{
    http::shown_address,
    store::{Database, DatabaseError, recurring::Parameter, transaction::run},
};

// What is asked for to be seen.
mod rows;
// The same as text and as JSON.
mod shown;

pub use rows::{Fetch, Listed, MOST_LISTED, Newest, Shown, list, show};
pub use shown::{list_text, show_text};

/// A feed as somebody types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its number.
    Number(i64),
    /// By its address.
    Address(String),
}

/// Neither a number nor an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "neither the number of a feed nor its address (https://...): `crontabber action feeds list` shows both"
)]
pub struct NoName;

impl FromStr for Named {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let text = text.trim();
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.contains("://") => Ok(Self::Address(text.to_owned())),
            Err(_) => Err(NoName),
        }
    }
}

/// Why nothing was found, and so nothing was changed.
#[derive(Debug, Error)]
pub enum NotFound {
    /// There is no feed of this name, the first that was looked for in vain.
    #[error("there is no feed {0}: `crontabber action feeds list` says which there are")]
    Unknown(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A feed that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub url: String,
    /// Its state, as the table has it.
    pub state: String,
}

/// How many feeds are read at once to be handed on.
const PORTION: i64 = 1_000;

/// The feeds of these names, in that order; all of them or none.
pub async fn find(database: &Database, names: &[Named]) -> Result<Vec<Found>, NotFound> {
    let numbers: Vec<Option<i64>> = names
        .iter()
        .map(|name| match name {
            Named::Number(number) => Some(*number),
            Named::Address(_) => None,
        })
        .collect();
    let addresses: Vec<Option<&str>> = names
        .iter()
        .map(|name| match name {
            Named::Number(_) => None,
            Named::Address(address) => Some(address.as_str()),
        })
        .collect();
    let parameters: [Parameter<'_>; 2] =
        [(&numbers, Type::INT8_ARRAY), (&addresses, Type::TEXT_ARRAY)];
    let rows = run(database, include_str!("sql/find.sql"), &parameters).await?;
    let mut found = Vec::new();
    for (row, name) in rows.iter().zip(names) {
        let id = row
            .try_get::<_, Option<i64>>("id")
            .map_err(DatabaseError::from)?;
        let Some(id) = id else {
            return Err(NotFound::Unknown(name.shown()));
        };
        found.push(Found {
            id,
            url: row.try_get("url").map_err(DatabaseError::from)?,
            state: row.try_get("state").map_err(DatabaseError::from)?,
        });
    }
    Ok(found)
}

impl Named {
    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Address(address) => format!("with the address `{}`", shown_address(address)),
        }
    }
}

/// Makes these active again and due at once.
pub async fn resume(database: &Database, ids: &[i64]) -> Result<(), DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&ids, Type::INT8_ARRAY)];
    run(database, include_str!("sql/resume.sql"), &parameters).await?;
    Ok(())
}

/// Removes these with all that belongs to them; gives back what was there: number, address, episodes. One that somebody
/// else has removed meanwhile is not among them.
pub async fn remove(
    database: &Database,
    ids: &[i64],
) -> Result<Vec<(i64, String, i64)>, DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&ids, Type::INT8_ARRAY)];
    let rows = run(database, include_str!("sql/remove.sql"), &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("id")?,
                row.try_get("url")?,
                row.try_get("episodes")?,
            ))
        })
        .collect()
}

/// A part of the feeds, to be handed on, after this one; empty: there are no more. With each the number to go on after.
pub async fn portion(
    database: &Database,
    after: i64,
    all: bool,
) -> Result<Vec<(i64, Outline)>, DatabaseError> {
    let parameters: [Parameter<'_>; 3] = [
        (&after, Type::INT8),
        (&all, Type::BOOL),
        (&PORTION, Type::INT8),
    ];
    let rows = run(database, include_str!("sql/export.sql"), &parameters).await?;
    let feeds = rows.iter().enumerate().map(|(number, row)| {
        let outline = Outline {
            place: number + 1,
            url: row.try_get("url")?,
            title: row.try_get("title")?,
            site_url: row.try_get("site_url")?,
        };
        Ok((row.try_get("id")?, outline))
    });
    feeds.collect()
}
