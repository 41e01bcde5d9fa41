//! Guards and supervisors killed and frozen: whoever is above acts.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
};
use nix::{
    sys::{
        signal::Signal::{self, SIGKILL, SIGSTOP},
        wait::waitpid,
    },
    unistd::Pid,
};

use crate::house::{House, above, dead, eventually, gone, over, parent, signal};

/// A tree that nobody can ask to stop, with a member that has left session, parents and environment.
const STUBBORN: &str = r#"trap "" TERM HUP
    (env -i setsid sh -c 'echo $$ > "$0"; sleep 60; sleep 60' "$D/far" &)
    sleep 60; sleep 60"#;

#[tokio::test]
async fn a_killed_guard_takes_its_run_with_it_and_the_other_runs_go_on() {
    let house = House::new();
    let run = house.start(&house.order(STUBBORN)).await;
    let other = house.start(&house.order("read x < $D/gate")).await;
    let (program, guard, _) = above(&run);
    let far = house.pid("far").await;
    signal(guard, SIGKILL);
    assert_eq!(over(run).await.how, How::GuardLost);
    assert!(gone(program) && gone(far) && gone(guard));
    house.open_gate(1);
    assert_eq!(over(other).await.how, How::Exited(0));
    house.leave().await;
}

#[tokio::test]
async fn a_run_goes_on_without_its_supervisor_and_the_next_gets_another() {
    let house = House::new();
    let run = house.start(&house.order("read x < $D/gate; echo on")).await;
    let (_, guard, first) = above(&run);
    signal(first, SIGKILL);
    eventually("the supervisor's death", || dead(first).then_some(())).await;

    let next = house.start(&house.order("read x < $D/gate")).await;
    let (_, _, second) = above(&next);
    assert_ne!(first, second);
    house.open_gate(2);
    let ended = over(run).await;
    assert_eq!(
        (ended.how, ended.output.text()),
        (How::Exited(0), "on\n".to_owned())
    );
    assert_eq!(over(next).await.how, How::Exited(0));
    assert!(
        gone(guard),
        "the host has adopted it, so it asks for its status"
    );
    assert!(gone(first));
    house.leave().await;
}

#[tokio::test]
async fn without_supervisor_and_guard_the_host_kills_the_tree_and_nothing_of_its_own() {
    let house = House::new();
    let bystander = bystander();
    let run = house.start(&house.order(STUBBORN)).await;
    let other = house.start(&house.order("read x < $D/gate")).await;
    let (program, guard, supervisor) = above(&run);
    let far = house.pid("far").await;
    signal(supervisor, SIGKILL);
    signal(guard, SIGKILL);
    assert_eq!(over(run).await.how, How::GuardLost);
    assert!(gone(program) && gone(far) && gone(guard) && gone(supervisor));
    house.open_gate(1);
    assert_eq!(over(other).await.how, How::Exited(0));
    assert!(!dead(bystander), "it is no run's");
    assert_eq!(parent(bystander), Pid::this(), "though it was adopted too");
    signal(bystander, SIGKILL);
    waitpid(bystander, None).expect("it is ours");
    house.leave().await;
}

#[tokio::test]
async fn a_guard_killed_after_its_supervisor_leaves_nothing_either() {
    let house = House::new();
    let run = house.start(&house.order(STUBBORN)).await;
    let (program, guard, supervisor) = above(&run);
    let far = house.pid("far").await;
    signal(supervisor, SIGKILL);
    eventually("the host to adopt the guard", || {
        (parent(guard) == Pid::this()).then_some(())
    })
    .await;
    signal(guard, SIGKILL);
    assert_eq!(over(run).await.how, How::GuardLost);
    assert!(gone(program) && gone(far) && gone(guard));
    house.leave().await;
}

#[tokio::test]
async fn a_guard_that_is_frozen_beyond_the_deadline_is_killed_with_its_run() {
    frozen(|guard, _| vec![guard]).await;
}

#[tokio::test]
async fn and_so_is_a_frozen_supervisor_above_a_frozen_guard() {
    frozen(|guard, supervisor| vec![guard, supervisor]).await;
}

async fn frozen(whom: fn(Pid, Pid) -> Vec<Pid>) {
    let house = House::new();
    let mut order = house.order(STUBBORN);
    order.grace = Duration::from_millis(100);
    order.deadline = Boottime::now() + Duration::from_millis(1500);
    let run = house.start(&order).await;
    let (program, guard, supervisor) = above(&run);
    let far = house.pid("far").await;
    for pid in whom(guard, supervisor) {
        signal(pid, SIGSTOP);
    }
    let ended = over(run).await;
    assert_eq!(
        (ended.how, ended.stopped),
        (How::GuardLost, Some(Stopped::Deadline))
    );
    assert!(gone(program) && gone(far) && gone(guard));
    house.leave().await;
}

#[tokio::test]
async fn the_signals_of_terminals_and_service_managers_pass_guard_and_supervisor_by() {
    let house = House::new();
    let run = house.start(&house.order("read x < $D/gate; echo on")).await;
    let (_, guard, supervisor) = above(&run);
    for pid in [guard, supervisor] {
        for ending in [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
            Signal::SIGUSR1,
        ] {
            signal(pid, ending);
        }
    }
    house.open_gate(1);
    assert_eq!(over(run).await.output.text(), "on\n");
    house.leave().await;
}

#[tokio::test]
async fn an_order_to_a_frozen_supervisor_fails_at_the_deadline_and_starts_nothing_later() {
    let house = House::new();
    house.run("true").await;
    let run = house.start(&house.order("read x < $D/gate")).await;
    let (_, _, supervisor) = above(&run);
    signal(supervisor, SIGSTOP);
    let mut order = house.order("echo $$ > $D/ran");
    order.deadline = Boottime::now() + Duration::from_millis(500);
    let error = house
        .supervisor
        .start(&order)
        .await
        .expect_err("nobody answers");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    signal(supervisor, Signal::SIGCONT);
    house.open_gate(1);
    over(run).await;
    house.run("true").await;
    assert!(!house.path("ran").exists());
    house.leave().await;
}

/// A process that this one adopts without having started it under a guard.
fn bystander() -> Pid {
    let output = Command::new("sh")
        .args(["-c", "setsid sleep 60 > /dev/null 2>&1 & echo $!"])
        .stdin(Stdio::null())
        .output()
        .expect("sh starts");
    let pid = String::from_utf8_lossy(&output.stdout);
    Pid::from_raw(pid.trim().parse().expect("a pid"))
}
