//! Timeout, cancellation, deadline; and what a program leaves behind.

use std::time::{Duration, Instant};

use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
    heartbeat::Leash,
};
use nix::sys::signal::Signal;

use crate::house::{House, LEDGER, above, eventually, gone, last_entry, over, session, signal};

#[tokio::test]
async fn a_timeout_asks_first_and_kills_what_does_not_listen() {
    let house = House::new();
    let mut order = house.order("trap 'echo asked' TERM; while :; do sleep 0.05; done");
    order.timeout = Duration::from_millis(300);
    order.grace = Duration::from_millis(300);
    let ended = house.finish(&order).await;
    assert_eq!(ended.how, How::Signaled(9));
    assert_eq!(ended.stopped, Some(Stopped::Timeout));
    assert!(
        ended.output.text().ends_with("asked\n"),
        "{:?}",
        ended.output
    );
    house.leave().await;
}

#[tokio::test]
async fn a_cancelled_program_may_tidy_up_and_its_own_verdict_counts() {
    let house = House::new();
    let script = "trap 'echo tidy; exit 4' TERM; echo $$ > $D/up; while :; do sleep 0.05; done";
    let run = house.start(&house.order(script)).await;
    house.pid("up").await;
    run.reins().cancel();
    let ended = over(run).await;
    assert_eq!(ended.how, How::Exited(4));
    assert_eq!(ended.stopped, Some(Stopped::Cancelled));
    assert!(ended.output.text().ends_with("tidy\n"));
    house.leave().await;
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_cancelled() {
    let house = House::new();
    let run = house.start(&house.order("sleep 60")).await;
    let (program, guard, _) = above(&run);
    drop(run);
    eventually("the run's end", || {
        (gone(program) && gone(guard)).then_some(())
    })
    .await;
    house.leave().await;
}

#[tokio::test]
async fn a_stopped_program_is_woken_to_hear_that_it_must_end() {
    let house = House::new();
    let run = house
        .start(&house.order("echo $$ > $D/up; kill -STOP $$; sleep 60"))
        .await;
    house.pid("up").await;
    let start = Instant::now();
    run.reins().cancel();
    let ended = over(run).await;
    assert_eq!(ended.how, How::Signaled(15));
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "before the grace is over"
    );
    house.leave().await;
}

#[tokio::test]
async fn without_word_from_the_host_nothing_is_left_at_the_deadline() {
    let house = House::new();
    let mut order = house.order(LEDGER);
    order.grace = Duration::from_millis(300);
    order.deadline = Boottime::now() + Duration::from_millis(1500);
    let ended = house.finish(&order).await;
    assert_eq!(ended.how, How::Signaled(9));
    assert_eq!(ended.stopped, Some(Stopped::Deadline));
    let (last, entries) = last_entry(&house);
    assert!(
        last < order.deadline.since_boot(),
        "{last:?}, {:?}",
        order.deadline
    );
    assert!(entries > 10, "it had written until shortly before");
    house.leave().await;
}

#[tokio::test]
async fn an_extended_deadline_lets_it_live_and_an_earlier_one_changes_nothing() {
    let house = House::new();
    let mut order = house.order("sleep 1.5; echo lived");
    order.grace = Duration::from_millis(100);
    order.deadline = Boottime::now() + Duration::from_secs(1);
    let run = house.start(&order).await;
    run.reins().extend(order.deadline + Duration::from_mins(1));
    run.reins().extend(order.deadline - Duration::from_mins(1));
    let ended = over(run).await;
    assert_eq!((ended.how, ended.stopped), (How::Exited(0), None));
    assert_eq!(ended.output.text(), "lived\n");
    house.leave().await;
}

#[tokio::test]
async fn the_reins_never_wait_even_when_the_guard_reads_nothing() {
    let house = House::new();
    let order = house.order("read x < $D/gate");
    let run = house.start(&order).await;
    let (_, guard, _) = above(&run);
    signal(guard, Signal::SIGSTOP);
    for seconds in 0..1000 {
        run.reins()
            .extend(order.deadline + Duration::from_secs(seconds));
    }
    run.reins().cancel();
    signal(guard, Signal::SIGCONT);
    assert_eq!(over(run).await.stopped, Some(Stopped::Cancelled));
    house.leave().await;
}

