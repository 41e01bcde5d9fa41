//! Runs under supervisor and guard, beside a bare loop that makes the same number of processes.

use std::{
    fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use crontabber::{
    clock::Boottime,
    ended::How,
    heartbeat::Leash,
    rights::Terms,
    supervise::{Guarded, Order, Supervisor},
};
use futures_util::{StreamExt, future::join_all, stream};
use nix::{
    sys::wait::wait,
    unistd::{ForkResult, fork},
};

use uuid::Uuid;

use super::{
    CRONTABBER, Effort,
    figure::{Bar, Figure, Spread, beside, rate},
};

/// How many runs in a round.
const RUNS: usize = 200;
/// How many guards are weighed.
const WEIGHED: usize = 200;

pub(crate) async fn figures(effort: Effort) -> Vec<Figure> {
    let supervisor = Supervisor::with_program(CRONTABBER);
    // The first order starts the supervisor.
    spawn_and_wait(&supervisor).await;
    let (one, one_here) = side_by_side(&supervisor, 1, effort).await;
    let (eight, eight_here) = side_by_side(&supervisor, 8, effort).await;
    vec![
        Figure {
            what: "/bin/true under a guard, one by one: rate / bare loop of as many processes",
            bar: Bar::AtLeast(0.8),
            measured: one,
            here: one_here,
        },
        Figure {
            what: "/bin/true under a guard, 8 at a time: rate / bare loop of as many processes",
            bar: Bar::AtLeast(0.8),
            measured: eight,
            here: eight_here,
        },
        Figure {
            what: "one of 200 live guards: PSS, KiB",
            bar: Bar::AtMost(128.0),
            measured: weight(&supervisor).await,
            here: String::new(),
        },
    ]
}

async fn side_by_side(supervisor: &Supervisor, width: usize, effort: Effort) -> (Spread, String) {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds(50).max(3) {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                ours.push(guarded_rate(supervisor, width).await);
            } else {
                bare.push(bare_rate(RUNS, width));
            }
        }
    }
    (Spread::of_ratios(&ours, &bare), beside(&ours, &bare, rate))
}

async fn guarded_rate(supervisor: &Supervisor, width: usize) -> f64 {
    let since = Instant::now();
    stream::iter(0..RUNS)
        .for_each_concurrent(width, |_| spawn_and_wait(supervisor))
        .await;
    rate_since(since, RUNS)
}

fn rate_since(since: Instant, count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("some hundreds")) / since.elapsed().as_secs_f64()
}

async fn spawn_and_wait(supervisor: &Supervisor) {
    let run = supervisor.start(&order(&["/bin/true"])).await;
    let ended = run.expect("there is a supervisor").ended().await;
    assert_eq!(ended.how, How::Exited(0));
}

fn order(argv: &[&str]) -> Order {
    Order {
        run_id: Uuid::new_v4(),
        terms: Terms::default(),
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: Vec::new(),
        cwd: "/".into(),
        stdin: Vec::new(),
        timeout: Duration::from_mins(1),
        grace: Duration::from_secs(1),
        deadline: Boottime::now() + Duration::from_mins(1),
        stream: false,
    }
}

/// The bare loop, in a process of its own: to fork this one would copy more.
pub(crate) fn bare_rate(count: usize, width: usize) -> f64 {
    let program = std::env::current_exe().expect("this program has a file");
    let output = Command::new(program)
        .args(["bare", &count.to_string(), &width.to_string()])
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("the bare loop says {output:?}"))
}

/// Forks processes that start and await `/bin/true`, so many at a time, and prints how many in a second.
pub(crate) fn bare(count: usize, width: usize) -> ExitCode {
    let since = Instant::now();
    let mut alive = 0;
    for _ in 0..count {
        if alive == width {
            wait().expect("there are children");
            alive -= 1;
        }
        in_a_child(|| {
            Command::new("/bin/true")
                .status()
                .is_ok_and(|status| status.success())
        });
        alive += 1;
    }
    while wait().is_ok() {}
    println!("{}", rate_since(since, count));
    ExitCode::SUCCESS
}

#[expect(unsafe_code, reason = "fork; this process has one thread")]
fn in_a_child(work: impl FnOnce() -> bool) {
    // SAFETY: no other thread of this process can hold a lock.
    match unsafe { fork() }.expect("there is room for a process") {
        ForkResult::Parent { .. } => {}
        ForkResult::Child => std::process::exit(i32::from(!work())),
    }
}

/// What a guard adds to the memory in use, while its program runs.
async fn weight(supervisor: &Supervisor) -> Spread {
    let order = order(&["/bin/sleep", "600"]);
    let runs = join_all((0..WEIGHED).map(|_| supervisor.start(&order))).await;
    let runs: Vec<_> = runs
        .into_iter()
        .map(|run| run.expect("there is a supervisor"))
        .collect();
    let guards = guards();
    assert_eq!(guards.len(), WEIGHED, "guards");
    let weights = Spread::of(guards.iter().map(|&guard| pss(guard)).collect());
    for run in &runs {
        run.reins().cancel();
    }
    join_all(runs.into_iter().map(Guarded::ended)).await;
    weights
}

fn guards() -> Vec<u32> {
    let children = |pid: u32| {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let pids: Vec<u32> = list
            .unwrap_or_default()
            .split_whitespace()
            .map(|pid| pid.parse().expect("a list of numbers"))
            .collect();
        pids
    };
    let called = |name: &str, pid: u32| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    };
    let supervisors = children(std::process::id()).into_iter();
    let supervisors = supervisors.filter(|&pid| called("ct-supervisor", pid));
    supervisors
        .flat_map(children)
        .filter(|&pid| called("ct-guard", pid))
        .collect()
}

/// The proportional set size of a process, in KiB.
fn pss(pid: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let rollup = rollup.expect("a live process of our own");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("every process has one")
}
