//! A connection that breaks around a commit: nobody knows whether it was carried out, and nothing runs twice.

mod common;

use std::{cell::Cell, fs, time::Duration};

use common::{Cut, Database, Finished, Private, Proxy, Site, until};

const SOON: Duration = Duration::from_secs(30);

/// One job, due now, and a host `alpha` whose wire to the server is cut in one transaction.
struct Trial {
    database: Database,
    site: Site,
    proxy: Proxy,
    _private: Private,
}

impl Trial {
    /// The transaction with this statement is cut like this.
    async fn new(statement: &str, cut: Cut) -> Self {
        let job = |site: &Site| site.job("it", "every = \"1h\"\nstart = \"now\"", "true");
        Self::of(job, statement, cut).await
    }

    /// The same with one job of SQL, which adds a line to a table.
    async fn of_sql(statement: &str, cut: Cut) -> Self {
        let job = |_: &Site| {
            "[jobs.it]\nevery = \"1h\"\nstart = \"now\"\nretry = { first = \"100ms\" }\nsql = \"INSERT INTO line VALUES (1)\"\n"
                .to_owned()
        };
        let trial = Self::of(job, statement, cut).await;
        trial.database.execute("CREATE TABLE line (n int)").await;
        trial
    }

    /// The same with three jobs, which are claimed together.
    async fn of_three(statement: &str, cut: Cut) -> Self {
        let jobs = |site: &Site| {
            ["it", "its", "sister"]
                .map(|name| site.job(name, "every = \"1h\"\nstart = \"now\"", "true"))
                .concat()
        };
        let trial = Self::of(jobs, statement, cut).await;
        let text =
            fs::read_to_string(trial.site.file("crontabber.toml")).expect("it is configured");
        let text = text.replace("max_parallel = 1", "max_parallel = 3");
        fs::write(trial.site.file("crontabber.toml"), text).expect("the directory is writable");
        trial
    }

    async fn of(job: impl FnOnce(&Site) -> String, statement: &str, cut: Cut) -> Self {
        let private = Private::new();
        let database = private.database().await;
        let sections = |site: &Site| {
            let job = job(site);
            // One connection: nothing that follows a lost answer may wait for another.
            format!("[daemon]\nlease = \"3s\"\nmax_parallel = 1\n[defaults]\nlease = \"3s\"\n{job}")
        };
        let site = Site::with(&database, sections);
        let proxy = Proxy::new(&database, statement, cut);
        Self {
            database,
            site,
            proxy,
            _private: private,
        }
    }

    /// `alpha`'s pass, through the wire that is cut.
    async fn alpha(&self) -> Finished {
        let config = self.site.file("alpha.toml");
        let text = fs::read_to_string(self.site.file("crontabber.toml")).expect("it is configured");
        let text = text.replace(self.database.url(), &self.proxy.url(&self.database));
        fs::write(&config, text).expect("the directory is writable");
        let alpha = self.site.on("alpha", &["tick"]);
        let finished = alpha.env("CRONTABBER_CONFIG", &config).run().await;
        assert!(self.proxy.has_struck(), "nothing was cut: {finished:?}");
        finished
    }

    /// Passes of `beta`, with a sound wire, until the job has succeeded.
    async fn beta_until_success(&self) {
        until(SOON, "the job has succeeded", async || {
            let pass = self.site.on("beta", &["tick"]).run().await;
            assert!(matches!(pass.code, Some(0 | 2 | 3)), "{pass:?}");
            self.database
                .query_one("SELECT bool_and(success_slot IS NOT NULL) FROM crontabber")
                .await
        })
        .await;
    }

    /// The SQL took effect once, and this is what the log says of it.
    async fn took_effect_once(&self, log: &[&str]) {
        let lines = self.database.query_one::<i64>("SELECT count(*) FROM line");
        assert_eq!(lines.await, 1);
        self.log_says(log).await;
    }

    /// The job was really started once, and this is what the log says of it.
    async fn ran_once(&self, log: &[&str]) {
        assert_eq!(self.site.ledger().starts().len(), 1);
        self.log_says(log).await;
    }

