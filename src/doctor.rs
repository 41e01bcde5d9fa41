//! What `doctor` makes of the ground it stands on: facts in, findings out.
//!
//! ```text
//! configuration, Checkup, Here ─▶ Facts ─ examine ─▶ Finding* ─▶ a line each
//!        (collected by cli::doctor and store::checkup)
//! ```
//!
//! [`check`](crate::check) is about jobs, and asks all the time; this is about what lies below them, and asks when
//! somebody sets a host up or wonders. Nothing here has a clock or a database.

// What was found out.
pub mod facts;
// The files, and the secrets they name.
mod configuration;
// The server: which one, how far away, and on what terms.
mod server;
// What a crash or a failover could forget.
mod durability;
// The tables, their guard, and the rights on them.
pub mod tables;
// The other hosts.
mod hosts;
// This machine and this process.
mod here;

use serde::Serialize;

use self::facts::Facts;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works; something is not what it could be, or will not be for long.
    Warning,
    /// Something does not work, or the promise does not hold.
    Problem,
}

impl Level {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What was looked at; some have several findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The files of the configuration.
    Configuration,
    /// The secrets that they name.
    Secrets,
    /// Whether it answers, and which one it is.
    Database,
    /// How far away it is.
    RoundTrip,
    /// Whether it takes writes.
    Primary,
    /// Whether something stands before it.
    Pooler,
    /// The version of its tables.
    Schema,
    /// The trigger that holds foreign writers to the protocol.
    Guard,
    /// What the role may do.
    Rights,
    /// What a crash or a failover could forget.
    Durability,
    /// What the role's sessions begin with.
    Session,
    /// Whether there are enough of them.
    Connections,
    /// This host's clock.
    Clock,
    /// All hosts.
    Hosts,
    /// This process.
    Process,
    /// Where this host keeps what the database has not taken yet.
    State,
    /// What the kernel must have.
    Kernel,
    /// Where the time zones come from.
    Zones,
}

impl Check {
    /// As people read it; in JSON it is the same with `_` for the space.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Secrets => "secrets",
            Self::Database => "database",
            Self::RoundTrip => "round trip",
            Self::Primary => "primary",
            Self::Pooler => "pooler",
            Self::Schema => "schema",
            Self::Guard => "guard",
            Self::Rights => "rights",
            Self::Durability => "durability",
            Self::Session => "session",
            Self::Connections => "connections",
            Self::Clock => "clock",
            Self::Hosts => "hosts",
            Self::Process => "process",
            Self::State => "state",
            Self::Kernel => "kernel",
            Self::Zones => "zones",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How bad it is.
    pub level: Level,
    /// What is so.
    pub fact: String,
    /// What to do about it; `None`: nothing.
    pub advice: Option<String>,
}

impl Finding {
    fn ok(check: Check, fact: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            fact: fact.into(),
            advice: None,
        }
    }

    fn warning(check: Check, fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            advice: Some(advice.into()),
            ..Self::ok(check, fact)
        }
    }

    fn problem(check: Check, fact: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Problem,
            ..Self::warning(check, fact, advice)
        }
    }

    /// The server would not say, and why not.
    fn unasked(check: Check, why: &str) -> Self {
        Self {
            level: Level::Problem,
            ..Self::ok(check, format!("could not be asked: {why}"))
        }
    }
}

/// Everything there is to say, in the order in which one thing rests on another.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = configuration::findings(&facts.configuration);
    match &facts.database {
        Ok(checkup) => {
            findings.extend(server::findings(checkup, facts));
            findings.extend(tables::findings(checkup, facts));
            findings.extend(durability::findings(checkup));
            findings.extend(hosts::findings(checkup));
        }
        Err(silence) => findings.push(server::silent(silence)),
    }
    findings.extend(here::findings(&facts.here));
    findings
}

