//! The configuration, and what of it can be used when it has mistakes.

use std::fs;

use serde_json::Value;

use super::{
    common::{Database, Site},
    said::{Said, doctor, site, well},
};

#[tokio::test]
async fn a_host_that_is_well_hears_a_line_about_everything_and_nothing_is_written() {
    let (database, site) = well().await;
    let contents = "SELECT j::text || h::text FROM crontabber j, crontabber_host h";
    let before = database.rows(contents).await;
    let said = doctor(&site).await;
    assert_eq!(said.bad(), [""; 0], "{said:#?}");
    assert_eq!(said.code, Some(0));
    let looked_at: Vec<_> = said.lines.iter().map(|line| line.check.as_str()).collect();
    assert_eq!(
        looked_at.join(", "),
        "configuration, secrets, database, round trip, primary, pooler, connections, clock, session, schema, guard, \
         rights, durability, hosts, process, state, kernel, zones"
    );
    let which = database.query_one::<i64>("SELECT system_identifier FROM pg_control_system()");
    let which = which.await.to_string();
    said.of_check("database").says(&which, "");
    said.of_check("database").says(database.name(), "");
    said.of_check("rights")
        .says("has all that a host needs", "");
    said.of_check("hosts").says("1 live (web1)", "");
    assert_eq!(database.rows(contents).await, before);
}

#[tokio::test]
async fn the_json_says_the_same() {
    let (_database, site) = well().await;
    let finished = site.on("web1", &["doctor", "--json"]).run().await;
    let json: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!((finished.code, &json["level"]), (Some(0), &"ok".into()));
    let findings = json["findings"].as_array().expect("a list");
    let facts = findings.iter().map(|found| found["fact"].as_str());
    let said = doctor(&site).await;
    // Figures differ from one look to the next.
    let schema = said.of_check("schema");
    assert!(facts.flatten().any(|fact| fact == schema.fact));
    assert_eq!(findings.len(), said.lines.len());
}

#[tokio::test]
async fn with_a_mistake_in_a_job_the_database_is_looked_at_all_the_same() {
    let (database, site) = well().await;
    let mistaken = "[daemon]\nmax_parallel = 7\n[jobs.it]\nevry = \"1h\"\nshell = \"true\"\n";
    site.configure(database.url(), mistaken);
    let said = doctor(&site).await;
    let line = said.only("problem configuration");
    line.says("unknown key `evry`", "config check");
    said.of_check("schema").says("current", "");
    said.of_check("connections").says("7 for max_parallel", "");
}

#[tokio::test]
async fn a_mistake_in_the_database_itself_is_never_made_up_for_from_the_environment() {
    let (_database, site) = well().await;
    let text = "[database]\nurl = 5\n[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n";
    fs::write(site.file("crontabber.toml"), text).expect("it is writable");
    let elsewhere = site.on("web1", &["doctor"]).env("PGHOST", "/nowhere");
    let said = Said::of(&elsewhere.run().await);
    assert_eq!(said.code, Some(78));
    assert_eq!(said.bad(), ["problem configuration", "problem database"]);
    said.of_check("database")
        .says("nothing that can be read says", "");
}

#[tokio::test]
async fn without_a_configuration_this_machine_is_looked_at() {
    let said = Said::of(&Site::new().on("web1", &["doctor"]).run().await);
    assert_eq!(said.code, Some(78));
    said.of_check("kernel").says("children", "");
}

/// How it ends, and what it says of the database at this URL.
async fn at(site: &Site, url: &str) -> (Option<i32>, String) {
    site.configure(url, "[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n");
    let said = doctor(site).await;
    let line = said.of_check("database");
    assert_eq!(line.level, "problem");
    said.of_check("kernel").says("children", "");
    (said.code, line.fact.clone())
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_69_and_one_that_lets_nobody_in_says_so() {
    let (database, site) = well().await;
    let (code, fact) = at(&site, "postgresql:///x?host=/nowhere&user=web").await;
    assert_eq!(code, Some(69), "{fact}");
    assert!(fact.contains("postgres://web@%2Fnowhere:5432/x"), "{fact}");
    let stranger = as_role(&database, "stranger");
    let (code, fact) = at(&site, &stranger).await;
    assert_eq!(code, Some(77), "{fact}");
    assert!(fact.contains("role \"stranger\" does not exist"), "{fact}");
}

pub(crate) fn as_role(database: &Database, role: &str) -> String {
    let own = "user=crontabber";
    assert!(database.url().contains(own), "{}", database.url());
    database.url().replace(own, &format!("user={role}"))
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_and_no_other_is_shown() {
    let (_database, site) = well().await;
    let missing = site.file("nothing-here");
    let text = format!(
        "[database]\nurl = {{ file = \"{}\" }}\n[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n",
        missing.display()
    );
    fs::write(site.file("crontabber.toml"), text).expect("it is writable");
    let said = doctor(&site).await;
    assert_eq!(said.code, Some(78));
    let file = missing.to_str().expect("a text");
    said.of_check("secrets").says(file, "config check");
    said.of_check("database").says(file, "");
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_made_is_a_warning() {
    let (database, site) = well().await;
    let below_a_file = site.file("crontabber.toml").join("state");
    let text = format!(
        "[daemon]\nstate_directory = \"{}\"\n[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n",
        below_a_file.display()
    );
    site.configure(database.url(), &text);
    let said = doctor(&site).await;
    said.only("warning state")
        .says("is no directory", "state_directory");
}

#[tokio::test]
async fn a_job_that_this_host_may_not_run_is_a_warning_unless_it_is_meant_for_others() {
    let (database, site) = well().await;
    let with = |keys: &str| {
        let job = site.job("it", "every = \"1h\"", "true");
        let asks = format!(
            "[jobs.asks]\nevery = \"1h\"\nuser = \"nobody-here\"\n{keys}shell = \"true\"\n"
        );
        site.configure(database.url(), &format!("{job}{asks}"));
    };
    with("");
    let said = doctor(&site).await;
    said.only("warning process").says(
        "does not run asks: this host knows no user `nobody-here`",
        "let it be the unit's",
    );
    with("hosts = [\"db*\"]\n");
    assert_eq!(doctor(&site).await.bad(), [""; 0]);
}

#[tokio::test]
async fn a_clock_that_is_hours_off_is_a_warning() {
    let (database, _) = well().await;
    let site = site(&database);
    let finished = site.on("web1", &["doctor"]).clock("+9030s").run().await;
    let said = Said::of(&finished);
    said.only("warning clock")
        .says("2h 30m ahead of the database's", "NTP");
}
