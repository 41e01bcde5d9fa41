//! The ini of crontabber 0.18: its list of jobs, its database, its delays.
//!
//! What a class is called, what it waits for and whether it runs each missed date is in Python alone: [`Classes`]
//! brings it, or the names are those that people usually gave, marked to be checked.

mod ini;
mod jobs;
mod names;
mod relations;
mod settings;

use std::time::Duration;

use jiff::civil::Time;
use serde_json::json;

use crate::{
    duration,
    schedule::{Rule, Timetable},
    spec::JobName,
};

use self::{
    ini::Ini,
    jobs::{Bad, Element, Parts},
};
use super::{Import, Job, Positions, Weight, quoted};

pub use self::names::{BadNames, Classes};

/// An ini, and what is known besides.
#[derive(Debug)]
pub struct Source<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its absolute path, for the command that runs the classes.
    pub path: &'a str,
    /// What the names of all jobs start with that no list of names gives.
    pub prefix: &'a str,
    /// What is known of the classes.
    pub classes: &'a Classes,
}

/// Takes over the jobs and settings of an ini.
#[must_use]
pub fn import(source: &Source<'_>) -> Import {
    let mut reader = Reader {
        source,
        positions: Positions::of(source.text),
        ini: Ini::read(source.text),
        import: Import {
            preface: vec![
                format!(
                    "The jobs of {}, as `crontabber import crontabber` reads them.",
                    source.path
                ),
                "Each has the line it comes from and its next runs: compare.".into(),
                "Python ran one job after the other; [daemon] max_parallel = 1 does so too.".into(),
            ],
            ..Import::default()
        },
    };
    reader.mistakes();
    reader.database();
    reader.compat();
    reader.defaults();
    reader.others();
    reader.jobs();
    reader.import.settle();
    reader.import
}

struct Reader<'a> {
    source: &'a Source<'a>,
    positions: Positions<'a>,
    ini: Ini<'a>,
    import: Import,
}

/// A job that the list names, before it has a name.
struct Named<'a> {
    element: Element<'a>,
    class: &'a str,
    /// Why it cannot be taken over.
    when: Result<(Duration, Option<Time>), String>,
}

impl<'a> Reader<'a> {
    fn mistakes(&mut self) {
        for mistake in &self.ini.mistakes {
            let at = self.positions.at(mistake.at);
            let remark = self
                .import
                .remark(Some(at), Weight::NotTaken, mistake.message);
            remark.help = mistake.help.map(str::to_owned);
        }
    }

