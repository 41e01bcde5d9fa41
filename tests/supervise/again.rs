//! Guards that are used again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crontabber::{
    ended::{Ended, How, Stopped},
    heartbeat::Leash as _,
};
use futures_util::future::join_all;
use nix::{
    sys::signal::{Signal::SIGKILL, kill},
    unistd::{Pid, Uid},
};

use crate::house::{House, above, dead, eventually, gone, kibibytes, over, signal};

/// How many runs one after the other are sure to meet a guard that is free.
const MANY: usize = 20;

/// Runs a script, told by the one that guards it; it cannot end before that is known.
async fn guarded(house: &House, script: &str) -> (Pid, Ended) {
    let run = house
        .start(&house.order(&format!("read x < $D/gate; {script}")))
        .await;
    let (_, guard, _) = above(&run);
    house.open_gate(1);
    (guard, over(run).await)
}

#[tokio::test]
async fn a_guard_whose_run_has_ended_guards_another() {
    let house = House::new();
    let mut guards = BTreeSet::new();
    for _ in 0..MANY {
        let (guard, ended) = guarded(&house, "exit").await;
        assert_eq!(ended.how, How::Exited(0));
        guards.insert(guard);
    }
    assert!(guards.len() < MANY, "{guards:?}");
    house.leave().await;
}

/// In a cgroup where this machine has one to divide, and without.
#[tokio::test]
async fn nothing_of_a_run_is_found_by_the_next_under_the_same_guard() {
    finds_nothing(House::new()).await;
    finds_nothing(House::without_cgroups()).await;
}

async fn finds_nothing(house: House) {
    // All that a program has from its guard, and what the guard itself has open. More than a pipe takes comes first: it has
    // seen to its own then.
    let look = "yes | head -c 70000; nice; pwd; umask; ulimit -S -a; ulimit -H -a; env | sort; cat; ls /proc/self/fd;
        grep -E '^(Sig[PBIC]|Shd|Cap|NoNewPrivs|Groups|Uid|Gid)' /proc/self/status; ls /proc/$PPID/fd | wc -l";
    let (_, first) = guarded(&house, look).await;
    assert_eq!(first.how, How::Exited(0));

    let script = "read x < $D/gate; cat > /dev/null; umask 077; trap '' TERM; yes | head -c 300000";
    // Nobody but root may start what is another's.
    let mut other = if Uid::effective().is_root() {
        house.order_of_another(script).await
    } else {
        house.order(script)
    };
    other.terms.nice = Some(5);
    other.cwd = house.directory.path().to_owned();
    other.stdin = b"a word".to_vec();
    other.env.push(("SECRET".to_owned(), "word".to_owned()));
    for _ in 0..MANY {
        let run = house.start(&other).await;
        let (_, before, _) = above(&run);
        house.open_gate(1);
        assert_eq!(over(run).await.how, How::Exited(0));
        let (guard, next) = guarded(&house, look).await;
        if guard == before {
            assert_eq!(next.output.text(), first.output.text());
            return house.leave().await;
        }
    }
    panic!("no guard has had two runs one after the other");
}

/// What it lends to a program until that runs, its texts and a stack, is some ten KiB each time.
#[tokio::test]
async fn a_guard_grows_by_nothing_that_a_run_needs() {
    let house = House::new();
    let mut sizes = BTreeMap::<Pid, Vec<u64>>::new();
    while sizes.values().all(|sizes| sizes.len() < 200) {
        let run = house.start(&house.order("read x < $D/gate")).await;
        let (_, guard, _) = above(&run);
        // All it has written to, shared with its supervisor or not; no page of a program file that was built a moment ago.
        let size = kibibytes(guard, "status", "RssAnon:");
        sizes.entry(guard).or_default().push(size);
        house.open_gate(1);
        assert_eq!(over(run).await.how, How::Exited(0));
        assert!(sizes.len() < 10 * MANY, "no guard stays: {sizes:?}");
    }
    for sizes in sizes.values().filter(|sizes| sizes.len() == 200) {
        // Until then it has done everything once.
        let (early, late) = (sizes[20], sizes[199]);
        assert!(late <= early + 64, "{sizes:?}");
    }
    house.leave().await;
}

