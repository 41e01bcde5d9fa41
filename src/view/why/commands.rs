//! What to type next.

use serde::Serialize;

use crate::{
    plan::{Block, BlockedBy, Planned, Verdict},
    view::{lines::Lines, subject::Subject},
};

/// A command line that helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// What for: `To run it anyway:`.
    pub purpose: String,
    /// What to type.
    pub command: String,
}

/// What to type next, most useful first.
pub(super) fn after(subject: &Subject<'_>) -> Vec<Command> {
    match subject {
        Subject::Job(job) => of_job(job),
        Subject::Ghost(name, ..) => {
            let Some(name) = quoted(name) else {
                return Vec::new();
            };
            vec![
                command("To see its runs:", "history", &name),
                Command {
                    purpose: "To see all of them:".into(),
                    command: "crontabber ghosts".into(),
                },
            ]
        }
    }
}

fn of_parent(block: &Block) -> Command {
    let parent = block.parent.as_str();
    match block.why {
        BlockedBy::Failing(_) => command("To see the error:", "logs", parent),
        _ => command("To see why it waits:", "why", parent),
    }
}

fn of_job(job: &Planned<'_>) -> Vec<Command> {
    let name = job.name.as_ref();
    let mut commands = match &job.verdict {
        Verdict::Blocked(blocks) => blocks.iter().map(of_parent).collect(),
        Verdict::Skip(skip) => skip.blocks.iter().map(of_parent).collect(),
        Verdict::NoHost(_) => vec![Command {
            purpose: "To see the hosts:".into(),
            command: "crontabber hosts".into(),
        }],
        Verdict::Ongoing(live) if live.run_id.is_some() && job.spec.keep_running => vec![
            command("To start it anew:", "cancel", name),
            Command {
                purpose: "To stop it:".into(),
                command: format!("crontabber pause {name} && crontabber cancel {name}"),
            },
        ],
        Verdict::Ongoing(live) if live.run_id.is_some() => {
            vec![command("To stop it:", "cancel", name)]
        }
        Verdict::Paused(_) | Verdict::Held => vec![command("To let it run again:", "resume", name)],
        _ => Vec::new(),
    };
    if job.triggered().is_some() && !matches!(job.verdict, Verdict::Ongoing(_)) {
        commands.push(command("To take the request back:", "cancel", name));
    }
    if job.row.is_some_and(|row| row.error_count > 0) {
        commands.push(command("To see the error:", "logs", name));
    }
    match &job.verdict {
        Verdict::Run(_) => commands.push(command("To run it here, now:", "run", name)),
        Verdict::Ongoing(_) | Verdict::Refused(_) => {}
        // Only daemons start it.
        _ if job.spec.keep_running => {}
        _ => commands.push(command(
            "To run it anyway:",
            "run",
            &format!("{name} --force"),
        )),
    }
    commands
}

fn command(purpose: &str, verb: &str, rest: &str) -> Command {
    Command {
        purpose: purpose.to_owned(),
        command: format!("crontabber {verb} {rest}"),
    }
}

/// A line for each, for people.
pub(super) fn tell_commands<'a>(
    lines: &mut Lines,
    commands: impl IntoIterator<Item = &'a Command, IntoIter: Clone>,
) {
    let commands = commands.into_iter();
    let lengths = commands.clone().map(|command| command.purpose.len());
    let width = lengths.max().unwrap_or(0);
    for Command { purpose, command } in commands {
        lines.line(&format!("{purpose:width$}  {command}"));
    }
}

/// A name as a shell reads it; `None` for one that cannot be typed.
pub(crate) fn quoted(name: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
    match name {
        "" => None,
        name if name.starts_with('-') || name.chars().any(char::is_control) => None,
        name if name.chars().all(plain) => Some(name.to_owned()),
        name => Some(format!("'{}'", name.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_as_a_shell_wants_it() {
        assert_eq!(quoted("relay@web1").as_deref(), Some("relay@web1"));
        assert_eq!(
            quoted("it's; rm -rf").as_deref(),
            Some(r"'it'\''s; rm -rf'")
        );
        assert_eq!(quoted("a\nb"), None);
        assert_eq!(quoted("--force"), None);
    }
}
