//! A pass with nothing due: what it costs beside `psql -c 'select 1'`, what it asks and what it writes.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};
use tokio::time::timeout;
use tokio_postgres::Client;

use super::{
    CRONTABBER, Effort,
    figure::{Bar, Figure, Spread, beside, time},
    proxy::Proxy,
    server::{Server, connect},
};

/// The first rounds read files that nobody has read before.
const WARMING: usize = 3;

/// A configuration with so many jobs, none of them due, all of them known to the table.
struct Idle {
    file: PathBuf,
    url: String,
    jobs: usize,
}

impl Idle {
    async fn new(server: &Server, name: &str, jobs: usize) -> Self {
        let url = server.database(name).await;
        let file = server.directory().join(format!("{name}.toml"));
        let idle = Self { file, url, jobs };
        idle.configure(&idle.file, &idle.url);
        pass(&mut idle.tick());
        let client = connect(&idle.url).await;
        // As in a table that has been there for more than a minute.
        client
            .batch_execute("VACUUM ANALYZE")
            .await
            .expect("the tables are there");
        idle
    }

    fn configure(&self, file: &Path, url: &str) {
        let mut text = format!("[database]\nurl = \"{url}\"\n");
        for job in 0..self.jobs {
            write!(
                text,
                "\n[jobs.job-{job:04}]\ndescription = \"Number {job} of those that are not due\"\n\
                 every = \"1h\"\ncommand = [\"/bin/true\"]\ntimeout = \"10m\"\n"
            )
            .expect("a text takes everything");
        }
        fs::write(file, text).expect("the directory is ours");
    }

    fn tick(&self) -> Command {
        tick(&self.file)
    }
}

fn tick(configuration: &Path) -> Command {
    let mut command = Command::new(CRONTABBER);
    command.args(["tick", "--host", "bench", "--config"]);
    quiet(command.arg(configuration));
    command
}

/// As cron starts it: nothing on stdin, and hardly an environment.
fn quiet(command: &mut Command) {
    command
        .env_clear()
        .env("HOME", "/")
        .env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null());
}

/// Runs a command that must end well; the seconds it took.
fn pass(command: &mut Command) -> f64 {
    let since = Instant::now();
    let status = command.status();
    let took = since.elapsed().as_secs_f64();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
    took
}

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let ten = Idle::new(server, "ten", 10).await;
    let thousand = Idle::new(server, "thousand", 1000).await;
    let mut figures = times(server, &ten, &thousand, effort).await;
    figures.extend(questions(server, &ten).await);
    figures.push(Figure {
        what: "passes until a row that psql has just made due runs",
        bar: Bar::Exactly(1.0),
        measured: Spread::once(passes_until_seen(&ten).await),
        here: String::new(),
    });
    for (what, idle) in [
        ("tick, nothing due, 10 jobs: peak RSS, MiB", &ten),
        ("tick, nothing due, 1,000 jobs: peak RSS, MiB", &thousand),
    ] {
        figures.push(Figure {
            what,
            bar: Bar::AtMost(16.0),
            measured: Spread::once(peak_of(&idle.tick())),
            here: String::new(),
        });
    }
    figures
}

async fn times(server: &Server, ten: &Idle, thousand: &Idle, effort: Effort) -> Vec<Figure> {
    let psql = server.program("psql").await;
    let mut select = Command::new(psql);
    quiet(select.args(["-XAtc", "select 1", &ten.url]));
    let (ours, psql) = in_turns(&mut ten.tick(), &mut select, effort);
    let (many, few) = in_turns(&mut thousand.tick(), &mut ten.tick(), effort);
    vec![
        Figure {
            what: "tick, nothing due, 10 jobs: time / `psql -XAtc 'select 1'`",
            bar: Bar::AtMost(0.7),
            measured: Spread::of_ratios(&ours, &psql),
            here: beside(&ours, &psql, time),
        },
        Figure {
            what: "tick, nothing due: time with 1,000 jobs / with 10",
            bar: Bar::AtMost(4.0),
            measured: Spread::of_ratios(&many, &few),
            here: beside(&many, &few, time),
        },
    ]
}

