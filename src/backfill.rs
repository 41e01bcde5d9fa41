//! Making up for slots of the past: each of a range that has not succeeded, oldest first.
//!
//! A run of this kind is the job's one claim as any other. The claim checks under the lock that the slot has not
//! succeeded, so that two people who do the same range do each slot once; and that the live slot is not due, so that
//! the schedule is delayed by one run at most. It moves nothing but `success_slot`.

use std::{collections::BTreeSet, iter, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    attended::{Attended, Waited},
    claim::{Claimed, claim},
    engine::Engine,
    pass::Ran,
    plan::{Due, Trigger},
    record::Recorded,
    schedule::Timetable,
    spec::RowName,
    stop::{Stop, Stopper},
    store::{
        Database,
        error::DatabaseError,
        instant::Instant,
        listen::{FINISHED, tell},
        table::{JobState, Table, never},
        transaction,
    },
};

/// The most slots of one range: a year of minutes is half of them.
pub const MOST: usize = 1_000_000;

/// The slots from `from` to `to`, both included, that lie before the live one; `None`: more than [`MOST`].
///
/// Plain periods count from the live slot.
#[must_use]
pub fn slots(
    when: &Timetable,
    live: Timestamp,
    (from, to): (Timestamp, Timestamp),
) -> Option<Vec<Timestamp>> {
    let before = from
        .checked_sub(SignedDuration::from_micros(1))
        .unwrap_or(from);
    let slots = iter::successors(when.next(before, live), |&slot| when.next(slot, live));
    let slots = slots.take_while(|&slot| slot <= to && slot < live);
    let slots: Vec<_> = slots.take(MOST + 1).collect();
    (slots.len() <= MOST).then_some(slots)
}

/// The slots of a range for which a run has succeeded.
pub async fn succeeded(
    database: &Database,
    row: &RowName,
    first: Timestamp,
    last: Timestamp,
) -> Result<BTreeSet<Timestamp>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&row.as_str(), Type::TEXT),
        (&first, Type::TIMESTAMPTZ),
        (&last, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../sql/read_succeeded.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok(row.try_get::<_, Instant>("slot")?.0))
        .collect()
}

/// What has just happened.
#[derive(Debug)]
pub enum Event {
    /// A run for this slot has started.
    Started(Timestamp),
    /// It has ended, and was recorded.
    Ended(Box<Ran>),
    /// Somebody else has made this slot succeed meanwhile.
    Done(Timestamp),
    /// It waits; why.
    Waiting(String),
    /// Somebody asks it to stop.
    Asked(Stop),
}

/// Why it ended.
#[derive(Debug)]
pub enum Over {
    /// Every slot has had its run.
    All,
    /// Somebody has asked it to stop; by this signal to kill what was running.
    Stopped(Option<i32>),
    /// The job may not run any more; why.
    Refused(String),
}

/// How long it waits before it tries again: for who has the row in hand, and for what takes longer.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(1);

/// Runs a job of this host once for each of these slots, in this order.
pub async fn backfill(
    engine: &Arc<Engine>,
    job: usize,
    slots: &[Timestamp],
    stop: &mut Stopper,
    tell: &mut impl FnMut(Event),
) -> Result<Over, DatabaseError> {
    for &slot in slots {
        loop {
            let wait = match one(engine, job, slot, stop, tell).await? {
                Next::Slot => break,
                Next::Over(over) => return Ok(over),
                Next::Again(wait) => wait,
            };
            tokio::select! {
                () = sleep(wait) => {}
                asked = stop.changed() => return Ok(stopped(asked)),
            }
        }
    }
    Ok(Over::All)
}

/// How it goes on.
enum Next {
    /// With the next slot.
    Slot,
    /// With this one, after so long.
    Again(Duration),
    /// Not at all.
    Over(Over),
}

fn stopped(asked: Stop) -> Over {
    Over::Stopped(match asked {
        Stop::Drain => None,
        Stop::Kill(signal) => Some(signal),
    })
}

/// Tries one slot once.
async fn one(
    engine: &Arc<Engine>,
    job: usize,
    slot: Timestamp,
    stop: &mut Stopper,
    tell: &mut impl FnMut(Event),
) -> Result<Next, DatabaseError> {
    let spec = &engine.graph.jobs()[job];
    let due = Due {
        pending: None,
        slot,
        skipped: None,
        start_by: None,
        trigger: Trigger::Backfill,
        needs: Vec::new(),
        failures: 0,
        asked: None,
    };
    let claimed = claim(&engine.database, &engine.host.place, spec, &due, engine.now);
    Ok(match claimed.await? {
        Claimed::Ours(claim) => {
            tell(Event::Started(slot));
            let run = Attended::start(engine, *claim);
            let waited = run.wait(stop, None, |asked| tell(Event::Asked(asked)));
            let Waited { ran, asked } = waited.await?;
            if let Some(ran) = ran {
                make_way(engine, &ran).await;
                tell(Event::Ended(ran));
            }
            asked.map_or(Next::Slot, |asked| Next::Over(stopped(asked)))
        }
        Claimed::Contended => Next::Again(SOON),
        Claimed::Doubtful(_) => Next::Again(LATER),
        Claimed::Ongoing(live) => {
            let host = live.host.as_deref().unwrap_or("a Python host");
            tell(Event::Waiting(format!("it is running on {host}")));
            // Looking also counts a run as lost whose host is gone.
            engine.look().await?;
            Next::Again(LATER)
        }
        Claimed::Changed | Claimed::Gone => {
            let row = engine.row(&spec.name);
            if !succeeded(&engine.database, &row, slot, slot)
                .await?
                .is_empty()
            {
                tell(Event::Done(slot));
                return Ok(Next::Slot);
            }
            let table = engine.look().await?;
            after_refusal(&table, table.row(row.as_str()), slot, tell)
        }
    })
}

/// What the row says about a claim that was refused.
fn after_refusal(
    table: &Table,
    row: Option<&JobState>,
    slot: Timestamp,
    tell: &mut impl FnMut(Event),
) -> Next {
    let refused = |why: String| Next::Over(Over::Refused(why));
    let Some(row) = row else {
        return refused("its row is gone".to_owned());
    };
    if let Some(until) = row.paused_until.filter(|&until| until > table.now) {
        return refused(if until >= never() {
            "it is paused".to_owned()
        } else {
            format!("it is paused until {until}")
        });
    }
    if row.pending().is_some_and(|live| live <= slot) {
        return refused("this slot is the schedule's to run".to_owned());
    }
    if row.triggered.is_some() {
        tell(Event::Waiting(
            "somebody has asked for a run of it, which goes first".to_owned(),
        ));
    } else if row.next_run() <= table.now {
        let live = row.pending().unwrap_or(table.now);
        tell(Event::Waiting(format!(
            "its slot {live} is due, and goes first"
        )));
    }
    Next::Again(LATER)
}

/// The live slot has come while the run kept it waiting: daemons on other hosts need not find that out by themselves.
async fn make_way(engine: &Engine, ran: &Ran) {
    let Recorded::Written(row) = &ran.recorded else {
        return;
    };
    if row.next_run() > ran.held.database_now() {
        return;
    }
    let word = format!("{FINISHED}{}", ran.held.spec.name);
    if let Err(error) = tell(&engine.database, &word).await {
        tracing::debug!(%error, "the other hosts could not be told, and will look");
    }
}
