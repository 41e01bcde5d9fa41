//! A rolling upgrade: hosts of this release and of the next one beside each other.

mod common;

use common::{
    Crontabber, Postgres,
    race::{Race, log_agrees, site},
};

/// A program of the next release: it knows one more step of the schema.
fn next(command: Crontabber) -> Crontabber {
    command.env("CRONTABBER_FAULT", "next-schema")
}

#[tokio::test]
async fn hosts_of_two_releases_work_side_by_side_on_the_tables_of_the_newer() {
    let database = Postgres::database().await;
    // Tables of this release.
    let site = site(&database).await;

    // The first host of the next release: its passes ask for a migration and do nothing; ours go on.
    let early = next(site.on("new", &["tick"])).run().await;
    assert_eq!(early.code, Some(78), "{}", early.stderr);
    assert!(
        early.stderr.contains("crontabber migrate"),
        "{}",
        early.stderr
    );
    assert_eq!(site.on("old", &["tick"]).run().await.code, Some(0));

    let migrated = next(site.on("new", &["migrate"])).run().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let version = "SELECT version FROM crontabber_schema";
    let newer = database.query_one::<i32>(version).await;

    // Half the hosts of each race are of the next release.
    let disguise = |number, command| {
        if number % 2 == 0 {
            next(command)
        } else {
            command
        }
    };
    let tally = Race {
        disguise,
        ..Race::of(6)
    }
    .run(&site, &database)
    .await;
    println!("{tally}");
    assert_eq!(tally.missed, []);
    assert_eq!(tally.doubled, []);
    log_agrees(&site, &database).await;
    let hosts = "SELECT count(DISTINCT mod(substr(host, 5)::int, 2)) FROM crontabber_host WHERE host LIKE 'host%'";
    assert_eq!(database.query_one::<i64>(hosts).await, 2);

    // The older program's `migrate` leaves the newer tables alone, and a guard that it does not know.
    let rename = "ALTER TRIGGER crontabber_guard_update ON crontabber RENAME TO crontabber_guard_of_the_next_release";
    database.execute(rename).await;
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crontabber'::regclass AND NOT tgisinternal";
    assert_eq!(database.query_one::<i64>(triggers).await, 3);
    let older = site.on("old", &["migrate"]).run().await;
    assert_eq!(older.code, Some(0), "{older:?}");
    let told = format!("the tables have version {newer}");
    assert!(older.stdout.starts_with(&told), "{older:?}");
    assert_eq!(database.query_one::<i64>(triggers).await, 3);
    let plan = site.on("old", &["migrate", "--plan"]).run().await;
    assert_eq!((plan.code, plan.stdout.as_str()), (Some(0), ""), "{plan:?}");
    assert_eq!(database.query_one::<i32>(version).await, newer);
    assert_eq!(next(site.on("new", &["tick"])).run().await.code, Some(0));
}
