//! What `why --at` says of a slot, by what the log has of it. `backup` runs every hour, twenty minutes past.

use crontabber::view::{
    Medium, Times,
    entry::{Entry, OfSlot},
    subject,
    why::{
        Known,
        at::{At, Verdict, explain_at},
    },
};
use jiff::{SignedDuration, Timestamp};

use super::{
    golden::{TERMINAL, is_as_in, with_plan},
    world::{self, minutes, run},
};

/// The slot of an hour and forty minutes ago.
fn slot() -> Timestamp {
    minutes(-100)
}

fn asked(
    job: &str,
    at: Timestamp,
    its: &[Entry],
    others: &[Entry],
    look: impl FnOnce(&At, &Times),
) {
    let (config, place) = (world::config(), world::place());
    let log = OfSlot {
        its: its.to_vec(),
        others: others.to_vec(),
    };
    with_plan(|plan| {
        let times = Times {
            now: plan.now,
            medium: TERMINAL,
        };
        let known = Known {
            plan,
            graph: &config.graph,
            place: &place,
            times,
        };
        let subject = subject::named(plan, job).expect("a name in the listing");
        look(&explain_at(&subject, at, &log, &known), &times);
    });
}

/// The sentence about the slot of `backup`.
fn said(at: Timestamp, its: &[Entry], others: &[Entry]) -> (Verdict, String) {
    let mut said = None;
    asked("backup", at, its, others, |at, _| {
        said = Some((at.verdict, at.conclusion.clone()));
    });
    said.expect("it was asked")
}

fn attempt(number: i32, outcome: &str, started: i64) -> Entry {
    Entry {
        run_id: Some(run(u128::try_from(number).expect("from 1 on"))),
        name: "backup".into(),
        slot: Some(slot()),
        attempt: Some(number),
        host: Some("web1".into()),
        trigger: Some("schedule".into()),
        outcome: outcome.into(),
        reason: (outcome == "failure").then(|| "exit 1".into()),
        started_at: Some(minutes(started)),
        finished_at: Some(minutes(started) + SignedDuration::from_secs(12)),
        ..Entry::default()
    }
}

/// Three slots, of which it is the second.
fn skipped(reason: &str) -> Entry {
    Entry {
        run_id: None,
        slot: Some(minutes(-160)),
        slot_until: Some(minutes(-40)),
        slots: Some(3),
        attempt: Some(0),
        host: None,
        reason: Some(reason.into()),
        started_at: None,
        finished_at: Some(minutes(-5)),
        ..attempt(0, "skipped", 0)
    }
}

/// A run for another slot than this.
fn another(slot: i64, started: i64) -> Entry {
    Entry {
        slot: Some(minutes(slot)),
        ..attempt(9, "success", started)
    }
}

#[test]
fn a_slot_that_succeeded_says_where_how_late_and_at_which_attempt() {
    let both = [attempt(1, "failure", -99), attempt(2, "success", -94)];
    let expected = "backup ran for its slot 2031-05-05 10:20:00Z: success on web1 at the 2nd attempt, 6m late, took 12s.";
    assert_eq!(
        said(slot(), &both, &[]),
        (Verdict::Success, expected.into())
    );
    let at_once = [attempt(1, "success", -100)];
    let expected = "backup ran for its slot 2031-05-05 10:20:00Z: success on web1, took 12s.";
    assert_eq!(said(slot(), &at_once, &[]).1, expected);
}

#[test]
fn a_slot_that_failed_for_good_says_so() {
    let last = Entry {
        attempt: Some(13),
        ..attempt(1, "failure", -99)
    };
    let expected = "backup ran for its slot 2031-05-05 10:20:00Z and did not succeed: failure on web1 at the 13th attempt, \
                    took 12s: exit 1.";
    assert_eq!(
        said(slot(), &[last], &[]),
        (Verdict::Failure, expected.into())
    );
}

#[test]
fn a_run_that_goes_on_is_told_before_anything_that_failed() {
    let going_on = Entry {
        finished_at: None,
        ..attempt(2, "running", -3)
    };
    let both = [attempt(1, "failure", -99), going_on];
    let expected = "backup is running for its slot 2031-05-05 10:20:00Z on web1 2031-05-05 11:57:00Z (3m ago) at the 2nd attempt.";
    assert_eq!(
        said(slot(), &both, &[]),
        (Verdict::Running, expected.into())
    );
}

