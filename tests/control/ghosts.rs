//! Rows that no configuration knows.

use crate::common::{Database, Finished, Postgres, Site, legacy};

use super::operator::audit;

/// A site that knows `it`, beside ghosts of these names, that have never run.
async fn site(ghosts: &[&str]) -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    for ghost in ghosts {
        database
            .execute(&format!(
                "INSERT INTO crontabber (app_name, next_run) VALUES ('{ghost}', now())"
            ))
            .await;
    }
    (database, site)
}

async fn rows(database: &Database) -> Vec<String> {
    database
        .rows("SELECT app_name FROM crontabber ORDER BY 1")
        .await
        .concat()
}

async fn remove(site: &Site, arguments: &[&str]) -> Finished {
    let arguments = [&["ghosts", "--yes", "--remove"], arguments].concat();
    site.on("alpha", &arguments).run().await
}

#[tokio::test]
async fn ghosts_are_1_and_none_is_0() {
    let (database, site) = site(&[]).await;
    let none = site.on("alpha", &["ghosts"]).run().await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, error_count) VALUES ('old', now(), 3)",
        )
        .await;
    let some = site.on("alpha", &["ghosts"]).run().await;
    assert_eq!(some.code, Some(1), "{some:?}");
    assert!(some.stdout.starts_with("old\t\t3\t\t20"), "{some:?}");
}

#[tokio::test]
async fn a_ghost_is_removed_when_that_is_agreed_to_and_its_history_stays() {
    let (database, site) = site(&["old-a", "old-b", "other"]).await;
    database
        .execute("INSERT INTO crontabber_log (app_name, slot, attempt, outcome) VALUES ('old-a', now(), 1, 'success')")
        .await;
    for arguments in [
        &["ghosts", "--remove", "old-a"][..],
        &["ghosts", "--remove", "old-*"],
    ] {
        let refused = site.on("alpha", arguments).run().await;
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr.contains("add --yes"), "{refused:?}");
    }
    let job = remove(&site, &["old-a", "it"]).await;
    assert_eq!(job.code, Some(64), "{job:?}");
    assert!(
        job.stderr.contains("`it` is a job of this configuration"),
        "{job:?}"
    );
    assert_eq!(rows(&database).await.len(), 4);

    let removed = remove(&site, &["old-*"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(removed.stdout.lines().count(), 2);
    assert_eq!(rows(&database).await, ["it", "other"]);
    let log = "SELECT count(*) FROM crontabber_log WHERE app_name = 'old-a'";
    assert_eq!(database.query_one::<i64>(log).await, 1);
    assert_eq!(audit(&database).await.len(), 2);
    let row =
        "SELECT detail -> 'before' ? 'next_run' FROM crontabber_audit WHERE app_name = 'old-a'";
    assert!(database.query_one::<bool>(row).await);
}

#[tokio::test]
async fn a_ghost_that_runs_or_is_paused_stays() {
    let (database, site) = site(&["running", "python", "paused"]).await;
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = gen_random_uuid(), run_slot = now(),
                    host = 'beta', lease_until = now() + interval '1 hour' WHERE app_name = 'running';
             UPDATE crontabber SET revision = revision + 1, ongoing = now() WHERE app_name = 'python';
             UPDATE crontabber SET paused_until = now() + interval '1 hour' WHERE app_name = 'paused'",
        )
        .await;
    let refused = remove(&site, &["running", "python", "paused", "--force"]).await;
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(3), ""),
        "{refused:?}"
    );
    for says in [
        "running is running on beta",
        "python was started by a Python host",
        "paused is paused",
    ] {
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(remove(&site, &["paused"]).await.code, Some(1));
    // The last word is the guard's: not even a statement that asks for nothing deletes them.
    let delete = "DELETE FROM crontabber WHERE app_name = 'running'";
    database
        .connect()
        .await
        .batch_execute(delete)
        .await
        .expect_err("it is held");
    assert_eq!(rows(&database).await.len(), 4);
    assert!(audit(&database).await.is_empty());
}

#[tokio::test]
async fn a_ghost_that_other_hosts_know_stays_unless_it_is_forced() {
    let (database, site) = site(&["theirs", "forgotten"]).await;
    database
        .execute(
            r#"INSERT INTO crontabber_host (host, boot_id, pid_namespace, version, configuration, definitions, seen_at) VALUES
               ('beta', '', '', '', '', '{"theirs": "x"}', now() - interval '23 hours'),
               ('gone', '', '', '', '', '{"theirs": "x", "forgotten": "x"}', now() - interval '25 hours')"#,
        )
        .await;
    let list = site.on("alpha", &["ghosts"]).run().await;
    let known: Vec<&str> = list
        .stdout
        .lines()
        .filter_map(|line| line.split('\t').next_back())
        .collect();
    assert_eq!(known, ["", "beta"]);
    let refused = remove(&site, &["theirs", "forgotten"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("theirs is known on beta"),
        "{refused:?}"
    );
    assert_eq!(rows(&database).await, ["it", "theirs"]);
    // Nor can anybody here say what a pause of it would have to keep.
    let paused = site.on("alpha", &["pause", "theirs"]).run().await;
    assert_eq!(paused.code, Some(64), "{paused:?}");
    assert!(
        paused.stderr.contains("on a host that knows it: beta"),
        "{paused:?}"
    );
    assert_eq!(remove(&site, &["theirs", "--force"]).await.code, Some(0));
    assert_eq!(rows(&database).await, ["it"]);
    assert_eq!(audit(&database).await.len(), 2);
}

#[tokio::test]
async fn jobs_that_python_hosts_still_run_are_theirs() {
    let database = legacy::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    let list = site.on("alpha", &["ghosts"]).run().await;
    assert_eq!(list.code, Some(1), "{list:?}");
    assert!(
        list.stdout.lines().all(|line| line.ends_with("\tpython")),
        "{list:?}"
    );
    let refused = remove(&site, &["well"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("well is known on python"),
        "{refused:?}"
    );
    // Paused from here, no Python host starts it; resumed, it is due as it was.
    let next_run = "SELECT next_run::text FROM crontabber WHERE app_name = 'well'";
    let before: String = database.query_one(next_run).await;
    assert_eq!(
        site.on("alpha", &["pause", "well"]).run().await.code,
        Some(0)
    );
    assert_ne!(database.query_one::<String>(next_run).await, before);
    assert_eq!(
        site.on("alpha", &["resume", "well"]).run().await.code,
        Some(0)
    );
    assert_eq!(database.query_one::<String>(next_run).await, before);
    assert_eq!(remove(&site, &["well", "--force"]).await.code, Some(0));
}
