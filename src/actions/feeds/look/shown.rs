//! A feed as text and as JSON.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Weekday};
use serde::Serialize;

use super::{Answered, Looked, Source};
use crate::{
    actions::feeds::parse::{Episode, Feed},
    duration::short,
    http::shown_address,
    view::{
        Medium,
        lines::Lines,
        mark::{Mark, Tone},
        table::{Column, Row, render},
        text::{counted, json},
    },
};

/// How many episodes are shown to people.
const EPISODES: usize = 10;

impl Looked {
    /// Labelled lines, the newest episodes, and what was wrong; no address of a feed with what may be secret. In a pipe: the lines, then `episode`, date, seconds and
    /// title of all episodes, tabs between.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let mut lines = Lines::new(medium);
        match &self.source {
            Source::File(name) => lines.line(name),
            Source::Server(answered) => server(answered, &mut lines),
        }
        feed(&self.feed, &mut lines);
        for remark in self.feed.remarks.listed() {
            lines.labelled("remark", &remark.to_string());
        }
        let unlisted = self.feed.remarks.unlisted();
        if unlisted > 0 {
            lines.labelled("remark", &format!("and {unlisted} more"));
        }
        lines.into_text() + &episodes(&self.feed, medium)
    }

    /// An object with everything that would be taken, every episode with it.
    #[must_use]
    pub fn json(&self) -> String {
        let answered = match &self.source {
            Source::Server(answered) => Some(answered),
            Source::File(_) => None,
        };
        let Feed { remarks, .. } = &self.feed;
        json(&Json {
            address: answered.map(|answered| answered.address.as_str()),
            permanent_address: answered.and_then(|answered| answered.permanent_address.as_deref()),
            bytes: answered.map(|answered| answered.bytes),
            requests: answered.map(|answered| answered.requests),
            etag: answered.and_then(|answered| answered.validators.etag.as_deref()),
            last_modified: answered
                .and_then(|answered| answered.validators.last_modified.as_deref()),
            format: self.feed.kind.as_str(),
            title: self.feed.title.as_deref(),
            site_url: self.feed.site_url.as_deref(),
            image_url: self.feed.image_url.as_deref(),
            language: self.feed.language.as_deref(),
            author: self.feed.author.as_deref(),
            moved_to: self.feed.moved_to.as_deref(),
            is_complete: self.feed.is_complete,
            interval_hint_seconds: self.feed.interval_hint.map(|hint| hint.as_secs()),
            skip_hours: &self.feed.skip_hours,
            skip_days: self.feed.skip_days.iter().map(|day| name(*day)).collect(),
            left_out: self.feed.left_out,
            remarks: remarks.listed().iter().map(ToString::to_string).collect(),
            unlisted_remarks: remarks.unlisted(),
            episodes: self.feed.episodes.iter().map(JsonEpisode::of).collect(),
        })
    }
}

fn server(answered: &Answered, lines: &mut Lines) {
    lines.line(&shown_address(&answered.address));
    if answered.address != answered.asked {
        lines.labelled("asked", &shown_address(&answered.asked));
    }
    let permanent = answered.permanent_address.as_deref().map(shown_address);
    lines.labelled("remember", &permanent.unwrap_or_default());
    let requests = counted(answered.requests, "request");
    let bytes = counted(answered.bytes, "byte");
    lines.labelled(
        "answer",
        &format!("{bytes} in {}, {requests}", short(answered.took)),
    );
    lines.labelled("type", answered.content_type.as_deref().unwrap_or_default());
    let validators = [
        ("ETag", &answered.validators.etag),
        ("Last-Modified", &answered.validators.last_modified),
    ];
    let validators = validators.into_iter().filter(|(_, value)| value.is_some());
    let validators: Vec<&str> = validators.map(|(name, _)| name).collect();
    lines.labelled(
        "unchanged by",
        &match validators.as_slice() {
            [] => "nothing: it has to be read whole each time".to_owned(),
            validators => validators.join(", "),
        },
    );
}

