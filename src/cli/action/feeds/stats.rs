//! `action feeds stats`: how much there is to listen to.

use clap::Args;

use crate::{
    actions::feeds::{stats, store},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::Medium,
};

use super::Feeds;

/// How many hours of listening come a day, a week and a month, of each feed and in all
///
/// What a feed brings is the duration of its episodes over the time between the oldest and the newest of them. A feed
/// without two dated episodes a week apart has no rate and is not in that of all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds stats
  crontabber action feeds stats --feed 17 --json

In a pipe the columns are: number, episodes, share without a duration, hours, hours a day, a week, a month, title; the
last line is `all`.")]
pub(super) struct Stats {
    /// This feed only, by its number
    #[arg(long, value_name = "NUMBER")]
    feed: Option<i64>,
    /// Every feed, not only the 20 that bring most
    #[arg(long)]
    all: bool,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// How many feeds are listed unless all are asked for.
const LISTED: i64 = 20;

impl Feeds {
    pub(super) fn stats(&self, asked: &Stats) -> Result<Exit, Failure> {
        let database = self.database(1)?;
        let most = if asked.all { i64::MAX } else { LISTED };
        let stats = block_on(async {
            store::prepare(&database).await?;
            Ok(stats::count(&database, asked.feed, most).await?)
        })?;
        let Some(stats) = stats else {
            let number = asked.feed.unwrap_or_default();
            return Err(Failure::Usage(format!(
                "there is no feed {number}: `crontabber action feeds list` has their numbers"
            )));
        };
        print(&if asked.json {
            stats.json()
        } else {
            stats.text(Medium::of_stdout())
        })?;
        Ok(Exit::Ok)
    }
}
