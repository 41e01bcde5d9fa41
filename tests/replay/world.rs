//! The jobs of a replay, and its clock.

use std::time::Duration;

use crontabber::{
    schedule::{Crontab, Rule, Timetable},
    spec::{CatchUp, JobSpec, Kind, Needed, Overlap, Parent, Sql},
};
use jiff::Timestamp;

use crate::common::{Database, host::job};

/// A job of SQL that enters itself into the table `ledger`, and fails where `fails` is true.
pub(crate) fn entering(name: &str, fails: &str) -> JobSpec {
    let text = format!(
        "SELECT 1 / CASE WHEN {fails} THEN 0 ELSE 1 END;
         INSERT INTO ledger
         SELECT current_setting('crontabber.job'), current_setting('crontabber.slot')::timestamptz,
                current_setting('crontabber.run_id')::uuid"
    );
    JobSpec {
        kind: Kind::Sql(Sql {
            text,
            transaction: true,
            database: None,
        }),
        ..job(name, "")
    }
}

pub(crate) const NEVER: &str = "false";

/// What makes the first attempt at one slot of five fail.
pub(crate) const SOMETIMES: &str = "current_setting('crontabber.attempt')::int = 1
    AND extract(epoch FROM current_setting('crontabber.slot')::timestamptz)::bigint / 3600 % 5 = 0";

pub(crate) fn crontab(fields: &str, zone: &str) -> Timetable {
    let fields = Crontab::parse(fields).expect("crontab fields");
    timetable(Rule::Crontab(fields), zone)
}

pub(crate) fn every(hours: u64) -> Timetable {
    let period = Duration::from_hours(hours);
    timetable(Rule::Every { period, at: None }, "UTC")
}

fn timetable(rule: Rule, zone: &str) -> Timetable {
    Timetable {
        rules: vec![rule],
        timezone: zone.into(),
        jitter: Duration::ZERO,
    }
}

pub(crate) fn parent(name: &str) -> Parent {
    Parent::named(name.parse().expect("a name"))
}

/// One job by each policy, some with parents.
pub(crate) fn jobs() -> Vec<JobSpec> {
    let latest = JobSpec {
        timetable: Some(every(6)),
        ..entering("latest", SOMETIMES)
    };
    let all = JobSpec {
        timetable: Some(every(8)),
        catch_up: CatchUp::All,
        ..entering("all", SOMETIMES)
    };
    let limited = JobSpec {
        timetable: Some(crontab("20 */6 * * *", "UTC")),
        catch_up: CatchUp::All,
        catch_up_limit: Some(2),
        ..entering("limited", NEVER)
    };
    let none = JobSpec {
        timetable: Some(crontab("40 3,15 * * *", "UTC")),
        catch_up: CatchUp::None,
        ..entering("none", NEVER)
    };
    let in_time = JobSpec {
        timetable: Some(crontab("0 5 * * *", "UTC")),
        start_deadline: Some(Duration::from_hours(2)),
        ..entering("in_time", NEVER)
    };
    // The night of 30 March has no such hour in Berlin.
    let night = JobSpec {
        timetable: Some(crontab("30 2 * * *", "Europe/Berlin")),
        ..entering("night", NEVER)
    };
    let child = JobSpec {
        timetable: Some(crontab("10 */12 * * *", "UTC")),
        depends_on: vec![parent("latest"), parent("night")],
        overlap: Overlap::QueueOne,
        ..entering("child", NEVER)
    };
    let after = JobSpec {
        timetable: None,
        depends_on: vec![
            parent("in_time"),
            Parent {
                on: Needed::Finish,
                ..parent("night")
            },
        ],
        ..entering("after", NEVER)
    };
    vec![latest, all, limited, none, in_time, night, child, after]
}

pub(crate) async fn ledger(database: &Database) {
    database
        .execute("CREATE TABLE ledger (job text, slot timestamptz, run_id uuid PRIMARY KEY)")
        .await;
}

/// The first instant after `now` at which the table has something for a host: a start, or the end of a lease and what
/// others respect beyond it.
pub(crate) async fn next_instant(database: &Database, now: Timestamp) -> Option<Timestamp> {
    let sql = format!(
        "SELECT min(at) FROM (
             SELECT next_run AS at FROM crontabber WHERE run_id IS NULL
             UNION ALL SELECT lease_until + interval '1001 ms' FROM crontabber WHERE run_id IS NOT NULL) AS instants
          WHERE at > '{now}' AND at < '9999-01-01Z'"
    );
    database.query_one(&sql).await
}