/// What it has is what each of its guards begins with.
#[tokio::test]
async fn a_supervisor_does_not_grow_with_the_number_of_its_runs() {
    let house = House::new();
    let mut sizes = Vec::new();
    // After the first of them it has done everything once.
    for runs in [200, 2000] {
        for _ in 0..runs / 10 {
            let orders = (0..10).map(|_| house.run("exit"));
            for ended in join_all(orders).await {
                assert_eq!(ended.how, How::Exited(0));
            }
        }
        let run = house.start(&house.order("read x < $D/gate")).await;
        let (_, _, supervisor) = above(&run);
        sizes.push(kibibytes(supervisor, "smaps_rollup", "Anonymous:"));
        house.open_gate(1);
        assert_eq!(over(run).await.how, How::Exited(0));
    }
    assert!(sizes[1] <= sizes[0] + 8, "{sizes:?} KiB");
    house.leave().await;
}

#[tokio::test]
async fn a_guard_of_a_run_that_did_not_end_by_itself_guards_no_other() {
    let house = House::new();
    let mut worn = Vec::new();

    let cancelled = house.start(&house.order("exec sleep 60")).await;
    worn.push(above(&cancelled).1);
    cancelled.reins().cancel();
    assert_eq!(over(cancelled).await.stopped, Some(Stopped::Cancelled));

    let mut late = house.order("exec sleep 60");
    late.timeout = Duration::from_millis(50);
    let late = house.start(&late).await;
    worn.push(above(&late).1);
    assert_eq!(over(late).await.stopped, Some(Stopped::Timeout));

    let (guard, ended) = guarded(&house, "sleep 60 & exit 0").await;
    assert_eq!(ended.how, How::Exited(0));
    worn.push(guard);

    for _ in 0..MANY {
        let (guard, _) = guarded(&house, "exit").await;
        assert!(!worn.contains(&guard), "{guard} is one of {worn:?}");
    }
    for guard in worn {
        eventually("the end of a guard", || gone(guard).then_some(())).await;
    }
    house.leave().await;
}

#[tokio::test]
async fn a_guard_that_nobody_wants_ends() {
    let house = House::new();
    let (guard, _) = guarded(&house, "exit").await;
    eventually("its end", || gone(guard).then_some(())).await;
    house.leave().await;
}

#[tokio::test]
async fn the_death_of_a_free_guard_is_no_runs_death() {
    let house = House::new();
    for _ in 0..MANY {
        let (guard, _) = guarded(&house, "exit").await;
        // Free, or about to be; if it has ended already, there is nothing to kill.
        let _ = kill(guard, SIGKILL);
        eventually("its death", || dead(guard).then_some(())).await;
        let (_, ended) = guarded(&house, "echo well").await;
        assert_eq!(
            (ended.how, ended.output.text().as_str()),
            (How::Exited(0), "well\n")
        );
    }
    house.leave().await;
}

#[tokio::test]
async fn free_guards_end_with_their_supervisor() {
    let house = House::new();
    let run = house.start(&house.order("read x < $D/gate")).await;
    let (_, guard, supervisor) = above(&run);
    house.open_gate(1);
    over(run).await;
    signal(supervisor, SIGKILL);
    eventually("the end of its guard", || dead(guard).then_some(())).await;
    // The next run finds that the supervisor is dead, and what it has left.
    assert_eq!(house.run("exit").await.how, How::Exited(0));
    eventually("somebody who asks for its status", || {
        gone(guard).then_some(())
    })
    .await;
    house.leave().await;
}

#[tokio::test]
async fn who_hears_late_of_an_end_does_nothing_to_the_run_that_its_guard_has_by_then() {
    let house = House::new();
    for _ in 0..MANY {
        let run = house.start(&house.order("read x < $D/gate")).await;
        let (program, guard, supervisor) = above(&run);
        house.open_gate(1);
        eventually("its program's end", || gone(program).then_some(())).await;
        let next = house.start(&house.order("read x < $D/gate; echo on")).await;
        if above(&next).1 == guard {
            signal(supervisor, SIGKILL);
            eventually("the supervisor's death", || dead(supervisor).then_some(())).await;
            assert_eq!(over(run).await.how, How::Exited(0));
            house.open_gate(1);
            let ended = over(next).await;
            assert_eq!(
                (ended.how, ended.output.text().as_str()),
                (How::Exited(0), "on\n")
            );
            assert!(gone(guard), "it was asked for its status");
            return house.leave().await;
        }
        house.open_gate(1);
        over(next).await;
        over(run).await;
    }
    panic!("no guard has had two runs one after the other");
}
