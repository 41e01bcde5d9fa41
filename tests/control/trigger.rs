//! `trigger`: a run that somebody asks for, on whichever host may run it.

use std::time::Duration;

use crontabber::control::Happened;
use serde_json::{Value, json};

use crate::common::{Database, Finished, Postgres, Site, race::make_due, until};

use super::{
    common::host::{Host, dies_running, job, log, minutes, noon},
    operator::{Operator, audit, row},
};

const SOON: Duration = Duration::from_secs(20);

/// A site whose job `it` may run on `beta` only, known to the table and not due.
async fn site(keys: &str, shell: &str) -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job(
            "it",
            &format!("every = \"1h\"\nhosts = ['beta']\n{keys}"),
            shell,
        )
    });
    pass(&site, "beta").await;
    assert!(site.ledger().starts().is_empty(), "it is not due");
    (database, site)
}

async fn pass(site: &Site, host: &str) -> Finished {
    site.on(host, &["tick"]).run().await
}

async fn well(site: &Site, host: &str, arguments: &[&str]) -> String {
    let finished = site.on(host, arguments).run().await;
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished.stdout
}

async fn asked(site: &Site, arguments: &[&str]) -> Value {
    let told = well(site, "alpha", &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&told).expect("JSON")
}

async fn runs(database: &Database) -> Vec<String> {
    let sql = "SELECT trigger, host, outcome FROM crontabber_log WHERE attempt > 0 ORDER BY id";
    let rows = database.rows(sql).await;
    rows.iter().map(|row| row.join(" ")).collect()
}

async fn is_pending(database: &Database) -> bool {
    let sql = "SELECT count(*) FROM crontabber WHERE num_nonnulls(trigger_id, triggered_at, triggered_by) > 0";
    database.query_one::<i64>(sql).await > 0
}

#[tokio::test]
async fn a_run_that_is_asked_for_happens_where_it_may_and_leaves_the_schedule_alone() {
    let (database, site) = site("", "").await;
    let due = "SELECT slot::text || next_run FROM crontabber";
    let before: String = database.query_one(due).await;
    let told = site.on("alpha", &["trigger", "it", "--reason", "new data"]);
    let told = told.env("SUDO_USER", "anna").run().await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.stdout, "asked for a run of it; it runs on beta\n");

    // Everybody sees that it is wanted, and by whom; the host that may not run it leaves it alone.
    let listed = asked(&site, &["list"]).await;
    assert_eq!(listed[0]["state"], "due");
    let why = r#"asked for by anna@alpha; runs on hosts = ["beta"], not here"#;
    assert_eq!(listed[0]["why"], why);
    pass(&site, "alpha").await;
    assert!(site.ledger().starts().is_empty(), "alpha may not run it");
    let why = asked(&site, &["why", "it"]).await;
    assert_eq!(why["checks"][0]["check"], "asked for");
    assert_eq!(
        why["checks"][1]["passed"],
        Value::Null,
        "the schedule is not asked"
    );
    let dry = well(&site, "beta", &["tick", "--dry-run"]).await;
    assert!(dry.starts_with("would run: it\n"), "{dry}");

    assert_eq!(pass(&site, "beta").await.code, Some(0));
    assert_eq!(pass(&site, "beta").await.code, Some(0));
    assert_eq!(site.ledger().starts().len(), 1, "one request is one run");
    assert_eq!(runs(&database).await, ["manual beta success"]);
    assert_eq!(database.query_one::<String>(due).await, before);
    assert!(!is_pending(&database).await);
    assert_eq!(audit(&database).await, ["anna@alpha trigger it new data"]);
}

#[tokio::test]
async fn a_pause_a_parent_and_a_failure_keep_the_schedule_and_not_who_asks() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("parent", "every = \"1h\"\nstart = \"now\"", "exit 1")
            + &site.job(
                "it",
                "every = \"1h\"\nstart = \"now\"\ndepends_on = [\"parent\"]",
                "",
            )
    });
    assert_eq!(pass(&site, "alpha").await.code, Some(1));
    assert_eq!(runs(&database).await, ["schedule alpha failure"]);
    well(&site, "alpha", &["pause", "it", "--reason", "disk swap"]).await;
    well(&site, "alpha", &["trigger", "it"]).await;
    let listed = asked(&site, &["list"]).await;
    assert_eq!(listed[1]["state"], "paused", "the pause stands");
    pass(&site, "alpha").await;
    assert_eq!(runs(&database).await[1..], ["manual alpha success"]);
    // The failing parent waits for its retry, unless somebody asks.
    well(&site, "alpha", &["trigger", "parent"]).await;
    pass(&site, "alpha").await;
    assert_eq!(runs(&database).await[2..], ["manual alpha failure"]);
    let paused = "SELECT paused_until = '9999-01-01Z' FROM crontabber WHERE app_name = 'it'";
    assert!(database.query_one::<bool>(paused).await);
}

