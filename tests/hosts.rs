//! Placement: a job that no live host may run says so, and the hosts say who they are and on what they disagree.

mod common;

use common::{
    Database, Finished, Postgres, Private, Site,
    host::{Host, after, job, minutes, noon},
    race::make_due,
};
use crontabber::{
    dag::JobGraph,
    place::Place,
    plan::{NotHere, Verdict, plan},
    spec::{JobSpec, On, Placement},
    store::{
        hosts::seen,
        table::{JobState, Table},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An hourly job for these hosts.
fn report(site: &Site, hosts: &str) -> String {
    site.job(
        "report",
        &format!("every = '1h'\nstart = 'now'\nhosts = {hosts}"),
        "",
    )
}

async fn pass(site: &Site, host: &str) {
    let pass = site.on(host, &["tick"]).run().await;
    assert_eq!((pass.code, pass.stderr.as_str()), (Some(0), ""), "{host}");
}

async fn answer(site: &Site, host: &str, arguments: &[&str]) -> Finished {
    let answer = site.on(host, arguments).run().await;
    assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.stderr);
    answer
}

async fn asked(site: &Site, host: &str, arguments: &[&str]) -> Value {
    let answer = answer(site, host, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&answer.stdout).expect("JSON")
}

/// The state of the first job, and why.
async fn state(site: &Site, host: &str) -> (String, String) {
    let list = asked(site, host, &["list"]).await;
    let word = |key: &str| list[0][key].as_str().expect("a text").to_owned();
    (word("state"), word("why"))
}

async fn moved_back(database: &Database, host: &str, by: &str) {
    let sql = format!(
        "UPDATE crontabber_host SET seen_at = seen_at - interval '{by}' WHERE host = '{host}'"
    );
    database.execute(&sql).await;
}

#[tokio::test]
async fn a_job_whose_hosts_have_never_passed_is_blocked_until_one_of_them_does() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "['db*']"));
    pass(&site, "web1").await;
    // Neither failure nor news for the one that may not run it.
    pass(&site, "web1").await;
    assert!(site.ledger().starts().is_empty());
    let sentence = r#"no live host for hosts = ["db*"]: none that matches has ever passed"#;
    for reader in ["web1", "laptop", "db1"] {
        let blocked = ("blocked".to_owned(), sentence.to_owned());
        assert_eq!(state(&site, reader).await, blocked, "{reader}");
    }
    let why = asked(&site, "laptop", &["why", "report"]).await;
    assert_eq!(why["state"], "blocked");
    assert_eq!(
        why["conclusion"],
        json!(format!("report is due, but there is {sentence}."))
    );
    let checks = why["checks"].as_array().expect("an array");
    let placement = checks.iter().find(|check| check["check"] == "placement");
    assert_eq!(placement.expect("it is asked")["passed"], false);
    assert_eq!(why["commands"][0]["command"], "crontabber hosts");

    pass(&site, "db1").await;
    assert_eq!(site.ledger().starts().len(), 1);
    assert_eq!(
        state(&site, "laptop").await,
        ("ok".to_owned(), String::new())
    );
    let why = answer(&site, "laptop", &["why", "report"]).await.stdout;
    assert!(
        why.contains("yes\tplacement\thosts = [\"db*\"]: db1\n"),
        "{why}"
    );
}

