//! The figures of `docs/performance.md`: ratios of two things measured side by side, in turns, on this machine.
//!
//! `make bench` asks whether each bar is reached and ends with 1 if one is not; `make bench-short` takes a tenth of
//! the rounds and allows twice as much, so that a busy machine breaks nothing.

mod claims;
mod figure;
#[path = "../../tests/round_trips/proxy.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod proxy;
mod runs;
mod server;
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
        match self {
            Self::Full => full,
            Self::Short => full.div_ceil(10),
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
        ["--short", ..] => measure(Effort::Short),
        // What cargo says to every benchmark.
        [] | ["--bench"] => measure(Effort::Full),
        other => panic!("nobody calls this program with {other:?}"),
    }
}

fn number(text: &str) -> usize {
    text.parse()
        .expect("this program calls itself with numbers")
}

fn measure(effort: Effort) -> ExitCode {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs a few descriptors only");
    runtime.block_on(server.alone());
    let mut figures: Vec<Figure> = Vec::new();
    figures.extend(runtime.block_on(ticks::figures(&server, effort)));
    figures.extend(runtime.block_on(claims::figures(&server, effort)));
    figures.extend(runtime.block_on(runs::figures(effort)));
    let reached = print(&figures, effort, &server.about());
    if reached {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
