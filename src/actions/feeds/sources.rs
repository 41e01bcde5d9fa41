//! Where feeds come from: addresses in the job's table, an OPML file, a query; by hand lists of both kinds.
//!
//! All of them only add. A feed that its source does not name any more stays: whoever has lost a list must not lose the
//! episodes, too.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::Duration,
};

use reqwest::Url;
use thiserror::Error;
use tokio_postgres::types::Type;

use super::{
    parse::{MOST_OUTLINES, Outline, outlines},
    table::Table,
};
use crate::{
    store::{Database, DatabaseError, recurring::Parameter, transaction::run},
    view::text::{clip, counted, harmless},
};

// What a query gives.
mod query;

/// Why a source of the job's table gives nothing.
#[derive(Debug, Error)]
pub enum NoSource {
    /// The file is not there, or no OPML.
    #[error("`opml` of the job's table: {0}")]
    Opml(String),
    /// The query is wrong.
    #[error("`query` of the job's table: {0}")]
    Query(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// The longest list of feeds in a file, in bytes.
pub const LONGEST: u64 = 64 << 20;

/// The longest address of a feed, in bytes, as the table has it.
const LONGEST_ADDRESS: usize = 8 << 10;

/// How many feeds are added in one statement.
const AT_ONCE: usize = 5_000;

/// How many of what is refused are told one by one.
const TOLD: usize = 10;

/// The feeds of all sources that a job's table names, with a word to `tell` about what is wrong with them.
pub async fn wanted(
    database: &Database,
    table: &Table,
    mut tell: impl FnMut(&str),
) -> Result<Vec<Outline>, NoSource> {
    let listed = table.feeds.iter().enumerate().map(|(number, url)| Outline {
        place: number + 1,
        url: url.trim().to_owned(),
        title: None,
        site_url: None,
    });
    let mut wanted = of_feeds(listed.collect(), "`feeds`: entry", &mut tell).feeds;
    if let Some(path) = &table.opml {
        let read = opml(Path::new(path), &mut tell);
        wanted.extend(read.map_err(NoSource::Opml)?);
    }
    if let Some(sql) = &table.query {
        let rows = query::addresses(database, sql).await?;
        if rows.len() > MOST_OUTLINES {
            tell("`query`: more than 100,000 rows: the rest is left out");
        }
        let rows = rows.into_iter().take(MOST_OUTLINES).enumerate();
        let rows = rows.map(|(number, url)| Outline {
            place: number + 1,
            url: url.trim().to_owned(),
            title: None,
            site_url: None,
        });
        wanted.extend(of_feeds(rows.collect(), "`query`: row", &mut tell).feeds);
    }
    Ok(wanted)
}

/// The feeds of an OPML file; or why there are none, with the name of the file.
fn opml(path: &Path, tell: &mut impl FnMut(&str)) -> Result<Vec<Outline>, String> {
    let shown = path.display().to_string();
    let shown = harmless(&shown);
    let unread = |why: &dyn std::fmt::Display| format!("`{shown}` cannot be read: {why}");
    // Who opens a pipe waits for a writer that may never come.
    let is_file = fs::metadata(path)
        .map_err(|error| unread(&error))?
        .is_file();
    if !is_file {
        return Err(unread(&"it is no file"));
    }
    let body = read(path).map_err(|error| unread(&error))?;
    if !body.contains(&b'<') {
        return Err(format!("`{shown}` is no OPML"));
    }
    let list = outlines(&body).map_err(|why| format!("`{shown}`: {why}"))?;
    for remark in list.remarks.listed() {
        tell(&format!("`opml`: {remark}"));
    }
    Ok(of_feeds(list.feeds, "`opml`: line", tell).feeds)
}

/// A whole file, if it is not too long.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    bounded(File::open(path)?)
}

/// All that there is to read, if it is not too long.
pub fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut body)?;
    if body.len() as u64 > LONGEST {
        let why = format!("it has more than {} MiB", LONGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(body)
}

/// A list of feeds, with what is none taken out.
#[derive(Debug)]
pub struct Sorted {
    /// Those with an address of a feed.
    pub feeds: Vec<Outline>,
    /// How many others there were.
    pub refused: usize,
}

/// Takes out what is no address of a feed. Some are told one by one, in words that begin with `unit` and their place.
pub fn of_feeds(outlines: Vec<Outline>, unit: &str, mut tell: impl FnMut(&str)) -> Sorted {
    let mut refused = 0;
    let mut feeds = outlines;
    for outline in &mut feeds {
        if let Cow::Owned(url) = of_the_web(&outline.url) {
            outline.url = url;
        }
    }
    feeds.retain(|outline| {
        let Err(why) = check(&outline.url) else {
            return true;
        };
        refused += 1;
        if refused <= TOLD {
            tell(&format!("{unit} {}: {why}: left out", outline.place));
        }
        false
    });
    if refused > TOLD {
        let more = counted(refused - TOLD, "more");
        let more = more.trim_end_matches('s');
        tell(&format!("{unit}s: {more} like these are left out"));
    }
    Sorted { feeds, refused }
}

/// The address that is meant by one that asks a program to subscribe: `feed:https://...`, `feed://...`, and `itpc:` or
/// `pcast:` for `feed:`, which Apple's programs have made up. The short form is of http.
#[must_use]
pub fn of_the_web(address: &str) -> Cow<'_, str> {
    const SUBSCRIBE: [&str; 3] = ["feed", "itpc", "pcast"];
    let Some((scheme, rest)) = address.split_once(':') else {
        return address.into();
    };
    if !SUBSCRIBE
        .iter()
        .any(|word| scheme.eq_ignore_ascii_case(word))
    {
        return address.into();
    }
    match rest.strip_prefix("//") {
        // Some write both.
        Some(rest) if rest.starts_with("http:") || rest.starts_with("https:") => rest.to_owned(),
        Some(rest) => format!("http://{rest}"),
        None => rest.to_owned(),
    }
    .into()
}