#[tokio::test]
async fn nothing_is_blocked_for_want_of_hosts_where_none_has_announced_itself_yet() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "['db*']"));
    pass(&site, "web1").await;
    // As after `migrate` of a database that only Python hosts have used.
    database.execute("DELETE FROM crontabber_host").await;
    assert_eq!(state(&site, "laptop").await.0, "due");
    let why = asked(&site, "laptop", &["why", "report"]).await;
    let waits =
        "report is due, and waits for the first pass of a host that may run it; this host may not.";
    assert_eq!(why["conclusion"], waits);
    let hosts = asked(&site, "laptop", &["hosts"]).await;
    assert_eq!(
        (&hosts["hosts"], &hosts["no_live_host"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn a_job_for_a_tag_runs_where_it_is_offered_and_is_blocked_where_it_is_not() {
    let database = Postgres::database().await;
    let sections = |site: &Site| report(site, "['tag:eu']");
    let site = Site::with(&database, sections);
    pass(&site, "web1").await;
    assert_eq!(state(&site, "web1").await.0, "blocked");
    site.configure(
        database.url(),
        &format!("[daemon]\ntags = ['ssd', 'eu']\n\n{}", sections(&site)),
    );
    pass(&site, "web2").await;
    assert_eq!(site.ledger().starts().len(), 1);
    let hosts = asked(&site, "web2", &["hosts"]).await;
    assert_eq!(hosts["no_live_host"], json!([]));
    assert_eq!(
        (&hosts["hosts"][0]["tags"], &hosts["hosts"][1]["tags"]),
        (&json!([]), &json!(["ssd", "eu"]))
    );
    make_due(&database, "report").await;
    moved_back(&database, "web2", "3 hours").await;
    let (state, why) = state(&site, "web2").await;
    assert_eq!(state, "blocked");
    assert!(
        why.starts_with(r#"no live host for hosts = ["tag:eu"]: web2 silent since 20"#),
        "{why}"
    );
    let hosts = asked(&site, "web2", &["hosts"]).await;
    assert_eq!(hosts["hosts"][1]["state"], "silent");
    assert_eq!(hosts["no_live_host"][0]["name"], "report");
}

/// The verdict on the only job, read by somebody who passes nowhere, at this instant.
async fn verdict(reader: &Host, now: Timestamp) -> Verdict {
    let engine = reader.engine();
    let client = engine.database.get().await.expect("a connection");
    let table = crontabber::store::table::read(&client, "laptop", Some(now)).await;
    let hosts = seen(&client).await.expect("the hosts can be read");
    let table = Table {
        hosts,
        ..table.expect("the table can be read")
    };
    plan(&engine.graph, &table, &place("laptop")).jobs[0]
        .verdict
        .clone()
}

#[tokio::test]
async fn a_host_that_falls_silent_is_missed_after_a_quarter_of_an_hour() {
    let database = Postgres::database().await;
    let report = placed(job("report", "true"), &["db*"]);
    let host = |name| Host::new(name, &database, std::slice::from_ref(&report));
    host("db1").at(noon()).tick().await;
    host("web1").at(noon()).tick().await;
    let due = noon() + minutes(60);
    host("db1").at(due - minutes(10)).tick().await;
    host("web1").at(due).tick().await;
    assert_eq!(
        verdict(&host("laptop"), due).await,
        Verdict::Elsewhere(NotHere::Placement)
    );
    let late = due + minutes(5);
    assert_eq!(
        verdict(&host("laptop"), late).await,
        Verdict::Elsewhere(NotHere::Placement)
    );
    let Verdict::NoHost(missing) = verdict(&host("laptop"), due + minutes(6)).await else {
        panic!("db1 has been silent for sixteen minutes");
    };
    assert_eq!(missing.patterns, ["db*"]);
    assert_eq!(missing.silent, [("db1".to_owned(), due - minutes(10))]);
    host("db1").at(due + minutes(7)).tick().await;
    let next = verdict(&host("laptop"), due + minutes(7)).await;
    assert_eq!(next, Verdict::NotYet(due + minutes(60)));
}

fn placed(job: JobSpec, hosts: &[&str]) -> JobSpec {
    let hosts = hosts.iter().map(|&host| host.into()).collect();
    let placement = Placement { hosts, on: On::One };
    JobSpec { placement, ..job }
}

/// What is planned for a child `report` of `fetch`, both hourly and due, on `web1`, with these hosts and this success
/// of the parent.
fn planned(patterns: &[&str], hosts: &[&str], parent: Option<Timestamp>) -> Verdict {
    let child = placed(after(job("report", "true"), &["fetch"]), patterns);
    let graph = JobGraph::resolve(vec![job("fetch", "true"), child]).expect("a graph");
    let row = |success_slot, next_run| JobState {
        next_run: Some(next_run),
        slot: Some(next_run),
        success_slot,
        ..JobState::default()
    };
    let seen = |&host: &&str| crontabber::place::Seen {
        place: place(host),
        at: noon(),
        drained: None,
    };
    let fetch = parent.map_or(noon(), |done| done + minutes(60));
    let table = Table {
        now: noon(),
        jobs: [
            ("fetch".into(), Box::new(row(parent, fetch))),
            ("report".into(), Box::new(row(None, noon()))),
        ]
        .into(),
        hosts: hosts.iter().map(seen).collect(),
        ..Table::default()
    };
    plan(&graph, &table, &place("web1")).jobs[1].verdict.clone()
}

fn place(host: &str) -> Place {
    Place {
        host: host.into(),
        ..Place::default()
    }
}

#[test]
fn the_want_of_a_host_comes_before_a_parent_and_both_before_another_host() {
    let done = Some(noon());
    let is_run = |verdict| matches!(verdict, Verdict::Run(_));
    // A pass asks for no hosts: it is one itself.
    assert!(is_run(planned(&["web*"], &[], done)));
    assert!(is_run(planned(&["web*"], &["web1", "db1"], done)));
    assert!(is_run(planned(&[], &["db1"], done)));
    assert_eq!(
        planned(&["db*"], &[], done),
        Verdict::Elsewhere(NotHere::Placement)
    );
    assert_eq!(
        planned(&["db*"], &["web1", "db1"], done),
        Verdict::Elsewhere(NotHere::Placement)
    );
    let is_missing = |verdict| matches!(verdict, Verdict::NoHost(_));
    assert!(is_missing(planned(&["db*"], &["web1"], done)));
    assert!(is_missing(planned(&["db*"], &["web1"], None)));
    // Somebody who reads on a host that may run it, but never passes, is no help.
    assert!(is_missing(planned(&["web*"], &["db1"], done)));
    let is_blocked = |verdict| matches!(verdict, Verdict::Blocked(_));
    assert!(is_blocked(planned(&["db*"], &["web1", "db1"], None)));
    assert!(is_blocked(planned(&["web*"], &["web1"], None)));
}

#[tokio::test]
async fn a_dry_run_counts_the_host_on_which_it_is_asked_as_live() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "['db*']"));
    pass(&site, "web1").await;
    assert_eq!(state(&site, "db1").await.0, "blocked");
    let would = answer(&site, "db1", &["tick", "--dry-run"]).await.stdout;
    assert!(would.starts_with("would run: report\n"), "{would}");
    let would = answer(&site, "web1", &["tick", "--dry-run"]).await.stdout;
    assert!(would.starts_with("would run: nothing\n"), "{would}");
    assert!(would.contains("\tblocked\t"), "{would}");
}

#[tokio::test]
async fn hosts_that_mean_different_things_by_a_job_are_named_with_what_they_mean() {
    let database = Postgres::database().await;
    let common = |site: &Site, every: &str| {
        let report = site.job("report", &format!("every = '{every}'"), "");
        format!("{report}{}", site.job("fetch", "every = '10m'", ""))
    };
    let site = Site::with(&database, |site| common(site, "1h"));
    pass(&site, "web1").await;
    pass(&site, "web2").await;
    let nothing = (json!([]), json!([]));
    let found = async || {
        let hosts = asked(&site, "web1", &["hosts"]).await;
        (hosts["disagreements"].clone(), hosts["only_on"].clone())
    };
    assert_eq!(found().await, nothing, "one configuration");
    let alone = site.job("alone", "every = '1h'\nhosts = ['db1']", "");
    site.configure(database.url(), &(common(&site, "2h") + &alone));
    pass(&site, "db1").await;

    let (differ, only_on) = found().await;
    assert_eq!(only_on, json!([{ "name": "alone", "hosts": ["db1"] }]));
    assert_eq!(differ.as_array().map(Vec::len), Some(1), "{differ}");
    assert_eq!(differ[0]["name"], "report");
    let meanings = &differ[0]["meanings"];
    assert_eq!(meanings[0]["hosts"], json!(["web1", "web2"]));
    assert_eq!(meanings[1]["hosts"], json!(["db1"]));
    let here = asked(&site, "db1", &["show", "report"]).await;
    assert_eq!(meanings[1]["hash"], here["definition"]["hash"]);
    assert_ne!(meanings[0]["hash"], meanings[1]["hash"]);

    // A silent host has no say; and when the deploy has reached all of them there is nothing to tell.
    moved_back(&database, "db1", "16 minutes").await;
    assert_eq!(found().await, nothing);
    pass(&site, "web1").await;
    pass(&site, "web2").await;
    pass(&site, "db1").await;
    assert_eq!(found().await, nothing, "the new configuration");
}

#[tokio::test]
async fn a_host_whose_clock_is_wrong_is_marked_and_one_that_was_not_seen_for_a_day_is_left_out() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "['web*']"));
    pass(&site, "web1").await;
    let late = site.on("web2", &["tick"]).clock("-13h").run().await;
    assert_eq!(late.code, Some(0), "{}", late.stderr);
    let hosts = asked(&site, "web1", &["hosts"]).await;
    let skew = |number: usize| {
        hosts["hosts"][number]["clock_skew"]
            .as_f64()
            .expect("seconds")
    };
    // One machine, one clock; and a quarter of a minute for a machine that is busy.
    assert!(skew(0).abs() < 15.0, "{}", skew(0));
    assert!((skew(1) + 13.0 * 3600.0).abs() < 15.0, "{}", skew(1));
    let first = &hosts["hosts"][0];
    assert_eq!((&first["jobs"], &first["ongoing"]), (&json!(1), &json!(0)));
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(first["configuration"], hosts["hosts"][1]["configuration"]);

    moved_back(&database, "web2", "2 days").await;
    let names = async |arguments: &[&str]| {
        let text = answer(&site, "web1", arguments).await.stdout;
        let names = text
            .lines()
            .map(|line| line.split('\t').next().expect("a cell").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&["hosts"]).await, ["web1"]);
    assert_eq!(names(&["hosts", "--all"]).await, ["web1", "web2"]);
    assert_eq!(asked(&site, "web1", &["hosts"]).await["not_listed"], 1);
}

