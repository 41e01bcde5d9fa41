//! The runs there were, and the slots that did not run.

use jiff::Timestamp;

use super::{
    Medium, Times,
    counts::Counts,
    entry::{Entry, short},
    mark::Mark,
    table::{Column, Row, render},
    text,
};

/// A table, in the order of the entries.
#[must_use]
pub fn text(entries: &[Entry], now: Timestamp, medium: Medium) -> String {
    let times = Times { now, medium };
    // Most jobs count nothing, and people need not read of what there is none.
    let counts = entries.iter().any(|entry| entry.counts.is_some());
    let columns = [
        Column::left("RUN"),
        Column::left("JOB").yields(2, 16),
        Column::left("STARTED"),
        Column::right("TOOK"),
        Column::right("ATTEMPT"),
        Column::left("OUTCOME").toned(),
        Column::left("TRIGGER"),
        Column::left("HOST"),
        Column::left(if counts { "WHY, COUNTS" } else { "WHY" }).yields(1, 30),
    ];
    let rows: Vec<Row> = entries.iter().map(|entry| row(entry, &times)).collect();
    match (medium, rows.as_slice()) {
        (Medium::Terminal { .. }, []) => "no such run yet\n".to_owned(),
        _ => render(&columns, &rows, medium),
    }
}

/// An array of objects.
#[must_use]
pub fn json(entries: &[Entry]) -> String {
    text::json(&entries)
}

fn row(entry: &Entry, times: &Times) -> Row {
    let people = times.medium.is_terminal();
    let attempt = entry.attempt.filter(|&attempt| attempt > 0);
    // A range of slots that did not run has no start: when its verdict was written stands in for it.
    let at = entry.started_at.or(entry.finished_at);
    let mut cells = vec![
        entry
            .run_id
            .map(|id| if people { short(id) } else { id.to_string() })
            .unwrap_or_default(),
        entry.name.clone(),
        times.when_any(at),
        took(entry, times).unwrap_or_default(),
        attempt
            .map(|attempt| attempt.to_string())
            .unwrap_or_default(),
        entry.outcome.clone(),
        entry.trigger.clone().unwrap_or_default(),
        entry.host.clone().unwrap_or_default(),
    ];
    cells.extend(why_and_counts(entry, times));
    Row {
        mark: Mark::of_outcome(&entry.outcome),
        cells,
    }
}

/// Why, and what it has counted: people read both in one cell, for few entries have both.
fn why_and_counts(entry: &Entry, times: &Times) -> Vec<String> {
    let (why, counts) = (why(entry, times), entry.counts.as_ref());
    match times.medium {
        Medium::Pipe => vec![why, counts.map(Counts::json).unwrap_or_default()],
        Medium::Terminal { .. } => {
            let both = [Some(why), counts.map(Counts::text)];
            let told = both.into_iter().flatten().filter(|text| !text.is_empty());
            vec![told.collect::<Vec<_>>().join("; ")]
        }
    }
}

/// How long it took; people also read how long it has been taking so far.
fn took(entry: &Entry, times: &Times) -> Option<String> {
    let so_far =
        Some(times.now).filter(|_| times.medium.is_terminal() && entry.outcome == "running");
    Some(times.took(entry.started_at?, entry.finished_at.or(so_far)?))
}

