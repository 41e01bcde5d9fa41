//! The other hosts.

use super::{
    common::{Database, Site},
    said::{doctor, site, well},
};

/// A host that was heard of so long ago.
async fn heard(database: &Database, host: &str, version: &str, ago: &str) {
    database
        .execute(&format!(
            "INSERT INTO crontabber_host (host, boot_id, pid_namespace, version, configuration, seen_at)
             SELECT '{host}', '', '', coalesce(nullif('{version}', ''), version), '', clock_timestamp() - interval '{ago}'
               FROM crontabber_host WHERE host = 'web1'"
        ))
        .await;
}

#[tokio::test]
async fn nobody_has_passed_yet() {
    let database = super::common::tables().await;
    let said = doctor(&site(&database)).await;
    said.only("warning hosts")
        .says("no host has passed yet", "crontabber tick");
}

#[tokio::test]
async fn a_host_that_fell_silent_today_is_told_and_one_that_went_long_ago_is_not() {
    let (database, site) = well().await;
    heard(&database, "gone", "", "3 days").await;
    assert_eq!(doctor(&site).await.bad(), [""; 0]);
    heard(&database, "db1", "", "20 hours").await;
    let said = doctor(&site).await;
    said.only("warning hosts")
        .says("1 host silent for 20h or longer: db1", "hosts --forget");
}

#[tokio::test]
async fn two_daemons_of_one_name_are_a_problem_while_both_are_there() {
    let (database, site) = well().await;
    let other = "UPDATE crontabber_host SET other_instance = 'boot/1/2/3', other_seen_at = clock_timestamp() - interval";
    database.execute(&format!("{other} '2 minutes'")).await;
    let said = doctor(&site).await;
    said.only("problem hosts").says(
        "two daemons are called web1: the other (boot/1/2/3)",
        "[daemon] host",
    );
    database.execute(&format!("{other} '2 hours'")).await;
    assert_eq!(doctor(&site).await.bad(), [""; 0]);
}

#[tokio::test]
async fn different_versions_and_an_older_configuration_are_warnings() {
    let (database, site) = well().await;
    heard(&database, "web2", "0.0.9", "1 minute").await;
    let said = doctor(&site).await;
    said.only("warning hosts")
        .says("0.0.9 on web2", "see the upgrade through");

    database
        .execute(
            "DELETE FROM crontabber_host WHERE host = 'web2';
             UPDATE crontabber_host SET config_error = 'unknown key `evry`'",
        )
        .await;
    let said = doctor(&site).await;
    said.only("warning hosts")
        .says("web1 goes on with an older configuration", "config check");
}

#[tokio::test]
async fn hosts_that_mean_different_things_by_a_job_are_a_warning() {
    let (database, site) = well().await;
    let other = Site::with(&database, |site| site.job("it", "every = \"2h\"", "true"));
    let pass = other.on("web2", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let said = doctor(&site).await;
    said.only("warning hosts")
        .says("different things by 1 job: it", "crontabber hosts");
}