#[tokio::test]
async fn a_daemon_is_told_from_passes_with_what_it_does_and_what_is_wrong_with_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "[]"));
    pass(&site, "web1").await;
    pass(&site, "web2").await;
    database
        .execute(
            "UPDATE crontabber_host
                SET instance = 'boot ns 1 2', started_at = now() - interval '3 hours', status = '1 running, next report in 3m',
                    config_error = 'crontabber.toml:3:1: unknown key', other_instance = 'boot ns 9 9', other_seen_at = now()
              WHERE host = 'web1'",
        )
        .await;
    let hosts = asked(&site, "web1", &["hosts"]).await;
    let daemon = &hosts["hosts"][0];
    assert_eq!(daemon["daemon"]["status"], "1 running, next report in 3m");
    assert_eq!(daemon["daemon"]["instance"], "boot ns 1 2");
    assert_eq!(daemon["config_error"], "crontabber.toml:3:1: unknown key");
    assert_eq!(daemon["same_name"]["instance"], "boot ns 9 9");
    let passes = &hosts["hosts"][1];
    for key in ["daemon", "drained", "config_error", "same_name"] {
        assert_eq!(passes[key], Value::Null, "{key}");
    }
    let line = answer(&site, "web1", &["hosts"]).await.stdout;
    assert!(
        line.contains("\tdaemon\t1 running, next report in 3m\n"),
        "{line}"
    );
    let check = site.on("web1", &["check", "--json"]).run().await;
    let check: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let problems = check["problems"].as_array().expect("an array");
    let kinds: Vec<_> = problems.iter().map(|problem| &problem["kind"]).collect();
    assert_eq!(kinds, ["config_error", "same_name"]);
    // A daemon that has stopped is no longer one of two.
    database
        .execute("UPDATE crontabber_host SET other_seen_at = now() - interval '16 minutes'")
        .await;
    let hosts = asked(&site, "web1", &["hosts"]).await;
    assert_eq!(hosts["hosts"][0]["same_name"], Value::Null);
}

