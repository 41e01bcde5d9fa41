//! Somebody's `psql`, left in a transaction that holds a row, under a pass whose runs go on.

use std::{fs, time::Duration};

use tokio_postgres::Client;

use super::{Database, Postgres, Running, Site, left_over, until};

const SOON: Duration = Duration::from_secs(20);

/// A pass with two runs, `held` and `other`, each going on until it is told to end.
#[derive(Debug)]
pub struct Pass {
    /// Where.
    pub database: Database,
    site: Site,
    /// The pass.
    pub tick: Running,
}

impl Pass {
    /// Starts it with leases of this length, and a fault for builds that have them; returns when both jobs run.
    pub async fn new(lease: &str, fault: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            let job = |name| {
                let wait = format!(
                    "until [ -e '{}' ]; do sleep 0.02; done",
                    site.file(name).display()
                );
                site.job(name, "every = \"1h\"\nstart = \"now\"", &wait)
            };
            format!(
                "[daemon]\nlease = \"{lease}\"\n[defaults]\nlease = \"{lease}\"\n{}{}",
                job("held"),
                job("other")
            )
        });
        let tick = site
            .on("alpha", &["tick"])
            .env("CRONTABBER_FAULT", fault)
            .spawn();
        until(SOON, "both jobs run", async || {
            site.ledger().starts().len() == 2
        })
        .await;
        Self {
            database,
            site,
            tick,
        }
    }

    /// Tells a run to end.
    pub fn end(&self, job: &str) {
        fs::write(self.site.file(job), "").expect("the directory is writable");
    }

    /// Whether any process of a job's first run is left.
    pub fn is_alive(&self, job: &str) -> bool {
        let starts = self.site.ledger().starts();
        let start = starts
            .iter()
            .find(|start| start.job == job)
            .expect("both have started");
        !left_over(&format!("CRONTABBER_RUN_ID={}", start.run_id)).is_empty()
    }

    /// Until when the claim of a job is proof; 0: there is none.
    pub async fn lease_until(&self, job: &str) -> f64 {
        let sql = format!(
            "SELECT coalesce(extract(epoch FROM lease_until), 0)::float8 FROM crontabber WHERE app_name = '{job}'"
        );
        self.database.query_one(&sql).await
    }

    /// Waits until the claim of a job has been renewed so many times more.
    pub async fn renewed(&self, job: &str, times: usize) {
        for _ in 0..times {
            let before = self.lease_until(job).await;
            until(
                SOON,
                &format!("the claim of {job} is renewed"),
                async || self.lease_until(job).await > before,
            )
            .await;
        }
    }

    /// The outcomes of a job's runs.
    pub async fn outcomes(&self, job: &str) -> Vec<String> {
        let sql =
            format!("SELECT outcome FROM crontabber_log WHERE app_name = '{job}' ORDER BY attempt");
        self.database.rows(&sql).await.concat()
    }

    /// The same pass again, on another host.
    pub async fn again(&self) -> super::Finished {
        self.site.on("beta", &["tick"]).run().await
    }
}

/// What somebody typed into `psql` before lunch. The lock ends with the value.
pub async fn lock(database: &Database, job: &str) -> Client {
    let client = database.connect().await;
    let sql = format!("BEGIN; SELECT FROM crontabber WHERE app_name = '{job}' FOR UPDATE");
    client
        .batch_execute(&sql)
        .await
        .expect("nobody else holds it for long");
    client
}

/// A lock on the row of `held` that outlasts its lease. Returns what became of the run of `other`, which nobody
/// disturbs: it may end as soon as its claim was renewed after the end of `held`, or has died with it.
pub async fn past_the_lease_of_another(fault: &str) -> (Pass, Client, Vec<String>) {
    let pass = Pass::new("3s", fault).await;
    let lock = lock(&pass.database, "held").await;
    until(
        SOON,
        "the run of `held` is killed, its claim cannot be renewed",
        async || !pass.is_alive("held"),
    )
    .await;
    let before = pass.lease_until("other").await;
    let settled = async || !pass.is_alive("other") || pass.lease_until("other").await > before;
    until(SOON, "`other` goes on, or dies", settled).await;
    pass.end("other");
    let recorded = async || pass.outcomes("other").await != ["running"];
    until(
        SOON,
        "`other` is recorded, though `held` cannot be",
        recorded,
    )
    .await;
    let outcomes = pass.outcomes("other").await;
    (pass, lock, outcomes)
}
