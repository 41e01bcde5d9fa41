//! A program that cannot even be started, because its file hangs as one in a network may: the guard goes on.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
    heartbeat::Leash,
    supervise::{Guarded, Order},
};

use nix::{sys::signal::Signal, unistd::Pid};

use crate::house::{House, above, eventually, over, processes, signal};

/// Keeps everybody waiting who opens a file, until it is told to let go: the lease of a file server, which the kernel
/// takes back after 45 seconds only.
const LEASE: &str = "
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()
";

/// A program that writes into `$D/ledger`, and whose file hangs.
struct Hanging {
    lease: Child,
    until_dropped: Option<ChildStdin>,
}

impl Hanging {
    /// The program, and an order for it that is to be stopped 2.9 seconds from now, 1.1 before its deadline.
    fn new(house: &House) -> (Self, Order) {
        let program = house.path("program");
        fs::write(&program, "#!/bin/sh\necho started >> $D/ledger\n").expect("there is room");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let mut lease = Command::new("python3")
            .args(["-c", LEASE])
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a python3");
        let mut said = String::new();
        let stdout = lease.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut said)
            .expect("it says something");
        assert_eq!(said, "held\n");
        let mut order = house.order("");
        order.argv = vec![program.to_str().expect("it is text").to_owned()];
        // By this they are known who have not become the program yet.
        order.cwd = house.path("");
        order.grace = Duration::from_secs(1);
        order.deadline = Boottime::now() + Duration::from_secs(4);
        let hanging = Self {
            until_dropped: lease.stdin.take(),
            lease,
        };
        (hanging, order)
    }

    /// Ends the lease: whoever still waits for the file has it now.
    fn let_go(&mut self) {
        self.until_dropped.take();
        self.lease.wait().expect("it is ours");
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Starts it without waiting until it is the program.
async fn start(house: &House, order: &Order) -> Guarded {
    let started = house.supervisor.start(order).await;
    started.expect("the supervisor starts")
}

/// Waits until the program's file is waited for.
async fn hangs(house: &House) {
    eventually("somebody waits for it", || {
        (!waiting(house).is_empty()).then_some(())
    })
    .await;
}

/// Who is in the house's directory.
fn waiting(house: &House) -> Vec<Pid> {
    let is_there = |pid: &Pid| {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
        cwd.is_ok_and(|cwd| cwd == house.directory.path())
    };
    processes().into_iter().filter(is_there).collect()
}

#[tokio::test]
async fn a_program_whose_file_hangs_is_given_up_by_its_deadline_and_never_starts() {
    for house in [House::new(), House::without_cgroups()] {
        let (mut hanging, order) = Hanging::new(&house);
        let ended = over(start(&house, &order).await).await;
        assert!(Boottime::now() < order.deadline);
        assert_eq!(ended.how, How::Signaled(15));
        assert_eq!(ended.stopped, Some(Stopped::Deadline));
        assert!(waiting(&house).is_empty());
        hanging.let_go();
        assert!(!house.path("ledger").exists());
        house.leave().await;
    }
}

#[tokio::test]
async fn a_program_whose_file_hangs_is_given_up_at_its_first_deadline_however_often_that_is_extended()
 {
    let house = House::new();
    let (mut hanging, order) = Hanging::new(&house);
    let run = start(&house, &order).await;
    run.reins().extend(order.deadline + Duration::from_mins(1));
    let ended = over(run).await;
    assert!(
        matches!(&ended.how, How::NotStarted(why) if why.contains("hangs")),
        "{ended:?}"
    );
    assert_eq!(ended.stopped, None);
    assert!(waiting(&house).is_empty());
    hanging.let_go();
    assert!(!house.path("ledger").exists());
    house.leave().await;
}

#[tokio::test]
async fn a_program_whose_file_hangs_dies_with_its_guard_and_supervisor_and_never_starts() {
    for house in [House::new(), House::without_cgroups()] {
        let (mut hanging, mut order) = Hanging::new(&house);
        order.deadline = Boottime::now() + Duration::from_mins(1);
        let run = start(&house, &order).await;
        hangs(&house).await;
        let (_, guard, supervisor) = above(&run);
        signal(supervisor, Signal::SIGKILL);
        signal(guard, Signal::SIGKILL);
        assert_eq!(over(run).await.how, How::GuardLost);
        assert!(waiting(&house).is_empty());
        hanging.let_go();
        assert!(!house.path("ledger").exists());
        house.leave().await;
    }
}

#[tokio::test]
async fn a_file_that_hangs_takes_no_longer_than_its_run_may() {
    let house = House::new();
    let (_hanging, mut order) = Hanging::new(&house);
    order.deadline = Boottime::now() + Duration::from_secs(20);
    order.timeout = Duration::from_millis(300);
    let ended = over(start(&house, &order).await).await;
    assert_eq!(ended.how, How::Signaled(15));
    assert_eq!(ended.stopped, Some(Stopped::Timeout));
    assert!(waiting(&house).is_empty());
    house.leave().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_its_file_hangs_is_over_and_never_starts() {
    let house = House::new();
    let (mut hanging, mut order) = Hanging::new(&house);
    order.deadline = Boottime::now() + Duration::from_mins(1);
    let run = start(&house, &order).await;
    hangs(&house).await;
    run.reins().cancel();
    assert_eq!(over(run).await.stopped, Some(Stopped::Cancelled));
    assert!(waiting(&house).is_empty());
    hanging.let_go();
    assert!(!house.path("ledger").exists());
    house.leave().await;
}

#[tokio::test]
async fn a_program_whose_file_answers_late_is_started_late() {
    let house = House::new();
    let (mut hanging, mut order) = Hanging::new(&house);
    order.deadline = Boottime::now() + Duration::from_mins(1);
    let run = start(&house, &order).await;
    hangs(&house).await;
    hanging.let_go();
    let ended = over(run).await;
    assert_eq!((ended.how, ended.stopped), (How::Exited(0), None));
    let ledger = fs::read_to_string(house.path("ledger")).expect("it has written");
    assert_eq!(ledger, "started\n");
    house.leave().await;
}