async fn audit(database: &Database) -> Vec<Vec<String>> {
    let sql = "SELECT what, host, app_name, detail ->> 'host', detail -> 'before' ->> 'version', who <> ''
                 FROM crontabber_audit ORDER BY id";
    database.rows(sql).await
}

#[tokio::test]
async fn a_dead_host_is_forgotten_and_a_live_one_is_not() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| report(site, "['db1']"));
    pass(&site, "db1").await;
    pass(&site, "web1").await;
    let forget = async |name: &str| site.on("web1", &["hosts", "--forget", name]).run().await;
    let hosts = async || {
        let rows = database
            .rows("SELECT host FROM crontabber_host ORDER BY host")
            .await;
        rows.concat().join(" ")
    };

    let refused = forget("db1").await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .starts_with("not forgotten: db1 is live, seen last 20"),
        "{}",
        refused.stderr
    );
    let unknown = forget("db11").await;
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (
            Some(64),
            "error: no host named `db11`; did you mean `db1`?\n"
        )
    );
    // Silent, but a run of it is going on: it announces itself again.
    moved_back(&database, "db1", "1 hour").await;
    let lease = async |until: &str| {
        let sql = format!(
            "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = gen_random_uuid(), run_slot = now(),
             host = 'db1', lease_until = now() + interval '{until}'"
        );
        database.execute(&sql).await;
    };
    lease("1 minute").await;
    let refused = forget("db1").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("db1 has a run under a lease"));
    assert_eq!(hosts().await, "db1 web1");
    assert_eq!(audit(&database).await, [[""; 6]; 0], "nothing was changed");

    lease("-1 minute").await;
    let forgotten = forget("db1").await;
    assert_eq!(forgotten.code, Some(0), "{}", forgotten.stderr);
    assert!(forgotten.stdout.starts_with("forgot db1, seen last 20"));
    assert_eq!(hosts().await, "web1");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        audit(&database).await,
        [["forget_host", "web1", "NULL", "db1", version, "t"]]
    );
    assert_eq!(forget("db1").await.code, Some(64), "twice");
    // It tells of the run that was lost, too.
    assert_eq!(site.on("db1", &["tick"]).run().await.code, Some(0));
    assert_eq!(hosts().await, "db1 web1", "it passes again");
}

