//! `ongoing`: what runs now.

use clap::Args;

use crate::{
    exit::Exit,
    view::{Medium, ongoing},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// What runs now, where, and since when
///
/// On every host, the longest run first; also runs of jobs that this configuration does not know. A run of a Python host is shown with host `python`; it has no lease.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: run, job, host, since, for (seconds), lease until, attempt.")]
pub(super) struct Ongoing {
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Ongoing {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            print(&if self.json {
                ongoing::json(&plan)
            } else {
                ongoing::text(&plan, Medium::of_stdout())
            })?;
            Ok(Exit::Ok)
        })
    }
}
