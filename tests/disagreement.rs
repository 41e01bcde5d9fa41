//! Hosts with different configurations: nothing runs twice, nothing starves, whichever policy they have; and with
//! `on_disagreement = "newest"` a job runs as it was defined last.

mod common;

use std::{ops::RangeInclusive, time::Duration};

use common::{
    Database, Postgres, Site,
    host::{Host, after, every, job, log, minutes, noon},
    race::make_due,
};
use crontabber::{
    place::OnDisagreement::{self, Newest, Warn},
    plan::{NotHere, Verdict},
    spec::JobSpec,
};
use serde_json::Value;

const BOTH: [OnDisagreement; 2] = [Warn, Newest];

/// An old and a new host, which have both passed at noon with the old definitions and this policy.
async fn hosts(database: &Database, policy: OnDisagreement, jobs: &[JobSpec]) -> (Host, Host) {
    let host = |name| Host::new(name, database, jobs).on_disagreement(policy);
    let (old, new) = (host("old"), host("new"));
    old.at(noon()).tick().await;
    new.at(noon()).tick().await;
    (old, new)
}

/// Both pass every ten minutes, as both are live then, the old one first; what the log says of it.
async fn passes(
    database: &Database,
    (old, new): (&Host, &Host),
    tens: RangeInclusive<i64>,
) -> Vec<String> {
    for ten in tens {
        old.at(noon() + minutes(10 * ten)).tick().await;
        new.at(noon() + minutes(10 * ten)).tick().await;
    }
    log(database).await
}

async fn hash(database: &Database, job: &str) -> String {
    let sql = format!("SELECT definition_hash FROM crontabber WHERE app_name = '{job}'");
    database.query_one(&sql).await
}

async fn runs_on(database: &Database) -> Vec<String> {
    let sql = "SELECT host FROM crontabber_log WHERE attempt > 0 ORDER BY id";
    database.rows(sql).await.concat()
}

#[tokio::test]
async fn a_schedule_that_only_one_host_has_changed_runs_each_of_its_slots_once() {
    for policy in BOTH {
        let database = Postgres::database().await;
        let (old, new) = hosts(&database, policy, &[job("a", "true")]).await;
        let often = JobSpec {
            timetable: Some(every(Duration::from_mins(20))),
            ..job("a", "true")
        };
        let new = new.with_jobs(&[often]);
        new.at(noon() + minutes(1)).tick().await;
        let ran = passes(&database, (&old, &new), 1..=12).await;
        // Whoever ran a slot says when the next one is: by the old definition it is an hour later.
        let slots: &[&str] = match policy {
            Warn => &["a 0 1 success", "a 20 1 success", "a 80 1 success"],
            Newest => &[
                "a 0 1 success",
                "a 20 1 success",
                "a 40 1 success",
                "a 60 1 success",
                "a 80 1 success",
                "a 100 1 success",
                "a 120 1 success",
            ],
        };
        assert_eq!(ran, slots, "{policy:?}");
        let hosts = runs_on(&database).await;
        let by_new = hosts[1..].iter().all(|host| host == "new");
        assert_eq!(by_new, policy == Newest, "{hosts:?}");
    }
}

#[tokio::test]
async fn a_job_that_one_host_has_lost_runs_on_the_other() {
    for policy in BOTH {
        let database = Postgres::database().await;
        let jobs = [job("a", "true"), job("b", "true")];
        let (old, new) = hosts(&database, policy, &jobs).await;
        let new = new.with_jobs(&jobs[..1]);
        let mut ran = passes(&database, (&old, &new), 1..=12).await;
        ran.sort_unstable();
        let each = ["a 0 1 success", "a 120 1 success", "a 60 1 success"];
        let both = [
            each,
            each.map(|run| run).map(|run| match run {
                "a 0 1 success" => "b 0 1 success",
                "a 120 1 success" => "b 120 1 success",
                _ => "b 60 1 success",
            }),
        ];
        assert_eq!(ran, both.concat(), "{policy:?}");
    }
}

