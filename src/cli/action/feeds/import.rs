//! `action feeds import`: the feeds of a list.

use clap::Args;

use super::{Feeds, every, input};
use crate::{
    actions::feeds::{parse::outlines, sources},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::text::harmless,
};

/// Adds the feeds of a list: OPML, or a text with an address a line
///
/// What is no address of a feed is told with its line and left out; those that are there already stay as they are. In a text
/// empty lines and those that begin with # say nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds import subscriptions.opml
  grep -h '^https' *.txt | crontabber action feeds import - --every 6h

Exit codes: 0 they are all there now; 1 something was left out, or it is no list; 64 usage; 69 no database; 74 the file cannot be read.")]
pub(super) struct Import {
    /// The file, or `-` for the standard input
    #[arg(value_name = "FILE|-")]
    file: String,
    /// How often those that are new are fetched; a minute at least
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    every: String,
}

impl Import {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let every = every(&self.every)?;
        let body = match self.file.as_str() {
            "-" => input::standard()?,
            name => input::file(name)?,
        };
        let tell = |why: &str| eprintln!("{}", harmless(why));
        let list = match outlines(&body) {
            Ok(list) => list,
            Err(why) => {
                tell(&format!("error: {}: {why}", self.file));
                return Ok(Exit::Failed);
            }
        };
        for remark in list.remarks.listed() {
            tell(&remark.to_string());
        }
        let sorted = sources::of_feeds(list.feeds, "line", tell);
        let added = block_on(async {
            let database = feeds.tables().await?;
            Ok(sources::add(&database, &sorted.feeds, every).await?)
        })?;
        let (added, refused) = (added.len(), sorted.refused);
        let known = sorted.feeds.len() - added;
        print(&format!(
            "{added} added, {known} known, {refused} refused\n"
        ))?;
        Ok(if refused > 0 || !list.remarks.is_empty() {
            Exit::Failed
        } else {
            Exit::Ok
        })
    }
}
