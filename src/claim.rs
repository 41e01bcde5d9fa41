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
//! SELECT ... WHERE app_name = ANY ... FOR UPDATE NOWAIT    by key only: the locks, and nothing else
//! UPDATE ... WHERE <every condition again>                 a younger snapshot, taken under the locks
//! INSERT INTO crontabber_log ... 'running'                 three unique indexes agree, or nothing happened
//! COMMIT                                                   acknowledged without a warning, or nothing starts
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
//! Claims that a host makes at the same time share one transaction: it costs the server hardly more than one alone. Each
//! has its own row, its own conditions and its own answer; only a refusal is common to all of them, because it has undone
//! all: then each is asked for alone.
//!
//! # Why a claim is proof
//!
//! A [`Claim`] can be made only here, from a commit that was acknowledged; running consumes it, and recording
//! consumes what running returned. To run twice, or to record what never ran, does not compile.
//!
//! What a claim proves ends: with `lease_until` by the database's clock, and for its host earlier, `margin`
//! before that, on a clock that goes on in suspend and that nobody sets, counted from *before* the statement
//! that granted the lease was sent. After that instant the run is dead: see [`crate::supervise`].

mod answer;
mod needs;
mod request;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    clock::Boottime,
    place::Place,
    plan::{Due, Live, Trigger},
    spec::{JobSpec, OnDbLoss, RowName},
    store::{Database, error::DatabaseError, limited, transaction},
};

use answer::{Answer, Decided};
pub(crate) use needs::Needs;
use request::Request;
pub(crate) use request::chance;

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

/// A due job that somebody wants to run here.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The host.
    pub place: &'a Place,
    /// The job.
    pub spec: &'a JobSpec,
    /// What the plan has found due.
    pub due: &'a Due,
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
    match attempt(database, &[Wanted { place, spec, due }], now).await {
        Attempt::Each(each) => only(each),
        Attempt::Refused(why) => why,
    }
}

fn only(each: Vec<Result<Claimed, DatabaseError>>) -> Result<Claimed, DatabaseError> {
    let answer = each.into_iter().next();
    answer.expect("an answer for each that was asked for")
}

/// Tries to take several due jobs, no two of which have the same row, of one host: one round trip, one transaction. An answer
/// for each, in their order. `None`: one of them was in the way of all, and nothing is written; each is to be asked for alone.
pub async fn claim_all(
    database: &Database,
    wanted: &[Wanted<'_>],
    now: Option<Timestamp>,
) -> Option<Vec<Result<Claimed, DatabaseError>>> {
    match attempt(database, wanted, now).await {
        Attempt::Each(each) => Some(each),
        Attempt::Refused(why) if wanted.len() == 1 => Some(vec![why]),
        Attempt::Refused(_) => None,
    }
}

/// What came of a transaction with some claims.
enum Attempt {
    /// Of each, in their order.
    Each(Vec<Result<Claimed, DatabaseError>>),
    /// It was rolled back, for the reason of one of them.
    Refused(Result<Claimed, DatabaseError>),
}

async fn attempt(database: &Database, wanted: &[Wanted<'_>], now: Option<Timestamp>) -> Attempt {
    let requests: Vec<Request<'_>> = wanted.iter().map(Request::new).collect();
    let for_all = |error: DatabaseError| {
        let each = requests.iter().map(|_| Err(error.clone()));
        Attempt::Each(each.collect())
    };
    crate::faults::point("before-claim");
    let client = match database.get().await {
        Ok(client) => client,
        Err(error) => return for_all(error),
    };
    let since_here = Boottime::now();
    let warned = client.warnings();
    let answer = limited(
        transaction::LIMIT,
        client.fuse(),
        request::send(&client, &requests, now),
    )
    .await;
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
        Err(error) if !error.is_unknown_outcome() => return for_all(error),
        Ok(_) | Err(_) => {
            let found = look_up(database, &requests, now).await;
            return found.map_or_else(for_all, Attempt::Each);
        }
    };
    let decided = match answer.decide(&requests, since_here) {
        Ok(decided) => decided,
        Err(refused) => return Attempt::Refused(refused),
    };
    // At the same time: what is given back must not keep the others from their start.
    let each = decided.into_iter().map(|decided| async {
        match decided? {
            Decided::Not(claimed) => Ok(claimed),
            Decided::Written(held) if is_warned => {
                let why = "the commit was acknowledged with a warning";
                give_back(database, &held, why).await
            }
            Decided::Written(held) => start_or_give_back(database, *held).await,
        }
    });
    Attempt::Each(join_all(each).await)
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

/// After a lost acknowledgement: a heartbeat by run id tells which of the claims are there, and makes them durable.
async fn look_up(
    database: &Database,
    requests: &[Request<'_>],
    now: Option<Timestamp>,
) -> Result<Vec<Result<Claimed, DatabaseError>>, DatabaseError> {
    let client = database.get().await?;
    let since_here = Boottime::now();
    let warned = client.warnings();
    let rows = request::send_lookup(&client, requests, now).await?;
    let is_warned = client.warnings() != warned;
    drop(client);
    let rows = answer::by_run_id(&rows)?;
    let each = requests.iter().map(|request| async {
        let Some(row) = rows.get(&request.run_id) else {
            let why = "the acknowledgement of the claim was lost";
            return Ok(Claimed::Doubtful(why.to_owned()));
        };
        let held = request.held(row, since_here)?;
        tracing::warn!(job = %held.job(), slot = %held.slot, run_id = %held.run_id, "the acknowledgement of the claim was lost; the claim stands");
        if is_warned {
            let why = "its look-up was acknowledged with a warning";
            return give_back(database, &held, why).await;
        }
        start_or_give_back(database, held).await
    });
    Ok(join_all(each).await)
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
