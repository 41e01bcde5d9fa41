//! What people do to all rows of a job, by its name, and to one of them.

use serde_json::{Value, json};

use crate::common::{Database, Finished, Postgres, Site, until};

const SOON: std::time::Duration = std::time::Duration::from_secs(30);

/// A job on web1 and web2, with what it does.
async fn fleet(shell: &str) -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let keys = "every = '1h'\nstart = 'now'\non = 'each'\nhosts = ['web*']\nlease = '6s'";
        site.job("it", keys, shell)
    });
    for host in ["web1", "web2"] {
        site.on(host, &["tick"]).run().await;
    }
    (database, site)
}

async fn ask(site: &Site, host: &str, arguments: &[&str]) -> Finished {
    site.on(host, arguments).run().await
}

async fn said(site: &Site, arguments: &[&str]) -> String {
    let answer = ask(site, "web1", arguments).await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout
}

async fn json(site: &Site, arguments: &[&str]) -> Value {
    let said = said(site, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

fn names(array: &Value) -> Vec<&str> {
    let array = array.as_array().expect("an array").iter();
    array
        .map(|object| object["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn a_pause_is_of_all_rows_or_of_one() {
    let (_database, site) = fleet("true").await;
    assert_eq!(
        names(&json(&site, &["pause", "it"]).await),
        ["it@web1", "it@web2"]
    );
    assert_eq!(
        names(&json(&site, &["list", "--state", "paused"]).await),
        ["it@web1", "it@web2"]
    );
    assert_eq!(
        names(&json(&site, &["resume", "it@web2"]).await),
        ["it@web2"]
    );
    assert_eq!(
        names(&json(&site, &["list", "--state", "paused"]).await),
        ["it@web1"]
    );
    let resumed = json(&site, &["resume", "--all"]).await;
    assert_eq!(names(&resumed), ["it@web1"]);
}

#[tokio::test]
async fn a_reset_and_a_mark_are_of_all_rows_or_of_one() {
    let (database, site) = fleet("exit 1").await;
    let errors = "SELECT string_agg(error_count::text, ' ' ORDER BY app_name) FROM crontabber";
    assert_eq!(database.query_one::<String>(errors).await, "1 1");
    assert_eq!(
        names(&json(&site, &["reset", "it@web2"]).await),
        ["it@web2"]
    );
    assert_eq!(database.query_one::<String>(errors).await, "1 0");
    let marked = json(&site, &["mark", "it", "--success"]).await;
    assert_eq!(names(&marked), ["it@web1", "it@web2"]);
    assert_eq!(database.query_one::<String>(errors).await, "0 0");
    let all = json(&site, &["mark", "--all", "--success"]).await;
    assert_eq!(names(&all), ["it@web1", "it@web2"]);
    let audit = json(&site, &["audit", "it"]).await;
    assert_eq!(audit.as_array().map(Vec::len), Some(3), "{audit}");
}

#[tokio::test]
async fn what_is_shown_of_a_job_is_all_its_rows_or_one() {
    let (_database, site) = fleet("echo hello from $CRONTABBER_JOB").await;
    for command in ["show", "why"] {
        let all = json(&site, &[command, "it"]).await;
        assert_eq!(names(&all), ["it@web1", "it@web2"], "{command}");
        let one = json(&site, &[command, "it@web2"]).await;
        assert_eq!(one["name"], "it@web2", "{command}");
    }
    let shown = said(&site, &["show", "it"]).await;
    assert!(shown.contains("it@web1") && shown.contains("it@web2"));
    assert!(shown.contains("each of web*"), "{shown}");
    let list = json(&site, &["list", "it"]).await;
    assert_eq!(names(&list), ["it@web1", "it@web2"]);

    let history = json(&site, &["history", "it"]).await;
    assert_eq!(names(&history), ["it@web2", "it@web1"]);
    let history = json(&site, &["history", "it@web1"]).await;
    assert_eq!(names(&history), ["it@web1"]);
    assert_eq!(said(&site, &["logs", "it"]).await, "hello from it@web2\n");
    let follow = ask(&site, "web1", &["logs", "it", "--follow"]).await;
    assert_eq!(follow.code, Some(64), "{follow:?}");
    let which = "follow one of them: it@web1, it@web2";
    assert!(follow.stderr.contains(which), "{follow:?}");
    let logs = said(&site, &["logs", "it@web1"]).await;
    assert_eq!(logs, "hello from it@web1\n");
}

#[tokio::test]
async fn what_is_checked_is_named_by_the_job_or_by_the_row() {
    let (_database, site) = fleet("case $CRONTABBER_JOB in *@web2) exit 1;; esac").await;
    for (asked, code) in [
        (&["check"][..], 2),
        (&["check", "--job", "it"], 2),
        (&["check", "--job", "it@web2"], 2),
        (&["check", "--job", "it@web1"], 0),
        (&["check", "--job", "i*"], 2),
    ] {
        let checked = ask(&site, "web1", asked).await;
        assert_eq!(checked.code, Some(code), "{asked:?}: {checked:?}");
        let is_named = checked.stdout.contains("it@web2");
        assert_eq!(is_named, code == 2, "{checked:?}");
    }
}

#[tokio::test]
async fn by_hand_a_host_runs_its_own_row() {
    let (_database, site) = fleet("true").await;
    let ran = ask(&site, "web2", &["run", "it", "--force"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = ask(&site, "web1", &["run", "it@web1", "--force"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let starts = site.ledger().starts();
    let jobs: Vec<&str> = starts.iter().map(|start| start.job.as_str()).collect();
    assert_eq!(jobs, ["it@web1", "it@web2", "it@web2", "it@web1"]);

    let not_due = ask(&site, "web1", &["run", "it"]).await;
    assert_eq!(not_due.code, Some(4), "{not_due:?}");
    assert!(not_due.stderr.contains("it@web1 is not due before"));
    let other = ask(&site, "web1", &["run", "it@web2", "--force"]).await;
    assert_eq!(other.code, Some(64), "{other:?}");
    assert!(
        other.stderr.contains("type `crontabber run it` on web2"),
        "{other:?}"
    );
    let none = ask(&site, "db1", &["run", "it", "--force"]).await;
    assert_eq!(none.code, Some(4), "{none:?}");
    assert!(none.stderr.contains("this is none of them"), "{none:?}");
    assert_eq!(site.ledger().starts().len(), 4);
}

#[tokio::test]
async fn a_mistyped_name_is_told_the_nearest_job_or_row() {
    let (_database, site) = fleet("true").await;
    for (typed, meant) in [
        ("itt", "it"),
        ("it@web3", "it@web1"),
        ("it@wep2", "it@web2"),
    ] {
        for command in ["show", "why", "pause", "logs", "cancel", "history"] {
            let answer = ask(&site, "web1", &[command, typed]).await;
            assert_eq!(answer.code, Some(64), "{command}: {answer:?}");
            let hint = format!("did you mean `{meant}`?");
            assert!(
                answer.stderr.contains(&hint),
                "{command} {typed}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn all_its_runs_are_cancelled_by_its_name() {
    let (database, site) = fleet("[ $CRONTABBER_ATTEMPT = 0 ] || exec sleep 0.1").await;
    let due = "UPDATE crontabber SET revision = revision + 1, slot = NULL, next_run = now()";
    site.configure(
        database.url(),
        &site.job(
            "it",
            "every = '1h'\nstart = 'now'\non = 'each'\nhosts = ['web*']\nlease = '6s'",
            "exec sleep 600",
        ),
    );
    database.execute(due).await;
    let running = ["web1", "web2"].map(|host| site.on(host, &["tick"]).spawn());
    until(SOON, "both run", async || site.ledger().starts().len() == 4).await;
    let cancelled = json(&site, &["cancel", "it"]).await;
    let outcome = |at: usize| (&cancelled[at]["name"], &cancelled[at]["outcome"]);
    assert_eq!(
        [outcome(0), outcome(1)],
        [
            (&json!("it@web1"), &json!("cancelled")),
            (&json!("it@web2"), &json!("cancelled"))
        ]
    );
    for running in running {
        running.finished().await;
    }
    let again = ask(&site, "web1", &["cancel", "it"]).await;
    assert_eq!(again.code, Some(4), "{again:?}");
    let one = ask(&site, "web1", &["cancel", "it@web1"]).await;
    assert_eq!(one.code, Some(4), "{one:?}");
}

#[tokio::test]
async fn a_host_whose_name_could_be_read_as_something_else_is_refused() {
    let (database, site) = fleet("true").await;
    for name in ["web1,web2", "a@b", "*", "web 1", ""] {
        let pass = ask(&site, name, &["tick", &format!("--host={name}")]).await;
        assert_eq!(pass.code, Some(64), "{name}: {pass:?}");
        assert!(
            pass.stderr.contains("cannot be the name of a host"),
            "{pass:?}"
        );
    }
    let rows = "SELECT count(*) FROM crontabber";
    assert_eq!(database.query_one::<i64>(rows).await, 2);
}
