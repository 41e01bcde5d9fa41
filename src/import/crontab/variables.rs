//! The variables of a crontab: those of the runs, and those that mean something to cron itself.

use serde_json::{Value, json};

use crate::{config::names_a_secret, schedule};

use super::{
    super::{Position, Weight, quoted},
    Reader, braced,
};

/// Where the value of a variable that is a secret is expected.
const SECRETS: &str = "/etc/crontabber/secrets";

/// A variable of the crontab.
pub(super) enum Variable<'a> {
    Plain(&'a str),
    /// Its value is kept elsewhere from now on.
    Secret,
}

impl<'a> Reader<'a> {
    pub(super) fn variable(&mut self, at: Position, name: &'a str, value: &'a str) {
        match name {
            "MAILTO" | "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                self.once(
                    at,
                    Weight::Note,
                    "nobody is sent mail",
                    "what a run prints is kept: `crontabber logs JOB`",
                );
            }
            "CRON_TZ" => self.zone(at, value),
            "RANDOM_DELAY" if delay(value).is_none() => {
                let message = format!("{} is no number of minutes", quoted(value));
                self.not_taken(at, message);
            }
            "LOGNAME" | "USER" => {
                let message = format!("cron sets `{name}` itself");
                self.once(
                    at,
                    Weight::Note,
                    &message,
                    "say it in `env` of the jobs that need it",
                );
            }
            _ => self.variable_of_runs(at, name, value),
        }
    }

    fn zone(&mut self, at: Position, name: &str) {
        self.timezone = match schedule::zone(name) {
            Ok(_) => Ok(name.to_owned()),
            Err(unknown) => {
                let message = format!("time zone {} is unknown", quoted(name));
                let remark = self.not_taken(at, message.clone());
                remark.help = unknown.help;
                Err(message)
            }
        };
    }

    fn variable_of_runs(&mut self, at: Position, name: &'a str, value: &'a str) {
        if !is_variable(name) {
            let message = format!("{} cannot be a variable of a run", quoted(name));
            self.not_taken(at, message)
                .help("letters, digits and `_`, no digit first; CRONTABBER_ is taken");
            return;
        }
        if name == "TZ" {
            self.once(
                at,
                Weight::Note,
                "`TZ` is for the runs; cron does not plan by it",
                "where the times were meant in that zone, write it as `timezone`",
            );
        }
        if value.contains('$') && !names_a_secret(name) {
            let message = format!(
                "cron does not fill in the `$` of `{name}`, and crontabber does not either"
            );
            self.import.remark(Some(at), Weight::Note, message);
        }
        let variable = if names_a_secret(name) && !value.is_empty() {
            let message = format!("`{name}` looks like a secret, and is not repeated here");
            self.not_taken(at, message).help(format!(
                "write its value to {SECRETS}/{name}, for crontabber's user alone (chmod 0600)"
            ));
            Variable::Secret
        } else {
            Variable::Plain(value)
        };
        self.environment.insert(name, variable);
    }

    pub(super) fn plain(&self, name: &str) -> Option<&'a str> {
        match self.environment.get(name) {
            Some(Variable::Plain(value)) => Some(value),
            _ => None,
        }
    }

    /// The variables of a run, and where it starts: at home, as with cron.
    pub(super) fn surroundings(&self, user: Option<&str>, keys: &mut Vec<(&'static str, Value)>) {
        let mut env = serde_json::Map::new();
        let mut secrets = serde_json::Map::new();
        if let Some(home) = (self.source.home)(user) {
            env.insert("HOME".into(), json!(braced(&home)));
        }
        for (name, variable) in &self.environment {
            match variable {
                Variable::Plain(_) if *name == "RANDOM_DELAY" => {}
                Variable::Plain(value) => {
                    env.insert((*name).into(), json!(braced(value)));
                }
                Variable::Secret => {
                    let file = json!({ "file": format!("{SECRETS}/{name}") });
                    secrets.insert((*name).into(), file);
                }
            }
        }
        let said = self.plain("HOME").map(str::to_owned);
        let home = said.or_else(|| (self.source.home)(user));
        if let Some(home) = home.filter(|home| home.starts_with('/')) {
            keys.push(("cwd", json!(home)));
        }
        if !env.is_empty() {
            keys.push(("env", Value::Object(env)));
        }
        if !secrets.is_empty() {
            keys.push(("secrets", Value::Object(secrets)));
        }
    }
}

/// cronie's `RANDOM_DELAY`: minutes, less than a day.
pub(super) fn delay(value: &str) -> Option<u16> {
    value.parse().ok().filter(|minutes| *minutes < 1_440)
}

fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter)
        && name.len() <= 255
        && !name.starts_with("CRONTABBER_")
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}
