//! What the ini says besides its jobs: the database, delays, and what has no place here any more.

use std::{collections::BTreeSet, net::Ipv6Addr, time::Duration};

use serde_json::json;

use crate::{duration, store::address::percent_encode};

use super::{
    super::{Position, Section, Weight, quoted},
    Reader,
};

/// Where configman keeps what the classes of a database share.
const SHARED: [&str; 2] = ["resource", "postgresql"];

impl Reader<'_> {
    /// `[database]`, or a remark that the file names none.
    pub(super) fn database(&mut self) {
        let host = self.of_database("host");
        let name = self.of_database("dbname");
        let user = self.of_database("user");
        let port = self.of_database("port");
        if self.of_database("password").is_some() {
            let at = self.place(&["password"]);
            let server = host.as_deref().unwrap_or("localhost");
            let help = format!(
                "keep it in ~/.pgpass of crontabber's user (chmod 0600), as {server}:{}:{}:{}:PASSWORD;\n\
                 or keep the whole URL, password and all, and write url = {{ credential = \"database_url\" }}",
                port.as_deref().unwrap_or("5432"),
                name.as_deref().unwrap_or("*"),
                user.as_deref().unwrap_or("*"),
            );
            let message = "the password of the database is not repeated here";
            self.import.remark(at, Weight::NotTaken, message).help(help);
        }
        if host.is_none() && name.is_none() {
            let message = "the file does not say where the database is";
            let help = "write [database] and url = \"postgresql://USER@HOST/NAME\", or set PGHOST and PGDATABASE";
            self.import
                .remark(None, Weight::NotTaken, message)
                .help(help);
            return;
        }
        let server = match host.as_deref() {
            Some(host) if is_ipv6(host) => format!("[{host}]"),
            host => percent_encode(host.unwrap_or("localhost")),
        };
        let user = user.map_or_else(String::new, |user| format!("{}@", percent_encode(&user)));
        let port = match port {
            Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => format!(":{port}"),
            Some(port) => {
                let at = self.place(&["port"]);
                let message = format!("{} is no port", quoted(&port));
                self.import.remark(at, Weight::NotTaken, message);
                String::new()
            }
            None => String::new(),
        };
        let name = percent_encode(name.as_deref().unwrap_or_default());
        let url = format!("postgresql://{user}{server}{port}/{name}");
        self.import.sections.push(Section {
            name: "database",
            comments: vec![
                "The database of crontabber 0.18. `crontabber migrate` widens its tables in place.".into(),
                "Its password comes from ~/.pgpass; or all of it from elsewhere: url = { credential = \"database_url\" }"
                    .into(),
            ],
            keys: vec![("url", json!(url))],
        });
    }

    /// An option of crontabber's database: its own, or else the shared one.
    fn of_database(&mut self, key: &str) -> Option<String> {
        let own = self.setting(&["crontabber", key]);
        own.or_else(|| self.setting(&[SHARED[0], SHARED[1], key]))
    }

    /// Where an option of the database stands.
    fn place(&self, key: &[&str]) -> Option<Position> {
        let own = [&["crontabber"], key].concat();
        let shared = [&SHARED[..], key].concat();
        let value = self.ini.get(&own).or_else(|| self.ini.get(&shared))?;
        Some(self.positions.at(value.at))
    }

    /// `[compat]`: what runs the classes.
    pub(super) fn compat(&mut self) {
        let run_with = json!([
            "python2.7",
            "/usr/share/crontabber/run_class.py",
            format!(
                "--admin.conf={}",
                self.source.path.replace('{', "{{").replace('}', "}}")
            ),
        ]);
        self.import.sections.push(Section {
            name: "compat",
            comments: vec![
                "Runs a class as crontabber 0.18 did, with the options that the ini has for it."
                    .into(),
                "It is examples/compat/run_class.py: say where it is on your hosts.".into(),
            ],
            keys: vec![("run_with", run_with)],
        });
    }

    /// `[defaults]`: what crontabber had for all jobs alike.
    pub(super) fn defaults(&mut self) {
        let mut comments = vec!["crontabber 0.18 reads times of day in UTC.".to_owned()];
        let mut keys = vec![("timezone", json!("UTC"))];
        match self.retry() {
            Some(seconds) => {
                comments.push("error_retry_time: always the same delay. { first = \"5m\" } alone grows to an hour.".into());
                let delay = duration::written(seconds);
                keys.push((
                    "retry",
                    json!({ "first": delay, "factor": 1.0, "max": delay, "jitter": 0.0 }),
                ));
            }
            None => comments.push("No error_retry_time: a failed job is tried again after 5m, then 10m, up to 1h; Python: always 5m.".into()),
        }
        if let Some(age) = self.longest_run() {
            comments.push("max_ongoing_age_hours: then a run is killed here, where Python started a second one.".into());
            keys.push(("timeout", json!(duration::written(age))));
            self.import.sections.push(Section {
                name: "daemon",
                comments: vec!["max_ongoing_age_hours: how long a run of a Python host is respected, while there are any.".into()],
                keys: vec![("max_ongoing_age", json!(duration::written(age)))],
            });
        }
        self.import.sections.push(Section {
            name: "defaults",
            comments,
            keys,
        });
    }

    fn retry(&mut self) -> Option<Duration> {
        let text = self.setting(&["crontabber", "error_retry_time"])?;
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
        let delay = seconds
            .map(Duration::from_secs)
            .filter(|delay| *delay <= duration::LONGEST);
        if delay.is_none() {
            self.bad_setting("error_retry_time", &text, "a number of seconds, 1 or more");
        }
        delay
    }

    fn longest_run(&mut self) -> Option<Duration> {
        let text = self.setting(&["crontabber", "max_ongoing_age_hours"])?;
        let hours = text.parse::<f64>().ok().filter(|hours| *hours > 0.0);
        let age = hours
            .and_then(|hours| Duration::try_from_secs_f64((hours * 3600.0).round()).ok())
            .filter(|age| *age <= duration::LONGEST && !age.is_zero());
        if age.is_none() {
            self.bad_setting(
                "max_ongoing_age_hours",
                &text,
                "a number of hours, more than 0",
            );
        }
        age
    }

    fn bad_setting(&mut self, key: &str, text: &str, expected: &str) {
        let at = self
            .ini
            .get(&["crontabber", key])
            .map(|value| self.positions.at(value.at));
        let message = format!("{} is no value of `{key}`", quoted(text));
        self.import
            .remark(at, Weight::NotTaken, message)
            .help(expected);
    }

    /// What has no place here, or has its place elsewhere.
    pub(super) fn others(&mut self) {
        let mut told = BTreeSet::new();
        for value in &self.ini.values {
            let at = Some(self.positions.at(value.at));
            let text = self.source.text[value.span.clone()].trim();
            let import = &mut self.import;
            // The first of several says enough.
            let mut note = |message: String| {
                if told.insert(message.clone()) {
                    import.remark(at, Weight::Note, message);
                }
            };
            match value.path.as_slice() {
                [
                    "crontabber",
                    "jobs" | "error_retry_time" | "max_ongoing_age_hours",
                ]
                | [
                    "crontabber" | "resource",
                    ..,
                    "host" | "port" | "dbname" | "user" | "password",
                ] => {}
                ["sentry", "dsn"] | ["secrets", "sentry", "dsn"] if text.is_empty() => {}
                ["sentry", "dsn"] | ["secrets", "sentry", "dsn"] => {
                    let message = "failures are not sent to Sentry";
                    import
                        .remark(at, Weight::NotTaken, message)
                        .help("failures are in `crontabber list`, and in the exit code of a pass");
                }
                ["crontabber", section, ..] if section.starts_with("class-") => {}
                ["crontabber", key] if is_transport(key) => {
                    note("crontabber connects, and tries again, by itself".to_owned());
                }
                ["logging", ..] | ["resource", "logging", ..] => {
                    note(
                        "the log goes to stderr: `--log-format`, `--verbose`, $RUST_LOG".to_owned(),
                    );
                }
                path => note(format!(
                    "{} stays in the ini, for the classes",
                    quoted(&path.join("."))
                )),
            }
        }
    }
}

/// Whether it is such an address, perhaps with the network that it is an address in: `fe80::1%eth0`.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    address.parse::<Ipv6Addr>().is_ok() && zone.chars().all(char::is_alphanumeric)
}

fn is_transport(key: &str) -> bool {
    matches!(
        key,
        "job_state_db_class"
            | "database_class"
            | "transaction_executor_class"
            | "backoff_delays"
            | "wait_log_interval"
    )
}
