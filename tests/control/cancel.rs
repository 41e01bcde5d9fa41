//! `cancel`, `pause` and `reset` against a run that is going on, by the real program on two hosts.

use std::{fs, time::Duration};

use crate::common::{
    Crontabber, Database, Postgres, Running, Site, left_over, race::make_due, until,
};

use super::operator::audit;

const SOON: Duration = Duration::from_secs(20);

/// A pass of `alpha` that runs `it` until it is told to end.
struct Pass {
    database: Database,
    site: Site,
    tick: Running,
}

impl Pass {
    /// With a lease of this length, which decides how often its host looks for orders.
    async fn new(lease: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            let wait = format!(
                "until [ -e '{}' ]; do sleep 0.02; done",
                site.file("end").display()
            );
            let keys = format!("every = \"1h\"\nlease = \"{lease}\"\ntimeout = \"10m\"");
            format!("[daemon]\nlease = \"{lease}\"\n") + &site.job("it", &keys, &wait)
        });
        assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
        make_due(&database, "it").await;
        let tick = site.on("alpha", &["tick"]).spawn();
        until(SOON, "it runs", async || !site.ledger().starts().is_empty()).await;
        Self {
            database,
            site,
            tick,
        }
    }

    fn on_beta(&self, arguments: &[&str]) -> Crontabber {
        self.site.on("beta", arguments)
    }

    fn run_id(&self) -> String {
        self.site.ledger().starts()[0].run_id.to_string()
    }

    fn end(&self) {
        fs::write(self.site.file("end"), "").expect("the directory is writable");
    }
}

async fn outcomes(database: &Database) -> Vec<String> {
    let sql = "SELECT outcome FROM crontabber_log WHERE attempt > 0 ORDER BY id";
    database.rows(sql).await.concat()
}

#[tokio::test]
async fn a_run_on_another_host_is_killed_and_its_slot_is_final() {
    let pass = Pass::new("6s").await;
    let cancel = pass.on_beta(&["cancel", "it", "--reason", "wrong input"]);
    let cancelled = cancel.env("SUDO_USER", "anna").run().await;
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(
        cancelled.stdout,
        format!("cancelled: run {} of it on alpha\n", pass.run_id())
    );
    assert!(left_over(&format!("CRONTABBER_RUN_ID={}", pass.run_id())).is_empty());
    assert_eq!(outcomes(&pass.database).await, ["cancelled"]);
    assert_eq!(
        audit(&pass.database).await,
        ["anna@beta cancel it wrong input"]
    );
    let errors = "SELECT error_count FROM crontabber WHERE next_run > now()";
    assert_eq!(pass.database.query_one::<i32>(errors).await, 0);
    assert_eq!(pass.tick.finished().await.code, Some(0));

    // There is nothing left to cancel, by its name or by the id of its run.
    for of in [
        "it",
        &pass.site.ledger().starts()[0].run_id.to_string()[..8],
    ] {
        let again = pass.site.on("beta", &["cancel", of]).run().await;
        assert_eq!(again.code, Some(4), "{again:?}");
        assert!(again.stderr.contains("is not running"), "{again:?}");
        assert!(again.stderr.contains("cancelled"), "{again:?}");
    }
    assert_eq!(audit(&pass.database).await.len(), 1);
}

#[tokio::test]
async fn a_run_that_ends_before_its_host_looks_has_ended_and_that_is_told() {
    // The next heartbeat is twenty seconds away.
    let pass = Pass::new("2m").await;
    let id = &pass.run_id()[..8];
    let asked = pass.on_beta(&["cancel", id, "--no-wait"]).run().await;
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(
        asked.stdout.contains("alpha was asked to end it: run"),
        "{asked:?}"
    );
    // Too short a wait: the request stands.
    let waited = pass.on_beta(&["cancel", id, "--wait", "1ms"]).run().await;
    assert_eq!(waited.code, Some(3), "{waited:?}");
    let waiting = pass.on_beta(&["cancel", "it", "--json"]).spawn();
    until(SOON, "it waits for the run's end", async || {
        waiting.stderr().contains("waiting up to 30s")
    })
    .await;
    pass.end();
    let ended = waiting.finished().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(told["outcome"], "success");
    assert_eq!(told["refused"], "asked_before");
    assert_eq!(outcomes(&pass.database).await, ["success"]);
    // Asked twice more, it was one change.
    assert_eq!(audit(&pass.database).await.len(), 1);
}