    /// A setting that says something; one that refers to another setting says nothing to us.
    fn setting(&mut self, path: &[&str]) -> Option<String> {
        let value = self.ini.get(path)?;
        let text = self.source.text[value.span.clone()].trim();
        if text.contains("%(") {
            let at = self.positions.at(value.at);
            let message = format!("`{}` refers to another setting", path.join("."));
            let known = self
                .import
                .remarks
                .iter()
                .any(|remark| remark.message == message);
            if !known {
                self.import
                    .remark(Some(at), Weight::NotTaken, message)
                    .help("write its value in its place");
            }
            return None;
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn jobs(&mut self) {
        let span = self
            .ini
            .get(&["crontabber", "jobs"])
            .map(|value| value.span.clone());
        let elements = span.map_or_else(Vec::new, |span| jobs::elements(self.source.text, span));
        let mut named = Vec::new();
        for element in elements {
            if element.in_comment {
                self.in_comment(&element);
            } else {
                named.extend(self.named(element));
            }
        }
        self.same_class_name(&named);
        let named = self.without_repeated(named);
        if named.is_empty() {
            let message = "there is no job in it";
            self.import
                .remark(None, Weight::NotTaken, message)
                .help("jobs are in [crontabber], as jobs='''package.module.Class|1h'''");
        }
        self.make(&named);
    }

    /// What Python ran out of a comment.
    fn in_comment(&mut self, element: &Element<'_>) {
        if jobs::parts(element.text).is_ok_and(|parts| parts.frequency.is_some()) {
            let at = self.positions.at(element.at);
            let message = format!(
                "crontabber 0.18 runs {} out of this comment, because of the comma or semicolon before it",
                quoted(element.text)
            );
            let help =
                "here a comment is a comment: write it on a line of its own if it should run";
            self.import
                .remark(Some(at), Weight::NotTaken, message)
                .help(help);
        }
    }

    fn named(&mut self, element: Element<'a>) -> Option<Named<'a>> {
        let parts = match jobs::parts(element.text) {
            Ok(parts) => parts,
            Err(bad) => {
                self.bad(element.at, bad);
                return None;
            }
        };
        let when = self.when(&element, &parts).map_err(|(at, bad)| {
            let message = bad.message.clone();
            self.bad(at, bad);
            message
        });
        Some(Named {
            class: parts.class,
            element,
            when,
        })
    }

    fn bad(&mut self, at: usize, bad: Bad) {
        let at = self.positions.at(at + bad.at);
        self.import
            .remark(Some(at), Weight::NotTaken, bad.message)
            .help(bad.help);
    }

    /// The period and the time of day; `[[class-X]]` may say others than the list.
    fn when(
        &self,
        element: &Element<'a>,
        parts: &Parts<'a>,
    ) -> Result<(Duration, Option<Time>), (usize, Bad)> {
        let section = format!(
            "class-{}",
            parts.class.rsplit('.').next().unwrap_or_default()
        );
        let said = |key: &str| {
            let value = self.ini.get(&["crontabber", &section, key])?;
            Some((
                value.span.start,
                self.source.text[value.span.clone()].trim(),
            ))
        };
        let listed =
            |part: Option<(usize, &'a str)>| part.map(|(at, text)| (element.at + at, text));
        let frequency = said("frequency").or_else(|| listed(parts.frequency));
        let Some((at, frequency)) = frequency else {
            let bad = Bad {
                message: format!("{} has no frequency", quoted(element.text)),
                at: 0,
                help: "write Class|1h, Class|1d|03:45 or Class|03:45".into(),
            };
            return Err((element.at, bad));
        };
        let every = jobs::frequency(frequency, 0).map_err(|bad| (at, bad))?;
        let time = said("time").or_else(|| listed(parts.time));
        let time = time.filter(|(_, time)| !time.is_empty());
        let time = time.map(|(at, time)| jobs::time(time, 0, every).map_err(|bad| (at, bad)));
        Ok((every, time.transpose()?))
    }

    fn make(&mut self, named: &[Named<'a>]) {
        let names = self.names(named);
        let parents = self.parents(named, &names);
        if names.iter().any(|(_, is_guess)| *is_guess) {
            let message =
                "names marked `check` are guesses: the rows of the table are found by `app_name`";
            let help = if self.source.classes.is_empty() {
                "`run_class.py --describe F.ini > names` asks Python; then `--names names`"
            } else {
                "add them to the file that `--names` reads"
            };
            self.import.remark(None, Weight::Note, message).help(help);
        }
        for (number, job) in named.iter().enumerate() {
            let (name, is_guess) = names[number].clone();
            let job = self.job(job, name, is_guess, &parents[number]);
            self.import.jobs.push(job);
        }
    }

    fn job(&self, named: &Named<'a>, name: JobName, is_guess: bool, parents: &[String]) -> Job {
        let at = self.positions.at(named.element.at);
        let mut comments = vec![format!("line {}: {}", at.line, named.element.text)];
        if is_guess {
            comments.push(format!("check: must be the app_name of {}", named.class));
        }
        let mut keys = Vec::new();
        let mut timetable = None;
        if let Ok((period, at)) = named.when {
            keys.push(("every", json!(duration::written(period))));
            if let Some(at) = at {
                keys.push(("at", json!(at.strftime("%H:%M").to_string())));
            } else {
                comments.push(
                    "a row that Python left keeps its next_run; without one, counted from now:"
                        .into(),
                );
            }
            timetable = Some(Timetable {
                rules: vec![Rule::Every { period, at }],
                timezone: "UTC".to_owned(),
                jitter: Duration::ZERO,
            });
        }
        if !parents.is_empty() {
            keys.push(("depends_on", json!(parents)));
        }
        if self
            .source
            .classes
            .get(named.class)
            .is_some_and(|class| class.backfill)
        {
            keys.push(("catch_up", json!("all")));
        }
        keys.push(("class", json!(named.class)));
        Job {
            name,
            comments,
            keys,
            timetable,
            refused: named.when.as_ref().err().cloned(),
        }
    }
}
