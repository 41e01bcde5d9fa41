//! What nobody is left to guard is killed by the next pass of its host.

mod common;

use std::{fs, time::Duration};

use common::{Crontabber, Postgres, children, left_over, until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_run_whose_host_supervisor_and_guard_were_all_killed_dies_with_the_next_pass_of_its_host()
{
    let database = Postgres::database().await;
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("crontabber.toml");
    let marker = format!("sweep-{}", database.name());
    let toml = format!(
        "[database]\nurl = \"{}\"\n[jobs.long]\nevery = \"1h\"\nstart = \"now\"\n\
         command = [\"sh\", \"-c\", \"setsid sleep 600 & sleep 600\"]\nenv = {{ MARK = \"{marker}\" }}\n",
        database.url()
    );
    fs::write(&config, toml).expect("the configuration");
    let tick = || {
        let arguments = [
            "--config",
            config.to_str().expect("a path"),
            "--host",
            "alpha",
            "tick",
            "-v",
        ];
        Crontabber::new(arguments)
    };
    let running = tick().spawn();
    until(LIMIT, "the run and its grandchild are there", async || {
        left_over(&marker).len() == 3
    })
    .await;
    let supervisor = children(running.pid())[0];
    let guard = children(supervisor)[0];
    let all = [running.pid(), supervisor, guard].map(Pid::from_raw);
    // Frozen first, so that none of them has the time to act on the death of another.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in all {
            kill(pid, signal).expect("it is there");
        }
    }
    running.finished().await;
    assert_eq!(left_over(&marker).len(), 3, "nobody was left to kill them");
    let next = tick().run().await;
    assert_eq!(
        next.code,
        Some(3),
        "the claim stands until its lease ends: {}",
        next.stderr
    );
    assert!(
        next.stderr.contains("nobody left to guard them"),
        "{}",
        next.stderr
    );
    assert_eq!(left_over(&marker), Vec::<i32>::new());
}

#[tokio::test]
async fn a_run_that_is_guarded_is_left_alone_by_other_passes_of_its_host() {
    let database = Postgres::database().await;
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("crontabber.toml");
    let gate = directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let marker = format!("guarded-{}", database.name());
    let toml = format!(
        "[database]\nurl = \"{}\"\n[jobs.long]\nevery = \"1h\"\nstart = \"now\"\n\
         command = [\"sh\", \"-c\", \"read line < {}\"]\nenv = {{ MARK = \"{marker}\" }}\n",
        database.url(),
        gate.display()
    );
    fs::write(&config, toml).expect("the configuration");
    let tick = || {
        let arguments = [
            "--config",
            config.to_str().expect("a path"),
            "--host",
            "alpha",
            "tick",
        ];
        Crontabber::new(arguments)
    };
    let running = tick().spawn();
    until(LIMIT, "the run is there", async || {
        !left_over(&marker).is_empty()
    })
    .await;
    assert_eq!(tick().run().await.code, Some(3));
    fs::write(&gate, "go\n").expect("the gate");
    assert_eq!(running.finished().await.code, Some(0));
}
