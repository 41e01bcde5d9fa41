//! Taking a job, on this host and no other.
//!
//! # Why a slot starts once
//!
//! Hosts read the table, each by itself, and each may conclude that a job is due. crontabber stopped there: it
//! read the row in one transaction and wrote `ongoing` in another, so that eight hosts within 30 ms started a
//! job twice in half of all trials. `FOR UPDATE NOWAIT` alone does not help: it notices only another's *open*
//! transaction, not one that ended a moment ago. What helps is the order:
//!
//! ```text
//! BEGIN
//! SELECT ... WHERE app_name = $1 FOR UPDATE NOWAIT     by key only: the lock, and nothing else
//! UPDATE ... WHERE <every condition again>             a younger snapshot, taken under the lock
//! INSERT INTO crontabber_log ... 'running'             three unique indexes agree, or nothing happened
//! COMMIT                                               acknowledged without a warning, or nothing starts
//! ```
//!
//! The second statement has a snapshot of its own, taken after the lock was ours. Nobody can change the row
//! while we hold it, and whatever was committed before we got it is seen. So its conditions are the truth:
//! the pending slot is still the one the plan saw (compare-and-set), it is due by the database's clock, nobody
//! holds a claim, nobody paused it, each parent has succeeded far enough.
//!
//! | order of A's and B's steps (lock, decide and write, commit) | outcome |
//! |---|---|
//! | A locks, B locks | B gets 55P03: [`Claimed::Contended`] |
//! | A locks, writes, commits; B locks, writes | B sees A's claim: [`Claimed::Ongoing`] |
//! | A claims, runs, records; B locks, writes | the pending slot has moved: [`Claimed::Changed`] |
//! | A locks, dies before its commit | rolled back; A had started nothing |
//! | A commits, the acknowledgement is lost | A looks its run id up before it starts; B is kept off by the row |
//! | A commits, dies before it starts | the lease ends, the run is `lost`, the next attempt runs |
//! | A claims, freezes past its lease, B reaps and claims | A's guard killed its run before; A's record is fenced |
//! | B's clock is wrong | no condition reads a host's clock |
//!
//! # Why a claim is proof
//!
//! A [`Claim`] can be made only here, from a commit that was acknowledged; running consumes it, and recording
//! consumes what running returned. To run twice, or to record what never ran, does not compile.
//!
//! What a claim proves ends: with `lease_until` by the database's clock, and for its host earlier, `margin`
//! before that, on a clock that goes on in suspend and that nobody sets, counted from *before* the statement
//! that granted the lease was sent. After that instant the run is dead: see [`crate::supervise`].

mod needs;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::join;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{
    Row,
    error::{DbError, Severity, SqlState},
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    backoff,
    clock::Boottime,
    place::Place,
    plan::{Due, Live, Trigger},
    spec::{JobSpec, OnDbLoss, OnLost, RowName},
    store::{
        Connection, Database, error::DatabaseError, instant::Instant, limited,
        recurring::Parameter, transaction,
    },
};

pub(crate) use needs::Needs;

/// Proof that this host, and no other, may run one job.
///
/// Only [`claim`] makes one, and running the job consumes it.
#[derive(Debug)]
#[must_use = "a claim that is dropped keeps its job from running until the lease ends"]
pub struct Claim(Held);

/// What a claim holds: which run, of which slot, since when, until when.
#[derive(Debug, Clone)]
pub struct Held {
    /// The job as this host knew it when it claimed: the record goes by this, whatever is reloaded meanwhile.
    pub spec: JobSpec,
    /// The row that was claimed: the job's name, or `name@host` of a job that runs on each host.
    pub row: RowName,
    /// The identity of the run.
    pub run_id: Uuid,
    /// Grows with every claim of the job.
    pub fence: i64,
    /// The instant the run is for.
    pub slot: Timestamp,
    /// What made it run.
    pub trigger: Trigger,
    /// Which attempt at the slot, from 1.
    pub attempt: i32,
    /// Failures in a row before this run.
    pub error_count: i32,
    /// When the last successful run started.
    pub last_success: Option<Timestamp>,
    /// When the claim was made, by the database's clock.
    pub since: Timestamp,
    /// The same moment on this host's own clock, taken before the statement was sent.
    pub since_here: Boottime,
    /// Says that this process deals with the run, as long as anybody here knows of it.
    pub(crate) grip: Arc<Grip>,
}

