//! `action feeds add`: feeds by their addresses.

use std::time::Duration;

use clap::Args;

use super::Feeds;
use crate::{
    actions::feeds::store,
    cli::{fail::Failure, open::block_on, print},
    duration,
    exit::Exit,
    view::text::harmless,
};

/// Adds feeds; each is fetched by the next pass
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Their addresses
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// How often they are fetched
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    every: String,
}

impl Add {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let every = duration::parse(&self.every).map_err(|_| {
            Failure::Usage(format!(
                "`{}` is no duration such as 6h",
                harmless(&self.every)
            ))
        })?;
        if every < Duration::from_mins(1) {
            return Err(Failure::Usage(
                "a feed is fetched every minute at most".to_owned(),
            ));
        }
        let strange = self
            .addresses
            .iter()
            .find(|address| !(address.starts_with("http://") || address.starts_with("https://")));
        if let Some(strange) = strange {
            let strange = harmless(strange);
            return Err(Failure::Usage(format!(
                "`{strange}` is no address of a feed: https://..."
            )));
        }
        let database = feeds.database(1)?;
        let added = block_on(async {
            store::prepare(&database).await?;
            Ok(store::add(&database, &self.addresses, every).await?)
        })?;
        for address in &self.addresses {
            let what = if added.contains(address) {
                "added"
            } else {
                "is there already"
            };
            print(&format!("{}\t{what}\n", harmless(address)))?;
        }
        Ok(Exit::Ok)
    }
}