#[tokio::test]
async fn parents_that_only_one_host_has_changed_keep_no_slot_from_running_once() {
    for policy in BOTH {
        let database = Postgres::database().await;
        let failing = job("parent", "exit 1");
        let (old, new) = hosts(&database, policy, &[failing.clone(), job("a", "true")]).await;
        let before = hash(&database, "a").await;
        let waits = after(job("a", "true"), &["parent"]);
        let new = new.with_jobs(&[failing, waits.clone()]);
        new.at(noon() + minutes(1)).tick().await;
        // The pending slot stays where it is, and all the same the definition is the newest.
        assert_eq!(hash(&database, "a").await, waits.definition());
        assert_ne!(before, waits.definition());
        let ran = passes(&database, (&old, &new), 1..=7).await;
        let ran: Vec<_> = ran.iter().filter(|run| run.starts_with("a 60")).collect();
        match policy {
            // By the old definition nothing keeps it.
            Warn => assert_eq!(ran, ["a 60 1 success"]),
            Newest => assert!(
                ran.is_empty(),
                "its parent fails, and the old host leaves it: {ran:?}"
            ),
        }
    }
}

#[tokio::test]
async fn the_newest_definition_is_the_one_that_was_changed_last_on_whichever_host() {
    let database = Postgres::database().await;
    let (old, new) = hosts(&database, Newest, &[job("a", "true")]).await;
    let changed = [job("a", "echo second")];
    let new = new.with_jobs(&changed);
    new.at(noon() + minutes(1)).tick().await;
    new.at(noon() + minutes(50)).tick().await;
    let at_one = old.at(noon() + minutes(60));
    let verdict = at_one.planned(|plan| {
        let job = &plan.jobs[0];
        (job.verdict.clone(), job.reason())
    });
    let (verdict, reason) = verdict.await;
    let newer = NotHere::Older(vec!["new".to_owned()]);
    assert_eq!(verdict, Verdict::Elsewhere(newer));
    assert_eq!(
        reason,
        "new has a newer definition of it; reload this host's configuration"
    );
    // The other host changes it, too: now its is the newest.
    let old = old.with_jobs(&[job("a", "echo third")]);
    old.at(noon() + minutes(60)).tick().await;
    assert_eq!(runs_on(&database).await, ["old", "old"]);
    old.at(noon() + minutes(110)).tick().await;
    new.at(noon() + minutes(120)).tick().await;
    assert_eq!(runs_on(&database).await.len(), 2, "and this one leaves it");
    // Until the deploy has reached it.
    let new = new.with_jobs(&[job("a", "echo third")]);
    new.at(noon() + minutes(121)).tick().await;
    assert_eq!(runs_on(&database).await[2..], ["new"]);
}

#[tokio::test]
async fn where_no_live_host_has_the_newest_definition_any_more_an_older_one_runs() {
    let database = Postgres::database().await;
    let (old, new) = hosts(&database, Newest, &[job("a", "true")]).await;
    let new = new.with_jobs(&[job("a", "echo new")]);
    new.at(noon() + minutes(50)).tick().await;
    for (minute, runs) in [(60, 1), (65, 1), (66, 2)] {
        old.at(noon() + minutes(minute)).tick().await;
        // It was heard of last at 12:50, and is live for a quarter of an hour.
        assert_eq!(runs_on(&database).await.len(), runs, "{minute}");
    }
    // The same when it takes no work.
    new.at(noon() + minutes(110)).tick().await;
    old.at(noon() + minutes(124)).tick().await;
    assert_eq!(runs_on(&database).await.len(), 2);
    database
        .execute("UPDATE crontabber_host SET drain_at = now() WHERE host = 'new'; UPDATE crontabber_host SET seen_at = '2031-05-05T14:05Z'")
        .await;
    old.at(noon() + minutes(124)).tick().await;
    assert_eq!(runs_on(&database).await, ["old", "old", "old"]);
}