#[test]
fn each_reason_of_a_slot_that_was_left_behind_has_its_sentence() {
    let instead = another(20, -5);
    let during = another(-220, -190);
    let during = Entry {
        finished_at: Some(minutes(-10)),
        ..during
    };
    let of = "it is one of 3 slots from 2031-05-05 09:20:00Z to 2031-05-05 11:20:00Z that were";
    for (reason, others, why) in [
        (
            "coalesced",
            vec![instead.clone()],
            "coalesced into the run for 2031-05-05 12:20:00Z, because no host had started it by then",
        ),
        (
            "coalesced",
            vec![during.clone(), instead],
            "coalesced into the run for 2031-05-05 12:20:00Z, because the run for 2031-05-05 08:20:00Z was still going on when it fell due",
        ),
        (
            "coalesced",
            vec![],
            "coalesced into a later run, because no host had started it by then",
        ),
        (
            "missed",
            vec![],
            "missed: no host started it in time, and the job does not catch up on it",
        ),
        (
            "missed",
            vec![during],
            "missed: the run for 2031-05-05 08:20:00Z was still going on when it fell due",
        ),
        (
            "paused",
            vec![],
            "paused: it fell due while the job was paused",
        ),
        (
            "late",
            vec![],
            "late: it could not start before its start_deadline was over",
        ),
        (
            "blocked by mail, fetch",
            vec![],
            "blocked by mail, fetch: the next slot came before that was done which it waited for",
        ),
        ("asleep", vec![], "skipped: asleep"),
    ] {
        let (verdict, sentence) = said(slot(), &[skipped(reason)], &others);
        assert_eq!(verdict, Verdict::Skipped);
        assert_eq!(
            sentence,
            format!("backup did not run for its slot 2031-05-05 10:20:00Z: {of} {why}.")
        );
    }
}

#[test]
fn a_slot_that_was_made_up_for_says_what_it_was_before() {
    let backfilled = Entry {
        trigger: Some("backfill".into()),
        ..attempt(1, "success", -2)
    };
    let expected = "backup ran for its slot 2031-05-05 10:20:00Z: success on web1, by a backfill, 1h 38m late, took 12s. It had \
                    been skipped before: missed.";
    let (verdict, sentence) = said(slot(), &[skipped("missed"), backfilled], &[]);
    assert_eq!((verdict, sentence.as_str()), (Verdict::Success, expected));
    let marked = Entry {
        trigger: Some("manual".into()),
        reason: Some("marked by anna@web1: sent by hand".into()),
        finished_at: Some(minutes(-2)),
        ..attempt(1, "success", -2)
    };
    let expected = "backup counts as succeeded for its slot 2031-05-05 10:20:00Z: marked by anna@web1: sent by hand.";
    assert_eq!(said(slot(), &[marked], &[]).1, expected);
}

#[test]
fn an_instant_between_two_slots_means_the_earlier_one_and_says_so() {
    let (verdict, sentence) = said(minutes(-90), &[attempt(1, "success", -100)], &[]);
    assert_eq!(verdict, Verdict::Success);
    assert!(
        sentence.starts_with(
            "2031-05-05 10:30:00Z is no slot of backup; the latest before it is 2031-05-05 10:20:00Z. backup ran"
        ),
        "{sentence}"
    );
    // In the middle of a range the schedule knows the slot that the log does not name.
    let (verdict, sentence) = said(minutes(-90), &[skipped("missed")], &[]);
    assert_eq!(verdict, Verdict::Skipped);
    assert!(
        sentence.contains("did not run for its slot 2031-05-05 10:20:00Z"),
        "{sentence}"
    );
}

#[test]
fn a_slot_of_another_schedule_is_found_in_the_log_though_todays_does_not_have_it() {
    let old = Entry {
        name: "mail".into(),
        slot: Some(minutes(-97)),
        ..attempt(1, "success", -97)
    };
    for at in [-97, -92] {
        asked(
            "mail",
            minutes(at),
            std::slice::from_ref(&old),
            &[],
            |at, _| {
                assert_eq!(at.verdict, Verdict::Success);
                assert_eq!(at.slot, Some(minutes(-97)), "not 07:00 in Berlin");
            },
        );
    }
}

