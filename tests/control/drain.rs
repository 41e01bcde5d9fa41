//! `drain`: a host that takes no more work, until somebody undoes it.

use serde_json::Value;

use crate::common::{Database, Postgres, Site, race::make_due};

use super::operator::audit;

async fn site(hosts: &str) -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("it", &format!("every = \"1h\"\nhosts = {hosts}"), "")
    });
    for host in ["beta", "alpha"] {
        well(&site, host, &["tick"]).await;
    }
    (database, site)
}

async fn well(site: &Site, host: &str, arguments: &[&str]) -> String {
    let finished = site
        .on(host, arguments)
        .env("SUDO_USER", "anna")
        .run()
        .await;
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished.stdout
}

async fn asked(site: &Site, host: &str, arguments: &[&str]) -> Value {
    let told = well(site, host, &[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&told).expect("JSON")
}

#[tokio::test]
async fn a_drained_host_takes_nothing_and_another_does_until_it_is_undone() {
    let (database, site) = site("[]").await;
    let told = well(&site, "alpha", &["drain", "beta", "--reason", "new disk"]).await;
    assert!(
        told.starts_with("beta is drained: it takes no work until"),
        "{told}"
    );
    assert!(
        well(&site, "alpha", &["drain", "beta"])
            .await
            .starts_with("beta was drained before 20")
    );
    make_due(&database, "it").await;
    well(&site, "beta", &["tick"]).await;
    assert!(site.ledger().starts().is_empty(), "it is drained");
    let listed = asked(&site, "beta", &["list"]).await;
    assert_eq!(listed[0]["state"], "due");
    let why = listed[0]["why"].as_str().expect("a text");
    assert!(why.starts_with("this host is drained since 20"), "{why}");
    let why = asked(&site, "beta", &["why", "it"]).await;
    let conclusion = "it is due, and the next pass of alpha starts it; this host is drained.";
    assert_eq!(why["conclusion"], conclusion);
    // It is the host and not its process: it announces itself as ever, and stays drained.
    database
        .execute("UPDATE crontabber_host SET seen_at = seen_at - interval '6 minutes'")
        .await;
    well(&site, "beta", &["tick"]).await;
    let hosts = asked(&site, "beta", &["hosts"]).await;
    assert_eq!(hosts["hosts"][1]["host"], "beta");
    assert_eq!(hosts["hosts"][1]["state"], "live");
    assert_eq!(hosts["hosts"][1]["drained"]["by"], "anna@alpha");
    assert!(site.ledger().starts().is_empty());
    well(&site, "alpha", &["tick"]).await;
    assert_eq!(site.ledger().starts().len(), 1);

    make_due(&database, "it").await;
    assert_eq!(
        well(&site, "alpha", &["drain", "beta", "--undo"]).await,
        "beta takes work again\n"
    );
    assert_eq!(
        well(&site, "alpha", &["drain", "beta", "--undo"]).await,
        "beta is not drained\n"
    );
    well(&site, "beta", &["tick"]).await;
    assert_eq!(site.ledger().starts().len(), 2);
    assert_eq!(
        audit(&database).await,
        [
            "anna@alpha drain NULL new disk",
            "anna@alpha undrain NULL -"
        ]
    );
}

#[tokio::test]
async fn a_job_for_drained_hosts_only_is_blocked_and_a_person_may_run_it_there() {
    let (database, site) = site("['beta']").await;
    well(&site, "alpha", &["drain", "beta"]).await;
    make_due(&database, "it").await;
    well(&site, "beta", &["tick"]).await;
    let listed = asked(&site, "alpha", &["list"]).await;
    assert_eq!(listed[0]["state"], "blocked");
    assert_eq!(
        listed[0]["why"],
        r#"no live host for hosts = ["beta"]: beta is drained"#
    );
    let told = well(&site, "alpha", &["trigger", "it"]).await;
    assert!(
        told.contains("it waits, for there is no live host"),
        "{told}"
    );
    well(&site, "alpha", &["cancel", "it"]).await;
    assert_eq!(site.on("beta", &["run", "it"]).run().await.code, Some(4));
    assert!(site.ledger().starts().is_empty());
    well(&site, "beta", &["run", "it", "--force"]).await;
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn a_host_that_never_passed_is_not_drained_and_the_nearest_name_is_told() {
    let (database, site) = site("[]").await;
    let unknown = site.on("alpha", &["drain", "beat"]).run().await;
    assert_eq!(unknown.code, Some(64), "{unknown:?}");
    assert_eq!(
        unknown.stderr,
        "error: no host named `beat`; did you mean `beta`?\n"
    );
    assert_eq!(audit(&database).await.len(), 0);
}
