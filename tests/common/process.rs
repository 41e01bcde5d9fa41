//! Running the program itself, and looking at processes.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{Read, Seek},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long a run may take unless the test says otherwise.
const LIMIT: Duration = Duration::from_mins(1);

/// A command line of the program, with an environment that holds only what is given here.
#[derive(Debug, Clone)]
pub struct Crontabber {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    limit: Duration,
}

/// The program, running. It is killed with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    limit: Duration,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None`: it died of a signal.
    pub code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Crontabber {
    /// `crontabber` with these arguments.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self {
            program: env!("CARGO_BIN_EXE_crontabber").into(),
            arguments: arguments
                .into_iter()
                .map(|argument| argument.as_ref().into())
                .collect(),
            environment: BTreeMap::from([("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())]),
            directory: "/".into(),
            limit: LIMIT,
        }
    }

    /// Another program in its place.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// With this variable. Only `PATH` is set without being named.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .insert(name.as_ref().into(), value.as_ref().into());
        self
    }

    /// Started in this directory instead of `/`.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Killed, and the test failed, after this long instead of a minute.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same behind a gate: a shell that prints `ready`, reads one line from this pipe, and becomes the program.
    #[must_use]
    pub fn behind(self, gate: &Path) -> Self {
        let gate = gate.to_str().expect("the paths of tests are text");
        self.behind_shell(&format!("echo ready; read -r _ < '{gate}'; exec \"$@\""))
    }

    /// The same at the end of a shell's text, which has the command as `"$@"`.
    #[must_use]
    pub fn behind_shell(self, text: &str) -> Self {
        let mut arguments: Vec<OsString> =
            vec!["-c".into(), text.into(), "sh".into(), self.program.into()];
        arguments.extend(self.arguments);
        Self {
            program: "/bin/sh".into(),
            arguments,
            ..self
        }
    }

    /// Runs it to its end.
    pub async fn run(self) -> Finished {
        self.spawn().finished().await
    }

    /// Starts it.
    pub fn spawn(self) -> Running {
        // Files, not pipes: a grandchild that keeps them open delays nobody, and they can be read
        // while the program runs.
        let file = || tempfile::tempfile().expect("/tmp takes files");
        let share = |file: &File| Stdio::from(file.try_clone().expect("descriptors are to be had"));
        let (stdout, stderr) = (file(), file());
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(share(&stdout))
            .stderr(share(&stderr))
            .spawn();
        Running {
            child: child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display())),
            stdout,
            stderr,
            limit: self.limit,
        }
    }
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("it is our child, not yet reaped");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Whether it is stopped, as by SIGSTOP.
    pub fn is_stopped(&self) -> bool {
        state(self.pid()) == Some('T')
    }

    /// Whether one of these signals was sent and not yet taken.
    pub fn has_pending(&self, signals: &[Signal]) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let pending = status.lines().filter_map(|line| {
            line.strip_prefix("SigPnd:")
                .or(line.strip_prefix("ShdPnd:"))
        });
        let pending = pending.map(|mask| u64::from_str_radix(mask.trim(), 16).expect("a mask"));
        let wanted = signals
            .iter()
            .fold(0, |mask, &signal| mask | 1 << (signal as u64 - 1));
        pending.fold(0, |all, mask| all | mask) & wanted != 0
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        whole(&self.stdout)
    }

    /// What it has logged so far.
    pub fn stderr(&self) -> String {
        whole(&self.stderr)
    }

    /// Waits for its end.
    pub async fn finished(mut self) -> Finished {
        let status = self.exit().await;
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    async fn exit(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(
                since.elapsed() < self.limit,
                "it still runs after {:?}; its log:\n{}",
                self.limit,
                self.stderr()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pids of the processes in whose environment `marker` stands: what a run has left behind, when
/// the test gave it a variable of its own. Our own process is not looked at.
pub fn left_over(marker: &str) -> Vec<i32> {
    let marked = |pid: &i32| {
        environment(*pid)
            .windows(marker.len())
            .any(|part| part == marker.as_bytes())
    };
    let own = std::process::id().cast_signed();
    processes()
        .filter(|&pid| pid != own)
        .filter(marked)
        .collect()
}

/// The environment a process was started with; empty for one that is gone, or another user's.
fn environment(pid: i32) -> Vec<u8> {
    for _ in 0..20 {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        // Empty for a moment while a process is in `exec`, and always for the kernel's threads, which
        // have no program.
        if !environment.is_empty() || fs::read_link(format!("/proc/{pid}/exe")).is_err() {
            return environment;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Vec::new()
}

/// What a process is doing, in the letters of `ps`; `None`: it is gone.
fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `PID (NAME) STATE PARENT`; the name may hold anything.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The pids of the children of a process.
pub fn children(parent: i32) -> Vec<i32> {
    let child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `PID (NAME) STATE PARENT`; the name may hold anything.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1) == Some(&parent.to_string())
    };
    processes().filter(child).collect()
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// All of a file that another process is writing through the same descriptor's offset: read by its
/// own name under `/proc`, so that the offset stays where it is.
fn whole(file: &File) -> String {
    use std::os::fd::AsRawFd;
    let mut text = Vec::new();
    let mut copy = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("it is open");
    copy.rewind().expect("it is a plain file");
    copy.read_to_end(&mut text).expect("it is readable");
    String::from_utf8_lossy(&text).into_owned()
}
