//! The sentences about one slot.

use jiff::{SignedDuration, Timestamp};

use crate::view::{
    Times,
    entry::{Entry, OfSlot},
    subject::Subject,
    text::{counted, ordinal},
    why::Known,
};

use super::{Found, Verdict, start_of};

/// The answer.
pub(super) fn conclusion(
    subject: &Subject<'_>,
    found: Option<&Found<'_>>,
    log: &OfSlot,
    known: &Known<'_>,
) -> String {
    let (name, times) = (subject.name(), &known.times);
    let Some(found) = found else {
        return format!(
            "No schedule says when {name} was wanted, and the log knows nothing of it."
        );
    };
    let slot = times.clock(found.slot);
    match (found.verdict, found.runs.last()) {
        (Verdict::Success, _) => success(subject, found, times),
        (Verdict::Running, Some(run)) => format!(
            "{name} is running for its slot {slot}{}{}.",
            place(run, times),
            attempt(run)
        ),
        (Verdict::Pending, Some(run)) => format!(
            "{name} has not succeeded for its slot {slot} yet: {}; it is still pending.",
            ended(run, times)
        ),
        (Verdict::Pending, None) => {
            format!("{name} has not run for its slot {slot} yet: it is still pending.")
        }
        (Verdict::Ahead, _) => {
            let start = times.both(start_of(subject, found.slot));
            format!("The slot {slot} of {name} has not come: by its schedule it runs {start}.")
        }
        (Verdict::Failure, Some(run)) => format!(
            "{name} ran for its slot {slot} and did not succeed: {}.",
            ended(run, times)
        ),
        (Verdict::Skipped, _) => match found.skipped {
            Some(skipped) => {
                format!(
                    "{name} did not run for its slot {slot}: {}.",
                    why_not(skipped, log, times)
                )
            }
            None => unknown(name, &slot),
        },
        (Verdict::Running | Verdict::Failure | Verdict::Unknown, _) => unknown(name, &slot),
    }
}

fn unknown(name: &str, slot: &str) -> String {
    format!(
        "The log knows nothing of the slot {slot} of {name}: it is older than the history, or from before a host of this \
         version met the job, or its schedule was another one then."
    )
}

/// The instant names no slot.
pub(super) fn no_slot(subject: &Subject<'_>, at: Timestamp, times: &Times) -> String {
    format!(
        "{} has no slot at or before {}.",
        subject.name(),
        times.clock(at)
    )
}

/// It is the latest slot before that instant.
pub(super) fn another(
    subject: &Subject<'_>,
    at: Timestamp,
    slot: Timestamp,
    times: &Times,
) -> String {
    format!(
        "{} is no slot of {}; the latest before it is {}.",
        times.clock(at),
        subject.name(),
        times.clock(slot)
    )
}

/// Whether a person has said so, and nothing ran.
pub(super) fn is_marked(run: &Entry) -> bool {
    let reason = run.reason.as_deref().unwrap_or_default();
    run.trigger.as_deref() == Some("manual")
        && run.started_at == run.finished_at
        && reason.starts_with("marked by ")
}

fn success(subject: &Subject<'_>, found: &Found<'_>, times: &Times) -> String {
    let (name, slot) = (subject.name(), times.clock(found.slot));
    let Some(run) = found.runs.iter().rfind(|run| run.outcome == "success") else {
        return unknown(name, &slot);
    };
    let before = found.skipped.map_or_else(String::new, |skipped| {
        let reason = skipped.reason.as_deref().unwrap_or("for no reason");
        format!(" It had been skipped before: {reason}.")
    });
    if is_marked(run) {
        let reason = run.reason.as_deref().unwrap_or_default();
        return format!("{name} counts as succeeded for its slot {slot}: {reason}.{before}");
    }
    let by = match run.trigger.as_deref() {
        Some("backfill") => ", by a backfill",
        Some("manual") => ", by hand",
        _ => "",
    };
    format!(
        "{name} ran for its slot {slot}: success{}{}{by}{}{}.{before}",
        on(run),
        attempt(run),
        late(run, start_of(subject, found.slot), times),
        took(run, times)
    )
}

/// `failure on web1 at the 2nd attempt, took 12s: exit 1`.
fn ended(run: &Entry, times: &Times) -> String {
    let reason = run.reason.as_ref().map(|reason| format!(": {reason}"));
    format!(
        "{}{}{}{}{}",
        run.outcome,
        on(run),
        attempt(run),
        took(run, times),
        reason.unwrap_or_default()
    )
}