/// A run that this process deals with, from before its claim is sent until after it is recorded, and for as long as it
/// remembers that. A claim of this process without one was given up: what claimed it never learned that it had, and
/// nothing of it was started.
#[derive(Debug)]
pub(crate) struct Grip(Uuid);

/// All of them: a process is one owner, however many engines it has.
static IN_HAND: Mutex<BTreeSet<Uuid>> = Mutex::new(BTreeSet::new());

fn in_hand() -> MutexGuard<'static, BTreeSet<Uuid>> {
    // Nothing that holds this lock can panic half-way through a change.
    IN_HAND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process deals with the run.
pub(crate) fn is_in_hand(run_id: Uuid) -> bool {
    in_hand().contains(&run_id)
}

impl Grip {
    pub(crate) fn new(run_id: Uuid) -> Arc<Self> {
        in_hand().insert(run_id);
        Arc::new(Self(run_id))
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        in_hand().remove(&self.0);
    }
}

/// What came of an attempt to claim a job. None of these is an error.
#[derive(Debug)]
pub enum Claimed {
    /// It is ours.
    Ours(Box<Claim>),
    /// Somebody else held the row at that very moment.
    Contended,
    /// Another host claimed it between our plan and our claim.
    Ongoing(Live),
    /// It is not due any more: it was run, paused, moved or blocked since the plan.
    Changed,
    /// The row is gone.
    Gone,
    /// It could not be made sure that the claim is durable: nothing is started, and it was given back or expires.
    Doubtful(String),
}

/// Tries to take one due job: one round trip, its own transaction.
///
/// `now` is the time to take for the database's clock: `None` in production.
pub async fn claim(
    database: &Database,
    place: &Place,
    spec: &JobSpec,
    due: &Due,
    now: Option<Timestamp>,
) -> Result<Claimed, DatabaseError> {
    let request = Request::new(place, spec, due, now);
    crate::faults::point("before-claim");
    let client = database.get().await?;
    let since_here = Boottime::now();
    let warned = client.warnings();
    let answer = limited(transaction::LIMIT, client.fuse(), request.send(&client)).await;
    crate::faults::point("after-commit");
    let is_warned = client.warnings() != warned;
    let is_known = answer.as_ref().is_ok_and(Answer::is_known);
    if !is_known {
        client.retire();
    }
    // What follows may need a connection, and the pool of a host with `max_parallel = 1` has no other.
    drop(client);
    let answer = match answer {
        Ok(answer) if is_known => answer,
        Ok(_) => return look_up(database, &request, due).await,
        Err(error) if error.is_unknown_outcome() => return look_up(database, &request, due).await,
        Err(error) => return Err(error),
    };
    let held = match answer.decide(due)? {
        Decided::Not(claimed) => return Ok(claimed),
        Decided::Written(row) => request.held(&row, since_here)?,
    };
    if is_warned {
        let why = "the commit was acknowledged with a warning";
        return give_back(database, &held, why).await;
    }
    start_or_give_back(database, held).await
}

/// The start gate: a claim that took too long to come back is not started, its lease may end too soon.
async fn start_or_give_back(database: &Database, held: Held) -> Result<Claimed, DatabaseError> {
    if Boottime::now() + held.spec.lease.grace >= held.deadline() {
        return give_back(
            database,
            &held,
            "the claim came back when its lease was nearly over",
        )
        .await;
    }
    Ok(Claimed::Ours(Box::new(Claim(held))))
}