#[tokio::test]
async fn a_grandchild_that_left_the_session_dies_with_the_run() {
    let house = House::new();
    let script = r#"
        setsid sh -c 'setsid sh -c "trap \"\" TERM HUP; echo \$\$ > $D/far; sleep 60; sleep 60" &' &
        sleep 60"#;
    let mut order = house.order(script);
    order.grace = Duration::from_millis(200);
    let run = house.start(&order).await;
    let far = house.pid("far").await;
    run.reins().cancel();
    assert_eq!(over(run).await.how, How::Signaled(15));
    assert!(gone(far));
    house.leave().await;
}

#[tokio::test]
async fn a_grandchild_that_holds_stdout_does_not_hold_the_run() {
    let house = House::new();
    let start = Instant::now();
    let ended = house.run("sleep 60 & echo $! > $D/sleep; echo done").await;
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!((ended.how, ended.stopped), (How::Exited(0), None));
    assert_eq!(ended.output.text(), "done\n");
    assert!(gone(house.pid("sleep").await));
    house.leave().await;
}

#[tokio::test]
async fn what_the_background_prints_just_after_the_end_is_still_kept() {
    let house = House::new();
    let ended = house.run("(sleep 0.1; echo late) & echo early").await;
    assert_eq!(ended.output.text(), "early\nlate\n");
    house.leave().await;
}

#[tokio::test]
async fn nothing_in_the_background_outlives_the_run_even_if_it_does_not_listen() {
    let house = House::new();
    let script =
        r#"(trap "" TERM HUP; exec setsid sleep 60) > /dev/null 2>&1 & echo $! > $D/sleep"#;
    let ended = house.run(script).await;
    assert_eq!((ended.how, ended.stopped), (How::Exited(0), None));
    assert!(gone(house.pid("sleep").await));
    house.leave().await;
}

#[tokio::test]
async fn what_a_program_left_just_before_the_deadline_is_dead_by_then_too() {
    let house = House::new();
    let mut order = house.order(&format!("({LEDGER}) & sleep 0.4"));
    order.grace = Duration::from_millis(10);
    order.deadline = Boottime::now() + Duration::from_millis(700);
    house.finish(&order).await;
    let (last, entries) = last_entry(&house);
    assert!(last < order.deadline.since_boot(), "{last:?}, {order:?}");
    assert!(entries > 5);
    house.leave().await;
}

#[tokio::test]
async fn zombies_of_a_careless_parent_are_gone_with_it() {
    let house = House::new();
    let script = "for i in $(seq 300); do sh -c : & done; echo $$ > $D/up; exec sleep 60";
    let run = house.start(&house.order(script)).await;
    let (program, ..) = above(&run);
    house.pid("up").await;
    run.reins().cancel();
    over(run).await;
    assert_eq!(session(program), []);
    house.leave().await;
}

#[tokio::test]
async fn two_hundred_processes_that_do_not_listen_are_killed_to_the_last() {
    let house = House::new();
    let script = r#"trap "" TERM
        for i in $(seq 200); do setsid sh -c 'sleep 60; sleep 60' & done; echo $$ > $D/up; wait"#;
    let mut order = house.order(script);
    order.grace = Duration::from_millis(100);
    let run = house.start(&order).await;
    house.pid("up").await;
    run.reins().cancel();
    assert_eq!(over(run).await.how, How::Signaled(9));
    assert_eq!(house.left(), []);
    house.leave().await;
}

#[tokio::test]
async fn those_that_go_on_forking_while_they_are_killed_do_not_get_away() {
    let house = House::new();
    let script = r#"trap "" TERM
        for i in 1 2 3; do (while :; do (setsid sleep 60 &); done) & done; echo $$ > $D/up; wait"#;
    let mut order = house.order(script);
    order.grace = Duration::from_millis(100);
    let run = house.start(&order).await;
    house.pid("up").await;
    run.reins().cancel();
    over(run).await;
    assert_eq!(house.left(), []);
    house.leave().await;
}
