//! Which jobs a command that changes something means: exact names, or a pattern that was agreed to.

use std::collections::HashSet;

use clap::{ArgGroup, Args};

use crate::{
    control::{self, Target},
    plan::Plan,
    view::{
        subject::{self, Subject},
        text::harmless,
    },
};

use super::{
    fail::Failure,
    open::{self, View},
};

/// Exact names and patterns.
#[derive(Debug, Args)]
pub(super) struct Names {
    /// The jobs, by their exact names, or JOB@HOST for the row of one host; or with --yes patterns, in which `*` stands
    /// for any text
    #[arg(value_name = "JOB", required = true)]
    pub(super) jobs: Vec<String>,
    /// Yes, all the jobs that the patterns match
    #[arg(long)]
    pub(super) yes: bool,
}

/// The same, or all.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["jobs", "all"]).required(true))]
pub(super) struct NamesOrAll {
    /// The jobs, by their exact names, or JOB@HOST for the row of one host; or with --yes patterns, in which `*` stands
    /// for any text
    #[arg(value_name = "JOB")]
    pub(super) jobs: Vec<String>,
    /// All jobs of this configuration
    #[arg(long)]
    pub(super) all: bool,
    /// Yes, all the jobs that the patterns match
    #[arg(long)]
    pub(super) yes: bool,
}

/// Whether rows that no job has are meant too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Jobs of this configuration.
    Jobs,
    /// Also rows that no job of it has.
    All,
    /// Only those.
    Ghosts,
}

/// The names that are meant, in the order in which they were typed, each once. Nothing of it is done if one of them
/// is wrong: then it is told what to type instead, of all of them.
pub(super) fn resolve(
    view: &View,
    typed: &[String],
    yes: bool,
    among: Among,
) -> Result<Vec<String>, Failure> {
    let plan = view.plan();
    let (mut names, mut mistakes) = (Vec::<String>::new(), Vec::new());
    for name in typed {
        let known = match (subject::named(&plan, name), among) {
            (Some(ghost @ Subject::Ghost(..)), Among::Ghosts) => vec![ghost],
            _ => subject::meant(&plan, name),
        };
        match known.first().map(|subject| (is_ghost(subject), among)) {
            Some((true, Among::Jobs)) => mistakes.push(format!(
                "`{}` is a row that no job of this configuration has; only a host that knows it can say when it is \
                 wanted (crontabber ghosts)",
                harmless(name)
            )),
            Some((false, Among::Ghosts)) => mistakes.push(format!(
                "`{name}` is a job of this configuration; take it out of {} first",
                file_of(&plan, name)
            )),
            Some(_) => names.extend(known.iter().map(|subject| subject.name().to_owned())),
            None if name.contains('*') => match matching(&plan, name, among) {
                matches if matches.is_empty() => {
                    mistakes.push(format!("no name matches `{}`", harmless(name)));
                }
                matches if yes => names.extend(matches),
                matches => mistakes.push(format!(
                    "`{}` matches {}; add --yes if all of them are meant",
                    harmless(name),
                    listed(&matches)
                )),
            },
            None => mistakes.push(open::no_such(&plan, "job", name).to_string().split_off("error: ".len())),
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Usage(format!(
            "{}; nothing was changed",
            mistakes.join("\nerror: ")
        )));
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

fn is_ghost(subject: &Subject<'_>) -> bool {
    matches!(subject, Subject::Ghost(..))
}

fn matching(plan: &Plan<'_>, pattern: &str, among: Among) -> Vec<String> {
    subject::all(plan)
        .filter(|subject| match among {
            Among::Jobs => !is_ghost(subject),
            Among::All => true,
            Among::Ghosts => is_ghost(subject),
        })
        .filter(|subject| subject.is_called(pattern))
        .map(|subject| subject.name().to_owned())
        .collect()
}

/// The file that defines a job.
fn file_of(plan: &Plan<'_>, name: &str) -> String {
    let origin = plan.get(name).map(|job| &job.spec.origin);
    origin.map_or_else(String::new, |origin| origin.file.display().to_string())
}

/// At most ten names, and how many more.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| harmless(name))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The jobs of these names, with what was read of them.
pub(super) fn targets<'a>(plan: &'a Plan<'a>, names: &'a [String]) -> Vec<Target<'a>> {
    let target = |name: &'a String| {
        let subject = subject::named(plan, name)?;
        let spec = match subject {
            Subject::Job(planned) => Some(planned.spec),
            Subject::Ghost(..) => None,
        };
        Some(Target {
            name,
            spec,
            row: subject.row(),
        })
    };
    names.iter().filter_map(target).collect()
}

/// Refuses rows that other hosts of ours know and this configuration does not: only a definition tells what a pause has
/// to keep. A row that Python's hosts alone know keeps all of it itself.
pub(super) async fn refuse_others(view: &View, names: &[String]) -> Result<(), Failure> {
    let plan = view.plan();
    let ghosts: Vec<&str> = plan
        .ghosts
        .iter()
        .map(|(name, _)| *name)
        .filter(|ghost| names.iter().any(|name| name == ghost))
        .collect();
    if ghosts.is_empty() {
        return Ok(());
    }
    let client = view.connection().await?;
    let known = control::ghosts(&client, &ghosts, &view.place.host, None).await?;
    for ghost in ghosts {
        let hosts = known.get(ghost).map_or(&[][..], |ghost| &ghost.known_by);
        let ours: Vec<&str> = hosts
            .iter()
            .map(String::as_str)
            .filter(|&host| host != "python")
            .collect();
        if !ours.is_empty() {
            return Err(Failure::Usage(format!(
                "`{}` is no job of this configuration; type this on a host that knows it: {}; nothing was changed",
                harmless(ghost),
                ours.join(", ")
            )));
        }
    }
    Ok(())
}