/// After a lost acknowledgement: a heartbeat by run id tells whether the claim is there, and makes it durable.
async fn look_up(
    database: &Database,
    request: &Request<'_>,
    due: &Due,
) -> Result<Claimed, DatabaseError> {
    let client = database.get().await?;
    let since_here = Boottime::now();
    let warned = client.warnings();
    let rows = request.send_lookup(&client).await?;
    let is_warned = client.warnings() != warned;
    drop(client);
    match rows.first() {
        Some(row) => {
            let held = request.held(row, since_here)?;
            tracing::warn!(job = %held.job(), slot = %due.slot, run_id = %held.run_id, "the acknowledgement of the claim was lost; the claim stands");
            if is_warned {
                let why = "its look-up was acknowledged with a warning";
                return give_back(database, &held, why).await;
            }
            start_or_give_back(database, held).await
        }
        None => Ok(Claimed::Doubtful(
            "the acknowledgement of the claim was lost".to_owned(),
        )),
    }
}

/// Ends a claim that is not started, so that its job need not wait for the lease to end.
async fn give_back(database: &Database, held: &Held, why: &str) -> Result<Claimed, DatabaseError> {
    free(
        database,
        held.job().as_str(),
        (held.run_id, held.fence),
        why,
    )
    .await?;
    Ok(Claimed::Doubtful(why.to_owned()))
}

/// Ends a claim of which it is known that nothing of it was started.
pub(crate) async fn free(
    database: &Database,
    job: &str,
    (run_id, fence): (Uuid, i64),
    why: &str,
) -> Result<(), DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&job, Type::TEXT),
        (&run_id, Type::UUID),
        (&fence, Type::INT8),
        (&why, Type::TEXT),
    ];
    let sql = include_str!("../sql/give_back.sql");
    transaction::run(database, sql, &parameters).await?;
    Ok(())
}

/// Everything the statements of one claim are given.
struct Request<'a> {
    host: &'a str,
    instance: String,
    max_ongoing_age: f64,
    spec: &'a JobSpec,
    row: RowName,
    due: &'a Due,
    run_id: Uuid,
    grip: Arc<Grip>,
    lease: f64,
    next_slot: Option<Timestamp>,
    after_pending: Option<Timestamp>,
    lost_backoff: f64,
    needs: Needs<'a>,
    now: Option<Timestamp>,
}

impl<'a> Request<'a> {
    fn new(place: &'a Place, spec: &'a JobSpec, due: &'a Due, now: Option<Timestamp>) -> Self {
        let run_id = Uuid::new_v4();
        let after = |slot| slot_after(spec, slot);
        let delay = backoff::delay(&spec.retry, due.failures + 1, chance(run_id));
        Self {
            host: &place.host,
            instance: place.instance.to_string(),
            max_ongoing_age: place.max_ongoing_age.as_secs_f64(),
            spec,
            row: spec.row(&place.host),
            due,
            run_id,
            grip: Grip::new(run_id),
            lease: spec.lease.lease.as_secs_f64(),
            next_slot: after(due.slot),
            after_pending: due.pending.and_then(after),
            lost_backoff: delay.as_secs_f64(),
            needs: Needs::of(&due.needs),
            now,
        }
    }

