//! Crontabs: of a user, and the system's with a user in the sixth column.
//!
//! The grammar is crontab(5) as cronie and Debian's cron have it. A line keeps its fields, which mean the same in
//! [`crate::schedule::Crontab`]; the zone that cron took from the machine is written down.

mod command;
mod description;
mod line;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    config::passwords,
    schedule::{Crontab, Rule, Timetable},
};

use self::{
    description::description,
    line::{Entry, Line},
    variables::{Variable, delay},
};
use super::{Import, Job, Position, Positions, Section, Weight, naming::Names, quoted};

/// Whether there is a user in front of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What `crontab -l` prints: five fields and a command.
    User,
    /// `/etc/crontab` and the files of `/etc/cron.d`: five fields, a user and a command.
    System,
}

/// A crontab, and what cron knows besides.
pub struct Source<'a> {
    /// Its text.
    pub text: &'a str,
    /// How it is called, for the comment on top.
    pub name: &'a str,
    /// Whether it has a column for users.
    pub form: Form,
    /// What the names of all jobs start with.
    pub prefix: &'a str,
    /// The zone that the machine's cron reads its times in.
    pub timezone: &'a str,
    /// The home of the user in the sixth column, or of whose crontab it is.
    pub home: &'a dyn Fn(Option<&str>) -> Option<String>,
}

/// Takes over the jobs of a crontab.
#[must_use]
pub fn import(source: &Source<'_>) -> Import {
    let mut reader = Reader {
        source,
        positions: Positions::of(source.text),
        import: Import {
            preface: preface(source),
            sections: vec![database()],
            ..Import::default()
        },
        names: Names::with_prefix(source.prefix),
        environment: BTreeMap::new(),
        timezone: Ok(source.timezone.to_owned()),
        comments: Vec::new(),
        told: BTreeSet::new(),
    };
    reader.read();
    reader.import.settle();
    reader.import
}

fn preface(source: &Source<'_>) -> Vec<String> {
    vec![
        format!("The jobs of {}, as `crontabber import crontab` reads them.", source.name),
        "Each has the line it comes from and its next runs: compare, then take the line out of the crontab.".into(),
    ]
}

fn database() -> Section {
    Section {
        name: "database",
        comments: vec![
            "A private PostgreSQL for this machine alone, as cron is. Several hosts share one instead:".into(),
            "url = { credential = \"database_url\" }".into(),
        ],
        keys: vec![("embedded", json!(true))],
    }
}

