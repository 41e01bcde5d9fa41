//! The hours as a table and as JSON.

use serde::Serialize;

use super::{Hours, OfFeed, Stats};
use crate::view::{
    Medium,
    mark::{Mark, Tone},
    table::{Column, Row, render},
    text::{counted, json},
};

impl Stats {
    /// A line a feed, and all of them together last. In a pipe the columns are those of the header, which is not there.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let columns = [
            Column::right("FEED"),
            Column::right("EPISODES"),
            Column::right("NO DURATION"),
            Column::right("HOURS"),
            Column::right("A DAY"),
            Column::right("A WEEK"),
            Column::right("A MONTH"),
            Column::left("TITLE").yields(1, 20),
        ];
        let feeds = self.listed.iter().map(|feed| {
            let title = feed.title.clone().unwrap_or_default();
            row(feed.id.to_string(), &feed.hours, title)
        });
        let rows: Vec<Row> = feeds
            .chain([row("all".to_owned(), &self.total, self.in_words(medium))])
            .collect();
        render(&columns, &rows, medium)
    }

    /// What the line of all of them is about.
    fn in_words(&self, medium: Medium) -> String {
        let number = |count: i64| usize::try_from(count).unwrap_or_default();
        let unlisted = number(self.feeds).saturating_sub(self.listed.len());
        let parts = [
            Some(counted(number(self.feeds), "feed")),
            (self.without_rate > 0).then(|| format!("{} without a rate", self.without_rate)),
            (unlisted > 0 && medium.is_terminal())
                .then(|| format!("{unlisted} not listed without --all")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// An object with the feeds and all of them together.
    #[must_use]
    pub fn json(&self) -> String {
        let feed = |feed: &OfFeed| JsonFeed {
            id: feed.id,
            title: feed.title.clone(),
            hours: JsonHours::of(&feed.hours),
        };
        json(&Json {
            feeds: self.listed.iter().map(feed).collect(),
            total: JsonTotal {
                feeds: self.feeds,
                without_rate: self.without_rate,
                hours: JsonHours::of(&self.total),
            },
        })
    }
}

fn row(name: String, hours: &Hours, title: String) -> Row {
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{rate:.2}"));
    Row {
        mark: Mark {
            sign: ' ',
            tone: Tone::Plain,
        },
        cells: vec![
            name,
            hours.episodes.to_string(),
            share(hours),
            format!("{:.1}", hours.hours),
            rate(hours.per_day()),
            rate(hours.hours_per_week),
            rate(hours.per_month()),
            title,
        ],
    }
}

/// How many of the episodes have no duration; never 0 % where there is one.
fn share(hours: &Hours) -> String {
    if hours.without_duration == 0 {
        return "0%".to_owned();
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share of episodes, not of atoms"
    )]
    let percent = hours.without_duration as f64 * 100.0 / hours.episodes.max(1) as f64;
    if percent < 1.0 {
        return "<1%".to_owned();
    }
    format!("{percent:.0}%")
}

#[derive(Serialize)]
struct Json {
    feeds: Vec<JsonFeed>,
    total: JsonTotal,
}

#[derive(Serialize)]
struct JsonFeed {
    id: i64,
    title: Option<String>,
    #[serde(flatten)]
    hours: JsonHours,
}

#[derive(Serialize)]
struct JsonTotal {
    feeds: i64,
    without_rate: i64,
    #[serde(flatten)]
    hours: JsonHours,
}

#[derive(Serialize)]
struct JsonHours {
    episodes: i64,
    without_duration: i64,
    hours: f64,
    hours_per_day: Option<f64>,
    hours_per_week: Option<f64>,
    hours_per_month: Option<f64>,
}

impl JsonHours {
    /// To four decimals: a third of a second.
    fn of(hours: &Hours) -> Self {
        let round = |hours: f64| (hours * 10_000.0).round() / 10_000.0;
        Self {
            episodes: hours.episodes,
            without_duration: hours.without_duration,
            hours: round(hours.hours),
            hours_per_day: hours.per_day().map(round),
            hours_per_week: hours.hours_per_week.map(round),
            hours_per_month: hours.per_month().map(round),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(without_duration: i64, hours_per_week: Option<f64>) -> Hours {
        Hours {
            episodes: 200,
            without_duration,
            hours: 70.0,
            hours_per_week,
        }
    }

    #[test]
    fn all_of_them_stand_below_the_feeds_and_no_rate_is_no_number() {
        let feed = |id, title: &str, hours| OfFeed {
            id,
            title: Some(title.to_owned()),
            hours,
        };
        let stats = Stats {
            listed: vec![
                feed(7, "Nights", hours(1, Some(3.5))),
                feed(12, "Days", hours(50, None)),
            ],
            feeds: 3,
            without_rate: 1,
            total: hours(0, Some(3.5)),
        };
        let medium = Medium::Terminal {
            width: 120,
            colour: false,
        };
        let expected = "  FEED  EPISODES  NO DURATION  HOURS  A DAY  A WEEK  A MONTH  TITLE
     7       200          <1%   70.0   0.50    3.50    15.22  Nights
    12       200          25%   70.0      –       –        –  Days
   all       200           0%   70.0   0.50    3.50    15.22  3 feeds, 1 without a rate, 1 not listed without --all
";
        assert_eq!(stats.text(medium), expected);
    }
}