/// Why a slot was left behind.
fn why_not(skipped: &Entry, log: &OfSlot, times: &Times) -> String {
    let which = match (skipped.slot, skipped.slot_until, skipped.slots) {
        (Some(first), Some(last), Some(slots)) if slots > 1 => {
            let slots = counted(usize::try_from(slots).unwrap_or(usize::MAX), "slot");
            format!(
                "it is one of {slots} from {} to {} that were ",
                times.clock(first),
                times.clock(last)
            )
        }
        _ => "it was ".to_owned(),
    };
    let slot_of = |run: &Entry| run.slot.map(|slot| times.clock(slot)).unwrap_or_default();
    let during = going_on(skipped, &log.others).map(|run| {
        format!(
            "the run for {} was still going on when it fell due",
            slot_of(run)
        )
    });
    let reason = skipped.reason.as_deref().unwrap_or("skipped");
    let why = match reason {
        "coalesced" => {
            let into = passed_by(skipped, &log.others).map_or_else(
                || "a later run".to_owned(),
                |run| format!("the run for {}", slot_of(run)),
            );
            let why = during.unwrap_or_else(|| "no host had started it by then".to_owned());
            format!("coalesced into {into}, because {why}")
        }
        "missed" => {
            let why = during.unwrap_or_else(|| {
                "no host started it in time, and the job does not catch up on it".to_owned()
            });
            format!("missed: {why}")
        }
        "paused" => "paused: it fell due while the job was paused".to_owned(),
        "late" => "late: it could not start before its start_deadline was over".to_owned(),
        _ if reason.starts_with("blocked by ") => {
            format!("{reason}: the next slot came before that was done which it waited for")
        }
        other => format!("skipped: {other}"),
    };
    which + &why
}

/// The run that began when a slot was left behind.
pub(super) fn passed_by<'a>(skipped: &Entry, others: &'a [Entry]) -> Option<&'a Entry> {
    let began = |run: &&Entry| run.started_at == skipped.finished_at && run.slot > skipped.slot;
    others.iter().find(began)
}

/// The run that was going on when a slot fell due.
fn going_on<'a>(skipped: &Entry, others: &'a [Entry]) -> Option<&'a Entry> {
    let is_before = |run: &&Entry| run.slot < skipped.slot && run.finished_at > skipped.slot;
    others.iter().rfind(is_before)
}

/// The parents that a slot was left behind for.
pub(super) fn blamed(skipped: &Entry) -> Vec<&str> {
    let reason = skipped.reason.as_deref().unwrap_or_default();
    let parents = reason.strip_prefix("blocked by ");
    parents.map_or_else(Vec::new, |parents| parents.split(", ").collect())
}

/// An entry, after its attempt: `failure on web1 2031-05-05 07:00:01Z (5h ago), took 3s: exit 1`.
pub(super) fn entry(entry: &Entry, times: &Times) -> String {
    let reason = entry.reason.as_deref().unwrap_or_default();
    if entry.is_run() {
        let reason = match reason {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        let (place, took) = (place(entry, times), took(entry, times));
        return format!("{}{place}{took}{reason}", entry.outcome);
    }
    let range = match (entry.slot, entry.slot_until, entry.slots) {
        (Some(first), Some(last), Some(slots)) if slots > 1 => format!(
            ", with {slots} slots from {} to {}",
            times.clock(first),
            times.clock(last)
        ),
        _ => String::new(),
    };
    let at = entry.finished_at.map(|at| format!(" {}", times.both(at)));
    format!(
        "{} {reason}{}{range}",
        entry.outcome,
        at.unwrap_or_default()
    )
}

fn on(run: &Entry) -> String {
    let host = run.host.as_ref().map(|host| format!(" on {host}"));
    host.unwrap_or_default()
}

/// Where and since when.
fn place(run: &Entry, times: &Times) -> String {
    let since = run.started_at.map(|at| format!(" {}", times.both(at)));
    format!("{}{}", on(run), since.unwrap_or_default())
}

/// Which attempt it was, if not the first.
fn attempt(run: &Entry) -> String {
    match run.attempt {
        Some(attempt @ 2..) => format!(" at the {} attempt", ordinal(attempt.unsigned_abs())),
        _ => String::new(),
    }
}

/// How long after the instant at which it might have started; nothing below a minute.
fn late(run: &Entry, due: Timestamp, times: &Times) -> String {
    let late = run.started_at.map(|at| at.duration_since(due));
    match (late, run.started_at) {
        (Some(late), Some(at)) if late >= SignedDuration::from_mins(1) => {
            format!(", {} late", times.took(due, at))
        }
        _ => String::new(),
    }
}

fn took(run: &Entry, times: &Times) -> String {
    match (run.started_at, run.finished_at) {
        (Some(from), Some(until)) => format!(", took {}", times.took(from, until)),
        _ => String::new(),
    }
}
