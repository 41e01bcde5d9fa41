//! Two accounts, and one job of SQL.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Crontabber, Database, Finished, Postgres, Site, until};

/// What the server is doing for jobs of this database.
pub const AT_WORK: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- execute:%' AND state = 'active'";

/// Moves one unit.
pub const MOVE: &str = "UPDATE account SET balance = balance - 1 WHERE name = 'a'; UPDATE account SET balance = balance + 1 WHERE name = 'b';";

/// Takes the claim of a run away, as another host's reaper would.
pub const TAKE_THE_CLAIM_AWAY: &str = "UPDATE crontabber SET revision = revision + 1, ongoing = NULL, run_id = NULL, run_slot = NULL, lease_until = NULL;";

/// A database with an account, and one SQL job that is due now.
#[derive(Debug)]
pub struct Bank {
    pub database: Database,
    pub site: Site,
}

impl Bank {
    pub async fn new(keys: &str, sql: &str) -> Self {
        Self::with(|_| job(keys, sql)).await
    }

    pub async fn with(sections: impl FnOnce(&Database) -> String) -> Self {
        let database = Postgres::database().await;
        database
            .execute("CREATE TABLE account (name text PRIMARY KEY, balance int NOT NULL); INSERT INTO account VALUES ('a', 100), ('b', 0)")
            .await;
        let sections = sections(&database);
        let site = Site::with(&database, |_| {
            format!("[daemon]\nlease = \"3s\"\n\n{sections}")
        });
        Self { database, site }
    }

    pub fn on(&self, host: &str, arguments: &[&str]) -> Crontabber {
        self.site.on(host, arguments)
    }

    pub async fn tick(&self) -> Finished {
        self.on("alpha", &["tick"]).run().await
    }

    pub async fn balance(&self, name: &str) -> i32 {
        self.database
            .query_one(&format!(
                "SELECT balance FROM account WHERE name = '{name}'"
            ))
            .await
    }

    /// Outcome, reason and output of the last run.
    pub async fn last(&self) -> Vec<String> {
        let rows = self
            .database
            .rows("SELECT outcome, reason, output, exit_code FROM crontabber_log WHERE run_id IS NOT NULL ORDER BY id DESC LIMIT 1")
            .await;
        rows.into_iter().next().expect("there was a run")
    }
}

/// A job of SQL, due now.
pub fn job(keys: &str, sql: &str) -> String {
    format!("[jobs.move]\nstart = \"now\"\nevery = \"1h\"\n{keys}\nsql = '''\n{sql}\n'''\n")
}

/// A host is frozen while its SQL waits for a lock, and another takes the job over and moves the money; then the lock
/// is free and the first one wakes. Returns how its pass ended, and what was moved.
pub async fn past_the_lease_of_another() -> (Finished, i32) {
    let wait = "SELECT CASE current_setting('crontabber.attempt') WHEN '1' THEN pg_advisory_xact_lock(7) END;";
    let bank = Bank::new("lease = \"3s\"", &format!("{wait} {MOVE}")).await;
    let gate = bank.database.connect().await;
    let lock = gate.batch_execute("SELECT pg_advisory_lock(7)").await;
    lock.expect("it is free");
    let alpha = bank.on("alpha", &["tick"]).spawn();
    let limit = Duration::from_secs(30);
    until(limit, "the server is at work", async || {
        bank.database.query_one::<i64>(AT_WORK).await == 1
    })
    .await;
    alpha.signal(Signal::SIGSTOP);
    until(limit, "beta has moved it", async || {
        bank.on("beta", &["tick"]).run().await;
        bank.balance("b").await == 1
    })
    .await;
    // Awake before the server finds its transaction idle.
    alpha.signal(Signal::SIGCONT);
    let unlock = gate.batch_execute("SELECT pg_advisory_unlock(7)").await;
    unlock.expect("it is ours");
    let alpha = alpha.finished().await;
    (alpha, bank.balance("b").await)
}