    /// The four messages of a claim, sent in one go; an error in any of them turns the COMMIT into a ROLLBACK.
    async fn send(&self, client: &Connection) -> Result<Answer, DatabaseError> {
        let job = self.row.as_str();
        let skipped = self.due.skipped.as_ref();
        let (last, count, reason) = (
            skipped.map(|skipped| skipped.slots.last),
            skipped.map_or(0, |skipped| skipped.slots.count),
            skipped.map(|skipped| skipped.reason.to_string()),
        );
        let parameters: [Parameter<'_>; 22] = [
            (&job, Type::TEXT),
            (&self.due.pending, Type::TIMESTAMPTZ),
            (&self.due.slot, Type::TIMESTAMPTZ),
            (&last, Type::TIMESTAMPTZ),
            (&count, Type::INT8),
            (&self.run_id, Type::UUID),
            (&self.host, Type::TEXT),
            (&self.lease, Type::FLOAT8),
            (&self.due.trigger.as_str(), Type::TEXT),
            (&on_lost(self.spec.on_lost), Type::TEXT),
            (&self.next_slot, Type::TIMESTAMPTZ),
            (&self.lost_backoff, Type::FLOAT8),
            (&self.needs.parents, Type::TEXT_ARRAY),
            (&self.needs.slots, Type::TIMESTAMPTZ_ARRAY),
            (&self.max_ongoing_age, Type::FLOAT8),
            (&self.now, Type::TIMESTAMPTZ),
            (&self.after_pending, Type::TIMESTAMPTZ),
            (&self.instance, Type::TEXT),
            (&self.due.asked, Type::UUID),
            (&reason, Type::TEXT),
            (&self.needs.finishes, Type::BOOL_ARRAY),
            (&self.due.start_by, Type::TIMESTAMPTZ),
        ];
        let lock: [Parameter<'_>; 1] = [(&job, Type::TEXT)];
        #[cfg(feature = "faults")]
        crate::faults::in_slow_motion(client, &lock, &parameters).await;
        let write = crate::faults::planted(include_str!("../sql/claim.sql"));
        let lock = client
            .question(include_str!("../sql/claim_lock.sql"), &lock)
            .await;
        let write = client.question(write, &parameters).await;
        let (begun, locked, written, committed) = join!(
            client.batch_execute(transaction::begin(client)),
            lock.ask(client),
            write.ask(client),
            client.batch_execute("COMMIT"),
        );
        Ok(Answer {
            begun,
            locked,
            written,
            committed,
        })
    }

    async fn send_lookup(&self, client: &Connection) -> Result<Vec<Row>, DatabaseError> {
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&self.row.as_str(), Type::TEXT),
            (&self.run_id, Type::UUID),
            (&self.lease, Type::FLOAT8),
            (&self.now, Type::TIMESTAMPTZ),
        ];
        let sql = include_str!("../sql/claim_lookup.sql");
        transaction::run_on(client, transaction::LIMIT, sql, &parameters).await
    }

    fn held(&self, row: &Row, since_here: Boottime) -> Result<Held, DatabaseError> {
        Ok(Held {
            spec: self.spec.clone(),
            row: self.row.clone(),
            run_id: self.run_id,
            fence: row.try_get("fence")?,
            slot: self.due.slot,
            trigger: self.due.trigger,
            attempt: row.try_get("attempt")?,
            error_count: row.try_get("error_count")?,
            last_success: row
                .try_get::<_, Option<Instant>>("last_success")?
                .map(|Instant(at)| at),
            since: row.try_get("ongoing")?,
            since_here,
            grip: Arc::clone(&self.grip),
        })
    }
}

/// The slot after one, for whoever has to go on from the row alone. A job that is kept running starts again at once: its
/// slots are the instants of its starts.
fn slot_after(spec: &JobSpec, slot: Timestamp) -> Option<Timestamp> {
    match &spec.timetable {
        Some(when) => when.next(slot, slot),
        None if spec.keep_running => slot.checked_add(SignedDuration::from_micros(1)).ok(),
        None => None,
    }
}

fn on_lost(policy: OnLost) -> &'static str {
    match policy {
        OnLost::Retry => "retry",
        OnLost::Skip => "skip",
        OnLost::Hold => "hold",
    }
}

