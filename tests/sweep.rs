//! What nobody is left to guard is killed by the next pass of its host.

mod common;

use std::{fs, time::Duration};

use common::{Database, Postgres, Site, children, left_over, until};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

const LIMIT: Duration = Duration::from_secs(20);

/// A job that runs this in the background and then waits at a gate, and the mark its processes bear.
fn site(database: &Database, background: &str) -> (Site, String) {
    let mark = format!("sweep-{}", database.name());
    let site = Site::with(database, |site| {
        let gate = site.file("gate");
        mkfifo(&gate, Mode::S_IRWXU).expect("the directory is writable");
        let keys = format!("every = \"1h\"\nstart = \"now\"\nenv = {{ MARK = \"{mark}\" }}");
        site.job(
            "long",
            &keys,
            &format!("{background}\nread line < {}", gate.display()),
        )
    });
    (site, mark)
}

#[tokio::test]
async fn a_run_whose_host_supervisor_and_guard_were_all_killed_dies_with_the_next_pass_of_its_host()
{
    let database = Postgres::database().await;
    let (site, mark) = site(&database, "setsid sleep 600 &");
    let running = site.on("alpha", &["tick"]).spawn();
    let both = async || left_over(&mark).len() == 2;
    until(LIMIT, "the run and its grandchild are there", both).await;
    let supervisor = children(running.pid())[0];
    let guard = children(supervisor)[0];
    // Frozen first, so that none of them has the time to act on the death of another; and from below, because the kernel
    // wakes those whose parent has died above them.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in [guard, supervisor, running.pid()] {
            kill(Pid::from_raw(pid), signal).expect("it is there");
        }
    }
    running.finished().await;
    assert_eq!(left_over(&mark).len(), 2, "nobody was left to kill them");
    let left = left_over(&mark);
    let next = site.on("alpha", &["tick"]).spawn();
    until(LIMIT, "they are told to be dead", async || {
        next.stderr().contains("nobody left to guard them")
    })
    .await;
    let is_there = |pid: &i32| left_over(&mark).contains(pid);
    assert!(!left.iter().any(is_there), "{left:?}");
    // What is over is run again at once, by whoever has seen its end.
    fs::write(site.file("gate"), "go\n").expect("the gate");
    assert_eq!(next.finished().await.code, Some(0));
    assert_eq!(left_over(&mark), Vec::<i32>::new());
}

#[tokio::test]
async fn a_run_that_is_guarded_is_left_alone_by_other_passes_of_its_host() {
    let database = Postgres::database().await;
    let (site, mark) = site(&database, "");
    let running = site.on("alpha", &["tick"]).spawn();
    until(LIMIT, "the run is there", async || {
        !left_over(&mark).is_empty()
    })
    .await;
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(3));
    fs::write(site.file("gate"), "go\n").expect("the gate");
    assert_eq!(running.finished().await.code, Some(0));
}
