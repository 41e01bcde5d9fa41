//! `action feeds list`: the feeds and how they are.

use clap::Args;
use jiff::Timestamp;

use super::Feeds;
use crate::{
    actions::feeds::store::{self, Listed},
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    view::{
        Medium,
        mark::{Mark, Tone},
        table::{Column, Row, render},
    },
};

/// The feeds, those that need somebody first
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: number, state, errors, episodes, next fetch, address, title, reason or last error.")]
pub(super) struct List {
    /// Those in a state: active, suspended, gone, complete or duplicate
    #[arg(long, value_name = "STATE", value_parser = ["active", "suspended", "gone", "complete", "duplicate"])]
    state: Option<String>,
}

impl List {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let database = feeds.database(1)?;
        let listed = block_on(async {
            store::prepare(&database).await?;
            Ok(store::list(&database, self.state.as_deref()).await?)
        })?;
        let columns = [
            Column::right("FEED"),
            Column::left("STATE").toned(),
            Column::right("ERRORS"),
            Column::right("EPISODES"),
            Column::left("NEXT FETCH"),
            Column::left("ADDRESS").yields(1, 30),
            Column::left("TITLE").yields(0, 16),
            Column::left("WHY").yields(2, 30),
        ];
        let medium = Medium::of_stdout();
        let rows: Vec<Row> = listed.iter().map(|feed| row(feed, medium)).collect();
        print(&render(&columns, &rows, medium))?;
        Ok(Exit::Ok)
    }
}

fn row(feed: &Listed, medium: Medium) -> Row {
    let is_active = feed.state == "active";
    let next = |at: Timestamp| match medium {
        Medium::Pipe => at.to_string(),
        Medium::Terminal { .. } => at.strftime("%F %R").to_string(),
    };
    let (sign, tone) = match (feed.state.as_str(), feed.errors) {
        ("active", 0) => (' ', Tone::Well),
        ("active" | "complete" | "duplicate", _) => (' ', Tone::Odd),
        _ => ('!', Tone::Bad),
    };
    let why = feed.last_error.as_ref().or(feed.reason.as_ref());
    Row {
        mark: Mark { sign, tone },
        cells: vec![
            feed.id.to_string(),
            feed.state.clone(),
            feed.errors.to_string(),
            feed.episodes.to_string(),
            if is_active {
                next(feed.next_fetch)
            } else {
                String::new()
            },
            feed.url.clone(),
            feed.title.clone().unwrap_or_default(),
            why.cloned().unwrap_or_default(),
        ],
    }
}