/// The seconds that each of two commands takes, one after the other, each as often the first.
fn in_turns(one: &mut Command, other: &mut Command, effort: Effort) -> (Vec<f64>, Vec<f64>) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds(400) + WARMING {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                ones.push(pass(one));
            } else {
                others.push(pass(other));
            }
        }
    }
    (ones.split_off(WARMING), others.split_off(WARMING))
}

/// What a pass asks, counted on its way to the server, and what it writes, counted by the server.
async fn questions(server: &Server, ten: &Idle) -> Vec<Figure> {
    let proxy = Proxy::before(&ten.url);
    let file = server.directory().join("proxied.toml");
    // The same jobs, but another text: that is a change, which the first pass announces.
    ten.configure(&file, &proxy.url());
    let client = connect(&ten.url).await;
    pass_beside(tick(&file)).await;
    proxy.said();
    let before = transactions(&client).await;
    pass_beside(tick(&file)).await;
    let written = transactions(&client).await - before;
    let trips: usize = proxy.said().iter().map(Vec::len).sum();
    vec![
        Figure {
            what: "tick, nothing due: questions to the server after the connection is up",
            bar: Bar::Exactly(1.0),
            measured: Spread::once(count(trips)),
            here: String::new(),
        },
        Figure {
            what: "tick, nothing due: transactions that wrote anything",
            bar: Bar::Exactly(0.0),
            measured: Spread::once(written),
            here: String::new(),
        },
    ]
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a handful"))
}

/// How many transactions have written anything, ever: only those are numbered.
async fn transactions(client: &Client) -> f64 {
    let sql = "SELECT txid_snapshot_xmax(txid_current_snapshot())::float8";
    client
        .query_one(sql, &[])
        .await
        .expect("it only reads")
        .get(0)
}

/// Runs a pass while this thread serves the proxy it goes through.
async fn pass_beside(mut command: Command) {
    let pass = tokio::task::spawn_blocking(move || pass(&mut command));
    let ended = timeout(Duration::from_secs(20), pass).await;
    ended
        .expect("a pass that waits for nobody is over in time")
        .expect("the pass ends well");
}

/// How many passes it takes until a row that was changed from outside is acted upon.
async fn passes_until_seen(ten: &Idle) -> f64 {
    let client = connect(&ten.url).await;
    let due = "UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = 'job-0000'";
    client.execute(due, &[]).await.expect("the row is there");
    for passes in 1..=3 {
        pass(&mut ten.tick());
        let ran = "SELECT count(*) FROM crontabber_log WHERE outcome = 'success'";
        let ran: i64 = client
            .query_one(ran, &[])
            .await
            .expect("it is there")
            .get(0);
        if ran > 0 {
            return f64::from(passes);
        }
    }
    f64::INFINITY
}

/// The largest resident set of a command, in MiB.
pub(crate) fn peak_of(command: &Command) -> f64 {
    let mut again = Command::new(std::env::current_exe().expect("this program has a file"));
    again
        .arg("peak-memory")
        .arg(command.get_program())
        .args(command.get_args());
    let output = again.output().expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    // After what the command has said itself.
    let kibibytes = text.lines().next_back().and_then(|last| last.parse().ok());
    let kibibytes: f64 = kibibytes.unwrap_or_else(|| panic!("{again:?}: {output:?}"));
    kibibytes / 1024.0
}

/// Runs a command and prints the KiB it took. In a process of its own: what a child takes is counted from the
/// size of the process that starts it.
pub(crate) fn peak_memory(command: &[&str]) -> ExitCode {
    let [program, arguments @ ..] = command else {
        return ExitCode::FAILURE;
    };
    pass(Command::new(program).args(arguments).env_clear());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it can always be asked");
    println!("{}", usage.max_rss());
    ExitCode::SUCCESS
}