#[tokio::test]
async fn a_definition_that_could_not_be_written_down_is_tried_again_with_the_next_pass() {
    let database = Postgres::database().await;
    let (_, new) = hosts(&database, Newest, &[job("a", "true"), job("b", "true")]).await;
    let changed = [job("a", "echo new"), job("b", "echo new")];
    let new = new.with_jobs(&changed);
    let holder = database.connect().await;
    let held = "BEGIN; SELECT FROM crontabber WHERE app_name = 'a' FOR UPDATE";
    holder
        .batch_execute(held)
        .await
        .expect("nobody else has it");
    new.at(noon() + minutes(1)).tick().await;
    assert_eq!(hash(&database, "b").await, changed[1].definition());
    assert_ne!(hash(&database, "a").await, changed[0].definition());
    holder.batch_execute("ROLLBACK").await.expect("it is open");
    new.at(noon() + minutes(2)).tick().await;
    assert_eq!(hash(&database, "a").await, changed[0].definition());
    let announced = "SELECT definitions ->> 'a' FROM crontabber_host WHERE host = 'new'";
    assert_eq!(
        database.query_one::<String>(announced).await,
        changed[0].definition()
    );
}

#[tokio::test]
async fn a_cycle_on_one_host_stops_that_host_and_no_job() {
    for policy in ["warn", "newest"] {
        let database = Postgres::database().await;
        let daemon = format!("[daemon]\non_disagreement = \"{policy}\"\n");
        let sections = |site: &Site, parent: &str| {
            daemon.clone()
                + &site.job(
                    "a",
                    &format!("every = \"1h\"\nstart = \"now\"\n{parent}"),
                    "",
                )
                + &site.job(
                    "b",
                    "every = \"1h\"\nstart = \"now\"\ndepends_on = [\"a\"]",
                    "",
                )
        };
        let well = Site::with(&database, |site| sections(site, ""));
        let broken = Site::with(&database, |site| sections(site, "depends_on = [\"b\"]"));
        let pass = well.on("well", &["tick"]).run().await;
        assert_eq!((pass.code, pass.stderr.as_str()), (Some(0), ""), "{policy}");
        make_due(&database, "a").await;
        make_due(&database, "b").await;
        let pass = broken.on("broken", &["tick"]).run().await;
        assert_eq!(pass.code, Some(78), "{}", pass.stderr);
        assert!(pass.stderr.contains("cycle"), "{}", pass.stderr);
        assert_eq!(well.on("well", &["tick"]).run().await.code, Some(0));
        assert_eq!(well.ledger().starts().len(), 4, "{policy}");
        assert!(broken.ledger().starts().is_empty());
    }
}

#[tokio::test]
async fn who_reads_on_a_host_with_an_older_definition_is_told_what_to_do() {
    let database = Postgres::database().await;
    let sections = |site: &Site, shell: &str| {
        "[daemon]\non_disagreement = \"newest\"\n".to_owned()
            + &site.job("a", "every = \"1h\"", shell)
    };
    let old = Site::with(&database, |site| sections(site, "true"));
    let new = Site::with(&database, |site| sections(site, "true"));
    for (site, host) in [(&old, "old"), (&new, "new")] {
        assert_eq!(site.on(host, &["tick"]).run().await.code, Some(0));
    }
    new.configure(database.url(), &sections(&new, "echo new"));
    assert_eq!(new.on("new", &["tick"]).run().await.code, Some(0));
    make_due(&database, "a").await;
    let why = old.on("old", &["why", "a", "--json"]).run().await;
    let why: Value = serde_json::from_str(&why.stdout).expect("JSON");
    let leaves = "a is due, but this host leaves it to others: new has a newer definition of it; reload this host's configuration.";
    assert_eq!(why["conclusion"], leaves);
    assert_eq!(old.on("old", &["tick"]).run().await.code, Some(0));
    assert!(old.ledger().starts().is_empty());
    assert_eq!(new.on("new", &["tick"]).run().await.code, Some(0));
    assert_eq!(new.ledger().starts().len(), 1);
}
