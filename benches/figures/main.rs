//! The figures of `docs/performance.md`: ratios of two things measured side by side, in turns, on this machine.
//!
//! `make bench` asks whether each bar is reached and ends with 1 if one is not; `make bench-short` takes a tenth of
//! the rounds and allows twice as much, so that a busy machine breaks nothing.

mod claims;
mod daemon;
mod feeds;
mod figure;
mod plans;
#[path = "../../tests/round_trips/proxy.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod proxy;
mod runs;
mod schedules;
mod server;
mod simulations;
mod ticks;

use std::process::ExitCode;

use figure::{Figure, print};
use server::Server;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// So much that the median stands still.
    Full,
    /// A tenth of it.
    Short,
}

impl Effort {
    /// So many rounds, or a tenth of them.
    fn rounds(self, full: usize) -> usize {
        full.div_ceil(self.shrinks())
    }

    /// By how much everything is smaller than it should be.
    fn shrinks(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Short => 10,
        }
    }
}

/// The program under test, as it is released.
const CRONTABBER: &str = env!("CARGO_BIN_EXE_crontabber");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // This program again, small and alone, as the other side of a comparison.
        ["bare", count, width] => runs::bare(number(count), number(width)),
        ["peak-memory", command @ ..] => ticks::peak_memory(command),
        // What cargo says to every benchmark comes last.
        ["--short", rest @ ..] => measure(Effort::Short, groups(rest)),
        rest => measure(Effort::Full, groups(rest)),
    }
}

/// Those that are named, or all.
fn groups<'a>(named: &[&'a str]) -> Vec<&'a str> {
    let named: Vec<&str> = named
        .iter()
        .copied()
        .filter(|&name| name != "--bench")
        .collect();
    for name in &named {
        assert!(GROUPS.contains(name), "`{name}` is none of {GROUPS:?}");
    }
    if named.is_empty() {
        GROUPS.to_vec()
    } else {
        named
    }
}

fn number(text: &str) -> usize {
    text.parse()
        .expect("this program calls itself with numbers")
}

/// What can be measured alone, in the order of the table.
const GROUPS: [&str; 11] = [
    "ticks",
    "claims",
    "runs",
    "lateness",
    "bursts",
    "idle",
    "takeovers",
    "plans",
    "schedules",
    "simulations",
    "feeds",
];

fn measure(effort: Effort, groups: Vec<&str>) -> ExitCode {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs a few descriptors only");
    runtime.block_on(server.alone());
    let mut figures: Vec<Figure> = Vec::new();
    for group in groups {
        figures.extend(runtime.block_on(async {
            match group {
                "ticks" => ticks::figures(&server, effort).await,
                "claims" => claims::figures(&server, effort).await,
                "runs" => runs::figures(effort).await,
                "lateness" => daemon::lateness::figures(&server, effort).await,
                "bursts" => daemon::bursts::figures(&server, effort).await,
                "idle" => daemon::idle::figures(&server, effort).await,
                "takeovers" => daemon::takeovers::figures(&server).await,
                "plans" => plans::figures(&server, effort),
                "schedules" => schedules::figures(effort),
                "simulations" => simulations::figures(&server, effort),
                "feeds" => feeds::figures(&server, effort).await,
                other => unreachable!("`{other}` is no group"),
            }
        }));
    }
    let reached = print(&figures, effort, &server.about());
    if reached {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
