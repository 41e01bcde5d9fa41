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
