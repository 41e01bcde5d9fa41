//! What the statements of some claims are given, and how they are sent.

use std::sync::Arc;

use futures_util::join;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::{Answer, Grip, Held, Needs, Wanted};
use crate::{
    backoff,
    clock::Boottime,
    place::Place,
    plan::Due,
    spec::{JobSpec, OnLost, RowName},
    store::{
        Connection, error::DatabaseError, instant::Instant, recurring::Parameter, transaction,
    },
};

/// One claim.
pub(super) struct Request<'a> {
    place: &'a Place,
    spec: &'a JobSpec,
    pub(super) row: RowName,
    pub(super) due: &'a Due,
    pub(super) run_id: Uuid,
    grip: Arc<Grip>,
    next_slot: Option<Timestamp>,
    after_pending: Option<Timestamp>,
    lost_backoff: f64,
}

impl<'a> Request<'a> {
    pub(super) fn new(wanted: &Wanted<'a>) -> Self {
        let Wanted { place, spec, due } = *wanted;
        let run_id = Uuid::new_v4();
        let after = |slot| slot_after(spec, slot);
        let delay = backoff::delay(&spec.retry, due.failures + 1, chance(run_id));
        Self {
            place,
            spec,
            row: spec.row(&place.host),
            due,
            run_id,
            grip: Grip::new(run_id),
            next_slot: after(due.slot),
            after_pending: due.pending.and_then(after),
            lost_backoff: delay.as_secs_f64(),
        }
    }

    fn lease(&self) -> f64 {
        self.spec.lease.lease.as_secs_f64()
    }

    /// What a row that the server has written proves.
    pub(super) fn held(&self, row: &Row, since_here: Boottime) -> Result<Held, DatabaseError> {
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

/// A list for each parameter of `claim.sql` that claims have each of their own.
struct Columns<'a> {
    job: Vec<&'a str>,
    run_id: Vec<Uuid>,
    pending: Vec<Option<Timestamp>>,
    slot: Vec<Timestamp>,
    last_passed: Vec<Option<Timestamp>>,
    passed: Vec<i64>,
    why: Vec<Option<String>>,
    lease: Vec<f64>,
    trigger: Vec<&'static str>,
    on_lost: Vec<&'static str>,
    next_slot: Vec<Option<Timestamp>>,
    lost_backoff: Vec<f64>,
    after_pending: Vec<Option<Timestamp>>,
    max_ongoing_age: Vec<f64>,
    asked: Vec<Option<Uuid>>,
    start_by: Vec<Option<Timestamp>>,
    needing: Vec<&'a str>,
    needs: Needs<'a>,
}

impl<'a> Columns<'a> {
    fn of(requests: &'a [Request<'a>]) -> Self {
        fn each<'a, T>(
            requests: &'a [Request<'a>],
            of: impl FnMut(&'a Request<'a>) -> T,
        ) -> Vec<T> {
            requests.iter().map(of).collect()
        }
        let due = requests.iter().map(|one| one.due);
        let needing = requests.iter().flat_map(|one| {
            let job = one.row.as_str();
            one.due.needs.iter().map(move |_| job)
        });
        Self {
            job: each(requests, |one| one.row.as_str()),
            run_id: each(requests, |one| one.run_id),
            pending: each(requests, |one| one.due.pending),
            slot: each(requests, |one| one.due.slot),
            last_passed: each(requests, |one| Some(one.due.skipped.as_ref()?.slots.last)),
            passed: each(requests, |one| {
                let skipped = one.due.skipped.as_ref();
                skipped.map_or(0, |skipped| skipped.slots.count)
            }),
            why: each(requests, |one| {
                Some(one.due.skipped.as_ref()?.reason.to_string())
            }),
            lease: each(requests, Request::lease),
            trigger: each(requests, |one| one.due.trigger.as_str()),
            on_lost: each(requests, |one| on_lost(one.spec.on_lost)),
            next_slot: each(requests, |one| one.next_slot),
            lost_backoff: each(requests, |one| one.lost_backoff),
            after_pending: each(requests, |one| one.after_pending),
            max_ongoing_age: each(requests, |one| one.place.max_ongoing_age.as_secs_f64()),
            asked: each(requests, |one| one.due.asked),
            start_by: each(requests, |one| one.due.start_by),
            needing: needing.collect(),
            needs: Needs::of(due.flat_map(|due| &due.needs)),
        }
    }

    /// Behind those that are common to all.
    fn parameters<'b>(&'b self, common: [Parameter<'b>; 3]) -> [Parameter<'b>; 23] {
        let [host, instance, now] = common;
        [
            host,
            instance,
            now,
            (&self.job, Type::TEXT_ARRAY),
            (&self.run_id, Type::UUID_ARRAY),
            (&self.pending, Type::TIMESTAMPTZ_ARRAY),
            (&self.slot, Type::TIMESTAMPTZ_ARRAY),
            (&self.last_passed, Type::TIMESTAMPTZ_ARRAY),
            (&self.passed, Type::INT8_ARRAY),
            (&self.why, Type::TEXT_ARRAY),
            (&self.lease, Type::FLOAT8_ARRAY),
            (&self.trigger, Type::TEXT_ARRAY),
            (&self.on_lost, Type::TEXT_ARRAY),
            (&self.next_slot, Type::TIMESTAMPTZ_ARRAY),
            (&self.lost_backoff, Type::FLOAT8_ARRAY),
            (&self.after_pending, Type::TIMESTAMPTZ_ARRAY),
            (&self.max_ongoing_age, Type::FLOAT8_ARRAY),
            (&self.asked, Type::UUID_ARRAY),
            (&self.start_by, Type::TIMESTAMPTZ_ARRAY),
            (&self.needing, Type::TEXT_ARRAY),
            (&self.needs.parents, Type::TEXT_ARRAY),
            (&self.needs.slots, Type::TIMESTAMPTZ_ARRAY),
            (&self.needs.finishes, Type::BOOL_ARRAY),
        ]
    }
}

/// The four messages of some claims, sent in one go; an error in any of them turns the COMMIT into a ROLLBACK. All of
/// one host.
pub(super) async fn send(
    client: &Connection,
    requests: &[Request<'_>],
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let place = requests[0].place;
    let instance = place.instance.to_string();
    let columns = Columns::of(requests);
    let parameters = columns.parameters([
        (&place.host, Type::TEXT),
        (&instance, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ]);
    let lock: [Parameter<'_>; 1] = [(&columns.job, Type::TEXT_ARRAY)];
    #[cfg(feature = "faults")]
    crate::faults::in_slow_motion(client, &lock, &parameters).await;
    let write = crate::faults::planted(include_str!("../../sql/claim.sql"));
    let lock = client
        .question(include_str!("../../sql/claim_lock.sql"), &lock)
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

pub(super) async fn send_lookup(
    client: &Connection,
    requests: &[Request<'_>],
    now: Option<Timestamp>,
) -> Result<Vec<Row>, DatabaseError> {
    let jobs: Vec<_> = requests.iter().map(|one| one.row.as_str()).collect();
    let run_ids: Vec<_> = requests.iter().map(|one| one.run_id).collect();
    let leases: Vec<_> = requests.iter().map(Request::lease).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&now, Type::TIMESTAMPTZ),
        (&jobs, Type::TEXT_ARRAY),
        (&run_ids, Type::UUID_ARRAY),
        (&leases, Type::FLOAT8_ARRAY),
    ];
    let sql = include_str!("../../sql/claim_lookup.sql");
    transaction::run_on(client, transaction::LIMIT, sql, &parameters).await
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
