//! The tables: whose version they are, and whether their guard stands.

use super::{
    common::{Postgres, drop_guard, legacy},
    said::{doctor, site, well},
};
use crontabber::store::schema;

#[tokio::test]
async fn an_empty_database_is_a_problem_that_migrate_solves() {
    let database = Postgres::database().await;
    let said = doctor(&site(&database)).await;
    said.only("problem schema").says(
        "no tables of crontabber yet",
        "`crontabber migrate` makes them",
    );
}

#[tokio::test]
async fn tables_of_crontabber_0_18_are_a_problem_that_migrate_solves() {
    let database = legacy::database().await;
    let said = doctor(&site(&database)).await;
    said.only("problem schema")
        .says("the tables of crontabber 0.18", "widens them in place");
}

#[tokio::test]
async fn tables_of_another_version_are_told_by_what_can_be_done_on_them() {
    let (database, site) = well().await;
    let is = async |version: i32, compatible_from: i32| {
        database
            .execute(&format!(
                "UPDATE crontabber_schema SET version = {version}, compatible_from = {compatible_from}"
            ))
            .await;
        doctor(&site).await
    };
    let knows = schema::version();

    let older = is(knows - 1, 1).await;
    older.only("problem schema").says(
        "this program needs",
        "`crontabber migrate` once, on any host",
    );

    let newer = is(knows + 2, 1).await;
    assert_eq!(newer.bad(), [""; 0]);
    newer.of_check("schema").says("and works on it", "");

    let much_newer = is(knows + 2, knows + 1).await;
    much_newer
        .only("problem schema")
        .says("for programs that know", "upgrade crontabber on this host");
}

#[tokio::test]
async fn a_guard_that_is_gone_is_a_problem_and_one_that_stands_for_another_time_a_warning() {
    let (database, site) = well().await;
    let with_age = |age: &str| {
        let job = site.job("it", "every = \"1h\"", "true");
        site.configure(
            database.url(),
            &format!("[daemon]\nmax_ongoing_age = \"{age}\"\n{job}"),
        );
    };
    with_age("6h");
    let said = doctor(&site).await;
    said.only("warning guard").says(
        "for 12h; max_ongoing_age of this host is 6h",
        "crontabber migrate",
    );
    with_age("12h");
    assert_eq!(doctor(&site).await.bad(), [""; 0]);

    database
        .execute("ALTER TABLE crontabber ENABLE REPLICA TRIGGER crontabber_guard_update")
        .await;
    let said = doctor(&site).await;
    said.only("problem guard")
        .says("2 of its 3 triggers", "crontabber migrate");
    drop_guard(&database).await;
    let said = doctor(&site).await;
    said.only("problem guard")
        .says("0 of its 3 triggers", "crontabber migrate");
    let migrated = site.on("web1", &["migrate"]).run().await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    assert_eq!(doctor(&site).await.bad(), [""; 0]);
}

#[tokio::test]
async fn what_jobs_of_sql_call_is_missed_when_it_is_gone() {
    let (database, site) = well().await;
    database.execute("DROP FUNCTION crontabber_execute()").await;
    doctor(&site).await.only("problem rights").says(
        "EXECUTE on crontabber_execute() (which is not there)",
        "`crontabber migrate` makes",
    );
    let migrated = site.on("web1", &["migrate"]).run().await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    assert_eq!(doctor(&site).await.bad(), [""; 0]);
}
