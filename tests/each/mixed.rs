//! Beside hosts of crontabber 0.18.1, to which such a row is a ghost.

use crate::{
    common::{
        Postgres, Site,
        host::{job, minutes, noon},
        python::{Job, Python, readings},
        tables,
    },
    world::{hosts, on_each, ran},
};

#[tokio::test]
async fn to_python_its_rows_are_ghosts_and_it_starts_none_of_them() {
    let database = tables().await;
    let jobs = [on_each(job("it", "true"), &[]), job("that", "true")];
    for host in hosts(["web1", "web2"], &database, &jobs) {
        host.at(noon()).tick().await;
    }
    let before =
        "SELECT app_name, xmin::text FROM crontabber WHERE app_name LIKE 'it@%' ORDER BY 1";
    let rows = database.rows(before).await;
    // It knows a job of the name as well: to it that is another row.
    let python = Python::on(&database).await;
    let known = [Job::hourly("it"), Job::hourly("that")];
    let ghosts = readings::audit_ghosts(&python, &known)
        .await
        .expect("it can be read");
    let ghosts: Vec<&str> = ghosts.iter().map(String::as_str).collect();
    assert_eq!(ghosts, ["it@web1", "it@web2"]);
    let due = "UPDATE crontabber SET revision = revision + 1, next_run = now() - interval '1 hour', slot = NULL";
    database.execute(due).await;
    let rows_when_due = database.rows(before).await;
    assert_ne!(rows, rows_when_due);
    let started = std::sync::Mutex::new(Vec::new());
    let code = python
        .pass(&known, async |job: &Job| {
            started
                .lock()
                .expect("one at a time")
                .push(job.name.clone());
            Ok(())
        })
        .await;
    assert_eq!(code, 0);
    assert_eq!(*started.lock().expect("one at a time"), ["it", "that"]);
    assert_eq!(
        database.rows(before).await,
        rows_when_due,
        "it has left them alone"
    );
    // And ours go on.
    for host in hosts(["web1", "web2"], &database, &jobs) {
        host.at(noon() + minutes(60)).tick().await;
    }
    let ours = ran(&database).await;
    assert_eq!(ours.iter().filter(|run| run.starts_with("it@")).count(), 4);
}

#[tokio::test]
async fn its_own_flags_know_the_job_by_its_rows() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("it", "every = '1h'\nstart = 'now'\non = 'each'", "exit 1")
    });
    for host in ["web1", "web2"] {
        site.on(host, &["tick"]).run().await;
    }
    let list = site.on("web1", &["--list-jobs"]).run().await;
    assert!(
        list.stdout.contains("it@web1") && list.stdout.contains("it@web2"),
        "{list:?}"
    );
    let reset = site.on("web1", &["--reset-job=it"]).run().await;
    assert_eq!(reset.code, Some(0), "{reset:?}");
    let errors = "SELECT sum(error_count) FROM crontabber";
    assert_eq!(database.query_one::<i64>(errors).await, 0);
}