/// Whether a feed can have this address: one of http or https, that the table can hold; or why not.
pub fn check(address: &str) -> Result<(), String> {
    if address.len() > LONGEST_ADDRESS {
        return Err("an address has 8 KiB at most".to_owned());
    }
    let url = Url::parse(address).ok().filter(Url::has_host);
    let is_asked = url.is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_asked && !address.contains(char::is_control) {
        return Ok(());
    }
    // A password may be before the last `@`, a token behind the first `?`.
    let shown = address.split(['?', '#']).next().unwrap_or_default();
    let shown = match shown.rsplit_once('@') {
        Some((_, rest)) => format!("...@{rest}"),
        None => shown.to_owned(),
    };
    let shown = harmless(&shown);
    let shown = clip(&shown, 100);
    Err(format!("`{shown}` is no address of a feed (https://...)"))
}

/// Adds feeds that are not known yet; gives back the addresses of those.
pub async fn add(
    database: &Database,
    feeds: &[Outline],
    every: Duration,
) -> Result<Vec<String>, DatabaseError> {
    let every = every.as_secs_f64();
    let mut added = Vec::new();
    for some in feeds.chunks(AT_ONCE) {
        let urls: Vec<&str> = some.iter().map(|feed| feed.url.as_str()).collect();
        let titles: Vec<_> = some.iter().map(|feed| feed.title.as_deref()).collect();
        let sites: Vec<_> = some.iter().map(|feed| feed.site_url.as_deref()).collect();
        let parameters: [Parameter<'_>; 4] = [
            (&urls, Type::TEXT_ARRAY),
            (&titles, Type::TEXT_ARRAY),
            (&sites, Type::TEXT_ARRAY),
            (&every, Type::FLOAT8),
        ];
        let rows = run(database, include_str!("sql/add.sql"), &parameters).await?;
        for row in &rows {
            added.push(row.try_get("url")?);
        }
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_subscribe_to_is_the_address_of_the_feed() {
        let vectors = [
            ("feed:https://example.com/a", "https://example.com/a"),
            ("feed://example.com/a?b=c:d", "http://example.com/a?b=c:d"),
            ("feed://https://example.com/a", "https://example.com/a"),
            ("FEED://example.com/", "http://example.com/"),
            ("itpc://example.com/a", "http://example.com/a"),
            ("pcast:http://example.com/a", "http://example.com/a"),
            ("https://example.com/feed:a", "https://example.com/feed:a"),
            ("feeds://example.com/", "feeds://example.com/"),
            ("feed", "feed"),
        ];
        for (written, meant) in vectors {
            assert_eq!(of_the_web(written), meant, "{written}");
        }
    }

    #[test]
    fn what_is_still_no_address_of_the_web_is_left_out() {
        let outline = |url: &str| Outline {
            place: 1,
            url: url.to_owned(),
            title: None,
            site_url: None,
        };
        let written = ["feed:file:///etc/passwd", "feed://example.com/", "feed:"];
        let sorted = of_feeds(written.map(outline).into(), "line", |_| {});
        assert_eq!(
            (sorted.feeds, sorted.refused),
            (vec![outline("http://example.com/")], 2)
        );
    }
}
