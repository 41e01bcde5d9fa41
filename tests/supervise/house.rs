//! What the tests share: a house in which scripts run, and questions to `/proc`.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use crontabber::{
    clock::Boottime,
    ended::Ended,
    rights::Terms,
    supervise::{Guarded, Order, Supervisor},
};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use tempfile::TempDir;
use uuid::Uuid;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_crontabber");

/// A supervisor, and a directory `$D` for the scripts that run under it.
pub(crate) struct House {
    pub(crate) supervisor: Supervisor,
    pub(crate) directory: TempDir,
    marker: String,
    gate: File,
}

impl House {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("there is room in /tmp");
        let gate = directory.path().join("gate");
        mkfifo(&gate, Mode::S_IRWXU).expect("the directory is ours");
        Self {
            supervisor: Supervisor::with_program(PROGRAM),
            marker: format!("CRONTABBER_TEST={}", directory.path().display()),
            // For reading too, so that neither side waits for the other to open it.
            gate: OpenOptions::new()
                .read(true)
                .write(true)
                .open(gate)
                .expect("it was just made"),
            directory,
        }
    }

    /// The same on a host that has no cgroup to divide.
    pub(crate) fn without_cgroups() -> Self {
        let mut house = Self::new();
        house.supervisor = Supervisor::with_program(PROGRAM).without_cgroups();
        house
    }

    /// An order for a shell script, with a minute for everything and two seconds of grace.
    pub(crate) fn order(&self, script: &str) -> Order {
        let (name, value) = self.marker.split_once('=').expect("it has one");
        Order {
            run_id: Uuid::new_v4(),
            terms: Terms::default(),
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("D".to_owned(), self.directory.path().display().to_string()),
                (name.to_owned(), value.to_owned()),
            ],
            cwd: "/".into(),
            stdin: Vec::new(),
            timeout: Duration::from_mins(1),
            grace: Duration::from_secs(2),
            deadline: Boottime::now() + Duration::from_mins(1),
            stream: false,
        }
    }

    /// Starts an order, and waits until its process is the program, or gone.
    pub(crate) async fn start(&self, order: &Order) -> Guarded {
        let run = self.supervisor.start(order).await;
        let run = run.expect("the supervisor starts");
        if let Some(pid) = run.pid() {
            let guard = fs::canonicalize(PROGRAM).expect("it is built");
            eventually("the program", || {
                let file = fs::read_link(format!("/proc/{pid}/exe"));
                file.map_or(true, |file| file != guard).then_some(())
            })
            .await;
        }
        run
    }

    /// Runs a script to its end.
    pub(crate) async fn run(&self, script: &str) -> Ended {
        self.finish(&self.order(script)).await
    }

    /// Runs an order to its end.
    pub(crate) async fn finish(&self, order: &Order) -> Ended {
        over(self.start(order).await).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The number that a script has written, with a newline, into this file.
    pub(crate) async fn pid(&self, name: &str) -> Pid {
        let file = self.path(name);
        let number = eventually("a pid", || {
            let text = fs::read_to_string(&file).ok()?;
            text.strip_suffix('\n')?.trim().parse().ok()
        });
        Pid::from_raw(number.await)
    }

    /// Lets this many scripts pass that `read x < $D/gate`.
    pub(crate) fn open_gate(&self, scripts: usize) {
        let mut gate = &self.gate;
        gate.write_all("\n".repeat(scripts).as_bytes())
            .expect("a pipe takes 64 KiB");
    }

    /// Ends the test: the supervisor ends, and neither a process of a run nor one of ours is left.
    pub(crate) async fn leave(self) {
        assert!(self.supervisor.close(PATIENCE).await, "the supervisor ends");
        assert_eq!(
            self.left(),
            Vec::<Pid>::new(),
            "something has outlived its run"
        );
    }

    /// The processes whose environment bears this house's mark.
    pub(crate) fn left(&self) -> Vec<Pid> {
        let marked = |pid: &Pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ
                    .split(|&byte| byte == 0)
                    .any(|pair| pair == self.marker.as_bytes())
            })
        };
        processes().into_iter().filter(marked).collect()
    }
}

/// Waits for a run's end, but not for ever.
pub(crate) async fn over(run: Guarded) -> Ended {
    tokio::time::timeout(PATIENCE, run.ended())
        .await
        .expect("the run ends")
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every process there is.
pub(crate) fn processes() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("there is a /proc");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .collect()
}

/// The fields of `/proc/PID/stat` after the name: state, parent, process group, session, ...
fn stat(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().map(str::to_owned).collect())
}

/// Whether nothing is left of a process, not even a status that nobody has asked for.
pub(crate) fn gone(pid: Pid) -> bool {
    stat(pid).is_none()
}

/// Whether a process does nothing any more, though its status may be waiting for somebody.
pub(crate) fn dead(pid: Pid) -> bool {
    stat(pid).is_none_or(|fields| fields[0] == "Z" || fields[0] == "X")
}

pub(crate) fn parent(pid: Pid) -> Pid {
    let fields = stat(pid).expect("it is alive");
    Pid::from_raw(fields[1].parse().expect("a pid"))
}

/// Everything whose session this is, zombies too.
pub(crate) fn session(leader: Pid) -> Vec<Pid> {
    let leader = leader.to_string();
    let member = |pid: &Pid| stat(*pid).is_some_and(|fields| fields[3] == leader);
    processes().into_iter().filter(member).collect()
}

/// A run's program, its guard and its supervisor.
pub(crate) fn above(run: &Guarded) -> (Pid, Pid, Pid) {
    let pid = run.pid().expect("it was started");
    let program = Pid::from_raw(i32::try_from(pid).expect("a pid"));
    (program, parent(program), parent(parent(program)))
}

pub(crate) fn signal(pid: Pid, signal: Signal) {
    kill(pid, signal).expect("it is alive");
}

/// A value in KiB of a file like `/proc/PID/status`.
pub(crate) fn kibibytes(pid: Pid, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it is alive");
    let line = text
        .lines()
        .find(|line| line.starts_with(key))
        .expect("the kernel says it");
    let number = line
        .split_ascii_whitespace()
        .nth(1)
        .expect("it has a value");
    number.parse().expect("it is a number")
}

/// A script that writes seconds since the boot into `$D/ledger` for ever, and cannot be asked to stop.
pub(crate) const LEDGER: &str = r#"
    trap "" TERM HUP
    while :; do read up rest < /proc/uptime; echo "$up" >> "$D/ledger"; sleep 0.02; done"#;

/// The last line of the ledger, and how often it was written.
pub(crate) fn last_entry(house: &House) -> (Duration, usize) {
    let ledger = fs::read_to_string(house.path("ledger")).unwrap_or_default();
    // The last may have been cut off in the middle.
    let entries: Vec<&str> = ledger
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .collect();
    let last = entries.last().map_or(Duration::ZERO, |line| {
        Duration::from_secs_f64(line.trim().parse().expect("seconds since the boot"))
    });
    (last, entries.len())
}