/// A number in 0..1 from the random bits of a run id.
pub(crate) fn chance(run_id: Uuid) -> f64 {
    let bits = u32::from_le_bytes([
        run_id.as_bytes()[12],
        run_id.as_bytes()[13],
        run_id.as_bytes()[14],
        run_id.as_bytes()[15],
    ]);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// What the server said to the four messages.
struct Answer {
    begun: Result<(), tokio_postgres::Error>,
    locked: Result<Vec<Row>, tokio_postgres::Error>,
    written: Result<Vec<Row>, tokio_postgres::Error>,
    committed: Result<(), tokio_postgres::Error>,
}

enum Decided {
    Not(Claimed),
    Written(Row),
}

impl Answer {
    /// Whether it is known what was carried out. Not when the connection was lost: all four were under way
    /// together. Nor when the BEGIN was refused: what followed it was then no transaction.
    fn is_known(&self) -> bool {
        // A session that is ended says so itself; and a pooler that has lost the server's answer says in its place that
        // the connection is gone (class 08).
        let ends = |said: &DbError| {
            let is_end = matches!(
                said.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            );
            is_end || said.code().code().starts_with("08")
        };
        let lost = |error: &tokio_postgres::Error| error.as_db_error().is_none_or(ends);
        self.begun.is_ok()
            && !self.locked.as_ref().is_err_and(lost)
            && !self.written.as_ref().is_err_and(lost)
            && !self.committed.as_ref().is_err_and(lost)
    }

    fn decide(self, due: &Due) -> Result<Decided, DatabaseError> {
        let locked = match self.locked {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                return Ok(Decided::Not(Claimed::Contended));
            }
            locked => locked?,
        };
        let Some(row) = locked.first() else {
            return Ok(Decided::Not(Claimed::Gone));
        };
        let written = match self.written {
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                // An invariant held by an index: a running log row whose claim is gone. The reaper closes it.
                return Ok(Decided::Not(Claimed::Doubtful(
                    DatabaseError::from(error).to_string(),
                )));
            }
            written => written?,
        };
        self.committed?;
        match written.into_iter().next() {
            Some(row) => Ok(Decided::Written(row)),
            None => Ok(Decided::Not(not_claimed(row, due)?)),
        }
    }
}

/// Why the re-check wrote nothing, as far as the locked row tells.
fn not_claimed(row: &Row, due: &Due) -> Result<Claimed, DatabaseError> {
    let Some(Instant(since)) = row.try_get("ongoing")? else {
        return Ok(Claimed::Changed);
    };
    Ok(Claimed::Ongoing(Live {
        since,
        host: row.try_get("host")?,
        run_id: row.try_get("run_id")?,
        lease_until: row.try_get("lease_until")?,
        due: matches!(due.trigger, Trigger::Schedule | Trigger::Parents),
    }))
}

impl Held {
    /// The instant by which this host's run is dead unless a heartbeat has moved it.
    #[must_use]
    pub fn deadline(&self) -> Boottime {
        self.since_here + self.spec.lease.lease.saturating_sub(self.spec.lease.margin)
    }

    /// When the run is killed for taking too long, by the database's clock.
    #[must_use]
    pub fn times_out_at(&self) -> Timestamp {
        self.since
            .saturating_add(
                SignedDuration::try_from(self.spec.timeout).unwrap_or(SignedDuration::MAX),
            )
            .unwrap_or(Timestamp::MAX)
    }

    /// The instant by which the run is dead if nothing more is heard of its claim: its deadline, or, where it goes on
    /// without a proof, later than its timeout.
    #[must_use]
    pub fn must_end_by(&self) -> Boottime {
        match self.spec.on_db_loss {
            OnDbLoss::Kill => self.deadline(),
            OnDbLoss::Continue => self.since_here + self.spec.timeout + self.spec.lease.lease,
        }
    }

    /// The name of the job, as its row has it.
    #[must_use]
    pub fn job(&self) -> &RowName {
        &self.row
    }

    /// The database's clock now, as far as this host can tell without asking.
    #[must_use]
    pub fn database_now(&self) -> Timestamp {
        let elapsed = Boottime::now().saturating_since(self.since_here);
        self.since.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
impl Held {
    /// The first attempt at the slot of this instant, claimed then.
    pub(crate) fn of_a_test(spec: &JobSpec, error_count: i32, at: Timestamp) -> Self {
        Self {
            row: spec.row("web1"),
            spec: spec.clone(),
            run_id: Uuid::nil(),
            fence: 1,
            slot: at,
            trigger: Trigger::Schedule,
            attempt: 1,
            error_count,
            last_success: None,
            since: at,
            since_here: Boottime::now(),
            grip: Grip::new(Uuid::nil()),
        }
    }
}

impl Claim {
    /// What it holds.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.0
    }

    /// Gives up the proof for what it holds: only a run may.
    pub(crate) fn into_held(self) -> Held {
        self.0
    }
}
