//! A person at a host of the test process, at an instant of the test's choice.

use crontabber::{
    control::{self, Answer, By, Change, Claims, Decision, Happened, Target, markings, resettings},
    spec::RowName,
    store::{Database as Referee, table::Table},
};
use jiff::Timestamp;
use uuid::Uuid;

use super::common::{Database, host::Host};

/// Somebody who types commands on this host, now.
pub(crate) struct Operator {
    host: Host,
    now: Timestamp,
}

const BY: By<'_> = By {
    who: "anna@alpha",
    host: "alpha",
    reason: Some("disk swap"),
};

impl Operator {
    pub(crate) fn at(host: &Host, now: Timestamp) -> Self {
        Self {
            host: host.at(now),
            now,
        }
    }

    async fn looked(&self) -> (Referee, Table) {
        let engine = self.host.engine();
        let table = engine.look().await.expect("the table can be read");
        (engine.database.clone(), table)
    }

    /// What happened to each of these jobs, which this host may not know.
    async fn on(
        &self,
        names: &[&str],
        change: impl AsyncFnOnce(&Referee, &[Target<'_>]) -> Answer,
    ) -> Vec<Change> {
        let engine = self.host.engine();
        let (database, table) = self.looked().await;
        let targets: Vec<Target<'_>> = names
            .iter()
            .map(|name| Target {
                name,
                spec: engine
                    .graph
                    .jobs()
                    .iter()
                    .find(|spec| spec.name.as_str() == *name),
                row: table.row(name),
            })
            .collect();
        jobs(change(&database, &targets).await)
    }

    pub(crate) async fn pause(&self, names: &[&str], until: Timestamp) -> Vec<Change> {
        self.on(names, async |database, targets| {
            control::pause(database, &BY, targets, until, self.now, Some(self.now))
                .await
                .expect("the database is there")
        })
        .await
    }

    pub(crate) async fn resume(&self, names: &[&str]) -> Vec<Change> {
        self.on(names, async |database, targets| {
            control::resume(database, &BY, targets, self.now, Some(self.now))
                .await
                .expect("the database is there")
        })
        .await
    }

    pub(crate) async fn reset(&self, names: &[&str], claims: Claims) -> Vec<Change> {
        self.on(names, async |database, targets| {
            let resettings = resettings(targets, self.now);
            control::reset(database, &BY, &resettings, claims, Some(self.now))
                .await
                .expect("the database is there")
        })
        .await
    }

    pub(crate) async fn cancel(&self, job: &str, run_id: Uuid) -> Happened {
        let (database, _) = self.looked().await;
        let answer = control::cancel(&database, &BY, job, run_id, Some(self.now))
            .await
            .expect("the database is there");
        jobs(answer).remove(0).happened
    }

    pub(crate) async fn trigger(&self, job: &str) -> Happened {
        let (database, _) = self.looked().await;
        let answer = control::trigger(&database, &BY, job, Some(self.now))
            .await
            .expect("the database is there");
        jobs(answer).remove(0).happened
    }

    /// What marking would do.
    pub(crate) async fn decided(&self, name: &str, slot: Option<Timestamp>) -> Decision {
        let (_, table) = self.looked().await;
        let engine = self.host.engine();
        let place = &engine.host.place;
        markings(
            &engine.graph,
            &table,
            place,
            |job| job.as_str() == name,
            slot,
        )
        .remove(0)
        .1
    }

    /// Marks what can be marked.
    pub(crate) async fn mark(&self, names: &[&str], slot: Option<Timestamp>) -> Vec<Change> {
        let (database, table) = self.looked().await;
        let engine = self.host.engine();
        let (graph, place) = (&engine.graph, &engine.host.place);
        let wanted = |job: &RowName| names.contains(&job.as_str());
        let decisions = markings(graph, &table, place, wanted, slot);
        let marked: Vec<_> = decisions
            .into_iter()
            .filter_map(|(_, decision)| match decision {
                Decision::Mark(marking) => Some(*marking),
                _ => None,
            })
            .collect();
        let answer = control::mark(&database, &BY, &marked, Some(self.now)).await;
        jobs(answer.expect("the database is there"))
    }
}

fn jobs(answer: Answer) -> Vec<Change> {
    match answer {
        Answer::Jobs(changes) => changes,
        Answer::Contended => panic!("nobody else holds the row"),
    }
}

/// What happened to the only job.
pub(crate) fn only(changes: Vec<Change>) -> Happened {
    let [change] = changes.try_into().expect("one job was named");
    change.happened
}

/// The audit, oldest first: who, what, the job, why.
pub(crate) async fn audit(database: &Database) -> Vec<String> {
    let rows = database
        .rows("SELECT who, what, app_name, coalesce(reason, '-') FROM crontabber_audit ORDER BY id")
        .await;
    rows.iter().map(|row| row.join(" ")).collect()
}

/// The row of a job: slot and `next_run` as minutes after noon (`never`: no clock), whether it is paused, errors.
pub(crate) async fn row(database: &Database, job: &str) -> String {
    let sql = format!(
        "SELECT coalesce(((extract(epoch FROM slot - '2031-05-05T12:00Z') / 60)::int)::text, 'none'),
                CASE WHEN next_run >= '9999-01-01Z' THEN 'never'
                     ELSE ((extract(epoch FROM next_run - '2031-05-05T12:00Z') / 60)::int)::text END,
                CASE WHEN paused_by IS NULL THEN 'free' ELSE 'paused' END, error_count
           FROM crontabber WHERE app_name = '{job}'"
    );
    database.rows(&sql).await.concat().join(" ")
}
