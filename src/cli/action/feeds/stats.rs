//! `action feeds stats`: how much there is to listen to.

use clap::Args;

use crate::{
    actions::feeds::{by_hand::Named, stats},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::Medium,
};

use super::{Feeds, find};

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
    /// This feed only, by its number or its whole address
    #[arg(long, value_name = "NUMBER|ADDRESS")]
    feed: Option<Named>,
    /// Every feed, not only the 20 that bring most
    #[arg(long)]
    all: bool,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// How many feeds are listed unless all are asked for.
const LISTED: i64 = 20;

impl Stats {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let most = if self.all { i64::MAX } else { LISTED };
        let stats = block_on(async {
            let database = feeds.tables().await?;
            let of = find(&database, self.feed.as_slice()).await?;
            Ok(stats::count(&database, of.first().map(|feed| feed.id), most).await?)
        })?;
        let gone = || Failure::NotFound("it has just been removed".to_owned());
        let stats = stats.ok_or_else(gone)?;
        print(&if self.json {
            stats.json()
        } else {
            stats.text(Medium::of_stdout())
        })?;
        Ok(Exit::Ok)
    }
}
