//! Hosts that are killed or frozen: for that each is a process of its own.

use std::{
    env,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crontabber::{clock::Boottime, heartbeat::Leash, supervise::Supervisor};
use nix::{
    sys::signal::Signal::{SIGCONT, SIGKILL, SIGSTOP},
    unistd::Pid,
};

use crate::house::{House, LEDGER, PROGRAM, dead, eventually, last_entry, parent, signal};

/// Short, for a host whose lease is to end.
const LEASE: Duration = Duration::from_millis(1500);

/// Longer than any test waits, for a host that is to lose its runs before that.
const LONG_LEASE: Duration = Duration::from_mins(5);

const HEARTBEAT: Duration = Duration::from_millis(100);

/// The ledger, written from a session far away, below a parent that does not listen either.
fn far_away() -> String {
    let far = LEDGER.replace("trap", "echo $$ > $D/far; trap");
    format!("trap '' TERM HUP; (setsid sh -c '{far}' &); echo $$ > $D/up; sleep 60; sleep 60")
}

/// The other host itself: one run, whose deadline it extends until it is killed. Any other time, nothing.
#[tokio::test]
async fn this_program_plays_the_host_when_asked() {
    let Some(directory) = env::var_os("PLAY_THE_HOST_IN") else {
        return;
    };
    let house = House::new();
    let lease = env::var("LEASE").expect("it is given one");
    let lease = Duration::from_millis(lease.parse().expect("milliseconds"));
    let mut order = house.order(&env::var("SCRIPT").expect("it is given one"));
    order.env[1].1 = directory.into_string().expect("it was a String");
    order.grace = Duration::from_millis(300);
    order.deadline = Boottime::now() + lease;
    let supervisor = Supervisor::with_program(PROGRAM);
    let run = supervisor
        .start(&order)
        .await
        .expect("the supervisor starts");
    loop {
        run.reins().extend(Boottime::now() + lease);
        tokio::time::sleep(HEARTBEAT).await;
    }
}

/// Another host, with a run that has been going on for longer than a short lease.
struct OtherHost {
    process: Child,
    program: Pid,
    far: Pid,
    guard: Pid,
    supervisor: Pid,
}

impl OtherHost {
    async fn start(house: &House, lease: Duration) -> Self {
        let process = Command::new(env::current_exe().expect("it is running"))
            .args([
                "--exact",
                "other_host::this_program_plays_the_host_when_asked",
            ])
            .env("PLAY_THE_HOST_IN", house.directory.path())
            .env("SCRIPT", far_away())
            .env("LEASE", lease.as_millis().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let start = Boottime::now().since_boot();
        let (program, far) = (house.pid("up").await, house.pid("far").await);
        eventually("a second lease", || {
            (last_entry(house).0 > start + LEASE).then_some(())
        })
        .await;
        let guard = parent(program);
        Self {
            process,
            program,
            far,
            guard,
            supervisor: parent(guard),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"))
    }

    async fn everything_is_dead(&self) {
        eventually("the end of everything", || {
            let all = [self.program, self.far, self.guard, self.supervisor];
            all.into_iter().all(dead).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_killed_host_takes_its_runs_with_it_long_before_their_deadline() {
    let house = House::new();
    let mut host = OtherHost::start(&house, LONG_LEASE).await;
    signal(host.pid(), SIGKILL);
    host.process.wait().expect("it is ours");
    host.everything_is_dead().await;
    house.leave().await;
}

#[tokio::test]
async fn the_runs_of_a_frozen_host_are_dead_before_their_deadline() {
    frozen(|host| vec![host.pid()]).await;
}

#[tokio::test]
async fn even_if_its_supervisor_is_frozen_too() {
    frozen(|host| vec![host.pid(), host.supervisor]).await;
}

async fn frozen(whom: fn(&OtherHost) -> Vec<Pid>) {
    let house = House::new();
    let mut host = OtherHost::start(&house, LEASE).await;
    for pid in whom(&host) {
        signal(pid, SIGSTOP);
    }
    // Every extension was given before this moment.
    let deadline = Boottime::now() + LEASE;
    eventually("the death of the tree", || {
        (dead(host.program) && dead(host.far)).then_some(())
    })
    .await;
    let (last, entries) = last_entry(&house);
    assert!(last < deadline.since_boot(), "{last:?} {deadline:?}");
    assert!(entries > 10);
    // It wakes up, and finds nothing to extend.
    for pid in whom(&host) {
        signal(pid, SIGCONT);
    }
    signal(host.pid(), SIGKILL);
    host.process.wait().expect("it is ours");
    host.everything_is_dead().await;
    house.leave().await;
}
