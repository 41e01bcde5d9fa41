//! The command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).as_deref() == Some("supervise".as_ref()) {
        return crontabber::supervise::main();
    }
    ExitCode::SUCCESS
}
