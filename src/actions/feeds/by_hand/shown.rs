//! Feeds as text. In a text no address of a feed is whole: what may be secret in it is left out.

use std::time::Duration;

use jiff::Timestamp;

use super::{Fetch, Listed, Newest, Shown};
use crate::{
    duration::short,
    http::shown_address,
    view::{
        Medium,
        lines::Lines,
        mark::{Mark, Tone},
        table::{Column, Row, render},
    },
};

/// A line for each feed.
#[must_use]
pub fn list_text(feeds: &[Listed], medium: Medium) -> String {
    let columns = [
        Column::right("FEED"),
        Column::left("STATE").toned(),
        Column::right("ERRORS"),
        Column::right("EPISODES"),
        Column::left("NEXT FETCH"),
        Column::left("ADDRESS").yields(1, 30),
        Column::left("TITLE").yields(0, 16),
        Column::left("WHY").yields(2, 30),
    ];
    let rows: Vec<Row> = feeds.iter().map(|feed| row(feed, medium)).collect();
    render(&columns, &rows, medium)
}

fn row(feed: &Listed, medium: Medium) -> Row {
    let why = feed.last_error.as_ref().or(feed.reason.as_ref());
    Row {
        mark: mark(feed),
        cells: vec![
            feed.id.to_string(),
            feed.state.clone(),
            feed.error_count.to_string(),
            feed.episodes.to_string(),
            when(feed.next_fetch, medium),
            shown_address(&feed.url),
            feed.title.clone().unwrap_or_default(),
            why.cloned().unwrap_or_default(),
        ],
    }
}

fn mark(feed: &Listed) -> Mark {
    let (sign, tone) = match (feed.state.as_str(), feed.error_count) {
        ("active", 0) => (' ', Tone::Well),
        ("active" | "complete" | "duplicate", _) => (' ', Tone::Odd),
        _ => ('!', Tone::Bad),
    };
    Mark { sign, tone }
}

/// Labelled lines, its last fetches, its newest episodes. In a pipe the rows of the two begin with `fetch` and `episode`.
#[must_use]
pub fn show_text(feed: &Shown, medium: Medium) -> String {
    let mut lines = Lines::new(medium);
    let listed = &feed.listed;
    lines.line(&format!(
        "feed {}  {}",
        listed.id,
        shown_address(&listed.url)
    ));
    let reason = listed.reason.as_ref();
    let state = reason.map(|reason| format!("{}: {reason}", listed.state));
    lines.labelled("state", &state.unwrap_or_else(|| listed.state.clone()));
    let status = feed.last_status.map(|status| status.to_string());
    let validators = [("ETag", &feed.etag), ("Last-Modified", &feed.last_modified)];
    let validators = validators.into_iter();
    let validators =
        validators.filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let validators: Vec<String> = validators.collect();
    let number = |number: i64| {
        Some(number)
            .filter(|number| *number > 0)
            .map(|number| number.to_string())
    };
    let text = Option::unwrap_or_default;
    for (label, what) in [
        (
            "duplicate of",
            text(feed.duplicate_of.map(|id| format!("feed {id}"))),
        ),
        ("errors", text(number(listed.error_count.into()))),
        ("last error", text(listed.last_error.clone())),
        ("last fetch", when(feed.last_fetch, medium)),
        ("last status", text(status)),
        ("last success", when(listed.last_success, medium)),
        ("last change", when(feed.last_change, medium)),
        ("next fetch", when(listed.next_fetch, medium)),
        ("every", short(listed.every)),
        ("kind", text(feed.kind.clone())),
        ("title", text(listed.title.clone())),
        ("author", text(feed.author.clone())),
        ("site", text(feed.site_url.clone())),
        ("image", text(feed.image_url.clone())),
        ("language", text(feed.language.clone())),
        ("unchanged by", validators.join(", ")),
        ("added", when(Some(feed.created_at), medium)),
        ("episodes", listed.episodes.to_string()),
        (
            "vanished",
            text(number(feed.vanished).map(|number| format!("{number} of them"))),
        ),
    ] {
        lines.labelled(label, &what);
    }
    lines.into_text() + &fetches(&feed.fetches, medium) + &episodes(&feed.newest, medium)
}

fn fetches(fetches: &[Fetch], medium: Medium) -> String {
    let columns = [
        Column::left("FETCHED"),
        Column::right("STATUS"),
        Column::right("TOOK"),
        Column::right("BYTES"),
        Column::left("EPISODES"),
        Column::left("ERROR").yields(0, 30),
    ];
    let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
    let rows = fetches.iter().map(|fetch| {
        let changes = |added| {
            let [changed, vanished] =
                [fetch.changed, fetch.vanished].map(Option::unwrap_or_default);
            format!("+{added} ~{changed} -{vanished}")
        };
        let took = |took: Duration| match medium {
            Medium::Pipe => took.as_secs_f64().to_string(),
            Medium::Terminal { .. } => format!("{:.1}s", took.as_secs_f64()),
        };
        vec![
            when(Some(fetch.at), medium),
            number(fetch.status.map(i64::from)),
            fetch.took.map_or_else(String::new, took),
            number(fetch.bytes),
            fetch.added.map_or_else(String::new, changes),
            fetch.error.clone().unwrap_or_default(),
        ]
    });
    part("fetch", &columns, rows, medium)
}

fn episodes(episodes: &[Newest], medium: Medium) -> String {
    let columns = [
        Column::left("PUBLISHED"),
        Column::right("SECONDS"),
        Column::left("TITLE").yields(0, 20),
    ];
    let rows = episodes.iter().map(|episode| {
        let seconds = episode.duration.map(|seconds| seconds.to_string());
        let title = episode.title.clone().or_else(|| episode.guid.clone());
        vec![
            when(episode.published, medium),
            seconds.unwrap_or_default(),
            title.unwrap_or_default(),
        ]
    });
    part("episode", &columns, rows, medium)
}

/// A table among others: in a pipe each row begins with what it is one of.
fn part(
    of: &str,
    columns: &[Column],
    rows: impl Iterator<Item = Vec<String>>,
    medium: Medium,
) -> String {
    let mark = Mark {
        sign: ' ',
        tone: Tone::Plain,
    };
    let rows: Vec<Row> = rows
        .map(|mut cells| {
            if medium == Medium::Pipe {
                cells.insert(0, of.to_owned());
            }
            Row { mark, cells }
        })
        .collect();
    render(columns, &rows, medium)
}

fn when(at: Option<Timestamp>, medium: Medium) -> String {
    at.map_or_else(String::new, |at| match medium {
        Medium::Pipe => at.to_string(),
        Medium::Terminal { .. } => at.strftime("%F %R").to_string(),
    })
}
