//! `action feeds show`: all about one feed.

use clap::Args;

use super::{Feeds, find};
use crate::{
    actions::feeds::by_hand::{self, Named},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::{Medium, text::json},
};

/// One feed: how it is, its last fetches, its newest episodes
///
/// Its address is shown without what may be secret in it; `--json` has it whole.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe: labels and texts; then a line for each fetch: `fetch`, when, status, seconds, bytes, +added ~changed -vanished, error; and
for each episode: `episode`, when, seconds, title.

Examples:
  crontabber action feeds show 17
  crontabber action feeds show https://example.com/podcast.xml --json

Exit codes: 0; 1 there is no such feed; 64 usage; 69 no database.")]
pub(super) struct Show {
    /// Its number, as `list` has it, or its whole address
    #[arg(value_name = "NUMBER|ADDRESS")]
    feed: Named,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let shown = block_on(async {
            let database = feeds.tables().await?;
            let found = find(&database, std::slice::from_ref(&self.feed)).await?;
            match found.first() {
                Some(feed) => Ok(by_hand::show(&database, feed.id).await?),
                None => Ok(None),
            }
        })?;
        let gone = || Failure::NotFound("it has just been removed".to_owned());
        let shown = shown.ok_or_else(gone)?;
        print(&if self.json {
            json(&shown)
        } else {
            by_hand::show_text(&shown, Medium::of_stdout())
        })?;
        Ok(Exit::Ok)
    }
}
