//! `action feeds list`: the feeds and how they are.

use clap::Args;

use super::Feeds;
use crate::{
    actions::feeds::by_hand::{self, MOST_LISTED},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::{Medium, text::json},
};

/// The feeds, those that need somebody first
///
/// Addresses are shown without what may be secret in them: user, password and query. 10,000 feeds are listed at most.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: number, state, errors, episodes, next fetch, address, title, last error or reason.

Examples:
  crontabber action feeds list --state suspended
  crontabber action feeds list --json

Exit codes: 0; 64 usage; 69 no database.")]
pub(super) struct List {
    /// Those in a state: active, suspended, gone, complete or duplicate
    #[arg(long, value_name = "STATE", value_parser = ["active", "suspended", "gone", "complete", "duplicate"])]
    state: Option<String>,
    /// As an array of objects, with whole addresses (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let mut listed = block_on(async {
            let database = feeds.tables().await?;
            Ok(by_hand::list(&database, self.state.as_deref()).await?)
        })?;
        let are_all = listed.len() <= MOST_LISTED;
        listed.truncate(MOST_LISTED);
        print(&if self.json {
            json(&listed)
        } else {
            by_hand::list_text(&listed, Medium::of_stdout())
        })?;
        if !are_all {
            eprintln!(
                "there are more than these {MOST_LISTED}: --state narrows them down, `crontabber action feeds export \
                 --all` has all of them"
            );
        }
        Ok(Exit::Ok)
    }
}
