//! `action feeds resume`: feeds that were given up, once more.

use clap::Args;

use super::{Feeds, find};
use crate::{
    actions::feeds::by_hand::{self, Found, Named},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    http::shown_address,
    view::text::harmless,
};

/// Fetches feeds again that have been given up
///
/// They are active and due at once, and their failures are forgotten.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds resume 17
  crontabber action feeds resume https://example.com/podcast.xml 18

Exit codes: 0; 1 there is no feed of one of these names: none was resumed; 64 usage; 69 no database.")]
pub(super) struct Resume {
    /// Their numbers, as `list` has them, or their whole addresses
    #[arg(required = true, value_name = "NUMBER|ADDRESS")]
    feeds: Vec<Named>,
}

impl Resume {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let resumed = block_on(async {
            let database = feeds.tables().await?;
            let found = find(&database, &self.feeds).await?;
            let ids: Vec<i64> = found.iter().map(|feed| feed.id).collect();
            by_hand::resume(&database, &ids).await?;
            Ok(found)
        })?;
        for Found { id, url, state } in resumed {
            let address = shown_address(&url);
            print(&format!(
                "{id}\t{}\twas {state}, and is due now\n",
                harmless(&address)
            ))?;
        }
        Ok(Exit::Ok)
    }
}
