//! `action feeds export`: the feeds for another program.

use clap::Args;

use super::Feeds;
use crate::{
    actions::feeds::{by_hand, opml},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
};

/// The feeds as OPML, with their whole addresses
///
/// Passwords and tokens in addresses are part of it: keep the file accordingly.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds export > feeds.opml
  crontabber action feeds export --all | DATABASE_URL=postgresql:///other crontabber action feeds import -

Exit codes: 0; 64 usage; 69 no database.")]
pub(super) struct Export {
    /// Also those that are not fetched any more; who imports the file fetches them again
    #[arg(long)]
    all: bool,
}

impl Export {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        block_on(async {
            let database = feeds.tables().await?;
            let mut some = by_hand::portion(&database, 0, self.all).await?;
            print(opml::BEGINNING)?;
            while let Some((last, _)) = some.last() {
                let outlines: String = some.iter().map(|(_, feed)| opml::outline(feed)).collect();
                print(&outlines)?;
                some = by_hand::portion(&database, *last, self.all).await?;
            }
            print(opml::END)?;
            Ok(Exit::Ok)
        })
    }
}
