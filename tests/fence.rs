//! The examples of jobs whose effects happen once: a job of a frozen host cannot commit after another has taken over.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use common::{Database, Postgres, Site, children, until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const SOON: Duration = Duration::from_mins(1);

/// What calls the fence in the examples.
const FENCE: &str = "crontabber_assert_fence";

/// Where `psql` is: the server's own, because on some machines the first on the path is a wrapper.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut servers: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    servers.sort();
    let servers = servers
        .iter()
        .map(|directory| directory.display().to_string());
    servers.chain([path]).collect::<Vec<_>>().join(":")
}

/// A Python with psycopg.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let import = Command::new(python).args(["-c", "import psycopg"]).output();
        import.is_ok_and(|output| output.status.success())
    })
}

/// One job that is an example, and what is left when its first host was frozen at work.
struct Trial {
    database: Database,
    site: Site,
}

impl Trial {
    /// The first attempt waits for `go` in its directory before it begins its transaction, and leaves its exit code.
    async fn new(program: &str) -> Self {
        let database = Postgres::database().await;
        let tables = fs::read_to_string("examples/fence/tables.sql").expect("it is there");
        database.execute(&tables).await;
        let url = database.url().to_owned();
        let site = Site::with(&database, |site| {
            let (here, path) = (site.file("").display().to_string(), path());
            let first = format!(
                "echo waiting > {here}/waiting; while [ ! -e {here}/go ]; do sleep 0.05; done; {program}; echo $? > {here}/exit.new; mv {here}/exit.new {here}/exit"
            );
            format!(
                "[daemon]\nlease = \"3s\"\n[jobs.report]\nevery = \"1h\"\nstart = \"now\"\nlease = \"3s\"\nenv = {{ DATABASE_URL = \"{url}\", PATH = \"{path}\" }}\n\
                 shell = '''\nif [ $CRONTABBER_ATTEMPT = 1 ]; then {first}; else {program}; fi\n'''\n"
            )
        });
        Self { database, site }
    }

    /// Freezes the first host and all that is its, lets another take over, and then lets the job go on, alone.
    /// Returns the exit code of the thawed program and the attempt whose report stands.
    async fn thawed(&self) -> (i32, i32) {
        let alpha = self.site.on("alpha", &["tick"]).spawn();
        let waiting = self.site.file("waiting");
        until(SOON, "the job has begun", async || waiting.exists()).await;
        let frozen = freeze(alpha.pid());
        until(SOON, "beta has taken over", async || {
            self.site.on("beta", &["tick"]).run().await;
            let taken =
                "SELECT count(*) FROM crontabber_log WHERE attempt = 2 AND outcome = 'success'";
            self.database.query_one::<i64>(taken).await == 1
        })
        .await;
        fs::write(self.site.file("go"), "").expect("the directory is writable");
        // Only what the guard has started: host, supervisor and guard stay as they are.
        let job = job_of(alpha.pid());
        for &pid in frozen.iter().filter(|pid| job.contains(pid)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
        let exit = self.site.file("exit");
        until(SOON, "the thawed job has ended", async || exit.exists()).await;
        for &pid in &frozen {
            // The job is over by now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
        alpha.finished().await;
        let code = fs::read_to_string(&exit).expect("it is there");
        let attempt = self.database.query_one("SELECT attempt FROM report").await;
        (code.trim().parse().expect("a number"), attempt)
    }
}

/// Freezes a process and all that it has started, and those who were started meanwhile.
fn freeze(root: i32) -> Vec<i32> {
    let mut frozen: Vec<i32> = Vec::new();
    loop {
        let new: Vec<i32> = tree(root)
            .into_iter()
            .filter(|pid| !frozen.contains(pid))
            .collect();
        if new.is_empty() {
            return frozen;
        }
        for &pid in &new {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
        }
        frozen.extend(new);
    }
}

/// A process and all that it has started.
fn tree(root: i32) -> Vec<i32> {
    let mut all = vec![root];
    let mut next = 0;
    while next < all.len() {
        all.extend(children(all[next]));
        next += 1;
    }
    all
}

/// What stands below the guard: host, supervisor, guard, job.
fn job_of(host: i32) -> Vec<i32> {
    let below = |pids: Vec<i32>| pids.into_iter().flat_map(children).collect::<Vec<_>>();
    let guards = below(children(host));
    below(guards).into_iter().flat_map(tree).collect()
}

/// The example with the call of the fence, and without it.
async fn with_and_without(program: &str, without: &str) {
    let trial = Trial::new(program).await;
    let (code, attempt) = trial.thawed().await;
    assert_ne!(code, 0, "{program}: the fence refuses a stale attempt");
    assert_eq!(attempt, 2, "{program}");

    let trial = Trial::new(without).await;
    assert_eq!(
        trial.thawed().await,
        (0, 1),
        "{without}: nothing keeps it from overwriting"
    );
}

/// A copy of a script without the line that calls the fence.
fn unfenced(script: &str, from: &str, until: &str) -> PathBuf {
    let text = fs::read_to_string(script).expect("it is there");
    let at = text.find(from).expect("the example calls the fence");
    let end = at + text[at..].find(until).expect("the call ends") + until.len();
    assert!(text[at..end].contains(FENCE), "{}", &text[at..end]);
    let name = Path::new(script).file_name().expect("a file");
    let copy = tempfile::tempdir()
        .expect("/tmp takes directories")
        .keep()
        .join(name);
    fs::write(&copy, format!("{}{}", &text[..at], &text[end..])).expect("it is ours");
    copy
}

#[tokio::test]
async fn a_thawed_shell_job_cannot_commit_after_the_takeover() {
    let script = fs::canonicalize("examples/fence/report.sh").expect("it is there");
    let without = unfenced(
        "examples/fence/report.sh",
        "SELECT crontabber",
        "/dev/null\n",
    );
    let without = format!("sh {}", without.display());
    with_and_without(&script.display().to_string(), &without).await;
}

#[tokio::test]
async fn a_thawed_python_job_cannot_commit_after_the_takeover() {
    let Some(python) = python() else {
        panic!("no python3 with psycopg here: scripts/need psycopg installs it");
    };
    let script = fs::canonicalize("examples/fence/report.py").expect("it is there");
    let from = "    connection.execute(\n        \"SELECT crontabber";
    let without = unfenced("examples/fence/report.py", from, "    )\n");
    let with = format!("{python} {}", script.display());
    let without = format!("{python} {}", without.display());
    with_and_without(&with, &without).await;
}

#[tokio::test]
async fn a_thawed_rust_job_cannot_commit_after_the_takeover() {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "report"])
        .status();
    assert!(
        build.is_ok_and(|status| status.success()),
        "the example is built"
    );
    let program = Path::new(env!("CARGO_BIN_EXE_crontabber")).with_file_name("examples/report");
    let trial = Trial::new(&program.display().to_string()).await;
    let (code, attempt) = trial.thawed().await;
    assert_ne!(code, 0, "the fence refuses a stale attempt");
    assert_eq!(attempt, 2);
}