/// The state that cron keeps while it reads a crontab.
struct Reader<'a> {
    source: &'a Source<'a>,
    positions: Positions<'a>,
    import: Import,
    names: Names,
    /// What holds for the lines that follow.
    environment: BTreeMap<&'a str, Variable<'a>>,
    /// What `CRON_TZ` says, or why nothing can be planned by it.
    timezone: Result<String, String>,
    /// The comment lines right above.
    comments: Vec<&'a str>,
    /// What was remarked once and is not repeated.
    told: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        let lines: Vec<_> = self.positions.lines().collect();
        for (start, line) in lines {
            let at = self.positions.at(start);
            if line.contains(['\0', '\u{fffd}']) {
                self.comments.clear();
                self.not_taken(at, "a line that is not UTF-8 text");
                continue;
            }
            match line::read(line, self.source.form) {
                Line::Blank => self.comments.clear(),
                Line::Comment(comment) => self.comments.push(comment.trim()),
                Line::Variable { name, value } => {
                    self.comments.clear();
                    self.variable(at, name, value);
                }
                Line::Entry(entry) => self.entry(start, line, &entry),
            }
        }
        if self.import.jobs.is_empty() {
            let nothing = "there is no job in it";
            self.import.remark(None, Weight::NotTaken, nothing);
        }
    }

    fn not_taken(&mut self, at: Position, message: impl Into<String>) -> &mut super::Remark {
        self.import.remark(Some(at), Weight::NotTaken, message)
    }

    /// Tells it at its first place only.
    fn once(&mut self, at: Position, weight: Weight, message: &str, help: &str) {
        if self.told.insert(message.to_owned()) {
            self.import.remark(Some(at), weight, message).help(help);
        }
    }

    fn entry(&mut self, start: usize, line: &'a str, entry: &Entry<'a>) {
        let above = std::mem::take(&mut self.comments);
        let begin = self.positions.at(start + entry.at);
        let mut refused = Vec::new();
        let rule = self.rule(start + entry.at, entry.schedule, &mut refused);
        let (command, input) = command::split(entry.command);
        if command.trim().is_empty() && rule.is_some() {
            let message = "there is nothing to run";
            let help = match self.source.form {
                Form::System => {
                    "a system crontab has a user before the command; is this a user's (`--user`)?"
                }
                Form::User => "a line is five fields, or `@daily` and its like, and a command",
            };
            self.not_taken(begin, message).help(help);
            refused.push(message.to_owned());
        }
        self.user(begin, entry);
        if let Err(why) = &self.timezone {
            refused.push(why.clone());
        }
        let mut keys = Vec::new();
        if let Some(description) = description(&above) {
            keys.push(("description", json!(description)));
        }
        let words: Vec<_> = entry.schedule.split_whitespace().collect();
        keys.push(("schedule", json!(words.join(" "))));
        let timezone = self.timezone.clone().unwrap_or_default();
        keys.push(("timezone", json!(timezone)));
        if let Some(minutes) = self
            .plain("RANDOM_DELAY")
            .and_then(delay)
            .filter(|m| *m > 0)
        {
            keys.push(("jitter", json!(format!("{minutes}m"))));
        }
        match self.what_is_run(&command, input.as_deref()) {
            Ok(key) => keys.push(key),
            Err(why) => {
                self.not_taken(begin, why.clone());
                refused.push(why);
            }
        }
        self.surroundings(entry.user, &mut keys);
        if !passwords(entry.command).is_empty() {
            self.import
                .remark(
                    Some(begin),
                    Weight::Note,
                    "the command has a password in the open",
                )
                .help("move it to `secrets`, and read the variable in the command");
        }
        let timetable = rule.filter(|_| refused.is_empty()).map(|rule| Timetable {
            rules: vec![Rule::Crontab(rule)],
            timezone,
            jitter: std::time::Duration::ZERO,
        });
        self.import.jobs.push(Job {
            name: self.names.give(&command::name(&command)),
            comments: vec![format!("line {}: {}", begin.line, line.trim())],
            keys,
            timetable,
            refused: (!refused.is_empty()).then(|| refused.join("; ")),
        });
    }

    /// The fields, or a remark that points into them.
    fn rule(&mut self, at: usize, schedule: &str, refused: &mut Vec<String>) -> Option<Crontab> {
        match Crontab::parse(schedule) {
            Ok(fields) => Some(fields),
            Err(bad) => {
                let at = self.positions.at(at + bad.span.start);
                let message = format!("{} ({})", bad.message, bad.label);
                refused.push(message.clone());
                self.not_taken(at, message).help = bad.help;
                None
            }
        }
    }

    fn user(&mut self, at: Position, entry: &Entry<'a>) {
        if let Some(user) = entry.user {
            let message = format!("the jobs of user {} run as crontabber's own", quoted(user));
            let help = "start `crontabber` as that user, or change to it in the command (`runuser -u USER -- ...`)";
            self.once(at, Weight::NotTaken, &message, help);
        } else if entry.command.split_whitespace().next() == Some("root") {
            self.once(
                at,
                Weight::Note,
                "the command is `root`: is this a system crontab?",
                "`--system` reads the sixth column as a user",
            );
        }
    }

    /// The key that says what a run does: the command for the crontab's shell, with its input.
    fn what_is_run(
        &self,
        command: &str,
        input: Option<&str>,
    ) -> Result<(&'static str, Value), String> {
        let shell = self.plain("SHELL").filter(|shell| !shell.is_empty());
        let shell = shell.unwrap_or("/bin/sh");
        let text = match input {
            None => command.to_owned(),
            Some(_) if !command::is_bourne(shell) => {
                return Err(format!(
                    "`%` hands the command an input, which takes another shell than {}",
                    quoted(shell)
                ));
            }
            Some(input) => command::with_input(command, input)
                .ok_or("the command ends in a backslash and has an input")?,
        };
        if shell == "/bin/sh" {
            return Ok(("shell", json!(text)));
        }
        Ok(("command", json!([braced(shell), "-c", braced(&text)])))
    }
}

/// Where `{slot}` and its like are filled in, a brace itself is written twice.
fn braced(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