#[test]
fn a_run_by_hand_is_no_slot_of_the_range_around_it() {
    let by_hand = Entry {
        slot: Some(minutes(-97)),
        trigger: Some("manual".into()),
        ..attempt(1, "failure", -97)
    };
    asked(
        "backup",
        minutes(-97),
        &[skipped("missed"), by_hand],
        &[],
        |at, _| {
            assert_eq!(at.verdict, Verdict::Failure);
            assert_eq!(at.entries.len(), 1);
            let made_up_for = at
                .commands
                .iter()
                .any(|next| next.command.contains("backfill"));
            assert!(!made_up_for, "no schedule has this slot");
        },
    );
}

#[test]
fn what_the_log_does_not_have_is_not_made_up() {
    let (verdict, sentence) = said(minutes(-100), &[], &[]);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(
        sentence.starts_with("The log knows nothing of the slot 2031-05-05 10:20:00Z of backup:")
    );
    // Its parents start it, and none has.
    asked("adhoc", minutes(-100), &[], &[], |at, _| {
        assert_eq!((at.verdict, at.slot), (Verdict::Unknown, None));
        assert!(
            at.conclusion
                .starts_with("adhoc has no slot at or before 2031-05-05 10:20:00Z.")
        );
    });
}

#[test]
fn a_slot_that_is_pending_or_ahead_says_why_it_does_not_run_now() {
    for (job, at, verdict, begins) in [
        (
            "backup",
            minutes(80),
            Verdict::Ahead,
            "The slot 2031-05-05 13:20:00Z of backup has not come: by its schedule it runs 2031-05-05 13:20:00Z (in 1h 20m). backup is",
        ),
        (
            "report",
            minutes(-1),
            Verdict::Pending,
            "2031-05-05 11:59:00Z is no slot of report; the latest before it is 2031-05-05 11:57:00Z. report has not run for its slot \
             2031-05-05 11:57:00Z yet: it is still pending. report is due, but waits",
        ),
    ] {
        asked(job, at, &[], &[], |at, times| {
            assert_eq!(at.verdict, verdict);
            assert!(at.conclusion.starts_with(begins), "{}", at.conclusion);
            let why = at.why.as_ref().expect("it is to come");
            assert!(at.conclusion.ends_with(&why.conclusion));
            assert!(at.text(times).contains("not paused"));
        });
    }
}

#[test]
fn what_to_type_next_leads_to_the_output_the_parent_and_the_backfill() {
    let commands = |its: &[Entry], others: &[Entry]| {
        let mut commands = Vec::new();
        asked("backup", slot(), its, others, |at, _| {
            commands = at
                .commands
                .iter()
                .map(|next| next.command.clone())
                .collect();
        });
        commands
    };
    let backfill =
        "crontabber backfill backup --from 2031-05-05T10:20:00Z --to 2031-05-05T10:20:00Z";
    assert_eq!(
        commands(&[attempt(1, "success", -99)], &[]),
        ["crontabber logs 00000001"]
    );
    assert_eq!(
        commands(&[attempt(1, "failure", -99)], &[]),
        ["crontabber logs 00000001", backfill]
    );
    assert_eq!(
        commands(&[skipped("blocked by mail, fetch")], &[]),
        [
            "crontabber why mail --at 2031-05-05T10:20:00Z",
            "crontabber why fetch --at 2031-05-05T10:20:00Z",
            backfill
        ]
    );
    assert_eq!(
        commands(&[skipped("coalesced")], &[another(20, -5)]),
        ["crontabber logs 00000009", backfill]
    );
}

#[test]
fn the_answer_is_shown_whole() {
    let its = [
        skipped("missed"),
        attempt(1, "failure", -99),
        Entry {
            reason: Some("exit 1: \u{1b}[2J".into()),
            ..attempt(2, "failure", -94)
        },
    ];
    asked("backup", minutes(-90), &its, &[], |at, times| {
        is_as_in("why_at.txt", &at.text(times));
        let pipe = Times {
            medium: Medium::Pipe,
            ..*times
        };
        is_as_in("why_at_pipe.txt", &at.text(&pipe));
        is_as_in("why_at.json", &at.json());
    });
}
