//! Runs in cgroups of their own, where this host has one to divide; and the same without.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
    heartbeat::Leash,
    spec::Lease,
    supervise::{Order, sweep},
};
use nix::{
    sys::signal::Signal::{SIGKILL, SIGSTOP},
    unistd::Pid,
};

use crate::house::{House, above, dead, eventually, gone, last_entry, over, signal};

/// A tree that cannot be asked, forks for as long as it lives, and takes off everything it could be known by but its
/// cgroup; its last member says when it lived last.
const BOMB: &str = r#"trap "" TERM HUP
    for i in 1 2 3; do (while :; do (env -i setsid sleep 60 &); done) & done
    (trap "" TERM HUP; env -i D="$D" setsid sh -c '
        echo $$ > "$D/far"
        while :; do read up rest < /proc/uptime; echo "$up" >> "$D/ledger"; sleep 0.02; done' &)
    wait"#;

impl House {
    /// Where this house makes the cgroups of its runs; `None`, and a line that says so, where it may not.
    fn cgroups(&self) -> Option<&Path> {
        let directory = self.supervisor.cgroups();
        if directory.is_none() {
            println!("not tried with cgroups: this host has none to divide");
        }
        directory
    }

    fn cgroup(&self, order: &Order) -> Option<PathBuf> {
        let name = format!("run-{}", order.run_id);
        self.cgroups().map(|directory| directory.join(name))
    }
}

#[tokio::test]
async fn a_run_is_born_into_a_cgroup_of_its_own_which_ends_with_it() {
    let house = House::new();
    let order = house.order("read x < $D/gate; cat /proc/self/cgroup");
    let Some(cgroup) = house.cgroup(&order) else {
        return house.leave().await;
    };
    let run = house.start(&order).await;
    let (program, guard, _) = above(&run);
    let of = |pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it is alive");
    assert!(of(program).contains(&format!("run-{}", order.run_id)));
    assert!(!of(guard).contains("run-"), "who kills is not in it");
    assert!(cgroup.is_dir());
    house.open_gate(1);
    let text = over(run).await.output.text();
    assert!(
        text.contains(&format!("run-{}", order.run_id)),
        "children too: {text}"
    );
    assert!(!cgroup.exists(), "nothing is left, not even that");
    house.leave().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_started_leaves_no_cgroup() {
    let house = House::new();
    let mut order = house.order("");
    order.argv = vec!["no-such-thing".to_owned()];
    let ended = house.finish(&order).await;
    let why = "cannot start `no-such-thing`: No such file or directory";
    assert_eq!(ended.how, How::NotStarted(why.to_owned()));
    if let Some(cgroup) = house.cgroup(&order) {
        assert!(!cgroup.exists());
    }
    house.leave().await;
}

/// It is dead before its lease ends, which is what the margin behind the deadline is for: its guard wakes up and kills among
/// as many processes as it has; and without a cgroup one after the other is found and killed, while it goes on forking.
async fn dies_in_time(house: House) {
    let mut order = house.order(BOMB);
    order.grace = Duration::from_millis(200);
    order.deadline = Boottime::now() + Duration::from_millis(1500);
    let run = house.start(&order).await;
    let far = house.pid("far").await;
    let ended = over(run).await;
    assert_eq!(ended.stopped, Some(Stopped::Deadline));
    let (last, entries) = last_entry(&house);
    assert!(entries > 5, "it has lived");
    let end = order.deadline.since_boot() + Lease::of(Duration::from_secs(12)).margin;
    assert!(last < end, "{last:?}, {order:?}");
    assert!(gone(far));
    if let Some(cgroup) = house.cgroup(&order) {
        assert!(!cgroup.exists());
    }
    house.leave().await;
}

#[tokio::test]
async fn a_tree_that_goes_on_forking_is_dead_before_its_lease_ends() {
    dies_in_time(House::new()).await;
}

#[tokio::test]
async fn and_without_a_cgroup_before_its_lease_ends() {
    dies_in_time(House::without_cgroups()).await;
}

#[tokio::test]
async fn the_cgroup_of_a_killed_guard_is_removed_by_the_host() {
    let house = House::new();
    let order = house.order("sleep 60");
    let run = house.start(&order).await;
    let (_, guard, _) = above(&run);
    signal(guard, SIGKILL);
    assert_eq!(over(run).await.how, How::GuardLost);
    if let Some(cgroup) = house.cgroup(&order) {
        assert!(!cgroup.exists());
    }
    house.leave().await;
}

#[tokio::test]
async fn what_a_job_has_made_below_its_cgroup_goes_with_it() {
    let house = House::new();
    let mut order = house.order(
        r#"mkdir "$C/below" && sh -c 'echo 0 > "$C/below/cgroup.procs"; exec sleep 60' > /dev/null &
        until grep -q . "$C/below/cgroup.procs"; do sleep 0.01; done"#,
    );
    let Some(cgroup) = house.cgroup(&order) else {
        return house.leave().await;
    };
    order
        .env
        .push(("C".to_owned(), cgroup.display().to_string()));
    assert_eq!(house.finish(&order).await.how, How::Exited(0));
    assert!(!cgroup.exists());
    house.leave().await;
}

/// A house whose supervisor and guard are killed in one moment, and what they leave: the pid of a process that has
/// taken off its environment. (The host is this test, which adopts it and is kept from killing it.)
async fn left_by_the_dead(house: &House) -> (Order, Pid) {
    let script = "env -i setsid sh -c 'echo $$ > \"$0\"; exec sleep 600' $D/far & exec sleep 600";
    let order = house.order(script);
    let run = house.start(&order).await;
    let (program, guard, supervisor) = above(&run);
    let far = house.pid("far").await;
    for kind in [SIGSTOP, SIGKILL] {
        for pid in [supervisor, guard] {
            signal(pid, kind);
        }
    }
    eventually("their death", || {
        (dead(supervisor) && dead(guard)).then_some(())
    })
    .await;
    // Nobody waits for it, so nobody sweeps.
    drop(run);
    assert!(!dead(program) && !dead(far));
    (order, far)
}

#[tokio::test]
async fn what_three_dead_processes_have_left_is_known_by_its_cgroup() {
    let house = House::new();
    let (order, far) = left_by_the_dead(&house).await;
    let Some(cgroup) = house.cgroup(&order) else {
        signal(far, SIGKILL);
        return;
    };
    assert!(sweep(&[order.run_id]) > 0);
    eventually("its death", || dead(far).then_some(())).await;
    assert!(!cgroup.exists());
}

#[tokio::test]
async fn and_without_a_cgroup_it_is_not_known_at_all() {
    let house = House::without_cgroups();
    let (order, far) = left_by_the_dead(&house).await;
    let _ = sweep(&[order.run_id]);
    assert!(!dead(far), "what this is for");
    signal(far, SIGKILL);
    for pid in house.left() {
        signal(pid, SIGKILL);
    }
}

#[tokio::test]
async fn a_sweep_leaves_the_runs_alone_that_somebody_guards() {
    let house = House::new();
    let order = house.order("read x < $D/gate");
    let run = house.start(&order).await;
    let _ = sweep(&[order.run_id]);
    house.open_gate(1);
    assert_eq!(over(run).await.how, How::Exited(0));
    house.leave().await;
}

#[tokio::test]
async fn a_cancelled_run_may_tidy_up_in_a_cgroup_too() {
    let house = House::new();
    let script = "trap 'echo tidy; exit 4' TERM; echo $$ > $D/up; while :; do sleep 0.05; done";
    let run = house.start(&house.order(script)).await;
    house.pid("up").await;
    run.reins().cancel();
    let ended = over(run).await;
    assert_eq!(
        (ended.how, ended.stopped),
        (How::Exited(4), Some(Stopped::Cancelled))
    );
    house.leave().await;
}

#[tokio::test]
async fn a_run_whose_memory_is_to_be_limited_is_limited_or_not_started() {
    let house = House::new();
    // A shell that doubles a text until somebody stops it; far above the limit it stops by itself.
    let mut order = house
        .order("x=0123456789abcdef; while [ ${#x} -lt 400000000 ]; do x=$x$x; done; echo too much");
    order.terms.memory_max = Some(32 << 20);
    let ended = house.finish(&order).await;
    match crontabber::supervise::can_limit_memory() {
        Ok(()) => {
            assert_eq!(ended.stopped, Some(Stopped::OutOfMemory));
            assert_eq!(ended.how, How::Signaled(9));
        }
        Err(why) => {
            println!("not tried with a limit: {why}");
            let How::NotStarted(why) = &ended.how else {
                panic!("it was started without its limit: {ended:?}");
            };
            assert!(why.starts_with("cannot limit its memory: "), "{why}");
        }
    }
    house.leave().await;
}