fn feed(feed: &Feed, lines: &mut Lines) {
    lines.labelled("format", feed.kind.as_str());
    for (label, text) in [
        ("title", &feed.title),
        ("author", &feed.author),
        ("site", &feed.site_url),
        ("image", &feed.image_url),
        ("language", &feed.language),
        ("moved to", &feed.moved_to.as_deref().map(shown_address)),
    ] {
        lines.labelled(label, text.as_deref().unwrap_or_default());
    }
    if feed.is_complete {
        lines.labelled("complete", "nothing will be added");
    }
    let hint = feed
        .interval_hint
        .map(|hint| format!("not before {}", short(hint)));
    lines.labelled("again", &hint.unwrap_or_default());
    let numbers: Vec<String> = feed.skip_hours.iter().map(ToString::to_string).collect();
    lines.labelled("not at hours", &numbers.join(", "));
    let days: Vec<&str> = feed.skip_days.iter().map(|day| name(*day)).collect();
    lines.labelled("not on", &days.join(", "));
    let timeless = feed
        .episodes
        .iter()
        .filter(|episode| episode.duration.is_none());
    let all = counted(feed.episodes.len(), "episode");
    let some = [
        (timeless.count(), "without a duration"),
        (feed.left_out, "left out"),
    ];
    let some = some.into_iter().filter(|(number, _)| *number > 0);
    let some = some.map(|(number, what)| format!("{number} {what}"));
    let words: Vec<String> = [all].into_iter().chain(some).collect();
    lines.labelled("episodes", &words.join(", "));
}

/// The newest for people, all for programs, the newest first.
fn episodes(feed: &Feed, medium: Medium) -> String {
    let mut newest: Vec<&Episode> = feed.episodes.iter().collect();
    newest.sort_by_key(|episode| std::cmp::Reverse(episode.published));
    let (columns, shown) = match medium {
        Medium::Pipe => (
            vec![
                Column::left(""),
                Column::left(""),
                Column::right(""),
                Column::left(""),
            ],
            newest.len(),
        ),
        Medium::Terminal { .. } => (
            vec![
                Column::left("PUBLISHED"),
                Column::right("DURATION"),
                Column::left("TITLE").yields(0, 20),
            ],
            EPISODES,
        ),
    };
    let rows: Vec<Row> = newest
        .into_iter()
        .take(shown)
        .map(|episode| row(episode, medium))
        .collect();
    render(&columns, &rows, medium)
}

fn row(episode: &Episode, medium: Medium) -> Row {
    let published = |at: Timestamp| match medium {
        Medium::Pipe => at.to_string(),
        Medium::Terminal { .. } => at.strftime("%F %R").to_string(),
    };
    let duration = |seconds: u32| match medium {
        Medium::Pipe => seconds.to_string(),
        Medium::Terminal { .. } => {
            format!(
                "{}:{:02}:{:02}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            )
        }
    };
    let mut cells = vec![
        episode.published.map_or_else(String::new, published),
        episode.duration.map_or_else(String::new, duration),
        episode
            .title
            .clone()
            .or_else(|| episode.guid.clone())
            .unwrap_or_default(),
    ];
    if medium == Medium::Pipe {
        cells.insert(0, "episode".to_owned());
    }
    Row {
        mark: Mark {
            sign: ' ',
            tone: Tone::Plain,
        },
        cells,
    }
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[derive(Serialize)]
struct Json<'a> {
    address: Option<&'a str>,
    permanent_address: Option<&'a str>,
    bytes: Option<usize>,
    requests: Option<usize>,
    etag: Option<&'a str>,
    last_modified: Option<&'a str>,
    format: &'static str,
    title: Option<&'a str>,
    site_url: Option<&'a str>,
    image_url: Option<&'a str>,
    language: Option<&'a str>,
    author: Option<&'a str>,
    moved_to: Option<&'a str>,
    is_complete: bool,
    interval_hint_seconds: Option<u64>,
    skip_hours: &'a [u8],
    skip_days: Vec<&'static str>,
    left_out: usize,
    remarks: Vec<String>,
    unlisted_remarks: usize,
    episodes: Vec<JsonEpisode<'a>>,
}

#[derive(Serialize)]
struct JsonEpisode<'a> {
    key: String,
    guid: Option<&'a str>,
    title: Option<&'a str>,
    summary: Option<&'a str>,
    link: Option<&'a str>,
    enclosure_url: Option<&'a str>,
    enclosure_type: Option<&'a str>,
    enclosure_bytes: Option<u64>,
    duration_seconds: Option<u32>,
    published: Option<Timestamp>,
}

impl<'a> JsonEpisode<'a> {
    fn of(episode: &'a Episode) -> Self {
        let enclosure = episode.enclosure.as_ref();
        Self {
            key: hex(&episode.key),
            guid: episode.guid.as_deref(),
            title: episode.title.as_deref(),
            summary: episode.summary.as_deref(),
            link: episode.link.as_deref(),
            enclosure_url: enclosure.map(|enclosure| enclosure.url.as_str()),
            enclosure_type: enclosure.and_then(|enclosure| enclosure.media_type.as_deref()),
            enclosure_bytes: enclosure.and_then(|enclosure| enclosure.length),
            duration_seconds: episode.duration,
            published: episode.published,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a text takes everything");
    }
    text
}