#[tokio::test]
async fn a_pause_stops_no_run_and_outlasts_its_record() {
    let pass = Pass::new("6s").await;
    let paused = pass.on_beta(&["pause", "it"]).run().await;
    assert_eq!(paused.code, Some(0), "{paused:?}");
    assert!(
        paused.stdout.contains("its run on alpha goes on"),
        "{paused:?}"
    );
    pass.end();
    assert_eq!(outcomes(&pass.database).await, ["running"]);
    let finished = pass.tick.finished().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let row = "SELECT next_run = '9999-01-01Z' AND paused_until = '9999-01-01Z' AND slot > now() FROM crontabber";
    assert!(pass.database.query_one::<bool>(row).await);
    let ran = pass.site.on("alpha", &["run", "it"]).run().await;
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let resumed = pass.site.on("beta", &["resume", "it"]).run().await;
    assert!(
        resumed.stdout.starts_with("resumed\tit\tit runs next"),
        "{resumed:?}"
    );
}

#[tokio::test]
async fn a_job_that_is_running_is_not_reset_and_who_runs_it_is_told() {
    let pass = Pass::new("6s").await;
    for arguments in [&["reset", "it"][..], &["mark", "it", "--success"]] {
        let refused = pass.on_beta(arguments).run().await;
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(3), ""),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("it is running on alpha since 20"),
            "{refused:?}"
        );
        assert!(refused.stderr.contains(&pass.run_id()), "{refused:?}");
        assert!(
            refused.stderr.contains("crontabber cancel it"),
            "{refused:?}"
        );
    }
    let cleared = pass
        .on_beta(&["reset", "it", "--clear-ongoing"])
        .run()
        .await;
    assert_eq!(cleared.code, Some(3), "{cleared:?}");
    assert_eq!(audit(&pass.database).await.len(), 0);
    pass.end();
    assert_eq!(pass.tick.finished().await.code, Some(0));
    assert_eq!(outcomes(&pass.database).await, ["success"]);
}

#[tokio::test]
async fn a_python_host_s_run_takes_no_orders() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let nothing = site.on("alpha", &["cancel", "it"]).run().await;
    assert_eq!(nothing.code, Some(4), "{nothing:?}");
    assert!(nothing.stderr.contains("has never run"), "{nothing:?}");
    make_due(&database, "it").await;
    database
        .execute("UPDATE crontabber SET ongoing = now()")
        .await;
    let refused = site.on("alpha", &["cancel", "it"]).run().await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("takes no orders"), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("crontabber reset it --clear-ongoing"),
        "{refused:?}"
    );
    let reset = site.on("alpha", &["reset", "it"]).run().await;
    assert_eq!(reset.code, Some(3), "{reset:?}");
    assert!(
        reset.stderr.contains("was started by a Python host"),
        "{reset:?}"
    );
    let reset = site
        .on("alpha", &["reset", "it", "--clear-ongoing"])
        .run()
        .await;
    assert_eq!(reset.code, Some(0), "{reset:?}");
    assert!(
        reset.stdout.contains("its process may still be running"),
        "{reset:?}"
    );
    assert_eq!(audit(&database).await.len(), 1);
    let unknown = site.on("alpha", &["cancel", "ti"]).run().await;
    assert_eq!(unknown.code, Some(64), "{unknown:?}");
    assert!(
        unknown.stderr.contains("no job or run named `ti`"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn a_host_of_any_name_is_asked_without_harm_to_the_terminal() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let claim = "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = md5('a')::uuid, run_slot = now(),
                        run_trigger = 'manual', attempt = 1, lease_until = now() + interval '1 hour', host = E'\\x1b[31mweb'";
    database.execute(claim).await;
    let cancel = site.on("alpha", &["cancel", "it", "--wait", "1ms"]);
    let asked = cancel.run().await;
    assert_eq!(asked.code, Some(3), "{asked:?}");
    let told = r"asked \u{1b}[31mweb to end it";
    assert!(asked.stderr.contains(told), "{asked:?}");
    assert!(!asked.stderr.contains('\u{1b}'), "{asked:?}");
}
