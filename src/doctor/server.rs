//! The server: which one, how far away, and on what terms.

use std::time::Duration;

use super::{
    Check, Finding,
    facts::{Facts, Needs, Silence},
};
use crate::{
    duration,
    store::checkup::{Checkup, Server},
    view::{text::counted, times::words},
};

/// The versions it is made for.
const VERSIONS: std::ops::RangeInclusive<i32> = 12..=18;

/// A claim is two round trips; from here on it shows.
const FAR_AWAY: Duration = Duration::from_millis(50);

/// What a host holds beside the connections of its runs: for its heartbeats, to listen, and to look.
const BESIDE_RUNS: usize = 3;

pub(super) fn silent(silence: &Silence) -> Finding {
    match silence {
        Silence::Unknown(why) => Finding::problem(
            Check::Database,
            why,
            "nothing about the database could be asked",
        ),
        Silence::NoAnswer { address, why } => {
            let fact = if why.contains(address.as_str()) {
                why.clone()
            } else {
                format!("{address}: {why}")
            };
            Finding::problem(
                Check::Database,
                fact,
                "nothing else about the database could be asked",
            )
        }
    }
}

pub(super) fn findings(checkup: &Checkup, facts: &Facts) -> Vec<Finding> {
    let server = match &checkup.server {
        Ok(server) => server,
        Err(why) => return vec![Finding::unasked(Check::Database, why)],
    };
    let skew = clock(server.clock_skew, &facts.needs);
    let found = [
        database(checkup, server),
        round_trip(checkup),
        primary(server),
        pooler(checkup.is_direct),
        connections(server, &facts.needs, checkup.is_direct),
        skew,
    ];
    found.into_iter().chain(session(server, checkup)).collect()
}

fn database(checkup: &Checkup, server: &Server) -> Finding {
    let which = match &checkup.identity {
        Ok(identity) => identity.words(),
        Err(why) => return Finding::unasked(Check::Database, why),
    };
    let fact = format!("PostgreSQL {}, {which}", server.version);
    let major = server.version_number / 10_000;
    if major < *VERSIONS.start() {
        return Finding::problem(
            Check::Database,
            fact,
            "PostgreSQL 12 or later is needed: upgrade the server",
        );
    }
    if major > *VERSIONS.end() {
        return Finding::warning(
            Check::Database,
            fact,
            "newer than this program knows (12 to 18): see whether there is a newer crontabber",
        );
    }
    Finding::ok(Check::Database, fact)
}

fn round_trip(checkup: &Checkup) -> Finding {
    let fact = format!(
        "{} to connect, {} there and back",
        milliseconds(checkup.connect),
        milliseconds(checkup.round_trip)
    );
    if checkup.round_trip > FAR_AWAY {
        return Finding::warning(
            Check::RoundTrip,
            fact,
            "each claim and each record waits that long twice: run crontabber nearer to its database",
        );
    }
    Finding::ok(Check::RoundTrip, fact)
}

fn milliseconds(length: Duration) -> String {
    format!("{:.1} ms", length.as_secs_f64() * 1000.0)
}

fn primary(server: &Server) -> Finding {
    if server.is_standby {
        return Finding::problem(
            Check::Primary,
            "the server is a standby: it takes no writes",
            "name the primary, or list all servers with target_session_attrs=read-write",
        );
    }
    Finding::ok(Check::Primary, "the server takes writes")
}

fn pooler(is_direct: bool) -> Finding {
    if is_direct {
        return Finding::ok(Check::Pooler, "none: the server itself answers");
    }
    Finding::warning(
        Check::Pooler,
        "a pooler stands before the server: polling instead of LISTEN, no prepared statements",
        "transaction and session mode will do; name the server itself for runs that start and stop without the wait of \
         a `poll`, and for `transaction = false`",
    )
}

/// What the role's sessions begin with. Our own transactions set all of it; those of jobs do not.
fn session(server: &Server, checkup: &Checkup) -> Vec<Finding> {
    let role = checkup.role();
    let mut found = Vec::new();
    if server.read_only {
        found.push(Finding::warning(
            Check::Session,
            format!("transactions of {role} are read-only unless they say otherwise, as crontabber's own do"),
            format!("jobs that write as this role fail: ALTER ROLE {role} RESET default_transaction_read_only"),
        ));
    }
    if let Some(limit) = server.idle_session {
        let limit = duration::short(limit);
        found.push(Finding::warning(
            Check::Session,
            format!("sessions that are idle for {limit} are ended (idle_session_timeout)"),
            format!("a daemon connects anew each time, and hears no NOTIFY meanwhile: ALTER ROLE {role} SET idle_session_timeout = 0"),
        ));
    }
    if found.is_empty() {
        let idle = match server.idle_in_transaction {
            Some(limit) => format!("idle in transaction for at most {}", duration::short(limit)),
            None => "idle in transaction without a limit".to_owned(),
        };
        let isolation = &server.isolation;
        found.push(Finding::ok(
            Check::Session,
            format!("{isolation}, {idle}; crontabber's own transactions set what they need"),
        ));
    }
    found
}

fn connections(server: &Server, needs: &Needs, is_direct: bool) -> Finding {
    let runs = needs.max_parallel;
    let sql = needs.sql_jobs.min(runs);
    let wanted = runs + BESIDE_RUNS + sql;
    let why = format!(
        "{wanted} ({runs} for max_parallel, {BESIDE_RUNS} beside them, {sql} for jobs of SQL)"
    );
    if !is_direct {
        return Finding::ok(
            Check::Connections,
            format!(
                "this host may want {why}; the pooler decides how many reach the server, and a job of SQL keeps one while it runs"
            ),
        );
    }
    let (limit, whose) = server.limit();
    let used = usize::try_from(server.connections).unwrap_or(usize::MAX);
    let advice = format!("fewer `max_parallel`, a pooler, or more: {whose}");
    let fact = format!(
        "this host may want {why}; {limit} can be had, {} in use",
        counted(used, "session")
    );
    if wanted > limit {
        return Finding::problem(Check::Connections, fact, advice);
    }
    if wanted.saturating_add(used) > limit {
        return Finding::warning(Check::Connections, fact, advice);
    }
    Finding::ok(Check::Connections, fact)
}

fn clock(skew: f64, needs: &Needs) -> Finding {
    // An instant that is no length of time away is further off than any.
    let off = Duration::try_from_secs_f64(skew.abs()).unwrap_or(Duration::MAX);
    let direction = if skew < 0.0 { "behind" } else { "ahead of" };
    let off_by = if off < Duration::from_secs(1) {
        milliseconds(off)
    } else {
        words(off)
    };
    let fact = format!("this host's is {off_by} {direction} the database's, which alone decides");
    match needs.clock_skew.of(off) {
        None => Finding::ok(Check::Clock, fact),
        Some(_) => Finding::warning(
            Check::Clock,
            fact,
            "the times in this host's log mislead: NTP (chrony, systemd-timesyncd)",
        ),
    }
}
