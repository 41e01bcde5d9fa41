//! `reset JOB...`: failures forgotten, the next slot from now.

use clap::Args;

use crate::{
    control::{self, Answer, Claims},
    exit::Exit,
    view::changes::Verb,
};

use super::{
    Global,
    change::tell,
    fail::Failure,
    names::{Among, Names, resolve, targets},
    open::{View, block_on},
    who::Author,
};

/// Forgets the failures of a job and gives it its next slot from now
///
/// It ends a backoff, gives up a slot that fails again and again, and releases a job that is held after a lost run.
/// Slots it passes are `skipped: missed` in the history, which stays, as the fence does. A job that is running is left
/// alone; a pause stays.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe: one line a job: reset, its name, what was forgotten and when it runs next.
Exit codes: 0 reset; 2 another session held the row, or changed it at that moment; 3 it is running; 64 a name is wrong, nothing was changed.

Examples:
  crontabber reset report --reason 'the mail server is back'
  crontabber reset report && crontabber run report --force     and run it now
  crontabber reset report --clear-ongoing                      a Python host died while running it")]
pub(super) struct Reset {
    #[command(flatten)]
    names: Names,
    /// Also take away the claim of a Python host, which no lease ends. Its process may still be running: look first
    #[arg(long)]
    clear_ongoing: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Reset {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = View::open(global).await?;
            let names = resolve(&view, &self.names.jobs, self.names.yes, Among::Jobs)?;
            let claims = if self.clear_ongoing {
                Claims::TakenAway
            } else {
                Claims::Respected
            };
            let answer = these(&view, &names, claims, self.reason).await?;
            tell(&view, Verb::Reset, answer, Vec::new(), self.json)
        })
    }
}

/// Resets jobs of this configuration, by their exact names.
pub(super) async fn these(
    view: &View,
    names: &[String],
    claims: Claims,
    reason: Option<String>,
) -> Result<Answer, Failure> {
    let (plan, author) = (view.plan(), Author::new(view, reason));
    let resettings = control::resettings(&targets(&plan, names), view.now());
    Ok(control::reset(&view.database, &author.by(), &resettings, claims, None).await?)
}