    async fn log_says(&self, log: &[&str]) {
        let rows = self
            .database
            .rows("SELECT attempt, outcome, host FROM crontabber_log ORDER BY attempt")
            .await;
        let rows: Vec<_> = rows.iter().map(|row| row.join(" ")).collect();
        assert_eq!(rows, log);
        let live = "SELECT count(*) FROM crontabber WHERE ongoing IS NOT NULL";
        assert_eq!(self.database.query_one::<i64>(live).await, 0);
    }
}

#[tokio::test]
async fn a_claim_whose_acknowledgement_is_lost_is_looked_up_and_run_once() {
    let trial = Trial::new("claim", Cut::Answer).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(0), "{alpha:?}");
    assert!(
        alpha
            .stderr
            .contains("the acknowledgement of the claim was lost; the claim stands"),
        "{alpha:?}"
    );
    trial.beta_until_success().await;
    trial.ran_once(&["1 success alpha"]).await;
}

#[tokio::test]
async fn claims_that_were_lost_together_are_looked_up_together_and_each_runs_once() {
    for (cut, code) in [(Cut::Answer, 0), (Cut::Commit, 1)] {
        let trial = Trial::of_three("claim", cut).await;
        let alpha = trial.alpha().await;
        assert_eq!(alpha.code, Some(code), "{cut:?}: {alpha:?}");
        let found = alpha.stderr.matches("the claim stands").count();
        let doubtful = alpha.stderr.matches("the claim is in doubt").count();
        let expected = if code == 0 { (3, 0) } else { (0, 3) };
        assert_eq!((found, doubtful), expected, "{cut:?}: {alpha:?}");
        trial.beta_until_success().await;
        let host = if code == 0 { "alpha" } else { "beta" };
        let once = format!("1 success {host}");
        assert_eq!(trial.site.ledger().starts().len(), 3);
        trial.log_says(&[&once, &once, &once]).await;
    }
}

#[tokio::test]
async fn a_claim_that_was_lost_before_its_commit_is_looked_up_and_not_run() {
    let trial = Trial::new("claim", Cut::Commit).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    assert!(
        alpha.stderr.contains("not started: the claim is in doubt"),
        "{alpha:?}"
    );
    assert!(trial.site.ledger().starts().is_empty());
    trial.beta_until_success().await;
    trial.ran_once(&["1 success beta"]).await;
}

#[tokio::test]
async fn a_claim_that_nobody_can_look_up_is_not_run_and_its_slot_is_after_its_lease() {
    let trial = Trial::new("claim", Cut::AnswerAndAll).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(69), "{alpha:?}");
    assert!(trial.site.ledger().starts().is_empty());
    trial.beta_until_success().await;
    trial.ran_once(&["1 lost alpha", "2 success beta"]).await;
}

#[tokio::test]
async fn a_claim_that_lands_after_it_was_looked_up_in_vain_is_nobodys_and_is_reaped() {
    let trial = Trial::new("claim", Cut::Late).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    trial.proxy.go_on();
    let landed = "SELECT run_id IS NOT NULL FROM crontabber";
    until(SOON, "the claim has landed", async || {
        trial.database.query_one::<bool>(landed).await
    })
    .await;
    assert!(trial.site.ledger().starts().is_empty());
    trial.beta_until_success().await;
    trial.ran_once(&["1 lost alpha", "2 success beta"]).await;
}

#[tokio::test]
async fn a_record_whose_acknowledgement_or_commit_is_lost_is_written_once() {
    for cut in [Cut::Answer, Cut::Commit] {
        let trial = Trial::new("record", cut).await;
        let alpha = trial.alpha().await;
        assert_eq!(alpha.code, Some(0), "{cut:?}: {alpha:?}");
        assert!(
            alpha.stderr.contains("trying again, each alone"),
            "{cut:?}: {alpha:?}"
        );
        trial.beta_until_success().await;
        trial.ran_once(&["1 success alpha"]).await;
    }
}

