//! `action feeds add`: feeds by their addresses.

use clap::Args;

use super::{Feeds, every, find};
use crate::{
    actions::feeds::{by_hand::Named, parse::Outline, sources},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    http::shown_address,
    view::text::harmless,
};

/// Adds feeds; each is fetched by the next pass
///
/// Those that are there already stay as they are, and are told with their numbers and states.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds add https://example.com/podcast.xml
  crontabber action feeds add https://example.com/news.xml https://example.org/feed --every 30m

Exit codes: 0 they are all there now; 64 one is no address, or the duration is none: nothing was added; 69 no database.")]
pub(super) struct Add {
    /// Their addresses
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// How often they are fetched; a minute at least
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    every: String,
}

impl Add {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let every = every(&self.every)?;
        let outlines = self.addresses.iter().enumerate().map(|(number, address)| {
            let url = sources::of_the_web(address).into_owned();
            sources::check(&url).map_err(Failure::Usage)?;
            let (title, site_url) = (None, None);
            Ok(Outline {
                place: number + 1,
                url,
                title,
                site_url,
            })
        });
        let outlines: Vec<Outline> = outlines.collect::<Result<_, Failure>>()?;
        let (added, found) = block_on(async {
            let database = feeds.tables().await?;
            let added = sources::add(&database, &outlines, every).await?;
            let urls = outlines.iter().map(|outline| outline.url.clone());
            let names: Vec<Named> = urls.map(Named::Address).collect();
            Ok((added, find(&database, &names).await?))
        })?;
        for feed in found {
            let what = if added.contains(&feed.url) {
                "added".to_owned()
            } else {
                format!("is there already: feed {}, {}", feed.id, feed.state)
            };
            let address = shown_address(&feed.url);
            print(&format!("{}\t{what}\n", harmless(&address)))?;
        }
        Ok(Exit::Ok)
    }
}