#[tokio::test]
async fn the_database_says_who_it_is_as_far_as_the_role_may_ask() {
    let server = Private::new();
    let database = server.database().await;
    let site = Site::with(&database, |site| report(site, "['web1']"));
    pass(&site, "web1").await;
    let identifier: String = database
        .query_one("SELECT system_identifier::text FROM pg_control_system()")
        .await;
    let identity = asked(&site, "web1", &["hosts"]).await["database"].clone();
    assert_eq!(identity["system_identifier"], json!(identifier));
    assert_eq!(identity["name"], database.name());
    let oid: i64 = database
        .query_one("SELECT oid::bigint FROM pg_database WHERE datname = current_database()")
        .await;
    assert_eq!(identity["oid"], oid);

    database
        .execute(
            "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
             REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
        )
        .await;
    let (ours, theirs) = ("&user=crontabber", "&user=reader");
    assert!(database.url().contains(ours), "{}", database.url());
    let sections = report(&site, "['web1']");
    site.configure(&database.url().replace(ours, theirs), &sections);
    let hidden = asked(&site, "web1", &["hosts"]).await["database"].clone();
    assert_eq!(hidden["system_identifier"], Value::Null);
    assert_eq!(hidden["role"], "reader");
    for key in ["name", "oid", "address", "port", "started_at"] {
        assert_eq!(hidden[key], identity[key], "{key}");
    }
}
