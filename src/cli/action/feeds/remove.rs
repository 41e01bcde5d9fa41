//! `action feeds remove`: feeds that nobody wants any more.

use clap::Args;

use super::{Feeds, find};
use crate::{
    actions::feeds::by_hand::{self, Named},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    http::shown_address,
    view::text::{counted, harmless},
};

/// Removes feeds with their episodes and the log of their fetches, without asking
///
/// All of them or, if there is none of one of these names, none. A feed that the job's `feeds`, `opml` or `query` still names
/// is added again by the next pass, without its episodes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds remove 17
  crontabber action feeds remove https://example.com/podcast.xml 18

Exit codes: 0; 1 there is no feed of one of these names: none was removed; 64 usage; 69 no database.")]
pub(super) struct Remove {
    /// Their numbers, as `list` has them, or their whole addresses
    #[arg(required = true, value_name = "NUMBER|ADDRESS")]
    feeds: Vec<Named>,
}

impl Remove {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let removed = block_on(async {
            let database = feeds.tables().await?;
            let found = find(&database, &self.feeds).await?;
            let ids: Vec<i64> = found.iter().map(|feed| feed.id).collect();
            Ok(by_hand::remove(&database, &ids).await?)
        })?;
        for (id, url, episodes) in removed {
            let episodes = counted(usize::try_from(episodes).unwrap_or_default(), "episode");
            let address = shown_address(&url);
            print(&format!(
                "{id}\t{}\tremoved with {episodes}\n",
                harmless(&address)
            ))?;
        }
        Ok(Exit::Ok)
    }
}
