//! The tables, their guard, and the rights on them.

use std::time::Duration;

use super::{Check, Finding, facts::Facts};
use crate::{
    duration,
    store::{
        checkup::{Checkup, Guard, Lacking, Tables},
        schema::{self, Found},
    },
};

/// A right that a host needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// A table, a sequence, or a function with the types of its parameters.
    pub on: &'static str,
    /// What may be done with it.
    pub privilege: &'static str,
}

const fn right(on: &'static str, privilege: &'static str) -> Right {
    Right { on, privilege }
}

/// What `tick`, `run` and `daemon` need of what is in the schema: that of `crontabber_tick` in docs/operations.md, which
/// is tried in the tests right by right, and what a migration grants to everybody.
pub const NEEDED: &[Right] = &[
    right("crontabber_schema", "SELECT"),
    right("crontabber", "SELECT"),
    right("crontabber", "INSERT"),
    right("crontabber", "UPDATE"),
    right("crontabber_log", "SELECT"),
    right("crontabber_log", "INSERT"),
    right("crontabber_log", "UPDATE"),
    right("crontabber_host", "SELECT"),
    right("crontabber_host", "INSERT"),
    right("crontabber_host", "UPDATE"),
    right(STREAMED, "SELECT"),
    right(STREAMED, "INSERT"),
    right(STREAMED, "DELETE"),
    right("crontabber_fence_seq", "USAGE"),
    right("crontabber_log_id_seq", "USAGE"),
    right(EXECUTE, "EXECUTE"),
];

/// What carries out the SQL of jobs: a host without it runs all others.
const EXECUTE: &str = "crontabber_execute()";

/// Where output is while it is being printed: without it runs go on, and nobody can follow them.
const STREAMED: &str = "crontabber_output";

/// How many triggers the guard has.
const TRIGGERS: i64 = 3;

const MIGRATE: &str = "`crontabber migrate` once, on any host, as the owner of the tables";

pub(super) fn findings(checkup: &Checkup, facts: &Facts) -> Vec<Finding> {
    let tables = match &checkup.tables {
        Ok(tables) => tables,
        Err(why) => return vec![Finding::problem(Check::Schema, why, MIGRATE)],
    };
    let mut found = vec![schema(tables)];
    if matches!(tables, Tables::Ours(_)) {
        found.extend(checkup.guard.as_ref().map(|guard| match guard {
            Ok(guard) => self::guard(guard, facts.needs.max_ongoing_age),
            Err(why) => Finding::unasked(Check::Guard, why),
        }));
        found.extend(checkup.lacking.as_ref().map(|lacking| match lacking {
            Ok(lacking) => rights(lacking, facts.needs.streams, checkup),
            Err(why) => Finding::unasked(Check::Rights, why),
        }));
    }
    found
}

fn schema(tables: &Tables) -> Finding {
    let knows = schema::version();
    let found = match tables {
        Tables::Hidden(schema) => {
            return Finding::problem(
                Check::Schema,
                format!("there is no schema `{schema}` that this role may look into"),
                format!("`[database] schema`, or GRANT USAGE ON SCHEMA {schema}"),
            );
        }
        Tables::Nothing => {
            return Finding::problem(
                Check::Schema,
                "this database has no tables of crontabber yet",
                "`crontabber migrate` makes them, and so does the first `crontabber tick` whose role may",
            );
        }
        Tables::Legacy => {
            return Finding::problem(
                Check::Schema,
                "this database has the tables of crontabber 0.18 or older",
                format!("{MIGRATE}: it widens them in place, and the old hosts go on working"),
            );
        }
        Tables::Ours(found) => found,
    };
    let Found {
        version,
        compatible_from,
    } = *found;
    if compatible_from > knows {
        return Finding::problem(
            Check::Schema,
            format!(
                "version {version}, for programs that know {compatible_from} or later; this one knows {knows}"
            ),
            "upgrade crontabber on this host",
        );
    }
    if version < knows {
        let fact = format!("version {version}; this program needs {knows}");
        let advice = format!("{MIGRATE}; the other hosts go on meanwhile");
        return Finding::problem(Check::Schema, fact, advice);
    }
    let also = if version > knows {
        format!("; this program knows {knows}, and works on it")
    } else {
        ", current".to_owned()
    };
    Finding::ok(Check::Schema, format!("version {version}{also}"))
}

fn guard(guard: &Guard, wanted: Duration) -> Finding {
    if guard.standing < TRIGGERS {
        return Finding::problem(
            Check::Guard,
            format!(
                "{} of its {TRIGGERS} triggers stand: hosts of crontabber 0.18, and psql, can start a job beside our run",
                guard.standing
            ),
            "`crontabber migrate` puts it back",
        );
    }
    let wanted_words = duration::written(wanted);
    let ages = guard.shortest.zip(guard.longest);
    let fits = |age: f64| (age - wanted.as_secs_f64()).abs() < 1.0;
    match ages {
        Some((shortest, longest)) if fits(shortest) && fits(longest) => Finding::ok(
            Check::Guard,
            format!(
                "stands; respects runs of crontabber 0.18 for {wanted_words}, as this host does"
            ),
        ),
        _ => {
            let stands = ages.and_then(|(age, _)| Duration::try_from_secs_f64(age).ok());
            let stands = stands.map_or_else(|| "another time".to_owned(), duration::written);
            Finding::warning(
                Check::Guard,
                format!(
                    "stands, and respects runs of crontabber 0.18 for {stands}; max_ongoing_age of this host is \
                     {wanted_words}"
                ),
                "the same `[daemon] max_ongoing_age` on all hosts, then `crontabber migrate`, which tells the guard",
            )
        }
    }
}

fn rights(lacking: &[Lacking], streams: bool, checkup: &Checkup) -> Finding {
    let role = checkup.role();
    let is_only_streamed = lacking.iter().all(|right| right.on == STREAMED);
    if lacking.is_empty() || (is_only_streamed && !streams) {
        let migrate = match &checkup.owner {
            Some(owner) if !owner.is_ours => {
                format!("; not `migrate`, which is for {}", owner.name)
            }
            _ => String::new(),
        };
        return Finding::ok(
            Check::Rights,
            format!("{role} has all that a host needs{migrate}"),
        );
    }
    let words: Vec<String> = lacking.iter().map(Lacking::words).collect();
    let lacks = format!("{role} lacks {}", words.join(", "));
    let gone = lacking.iter().any(|right| right.is_missing);
    let advice = if gone {
        "what is not there, `crontabber migrate` makes; for the rest docs/operations.md has the grants".to_owned()
    } else {
        let grants: Vec<String> = lacking.iter().map(|right| right.grant(role)).collect();
        format!("as the owner of the tables: {}", grants.join("; "))
    };
    if is_only_streamed {
        let fact = format!("{lacks}: nobody can follow the output of jobs with stream_output");
        return Finding::warning(Check::Rights, fact, advice);
    }
    Finding::problem(Check::Rights, lacks, advice)
}
