//! Who follows, from where, and when.

use nix::sys::signal::Signal;

use super::{
    common::{Postgres, Site, until},
    world::{SOON, STREAMS, World},
};

const PRINTS_TWICE: &str = "echo first; read x < $GATE; printf 'second \\303\\274'";

#[tokio::test]
async fn another_host_reads_the_first_line_while_the_run_goes_on_and_each_line_once() {
    let world = World::new(STREAMS, &format!("{PRINTS_TWICE}; exit 3")).await;
    let pass = world.pass();
    let follower = world.follower_who_has_read("first\n").await;
    assert_eq!(world.record().await, ["running", "NULL"]);
    world.open_gate();
    let told = follower.finished().await;
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (Some(1), "first\nsecond ü")
    );
    assert!(told.stderr.contains("long: running on alpha"), "{told:?}");
    assert!(
        told.stderr.contains("long: failure: exit 3"),
        "{}",
        told.stderr
    );
    assert_eq!(pass.finished().await.code, Some(1));
    assert_eq!(world.record().await, ["failure", "first\nsecond ü"]);
}

#[tokio::test]
async fn whoever_comes_early_gets_the_next_run_and_0_for_a_success() {
    let world = World::new(STREAMS, "echo ran").await;
    let migrated = world.site.on("alpha", &["migrate"]).run().await;
    assert_eq!(migrated.code, Some(0));
    let follower = world.follower();
    until(SOON, "the follower waits", async || {
        let said = follower.stderr();
        said.contains("long is not running; waiting for its next run")
    })
    .await;
    assert_eq!(world.passed().await.code, Some(0));
    let told = follower.finished().await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(0), "ran\n"));
    assert!(told.stderr.contains("long: success"), "{}", told.stderr);

    let impatient = ["logs", "--follow", "long", "--wait", "0s"];
    let told = world.site.on("beta", &impatient).run().await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(4), ""), "{told:?}");
}

#[tokio::test]
async fn a_job_that_does_not_stream_writes_nothing_and_is_told_at_its_end() {
    let world = World::new("", PRINTS_TWICE).await;
    let pass = world.pass();
    until(SOON, "the job runs", async || {
        world.site.ledger().starts().len() == 1
    })
    .await;
    let follower = world.follower();
    let remark = "this job does not stream; its output comes at its end: stream_output = true";
    until(SOON, "the follower says so", async || {
        follower.stderr().contains(remark)
    })
    .await;
    world.open_gate();
    assert_eq!(pass.finished().await.code, Some(0));
    let told = follower.finished().await;
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (Some(0), "first\nsecond ü")
    );
    assert_eq!(told.stderr.matches(remark).count(), 1);
    assert_eq!(world.pieces().await, 0);
}

#[tokio::test]
async fn a_run_that_is_over_is_told_as_it_is_recorded() {
    let world = World::new(STREAMS, "echo ran; exit 5").await;
    assert_eq!(world.passed().await.code, Some(1));
    assert_eq!(world.pieces().await, 2, "a line, and that it is the last");
    let run: String = world
        .database
        .query_one("SELECT run_id::text FROM crontabber_log")
        .await;
    let told = world.site.on("beta", &["logs", "-f", &run]).run().await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), "ran\n"));
}

#[tokio::test]
async fn a_follower_who_leaves_takes_nothing_along() {
    let world = World::new(STREAMS, PRINTS_TWICE).await;
    let pass = world.pass();
    let follower = world.follower_who_has_read("first\n").await;
    follower.signal(Signal::SIGINT);
    assert_eq!(
        follower.finished().await.signal,
        Some(Signal::SIGINT as i32)
    );
    world.open_gate();
    assert_eq!(pass.finished().await.code, Some(0));
    assert_eq!(world.record().await, ["success", "first\nsecond ü"]);
}

#[tokio::test]
async fn what_the_server_says_to_an_sql_job_is_told_while_it_works() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |_| {
        "[jobs.long]\nevery = '1h'\nstart = 'now'\nstream_output = true\nsql = \"DO $$ BEGIN RAISE NOTICE 'begun'; END $$; \
         SELECT pg_advisory_xact_lock(4711)\"\n"
            .to_owned()
    });
    let gate = database.connect().await;
    let close = "SELECT pg_advisory_lock(4711)";
    gate.batch_execute(close).await.expect("nobody else has it");
    let pass = site.on("alpha", &["tick"]).spawn();
    until(SOON, "there are tables", async || {
        database
            .query_one("SELECT to_regclass('crontabber_output') IS NOT NULL")
            .await
    })
    .await;
    let told = "SELECT coalesce(string_agg(output, '' ORDER BY chunk), '') FROM crontabber_output";
    until(SOON, "the notice is told", async || {
        database.query_one::<String>(told).await == "NOTICE: begun\n"
    })
    .await;
    drop(gate);
    assert_eq!(pass.finished().await.code, Some(0));
}
