//! Which expired leases a host acts upon.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{clock::Boottime, spec::Lease, store::table::Table};

/// The leases that were seen expired. A pass acts at once. A host that stays waits for one heartbeat and looks again: after
/// an outage of the database, or a step of its clock, all leases look expired at once, and every living host should have
/// the time to renew its own.
#[derive(Debug)]
pub struct Suspects {
    patience: Duration,
    seen: Mutex<HashMap<Uuid, Suspect>>,
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    lease_until: Timestamp,
    since: Boottime,
}

impl Suspects {
    /// Those of a pass, which does not come back to look again.
    #[must_use]
    pub fn of_a_pass() -> Self {
        Self::with_patience(Duration::ZERO)
    }

    /// Those of a host that stays, and looks again after a heartbeat.
    #[must_use]
    pub fn with_patience(patience: Duration) -> Self {
        Self {
            patience,
            seen: Mutex::default(),
        }
    }

    /// The runs whose leases are over by the grace and have been, unchanged, for as long as this host is patient. To be
    /// asked after each reading of the whole table.
    #[must_use]
    pub fn ripe(&self, table: &Table, terms: &Lease, now: Boottime) -> Vec<Uuid> {
        let grace = SignedDuration::try_from(terms.grace).unwrap_or(SignedDuration::MAX);
        let claims = table.jobs.values().filter_map(|row| row.claim.as_ref());
        let expired = claims.filter(|claim| table.now.duration_since(claim.lease_until) > grace);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let still = expired.map(|claim| {
            let known = seen.get(&claim.run_id).copied();
            let known = known.filter(|known| known.lease_until == claim.lease_until);
            let suspect = known.unwrap_or(Suspect {
                lease_until: claim.lease_until,
                since: now,
            });
            (claim.run_id, suspect)
        });
        *seen = still.collect();
        seen.iter()
            .filter(|(_, suspect)| now >= suspect.since + self.patience)
            .map(|(run_id, _)| *run_id)
            .collect()
    }

    /// When the first of those that were seen expired may be acted upon.
    #[must_use]
    pub fn ripe_at(&self) -> Option<Boottime> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let ripe = seen.values().map(|suspect| suspect.since + self.patience);
        ripe.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::table::{JobState, LiveClaim};

    const LEASE: Lease = Lease {
        lease: Duration::from_secs(12),
        heartbeat: Duration::from_secs(2),
        margin: Duration::from_secs(2),
        grace: Duration::from_secs(1),
    };

    fn noon() -> Timestamp {
        "2031-05-05T12:00:00Z".parse().unwrap()
    }

    /// A table read so many seconds after noon, with one run whose lease lasts until so many.
    fn table(now: i64, lease_until: i64) -> Table {
        let at = |seconds| noon() + SignedDuration::from_secs(seconds);
        let claim = LiveClaim {
            run_id: Uuid::from_u128(1),
            slot: noon(),
            trigger: "schedule".into(),
            attempt: 1,
            host: "alpha".into(),
            lease_until: at(lease_until),
        };
        let row = JobState {
            claim: Some(Box::new(claim)),
            ..JobState::default()
        };
        Table {
            now: at(now),
            jobs: [("report".into(), Box::new(row))].into(),
            ..Table::default()
        }
    }

    fn ripe(suspects: &Suspects, now: i64, lease_until: i64, here: Boottime) -> usize {
        suspects.ripe(&table(now, lease_until), &LEASE, here).len()
    }

    #[test]
    fn a_pass_acts_as_soon_as_the_grace_is_over() {
        let (suspects, here) = (Suspects::of_a_pass(), Boottime::now());
        assert_eq!(ripe(&suspects, 11, 10, here), 0);
        assert_eq!(ripe(&suspects, 12, 10, here), 1);
    }

    #[test]
    fn a_host_that_stays_acts_on_what_it_has_seen_before() {
        let (suspects, here) = (Suspects::with_patience(LEASE.heartbeat), Boottime::now());
        assert_eq!(ripe(&suspects, 12, 10, here), 0);
        assert_eq!(suspects.ripe_at(), Some(here + LEASE.heartbeat));
        let later = here + Duration::from_secs(1);
        assert_eq!(ripe(&suspects, 13, 10, later), 0);
        assert_eq!(ripe(&suspects, 14, 10, here + LEASE.heartbeat), 1);
    }

    #[test]
    fn a_lease_that_was_renewed_is_a_new_suspect_when_it_expires_again() {
        let (suspects, here) = (Suspects::with_patience(LEASE.heartbeat), Boottime::now());
        assert_eq!(ripe(&suspects, 12, 10, here), 0);
        let later = here + LEASE.heartbeat;
        assert_eq!(ripe(&suspects, 14, 11, later), 0);
        assert_eq!(ripe(&suspects, 16, 11, later + LEASE.heartbeat), 1);
    }

    #[test]
    fn a_run_that_is_over_is_forgotten() {
        let (suspects, here) = (Suspects::with_patience(LEASE.heartbeat), Boottime::now());
        assert_eq!(ripe(&suspects, 12, 10, here), 0);
        assert_eq!(ripe(&suspects, 12, 20, here), 0);
        assert_eq!(suspects.ripe_at(), None);
    }
}
