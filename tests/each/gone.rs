//! Hosts that are silent, forgotten, or not meant any more.

use serde_json::{Value, json};

use crate::{
    common::{Database, Finished, Postgres, Site, host::job},
    world::{Scene, on_each, rows},
};

async fn fleet(hosts: &str) -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", &keys(hosts), "true"));
    for host in ["web1", "web2"] {
        let pass = site.on(host, &["tick"]).run().await;
        assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    }
    (database, site)
}

fn keys(hosts: &str) -> String {
    format!("every = '1h'\nstart = 'now'\non = 'each'\nhosts = {hosts}")
}

async fn silent_for_an_hour(database: &Database, host: &str) {
    let sql = "UPDATE crontabber_host SET seen_at = seen_at - interval '1 hour' WHERE host = ";
    database.execute(&format!("{sql}'{host}'")).await;
}

async fn ask(site: &Site, host: &str, arguments: &[&str]) -> Finished {
    site.on(host, arguments).run().await
}

async fn json(site: &Site, host: &str, arguments: &[&str]) -> Value {
    let answer = ask(site, host, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{answer:?}"))
}

#[test]
fn a_silent_host_is_named_where_its_row_is_due_and_a_forgotten_one_leaves_a_ghost() {
    let scene = || {
        Scene::of(&[on_each(job("it", "true"), &["web*"])])
            .row("it@web1", 60, Some(0))
            .row("it@web2", 0, Some(-60))
            .host("web1", 0)
    };
    let drained = scene().host("web2", 0).drained();
    assert_eq!(
        drained.words("web1", "it@web2"),
        "no live host for this row: web2 is drained"
    );
    let silent = scene().host("web2", 40);
    for reader in ["web1", "laptop", "web2"] {
        assert_eq!(
            silent.words(reader, "it@web2"),
            "no live host for this row: web2 silent for 40m"
        );
    }
    assert_eq!(scene().ghosts("laptop"), ["it@web2"]);
    assert_eq!(scene().planned("laptop"), ["it@web1"]);
}

#[test]
fn the_row_of_a_host_that_is_not_meant_any_more_is_a_ghost() {
    let scene = Scene::of(&[on_each(job("it", "true"), &["web1"])])
        .row("it@web1", 60, Some(0))
        .row("it@web2", 60, Some(0))
        .row("it", 60, Some(0))
        .row("other@web1", 60, Some(0))
        .host("web1", 0)
        .host("web2", 0);
    assert_eq!(scene.ghosts("web1"), ["it", "it@web2", "other@web1"]);
    assert_eq!(scene.ghosts("web2"), ["it", "it@web2", "other@web1"]);
}

#[tokio::test]
async fn a_silent_host_is_no_live_host_and_never_overdue() {
    let (database, site) = fleet("['web*']").await;
    database
        .execute("UPDATE crontabber SET revision = revision + 1, slot = now() - interval '9 hours', next_run = now() - interval '9 hours' WHERE app_name = 'it@web2'")
        .await;
    let overdue = ask(&site, "laptop", &["check"]).await;
    assert!(overdue.stdout.contains("it@web2"), "{overdue:?}");
    assert!(overdue.stdout.contains("overdue"), "{overdue:?}");

    silent_for_an_hour(&database, "web2").await;
    let checked = json(&site, "laptop", &["check"]).await;
    let problems: Vec<Value> = checked["problems"].as_array().expect("an array").clone();
    let kinds: Vec<_> = problems
        .iter()
        .map(|problem| (problem["name"].clone(), problem["kind"].clone()))
        .collect();
    assert_eq!(kinds, [(json!("it@web2"), json!("no_host"))], "{checked}");
    let sentence = problems[0]["sentence"].as_str().expect("a text");
    assert!(
        sentence.contains("no live host for this row: web2 silent for 1h"),
        "{sentence}"
    );
    let why = json(&site, "laptop", &["why", "it@web2"]).await;
    assert_eq!(why["state"], "blocked");
    let conclusion = why["conclusion"].as_str().expect("a text");
    assert!(
        conclusion
            .starts_with("it@web2 is due, but there is no live host for this row: web2 silent"),
        "{conclusion}"
    );
}

#[tokio::test]
async fn a_host_that_is_forgotten_leaves_ghosts_that_can_be_removed() {
    let (database, site) = fleet("['web*']").await;
    silent_for_an_hour(&database, "web2").await;
    let forgotten = ask(&site, "web1", &["hosts", "--forget", "web2"]).await;
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    let ghosts = json(&site, "web1", &["ghosts"]).await;
    assert_eq!(ghosts[0]["name"], "it@web2");
    assert_eq!(ghosts.as_array().map(Vec::len), Some(1), "{ghosts}");
    let removed = ask(&site, "web1", &["ghosts", "--remove", "it@web2", "--yes"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(rows(&database).await, ["it@web1"]);
    let history = json(&site, "web1", &["history", "it@web2"]).await;
    assert_eq!(history.as_array().map(Vec::len), Some(1));
    // It comes back, and with it its row.
    assert_eq!(ask(&site, "web2", &["tick"]).await.code, Some(0));
    assert_eq!(rows(&database).await, ["it@web1", "it@web2"]);
}

#[tokio::test]
async fn a_row_of_a_live_host_that_is_not_meant_any_more_is_removed_without_force() {
    let (database, site) = fleet("['web*']").await;
    site.configure(database.url(), &site.job("it", &keys("['web1']"), "true"));
    let ghosts = ask(&site, "web1", &["ghosts"]).await;
    assert!(ghosts.stdout.starts_with("it@web2\t"), "{ghosts:?}");
    // web2 passes, leaves the row alone, and makes no other.
    assert_eq!(ask(&site, "web2", &["tick"]).await.code, Some(0));
    let removed = ask(&site, "web1", &["ghosts", "--remove", "it@*", "--yes"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(ask(&site, "web2", &["tick"]).await.code, Some(0));
    assert_eq!(rows(&database).await, ["it@web1"]);
    assert_eq!(site.ledger().starts().len(), 2);
}

#[tokio::test]
async fn a_row_of_another_configuration_is_known_by_its_host() {
    let (database, site) = fleet("['web*']").await;
    let other = Site::with(&database, |site| site.job("that", "every = '1h'", "true"));
    let ghosts = json(&other, "db1", &["ghosts"]).await;
    assert_eq!(
        [&ghosts[0]["known_by"], &ghosts[1]["known_by"]],
        [&json!(["web1"]), &json!(["web2"])],
        "{ghosts}"
    );
    let refused = ask(&other, "db1", &["ghosts", "--remove", "it@*", "--yes"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(rows(&database).await, ["it@web1", "it@web2"]);
    drop(site);
}
