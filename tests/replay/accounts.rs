//! Every slot of every job, and what became of it.

use std::collections::BTreeMap;

use crontabber::spec::JobSpec;
use jiff::Timestamp;

use crate::common::Database;

/// A row of the log.
struct Entry {
    slot: Timestamp,
    slot_until: Timestamp,
    attempt: i32,
    outcome: String,
}

/// Holds the log of a job with a schedule against its timetable: from `first` on each slot that is not pending any more
/// has run to an end, or was skipped, one of both and once; and no slot is in the log that the timetable does not have.
pub(crate) async fn each_slot_has_one_verdict(
    database: &Database,
    spec: &JobSpec,
    first: Timestamp,
) {
    let name = spec.name.as_str();
    let when = spec.timetable.as_ref().expect("it has a schedule");
    let pending: Timestamp = database
        .query_one(&format!(
            "SELECT slot FROM crontabber WHERE app_name = '{name}'"
        ))
        .await;
    let entries = entries(database, name).await;
    let mut ends: BTreeMap<Timestamp, Vec<&str>> = BTreeMap::new();
    for entry in &entries {
        if entry.attempt == 0 {
            let mut slot = entry.slot;
            while slot <= entry.slot_until {
                ends.entry(slot).or_default().push("skipped");
                slot = when.next(slot, first).expect("it has no end");
            }
        } else {
            ends.entry(entry.slot).or_default().push(&entry.outcome);
        }
    }
    let mut slot = first;
    while slot < pending {
        let verdicts = ends.remove(&slot).unwrap_or_default();
        let skipped = verdicts
            .iter()
            .filter(|verdict| **verdict == "skipped")
            .count();
        let succeeded = verdicts
            .iter()
            .filter(|verdict| **verdict == "success")
            .count();
        let is_accounted_for = match (skipped, succeeded) {
            (1, 0) => verdicts.len() == 1,
            (0, 0 | 1) => !verdicts.is_empty(),
            _ => false,
        };
        assert!(is_accounted_for, "{name} {slot}: {verdicts:?}");
        slot = when.next(slot, first).expect("it has no end");
    }
    ends.retain(|slot, _| *slot < pending);
    assert!(
        ends.is_empty(),
        "{name} has slots that are none of its: {ends:?}"
    );
}

async fn entries(database: &Database, name: &str) -> Vec<Entry> {
    let sql = format!(
        "SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ'),
                to_char(coalesce(slot_until, slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.USZ'),
                attempt, outcome
           FROM crontabber_log WHERE app_name = '{name}' ORDER BY slot, attempt"
    );
    let rows = database.rows(&sql).await;
    let entry = |row: Vec<String>| Entry {
        slot: row[0].parse().expect("an instant"),
        slot_until: row[1].parse().expect("an instant"),
        attempt: row[2].parse().expect("a number"),
        outcome: row[3].clone(),
    };
    rows.into_iter().map(entry).collect()
}

/// What the jobs have written themselves is what the log has for successes, run for run, and no slot twice.
pub(crate) async fn the_ledger_agrees(database: &Database) {
    let difference = "SELECT count(*) FROM (SELECT app_name AS job, slot, run_id FROM crontabber_log WHERE outcome = 'success') AS log
                        FULL JOIN ledger USING (job, slot, run_id) WHERE log IS NULL OR ledger IS NULL";
    assert_eq!(database.query_one::<i64>(difference).await, 0);
    let twice =
        "SELECT count(*) FROM (SELECT FROM ledger GROUP BY job, slot HAVING count(*) > 1) AS twice";
    assert_eq!(database.query_one::<i64>(twice).await, 0);
    let left = "SELECT count(*) FROM crontabber_log WHERE outcome = 'running'";
    assert_eq!(database.query_one::<i64>(left).await, 0);
}