/// The reason; of slots that did not run also which.
fn why(entry: &Entry, times: &Times) -> String {
    let reason = entry.reason.clone().unwrap_or_default();
    match (entry.is_run(), entry.slot, entry.slot_until) {
        (true, ..) | (false, None, _) => reason,
        (false, Some(first), Some(last)) if last > first => {
            let slots = entry.slots.unwrap_or(0);
            format!(
                "{reason}: {slots} slots from {} to {}",
                times.clock(first),
                times.clock(last)
            )
        }
        (false, Some(slot), _) => format!("{reason}: slot {}", times.clock(slot)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    fn now() -> Timestamp {
        "2031-05-05T12:00:00Z".parse().unwrap()
    }

    fn ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    fn entries() -> Vec<Entry> {
        let run = |name: &str, outcome: &str| Entry {
            run_id: Some(Uuid::nil()),
            name: name.into(),
            slot: Some(ago(10)),
            attempt: Some(1),
            fence: Some(7),
            host: Some("web1".into()),
            trigger: Some("schedule".into()),
            outcome: outcome.into(),
            started_at: Some(ago(10)),
            ..Entry::default()
        };
        let failed = Entry {
            reason: Some("exit 1: \u{1b}[31mno\nroom".into()),
            exit_code: Some(1),
            finished_at: Some(ago(9)),
            attempt: Some(2),
            ..run("mail", "failure")
        };
        let skipped = Entry {
            run_id: None,
            attempt: Some(0),
            host: None,
            started_at: None,
            finished_at: Some(ago(30)),
            slot: Some(ago(90)),
            slot_until: Some(ago(40)),
            slots: Some(6),
            reason: Some("missed".into()),
            ..run("mail", "skipped")
        };
        let python = Entry {
            run_id: None,
            attempt: None,
            trigger: None,
            slot: None,
            host: Some("python".into()),
            finished_at: Some(ago(8)),
            ..run("old", "success")
        };
        vec![run("index", "running"), failed, skipped, python]
    }

    #[test]
    fn people_read_a_table() {
        let expected = "  RUN       JOB    STARTED  TOOK  ATTEMPT  OUTCOME  TRIGGER   HOST    WHY
● 00000000  index  10m ago   10m        1  running  schedule  web1
✗ 00000000  mail   10m ago    1m        2  failure  schedule  web1    exit 1: \\u{1b}[31mno\\nroom
○ –         mail   30m ago     –        –  skipped  schedule  –       missed: 6 slots from 2031-05-05 10…
✓ –         old    10m ago    2m        –  success  –         python
";
        assert_eq!(
            text(
                &entries(),
                now(),
                Medium::Terminal {
                    width: 105,
                    colour: false
                }
            ),
            expected
        );
    }

    #[test]
    fn programs_read_tabs_and_instants() {
        let text = text(&entries()[1..2], now(), Medium::Pipe);
        let nil = Uuid::nil();
        assert_eq!(
            text,
            format!(
                "{nil}\tmail\t2031-05-05T11:50:00Z\t60.000\t2\tfailure\tschedule\tweb1\texit 1: \\u{{1b}}[31mno\\nroom\t\n"
            )
        );
    }

    #[test]
    fn what_runs_have_counted_is_told_where_one_has() {
        let counts = Counts::at_the_end_of("{\"sent\": 4, \"failed\": 0}");
        let mut entries = entries().split_off(2);
        entries[1].counts = counts;
        let people = Medium::Terminal {
            width: 120,
            colour: false,
        };
        let expected = "  RUN  JOB   STARTED  TOOK  ATTEMPT  OUTCOME  TRIGGER   HOST    WHY, COUNTS
○ –    mail  30m ago     –        –  skipped  schedule  –       missed: 6 slots from 2031-05-05 10:30:00Z to 2031-05-05…
✓ –    old   10m ago    2m        –  success  –         python  sent 4
";
        assert_eq!(text(&entries, now(), people), expected);
        let tabbed = text(&entries, now(), Medium::Pipe);
        assert!(
            tabbed.ends_with("\tpython\t\t{\"failed\":0,\"sent\":4}\n"),
            "{tabbed}"
        );
    }

    #[test]
    fn an_empty_history_says_so_to_people_only() {
        assert_eq!(
            text(
                &[],
                now(),
                Medium::Terminal {
                    width: 80,
                    colour: false
                }
            ),
            "no such run yet\n"
        );
        assert_eq!(text(&[], now(), Medium::Pipe), "");
        assert_eq!(json(&[]), "[]\n");
    }
}