#[tokio::test]
async fn a_job_that_is_due_runs_for_who_asks_and_then_for_its_slot() {
    let (database, site) = site("", "").await;
    make_due(&database, "it").await;
    well(&site, "alpha", &["trigger", "it"]).await;
    pass(&site, "beta").await;
    pass(&site, "beta").await;
    assert_eq!(
        runs(&database).await,
        ["manual beta success", "schedule beta success"]
    );
}

#[tokio::test]
async fn a_run_that_goes_on_ends_before_the_one_that_is_asked_for() {
    let (database, site) = site("", "").await;
    let claim = "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = md5('a')::uuid, run_slot = now(),
                        run_trigger = 'manual', attempt = 1, lease_until = now() + interval '1 hour', host = 'beta'";
    database.execute(claim).await;
    let told = well(&site, "alpha", &["trigger", "it"]).await;
    let after =
        "asked for a run of it; it runs on beta, when the run that goes on on beta has ended\n";
    assert_eq!(told, after);
    assert_eq!(asked(&site, &["list"]).await[0]["state"], "ongoing");
    let cancel = ["cancel", "it", "--no-wait"];
    let cancelled = well(&site, "alpha", &cancel).await;
    assert!(
        cancelled.contains("\nanother run of it was asked for by "),
        "{cancelled}"
    );
    assert!(is_pending(&database).await, "the request stands");
    assert_eq!(pass(&site, "beta").await.code, Some(3), "it is going on");
    assert!(site.ledger().starts().is_empty());
    database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL,
             attempt = NULL, lease_until = NULL, host = NULL")
        .await;
    pass(&site, "beta").await;
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn a_second_request_is_told_who_has_asked_before_and_the_first_can_be_taken_back() {
    let (database, site) = site("", "").await;
    let first = site
        .on("alpha", &["trigger", "it"])
        .env("SUDO_USER", "anna");
    assert_eq!(first.run().await.code, Some(0));
    for arguments in [&["trigger", "it"][..], &["trigger", "it", "--follow"]] {
        let second = site.on("gamma", arguments).run().await;
        assert_eq!(
            (second.code, second.stdout.as_str()),
            (Some(4), ""),
            "{second:?}"
        );
        let before = "not asked: a run of it was asked for by anna@alpha 20";
        assert!(second.stderr.starts_with(before), "{second:?}");
        assert!(second.stderr.contains("crontabber cancel it"), "{second:?}");
    }
    let back = site.on("gamma", &["cancel", "it"]).env("SUDO_USER", "bert");
    let back = back.run().await;
    assert_eq!(back.code, Some(0), "{back:?}");
    let said = "taken back: the run of it that was asked for by anna@alpha 20";
    assert!(back.stdout.starts_with(said), "{back:?}");
    assert!(!is_pending(&database).await);
    pass(&site, "beta").await;
    assert!(site.ledger().starts().is_empty());
    assert_eq!(
        audit(&database).await,
        ["anna@alpha trigger it -", "bert@gamma untrigger it -"]
    );
    assert_eq!(
        site.on("gamma", &["cancel", "it"]).run().await.code,
        Some(4)
    );
}

#[tokio::test]
async fn a_job_that_no_host_has_met_gets_its_row_and_no_other_start() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", ""));
    well(&site, "alpha", &["migrate"]).await;
    let told = well(&site, "alpha", &["trigger", "it"]).await;
    assert_eq!(
        told,
        "asked for a run of it; it waits, for there is no live host that may run it\n"
    );
    pass(&site, "beta").await;
    pass(&site, "beta").await;
    assert_eq!(runs(&database).await, ["manual beta success"]);
}

#[tokio::test]
async fn what_only_other_hosts_know_can_be_asked_for_and_what_nobody_knows_cannot() {
    let (database, site) = site("", "").await;
    let laptop = Site::with(&database, |site| site.job("other", "every = \"1h\"", ""));
    let told = laptop.on("laptop", &["trigger", "it"]).run().await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_eq!(told.stdout, "asked for a run of it; it runs on beta\n");
    pass(&site, "beta").await;
    assert_eq!(site.ledger().starts().len(), 1);

    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    for (name, why) in [
        ("old", "is a row that no host's configuration has"),
        ("ti", "no job named `ti`"),
    ] {
        let refused = site.on("alpha", &["trigger", name]).run().await;
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    database
        .execute("UPDATE crontabber SET revision = revision + 1, last_run = now() WHERE app_name = 'old'")
        .await;
    let refused = site.on("alpha", &["trigger", "old"]).run().await;
    assert_eq!(refused.code, Some(64), "{refused:?}");
    assert!(refused.stderr.contains("take no orders"), "{refused:?}");
    assert_eq!(audit(&database).await.len(), 1);
}

#[tokio::test]
async fn a_job_on_each_host_is_asked_for_on_one_and_a_job_that_is_kept_running_not_at_all() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("relay", "every = \"1h\"\non = \"each\"", "")
            + &site.job("serve", "keep_running = true", "sleep 60")
    });
    for host in ["alpha", "beta"] {
        pass(&site, host).await;
    }
    let which = site.on("gamma", &["trigger", "relay"]).run().await;
    assert_eq!(which.code, Some(64), "{which:?}");
    let rows = "say on which: relay@alpha, relay@beta";
    assert!(which.stderr.contains(rows), "{which:?}");
    let told = well(&site, "alpha", &["trigger", "relay@beta"]).await;
    assert_eq!(told, "asked for a run of relay@beta; it runs on beta\n");
    pass(&site, "alpha").await;
    assert!(site.ledger().starts().is_empty());
    pass(&site, "beta").await;
    assert_eq!(runs(&database).await, ["manual beta success"]);
    well(&site, "alpha", &["trigger", "relay@alpha"]).await;
    let back = well(&site, "gamma", &["cancel", "relay"]).await;
    assert!(
        back.starts_with("taken back: the run of relay@alpha"),
        "{back}"
    );

    let kept = site.on("alpha", &["trigger", "serve"]).run().await;
    assert_eq!(kept.code, Some(4), "{kept:?}");
    assert!(
        kept.stderr.contains("is kept running by daemons"),
        "{kept:?}"
    );
}

