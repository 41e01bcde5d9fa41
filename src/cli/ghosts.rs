//! `ghosts [--remove]`: rows that no job of this configuration has.

use clap::Args;

use crate::{
    control::{self, Removal},
    exit::Exit,
    spec::{JobName, JobSpec, on_host},
    view::{Medium, changes::Verb, ghosts},
};

use super::{
    Global,
    change::tell,
    fail::Failure,
    names::{Among, resolve},
    open::{View, block_on},
    print,
    who::Author,
};

/// Rows that no job of this configuration has
///
/// What is left of jobs that were renamed or taken out, or is some other host's. With who knows them: the hosts that have
/// announced such a job within a day, and `python` where a host of crontabber 0.18 has run it within a day.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: job, last run, errors, where, next run, known by.
Exit codes: 0 there are none (or: they were removed); 1 there are some (or: hosts know one, or it is paused); 2 another session holds a row; 3 one is running; 64 a name is wrong, or --yes is missing: nothing was changed.

Examples:
  crontabber ghosts
  crontabber ghosts --remove old-report --yes
  crontabber ghosts --remove 'old-*' --yes --reason 'gone since May'")]
pub(super) struct Ghosts {
    /// Delete these rows; the history of the jobs stays
    #[arg(long, value_name = "NAME|GLOB", num_args = 1..)]
    remove: Vec<String>,
    /// Yes, delete them
    #[arg(long, requires = "remove")]
    yes: bool,
    /// Also those that other hosts know: each would make its row anew, and Python's would run it at once
    #[arg(long, requires = "remove")]
    force: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", requires = "remove")]
    reason: Option<String>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Ghosts {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = View::open(global).await?;
            if self.remove.is_empty() {
                return self.list(&view).await;
            }
            let names = resolve(&view, &self.remove, self.yes, Among::Ghosts)?;
            if !self.yes {
                return Err(Failure::Usage(format!(
                    "add --yes to delete {}; nothing was changed",
                    names.join(", ")
                )));
            }
            self.removed(&view, &names).await
        })
    }

    async fn list(&self, view: &View) -> Result<Exit, Failure> {
        let plan = view.plan();
        let names: Vec<&str> = plan.ghosts.iter().map(|(name, _)| *name).collect();
        let known =
            control::ghosts(&*view.connection().await?, &names, &view.place.host, None).await?;
        print(&if self.json {
            ghosts::json(&plan, &known)
        } else {
            ghosts::text(&plan, &known, Medium::of_stdout())
        })?;
        Ok(if names.is_empty() {
            Exit::Ok
        } else {
            Exit::Failed
        })
    }

    async fn removed(&self, view: &View, names: &[String]) -> Result<Exit, Failure> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let known =
            control::ghosts(&*view.connection().await?, &names, &view.place.host, None).await?;
        let goes = |name: &&str| self.force || is_of_a_known_job(view, name);
        let in_spite_of_hosts: Vec<&str> = names.iter().copied().filter(goes).collect();
        let author = Author::new(view, self.reason.clone());
        let removal = Removal {
            names: &names,
            known: &known,
            in_spite_of_hosts: &in_spite_of_hosts,
            max_ongoing_age: view.place.max_ongoing_age,
        };
        let answer = control::remove(&view.database, &author.by(), &removal, None).await?;
        tell(view, Verb::Remove, answer, Vec::new(), self.json)
    }
}

/// Whether it is a row of a host on which a job of this configuration does not run any more. That host knows the job,
/// and has no use for the row.
fn is_of_a_known_job(view: &View, row: &str) -> bool {
    let job = on_host(row).and_then(|(job, _)| job.parse::<JobName>().ok());
    let spec = job.and_then(|job| view.config.graph.get(&job));
    spec.is_some_and(JobSpec::is_on_each)
}
