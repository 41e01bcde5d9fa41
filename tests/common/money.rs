//! Money that only jobs of SQL move: one unit a slot, and a line in a journal for each move.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Crontabber, Database, Postgres, Site, until};

/// How many accounts there are, and jobs: each moves from its own to the next.
const ACCOUNTS: usize = 100;

/// How much each account starts with.
const START: i64 = 1_000;

/// A bank, and hosts that die at work.
#[derive(Debug)]
pub struct Money {
    pub database: Database,
    pub site: Site,
}

/// What was seen in the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Audit {
    /// Units over all accounts, less those there were.
    pub made: i64,
    /// Lines of the journal that stand there more than once.
    pub doubled: i64,
    /// Lines of the journal whose slot no run has succeeded at, and the other way round.
    pub unrecorded: i64,
}

/// Nothing was made, doubled or forgotten.
pub const SOUND: Audit = Audit {
    made: 0,
    doubled: 0,
    unrecorded: 0,
};

impl Money {
    /// A bank whose jobs are due every two seconds.
    pub async fn new() -> Self {
        let database = Postgres::database().await;
        database
            .execute(&format!(
                "CREATE TABLE account AS SELECT id, {START}::bigint AS balance FROM generate_series(0, {ACCOUNTS} - 1) AS id;
                 CREATE TABLE journal (job text, slot timestamptz)"
            ))
            .await;
        let sections = (0..ACCOUNTS).map(|from| {
            let to = (from + 1) % ACCOUNTS;
            format!(
                "[jobs.move{from}]\nevery = \"2s\"\nstart = \"now\"\nlease = \"3s\"\nretry = {{ first = \"100ms\", max = \"100ms\" }}\nsql = '''\n\
                 UPDATE account SET balance = balance - 1 WHERE id = {from};\n\
                 INSERT INTO journal SELECT current_setting('crontabber.job'), current_setting('crontabber.slot')::timestamptz;\n\
                 SELECT pg_sleep(0.01);\n\
                 UPDATE account SET balance = balance + 1 WHERE id = {to};\n'''\n"
            )
        });
        let sections: String = sections.collect();
        let site = Site::with(&database, |_| {
            format!("[daemon]\nlease = \"3s\"\n\n{sections}")
        });
        let money = Self { database, site };
        assert_eq!(money.host("first").run().await.code, Some(0));
        money
    }

    /// A pass of a host.
    pub fn host(&self, name: &str) -> Crontabber {
        self.site.on(name, &["tick"])
    }

    /// Passes of one host, one after the other, each killed after a moment, until so many were killed at work;
    /// returns how many that were.
    pub async fn kill(&self, name: &str, kills: usize, moments: impl Iterator<Item = Duration>) {
        let mut killed = 0;
        for moment in moments {
            let mut pass = self.host(name).spawn();
            tokio::time::sleep(moment).await;
            if !pass.has_ended() {
                pass.signal(Signal::SIGKILL);
                killed += 1;
            }
            pass.finished().await;
            if killed == kills {
                return;
            }
        }
    }

    /// Looks into the books when no run is under way any more.
    pub async fn audit(&self) -> Audit {
        let sentence = "what the dead have left is recorded";
        until(Duration::from_mins(1), sentence, async || {
            let pass = self.host("auditor").run().await;
            assert!(matches!(pass.code, Some(0..=3)), "{pass:?}");
            let live = "SELECT count(*) FROM crontabber WHERE run_id IS NOT NULL";
            self.database.query_one::<i64>(live).await == 0
        })
        .await;
        let one = async |sql: &str| self.database.query_one::<i64>(sql).await;
        let total = i64::try_from(ACCOUNTS).expect("a hundred") * START;
        let successes = "SELECT app_name, slot FROM crontabber_log WHERE outcome = 'success'";
        Audit {
            made: one("SELECT sum(balance)::bigint FROM account").await - total,
            doubled: one("SELECT count(*) - count(DISTINCT (job, slot)) FROM journal").await,
            unrecorded: one(&format!(
                "SELECT count(*) FROM ((TABLE journal EXCEPT {successes}) UNION ALL ({successes} EXCEPT TABLE journal)) AS odd"
            ))
            .await,
        }
    }

    /// How many runs were lost, and how many moves were made.
    pub async fn told(&self) -> String {
        let counts = "SELECT count(*) FILTER (WHERE outcome = 'lost') || ' runs lost, ' || count(*) FILTER (WHERE outcome = 'success') || ' moves made' FROM crontabber_log";
        self.database.query_one(counts).await
    }
}