#[tokio::test]
async fn who_follows_a_run_gets_what_it_printed_and_ends_as_it_did() {
    for (shell, code, outcome) in [
        ("echo done; sleep 0.1", 0, "success"),
        ("echo half; exit 7", 1, "failure"),
    ] {
        let (_database, site) = site("", shell).await;
        let follows = site.on("alpha", &["trigger", "it", "--follow"]).spawn();
        until(SOON, "it has asked", async || {
            follows
                .stderr()
                .contains("asked for a run of it; it runs on beta")
        })
        .await;
        pass(&site, "beta").await;
        let followed = follows.finished().await;
        assert_eq!(followed.code, Some(code), "{followed:?}");
        assert_eq!(followed.stdout, format!("{}\n", &shell[5..9]));
        assert!(
            followed.stderr.contains("claimed by beta, run "),
            "{followed:?}"
        );
        assert!(
            followed.stderr.contains(&format!("\nit: {outcome}")),
            "{followed:?}"
        );
    }
}

#[tokio::test]
async fn a_run_that_times_out_is_told_by_its_own_exit_code_and_json_has_all_of_it() {
    let (_database, site) = site("timeout = \"1s\"", "echo begun; sleep 60").await;
    let arguments = ["trigger", "it", "--follow", "--json"];
    let follows = site.on("alpha", &arguments).spawn();
    until(SOON, "it has asked", async || {
        follows.stderr().contains("asked for")
    })
    .await;
    pass(&site, "beta").await;
    let followed = follows.finished().await;
    assert_eq!(followed.code, Some(5), "{followed:?}");
    let told: Value = serde_json::from_str(&followed.stdout).expect("JSON");
    assert_eq!(
        (&told["did"], &told["run"]["outcome"], &told["run"]["slot"]),
        (&json!("triggered"), &json!("timeout"), &told["slot"])
    );
    assert_eq!(
        (&told["output"], &told["hosts"]),
        (&json!("begun\n"), &json!(["beta"]))
    );
}

#[tokio::test]
async fn a_wait_ends_and_the_request_stands_and_a_request_taken_back_ends_the_wait() {
    let (database, site) = site("", "").await;
    let short = ["trigger", "it", "--follow", "--wait", "1ms"];
    let waited = site.on("alpha", &short).run().await;
    assert_eq!(
        (waited.code, waited.stdout.as_str()),
        (Some(3), ""),
        "{waited:?}"
    );
    let told = "no host has claimed the run of it within 1ms, and the request stands";
    assert!(waited.stderr.contains(told), "{waited:?}");
    assert!(is_pending(&database).await);

    well(&site, "alpha", &["cancel", "it"]).await;
    let follows = site.on("alpha", &["trigger", "it", "--follow"]).spawn();
    until(SOON, "it has asked", async || is_pending(&database).await).await;
    well(&site, "gamma", &["cancel", "it"]).await;
    let ended = follows.finished().await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.stderr.contains("somebody has taken the request back"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn nobody_repeats_a_run_that_was_asked_for_and_lost() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let asked = noon() + minutes(10);
    let happened = Operator::at(&alpha, asked).trigger("a").await;
    assert_eq!(happened, Happened::Done);
    dies_running(&alpha.at(asked)).await;
    assert!(!is_pending(&database).await, "the claim has taken it");
    let later = alpha.at(noon() + minutes(12));
    later.tick().await;
    later.tick().await;
    assert_eq!(log(&database).await, ["a 0 1 success", "a 10 1 lost"]);
    // As after any run that was lost, its error is in the row, and its next slot is where it was.
    assert_eq!(row(&database, "a").await, "60 60 free 1");
}
