//! The command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("supervise") => crontabber::supervise::main(),
        _ => ExitCode::SUCCESS,
    }
}