/// The worst of them.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    let levels = findings.iter().map(|finding| finding.level);
    levels.max().unwrap_or(Level::Ok)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        facts::{CLOCK_SKEW, Configuration, Here, Needs, Silence, State},
        *,
    };
    use crate::store::{
        checkup::{Checkup, Server, Standby, Tables},
        identity::Identity,
    };

    fn server() -> Server {
        Server {
            version: "15.14".into(),
            version_number: 150_014,
            is_standby: false,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".into(),
            synchronous_standby_names: String::new(),
            isolation: "read committed".into(),
            read_only: false,
            idle_in_transaction: None,
            idle_session: None,
            max_connections: 97,
            role_limit: -1,
            database_limit: -1,
            connections: 3,
            schema: Some("public".into()),
            clock_skew: 0.004,
        }
    }

    /// A host and a server that are well, without tables.
    fn facts() -> Facts {
        let identity = Identity {
            name: "cron".into(),
            oid: 5,
            address: None,
            port: 5432,
            started_at: "2031-05-05T12:00:00Z".parse().unwrap(),
            system_identifier: Some("7301".into()),
            role: "web".into(),
        };
        let checkup = Checkup {
            connect: Duration::from_millis(3),
            round_trip: Duration::from_micros(600),
            is_direct: true,
            identity: Ok(identity),
            server: Ok(server()),
            standbys: Ok(Vec::new()),
            tables: Ok(Tables::Nothing),
            owner: None,
            guard: None,
            lacking: None,
            fleet: None,
        };
        Facts {
            configuration: Configuration {
                summary: "no mistakes in 1 file, 1 job checked".into(),
                mistake: None,
                warnings: 0,
                secrets: None,
            },
            database: Ok(checkup),
            needs: Needs {
                max_parallel: 4,
                sql_jobs: 9,
                streams: false,
                max_ongoing_age: Duration::from_hours(12),
                clock_skew: CLOCK_SKEW,
            },
            here: Here {
                user: "crontabber (998)".into(),
                is_root: false,
                refused: Vec::new(),
                cgroup: None,
                state: State {
                    directory: "/var/lib/crontabber".into(),
                    exists: true,
                    refused: None,
                },
                names_children: true,
                zones: Some("/usr/share/zoneinfo".into()),
                needs_zones: true,
            },
        }
    }

    /// What is said of one thing when this is so.
    fn said(check: Check, change: impl FnOnce(&mut Facts)) -> Vec<(Level, String)> {
        let mut facts = facts();
        change(&mut facts);
        let findings = examine(&facts).into_iter();
        let of_it = findings.filter(|finding| finding.check == check);
        of_it.map(|finding| (finding.level, finding.fact)).collect()
    }

    /// The same, of what the server's settings are.
    fn with(check: Check, change: impl FnOnce(&mut Server)) -> Vec<(Level, String)> {
        said(check, |facts| {
            let checkup = facts.database.as_mut().expect("it has answered");
            change(checkup.server.as_mut().expect("it has answered"));
        })
    }

    fn level(said: &[(Level, String)]) -> Level {
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].0
    }

    #[test]
    fn versions_that_are_too_old_do_not_work_and_newer_ones_are_unknown() {
        let version = |number| {
            level(&with(Check::Database, |server| {
                server.version_number = number;
            }))
        };
        assert_eq!(version(110_022), Level::Problem);
        assert_eq!(version(120_000), Level::Ok);
        assert_eq!(version(180_001), Level::Ok);
        assert_eq!(version(190_000), Level::Warning);
    }

    #[test]
    fn a_database_on_the_other_side_of_the_world_is_a_warning() {
        let far = said(Check::RoundTrip, |facts| {
            facts.database.as_mut().unwrap().round_trip = Duration::from_millis(180);
        });
        let expected = "3.0 ms to connect, 180.0 ms there and back";
        assert_eq!(far, [(Level::Warning, expected.to_owned())]);
    }

    #[test]
    fn what_a_crash_of_the_server_could_forget_is_named_one_by_one() {
        let said = with(Check::Durability, |server| {
            server.fsync = false;
            server.full_page_writes = false;
            server.synchronous_commit = "off".into();
        });
        let levels: Vec<Level> = said.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels, [Level::Problem, Level::Warning, Level::Warning]);
    }

    #[test]
    fn a_standby_is_well_if_a_commit_waits_for_it_or_if_nobody_may_tell() {
        let copied = |standby, names: &str| {
            level(&said(Check::Durability, |facts| {
                let checkup = facts.database.as_mut().unwrap();
                checkup.standbys = Ok(vec![standby]);
                let server = checkup.server.as_mut().unwrap();
                server.synchronous_standby_names = names.to_owned();
            }))
        };
        assert_eq!(copied(Standby::Asynchronous, ""), Level::Warning);
        assert_eq!(copied(Standby::Hidden, ""), Level::Warning);
        assert_eq!(copied(Standby::Synchronous, "ANY 1 (b)"), Level::Ok);
        assert_eq!(copied(Standby::Hidden, "b"), Level::Ok);
        assert_eq!(copied(Standby::Asynchronous, "another"), Level::Warning);
    }

    #[test]
    fn connections_are_counted_with_those_of_others_and_not_behind_a_pooler() {
        let with_room = |room, used| {
            level(&with(Check::Connections, |server| {
                server.max_connections = room;
                server.connections = used;
            }))
        };
        // Four for runs, four for their SQL, three beside them.
        assert_eq!(with_room(100, 89), Level::Ok);
        assert_eq!(with_room(100, 90), Level::Warning);
        assert_eq!(with_room(10, 0), Level::Problem);
        let of_the_role = with(Check::Connections, |server| server.role_limit = 10);
        assert_eq!(level(&of_the_role), Level::Problem);
        let pooled = said(Check::Connections, |facts| {
            let checkup = facts.database.as_mut().unwrap();
            checkup.is_direct = false;
            checkup.server.as_mut().unwrap().max_connections = 5;
        });
        assert_eq!(level(&pooled), Level::Ok);
    }

    #[test]
    fn a_clock_is_off_from_where_check_says_so() {
        let off = |skew| with(Check::Clock, |server| server.clock_skew = skew).remove(0);
        let (level, fact) = off(-4.2);
        assert_eq!(level, Level::Ok);
        assert_eq!(
            fact,
            "this host's is 4s behind the database's, which alone decides"
        );
        assert_eq!(off(31.0).0, Level::Warning);
        assert_eq!(off(f64::INFINITY).0, Level::Warning);
    }

    #[test]
    fn a_question_that_is_refused_hides_no_other() {
        let mut facts = facts();
        let checkup = facts.database.as_mut().unwrap();
        checkup.standbys = Err("not for you".into());
        let findings = examine(&facts);
        let refused = findings
            .iter()
            .find(|found| found.check == Check::Durability);
        assert_eq!(refused.unwrap().fact, "could not be asked: not for you");
        assert!(findings.iter().any(|found| found.check == Check::Clock));
    }

    #[test]
    fn a_database_that_says_nothing_is_one_problem_and_the_machine_is_looked_at() {
        let mut facts = facts();
        facts.database = Err(Silence::NoAnswer {
            address: "postgres://web@db:5432/cron".into(),
            why: "postgres://web@db:5432/cron: refused".into(),
        });
        let findings = examine(&facts);
        let checks: Vec<_> = findings.iter().map(|found| found.check.label()).collect();
        assert_eq!(
            checks,
            [
                "configuration",
                "database",
                "process",
                "state",
                "kernel",
                "zones"
            ]
        );
        assert_eq!(findings[1].fact, "postgres://web@db:5432/cron: refused");
    }

    #[test]
    fn a_kernel_that_hides_children_is_a_problem_and_missing_zones_a_warning_where_they_matter() {
        let kernel = said(Check::Kernel, |facts| facts.here.names_children = false);
        assert_eq!(level(&kernel), Level::Problem);
        let zones = |needed| {
            level(&said(Check::Zones, |facts| {
                facts.here.zones = None;
                facts.here.needs_zones = needed;
            }))
        };
        assert_eq!((zones(true), zones(false)), (Level::Warning, Level::Ok));
    }
}
