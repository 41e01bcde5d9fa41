//! A database that is away, and a host that dies: the run and its record come first.

use nix::sys::signal::Signal;

use super::{
    common::{Private, children, until},
    world::{SOON, STREAMS, World},
};

#[tokio::test]
async fn a_database_that_is_away_delays_no_run_and_its_record_and_its_follower_have_it_all() {
    let private = Private::new();
    let keys = format!("{STREAMS}\nlease = \"2m\"");
    let shell =
        "echo first; read x < $GATE; echo second; echo > $GATE.told; read x < $GATE; echo third";
    let world = World::on(private.database().await, &keys, shell);
    let pass = world.pass();
    let follower = world.follower_who_has_read("first\n").await;
    private.stop();
    world.open_gate();
    let told = world.site.file("gate.told");
    until(SOON, "the run goes on", async || told.exists()).await;
    until(SOON, "the host has noticed", async || {
        pass.stderr().contains("cannot write streamed output")
    })
    .await;
    private.start();
    world.open_gate();
    let pass = pass.finished().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    assert_eq!(pass.stderr.matches("cannot write streamed").count(), 1);
    assert_eq!(world.record().await, ["success", "first\nsecond\nthird\n"]);
    let told = follower.finished().await;
    assert_eq!(
        (told.code, told.stdout.as_str()),
        (Some(0), "first\nsecond\nthird\n"),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("; trying again"), "{}", told.stderr);
}

#[tokio::test]
async fn a_host_that_dies_leaves_what_was_told_and_the_follower_hears_that_the_run_is_lost() {
    let world = World::new(STREAMS, "echo first; read x < $GATE").await;
    let pass = world.pass();
    let follower = world.follower_who_has_read("first\n").await;
    let supervisor = children(pass.pid());
    pass.signal(Signal::SIGKILL);
    assert_eq!(supervisor.len(), 1);
    pass.finished().await;
    let so_far = world.site.on("beta", &["logs", "long"]).run().await;
    assert_eq!(so_far.stdout, "first\n");
    assert!(
        so_far.stderr.contains("it is still running; --follow"),
        "{}",
        so_far.stderr
    );

    until(SOON, "another host finds the run lost", async || {
        world.site.on("beta", &["tick"]).run().await;
        world.record().await[0] == "lost"
    })
    .await;
    let told = follower.finished().await;
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), "first\n"));
    assert!(told.stderr.contains("long: lost"), "{}", told.stderr);
    let after = world.site.on("beta", &["logs", "long"]).run().await;
    assert_eq!(after.stdout, "first\n");
    assert!(
        after.stderr.contains("this is what was streamed before"),
        "{}",
        after.stderr
    );
}
