//! `list`: every job and its state.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    exit::Exit,
    plan::State,
    view::{self, Medium, hosts},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// Every job, its state, and why
///
/// In the order of the graph, parents before children; rows that no job of this configuration has (ghosts) come last.
/// In a pipe: one line a job, tabs between the columns, times as in RFC 3339, no header.
#[derive(Debug, Args)]
#[command(after_help = "\
States: ok, ongoing; never_run, due; retrying, failing, blocked, overdue, held, paused; ghost.

Examples:
  crontabber list 'feed_*'                          some of them
  crontabber list --state failing,held              what needs a look
  crontabber list --json | jq -r '.[] | select(.error_count > 0) | .name'")]
pub(super) struct List {
    /// Only these jobs; `*` stands for any text
    glob: Option<String>,
    /// Only jobs in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',', hide_possible_values = true, value_parser = states())]
    state: Vec<State>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

fn states() -> impl TypedValueParser<Value = State> {
    let word = |word: String| State::ALL.into_iter().find(|state| state.as_str() == word);
    PossibleValuesParser::new(State::ALL.map(State::as_str))
        .map(move |name| word(name).expect("one of the possible values"))
}

impl List {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            if let Some(name) = self.glob.as_deref().filter(|glob| !glob.contains('*')) {
                open::subjects(&plan, name)?;
            }
            let last_hosts = hosts::last_of_each(&*view.connection().await?).await?;
            let list = view::list::List {
                plan: &plan,
                last_hosts: &last_hosts,
                glob: self.glob.as_deref(),
                states: &self.state,
            };
            print(&if self.json {
                list.json()
            } else {
                list.text(Medium::of_stdout())
            })?;
            Ok(Exit::Ok)
        })
    }
}