#[tokio::test]
async fn sql_whose_commit_is_acknowledged_to_nobody_is_found_recorded() {
    let trial = Trial::of_sql("record", Cut::Answer).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(0), "{alpha:?}");
    trial.beta_until_success().await;
    trial.took_effect_once(&["1 success alpha"]).await;
}

#[tokio::test]
async fn sql_whose_commit_is_lost_has_no_effect_and_runs_again() {
    let trial = Trial::of_sql("record", Cut::Commit).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    trial.beta_until_success().await;
    let log = ["1 failure alpha", "2 success beta"];
    trial.took_effect_once(&log).await;
}

#[tokio::test]
async fn sql_whose_commit_arrives_when_its_host_has_given_up_the_connection_is_waited_for() {
    let trial = Trial::of_sql("record", Cut::Late).await;
    let (alpha, ()) = tokio::join!(trial.alpha(), async {
        let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- record:%' AND wait_event_type = 'Lock'";
        until(SOON, "its second record waits for the first", async || {
            trial.database.query_one::<i64>(locked).await > 0
        })
        .await;
        trial.proxy.go_on();
    });
    assert_eq!(alpha.code, Some(0), "{alpha:?}");
    trial.beta_until_success().await;
    trial.took_effect_once(&["1 success alpha"]).await;
}

#[tokio::test]
async fn sql_whose_record_arrives_when_its_host_has_recorded_it_as_lost_is_taken_back() {
    let trial = Trial::of_sql("record", Cut::LateStatement).await;
    let alpha = trial.alpha().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    trial.proxy.go_on();
    until(SOON, "it is taken back", async || {
        trial.proxy.has_been_taken_back("the claim is gone")
    })
    .await;
    trial.beta_until_success().await;
    let log = ["1 failure alpha", "2 success beta"];
    trial.took_effect_once(&log).await;
}

/// Cancels whoever waits for a standby that will never be there; the commit is acknowledged then, with a warning.
const CANCEL: &str =
    "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

#[tokio::test]
async fn a_claim_that_is_acknowledged_with_a_warning_is_given_back_and_not_started() {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));

    for sql in [
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        "SELECT pg_reload_conf()",
    ] {
        database.execute(sql).await;
    }
    let other = database.connect().await;
    let cancelled = async || database.query_one::<i64>(CANCEL).await > 0;
    let (waited, ended) = (Cell::new(false), Cell::new(false));
    // The server takes up its new settings when it gets to it, and until then a commit waits for nobody.
    let probes = async {
        while !waited.get() {
            let probe = other.batch_execute("CREATE TABLE probe (); DROP TABLE probe");
            probe.await.expect("it is committed here, with a warning");
        }
        ended.set(true);
    };
    let cancels = until(SOON, "commits wait for a standby", async || {
        if cancelled().await {
            waited.set(true);
        }
        ended.get()
    });
    tokio::join!(probes, cancels);
    let due = "SET synchronous_commit = local; UPDATE crontabber SET next_run = clock_timestamp()";
    other.batch_execute(due).await.expect("it waits for nobody");

    let mut alpha = site.on("alpha", &["tick"]).spawn();
    until(SOON, "alpha has given up", async || {
        cancelled().await;
        alpha.has_ended()
    })
    .await;
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    assert!(
        alpha
            .stderr
            .contains("the commit was acknowledged with a warning"),
        "{alpha:?}"
    );
    assert!(site.ledger().starts().is_empty());

    for sql in [
        "ALTER SYSTEM RESET synchronous_standby_names",
        "SELECT pg_reload_conf()",
    ] {
        database.execute(sql).await;
    }
    assert_eq!(site.on("beta", &["tick"]).run().await.code, Some(0));
    let log = database
        .rows("SELECT attempt, outcome, host FROM crontabber_log ORDER BY attempt")
        .await;
    assert_eq!(log, [["1", "cancelled", "alpha"], ["2", "success", "beta"]]);
    assert_eq!(site.ledger().starts().len(), 1);
}
