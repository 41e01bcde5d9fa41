//! Jobs that name an action: a program that is looked for, and handed a table.

mod common;

use std::{fs, os::unix::fs::PermissionsExt as _};

use common::{Database, Site, tables};

/// A job `greeting` of the action `greet`, whose program is looked for in the site's own directory.
async fn greeting(keys: &str) -> (Site, Database) {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let directory = site.file("").display().to_string();
        format!(
            "[jobs.greeting]\nevery = \"1h\"\nstart = \"now\"\naction = \"greet\"\n\
             env = {{ PATH = \"/bin:{directory}\" }}\n{keys}\n"
        )
    });
    (site, database)
}

/// Installs its program: a shell script.
fn install(site: &Site, script: &str) {
    let program = site.file("crontabber-greet");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("the directory is ours");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the file is ours");
}

#[tokio::test]
async fn an_action_reads_the_table_of_its_job_and_finds_references_to_secrets_unread() {
    let with = "[jobs.greeting.with]\nwords = [\"good\", \"day\"]\ntimes = 2\ntoken = { env = \"GREETING_TOKEN\" }";
    let (site, database) = greeting(with).await;
    install(&site, "cat; echo; echo \"of $CRONTABBER_JOB\"");
    let pass = site
        .on("alpha", &["tick"])
        .env("GREETING_TOKEN", "not for everybody")
        .run()
        .await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let output: String = database
        .query_one("SELECT output FROM crontabber_log WHERE outcome = 'success'")
        .await;
    let (table, rest) = output.split_once('\n').expect("two lines");
    let table: serde_json::Value = serde_json::from_str(table).expect("JSON");
    let expected = serde_json::json!({
        "words": ["good", "day"], "times": 2, "token": { "env": "GREETING_TOKEN" }
    });
    assert_eq!((table, rest), (expected, "of greeting\n"));
}

#[tokio::test]
async fn an_action_without_a_table_reads_an_empty_one() {
    let (site, database) = greeting("").await;
    install(&site, "cat");
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let output: String = database
        .query_one("SELECT output FROM crontabber_log WHERE outcome = 'success'")
        .await;
    assert_eq!(output, "{}");
}

#[tokio::test]
async fn what_a_run_has_counted_is_told_by_history_and_show() {
    let (site, _database) = greeting("").await;
    install(
        &site,
        "echo good day; echo '{\"greeted\": 41, \"deaf\": 0}'",
    );
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let read = async |arguments: &[&str]| site.on("alpha", arguments).run().await.stdout;
    let history = read(&["history"]).await;
    assert!(
        history.ends_with("\t{\"deaf\":0,\"greeted\":41}\n"),
        "{history}"
    );
    let show = read(&["show", "greeting"]).await;
    assert!(show.contains("last counts\tgreeted 41\n"), "{show}");
    assert!(show.contains("last output\tgood day\n"), "{show}");
    let show: serde_json::Value =
        serde_json::from_str(&read(&["show", "greeting", "--json"]).await).expect("JSON");
    assert_eq!(show["runs"][0]["counts"]["greeted"], 41);
}

#[tokio::test]
async fn a_host_without_the_program_leaves_the_job_to_those_that_have_it() {
    let (site, database) = greeting("").await;
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let claimed: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log")
        .await;
    assert_eq!(claimed, 0, "it was not even claimed");
    let why = site.on("alpha", &["why", "greeting"]).run().await.stdout;
    let said = "this host has no action `greet`: it is not shipped with crontabber, and there is no program \
                `crontabber-greet` that it may run in /bin:";
    assert!(why.contains(said), "{why}");
    let by_hand = site.on("alpha", &["run", "greeting"]).run().await;
    assert_eq!(by_hand.code, Some(78), "{}", by_hand.stderr);
    assert!(by_hand.stderr.contains(said), "{}", by_hand.stderr);

    install(&site, "true");
    let pass = site.on("beta", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let host: String = database
        .query_one("SELECT host FROM crontabber_log WHERE outcome = 'success'")
        .await;
    assert_eq!(host, "beta");
}
