//! `hosts`: who passed when, and on what they disagree.

use clap::Args;
use futures_util::join;

use crate::{
    exit::Exit,
    place::Seen,
    store::{hosts, identity},
    view::{
        Medium, Times,
        hosts::{Agreement, Hosts as View},
        text::harmless,
    },
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
    who::who,
};

/// The hosts: who passed when, and on what they disagree
///
/// A host is live for 15 minutes after it has announced itself, which its passes do every 5 minutes; put `crontabber tick` into its crontab for every minute. CLOCK is how far its clock is from the database's; only the database's decides. CONFIG is a hash of its configuration files. KIND is `daemon` and for how long, or `passes`. A host that is drained takes no work. Below the table: hosts that are drained, that go on with an older configuration because the new one has a mistake, or whose name another daemon uses; jobs that no live host may run, jobs by which live hosts mean different things, jobs that only some of them know, and which database this is.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: host, live, drained or silent, seen, version, tags, clock (seconds ahead), configuration, jobs,
ongoing runs, daemon or passes, what the daemon was doing; what is below the table is in --json.

Exit codes: 1 the host is not forgotten, because it is live or a run of it is; 64 no host has this name.

Examples:
  crontabber hosts                                       what a deploy has reached
  crontabber hosts --json | jq -r '.disagreements[].name'
  crontabber hosts --forget db1                          when db1 is gone for good")]
pub(super) struct Hosts {
    /// Also hosts that have been silent for more than a day
    #[arg(long)]
    all: bool,
    /// Remove the row of a host that is gone; it comes back when it passes again
    #[arg(long, value_name = "NAME", conflicts_with_all = ["all", "json"])]
    forget: Option<String>,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Hosts {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            match &self.forget {
                Some(name) => forget(&view, name).await,
                None => self.show(&view).await,
            }
        })
    }

    async fn show(&self, view: &open::View) -> Result<Exit, Failure> {
        let plan = view.plan();
        let live = plan.hosts.iter().filter(|seen| seen.is_live(plan.now));
        let live: Vec<&str> = live.map(|seen| seen.place.host.as_str()).collect();
        let client = view.connection().await?;
        let (announced, meanings, database) = join!(
            hosts::announced(&client),
            hosts::meanings(&client, &live),
            identity::identity(&client),
        );
        let hosts = View {
            plan: &plan,
            announced: &announced?,
            agreement: &Agreement::of(meanings?),
            database: &database?,
            all: self.all,
        };
        print(&if self.json {
            hosts.json()
        } else {
            hosts.text(Medium::of_stdout())
        })?;
        Ok(Exit::Ok)
    }
}

async fn forget(view: &open::View, name: &str) -> Result<Exit, Failure> {
    let plan = view.plan();
    let known = open::host(&plan, name)?;
    let here = view.place.host.as_str();
    let by = (who(here), here);
    let times = Times {
        now: plan.now,
        medium: Medium::of_stdout(),
    };
    let forgotten = hosts::forget(&view.database, name, (&by.0, by.1), None).await?;
    let Some(seen_at) = forgotten else {
        eprintln!("not forgotten: {}", refusal(known, &times));
        return Ok(Exit::Failed);
    };
    print(&format!(
        "forgot {}, seen last {}; it comes back when it passes again\n",
        harmless(name),
        times.both(seen_at)
    ))?;
    Ok(Exit::Ok)
}

/// Why a host is not forgotten.
fn refusal(known: &Seen, times: &Times) -> String {
    let host = harmless(&known.place.host);
    if known.is_live(times.now) {
        let seen = times.both(known.at);
        format!(
            "{host} is live, seen last {seen}; stop its passes (its crontab line, its timer), and forget it a quarter of \
             an hour later"
        )
    } else {
        format!("{host} has a run under a lease, or has just passed; see `crontabber ongoing`")
    }
}
