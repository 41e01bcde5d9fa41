//! The flags that look: `--list-jobs`, `--nagios`, `--audit-ghosts`, `--configtest`.

use std::io::{self, Write};

use crate::{exit::Exit, view::legacy};

use super::super::{
    Global, config,
    fail::Failure,
    open::{View, block_on},
    print,
};

/// Every job in crontabber's words.
pub(super) fn list_jobs(global: &Global) -> Result<Exit, Failure> {
    block_on(async {
        let view = View::open(global).await?;
        let plan = view.plan();
        let memory = legacy::memory::read(&*view.connection().await?).await?;
        print(&legacy::list_jobs(
            &legacy::in_writing(&plan, &view.config.file),
            &plan,
            &memory,
        ))?;
        Ok(Exit::Ok)
    })
}

/// One line for Nagios.
pub(super) fn nagios(global: &Global) -> Result<Exit, Failure> {
    block_on(async {
        let view = View::open(global).await?;
        let plan = view.plan();
        let memory = legacy::memory::read(&*view.connection().await?).await?;
        let (status, line) = legacy::nagios(&legacy::in_writing(&plan, &view.config.file), &memory);
        print(&line)?;
        Ok(exit(status))
    })
}

/// The same when nothing could be looked at. Nagios reads stdout, and takes a code above 3 for a broken plugin.
pub(super) fn not_known(failure: &Failure) -> Exit {
    let said = failure.to_string();
    let first = said.lines().next().unwrap_or_default();
    // `error[unknown-key]: ...` of a report, `error: ...` of everything else.
    let first = first.split_once(": ").map_or(first, |(_, message)| message);
    let (status, why) = match failure {
        Failure::Database(error) if error.exit() == Exit::Unavailable => {
            (legacy::Status::Critical, first.to_owned())
        }
        Failure::Configuration(_) => (
            legacy::Status::Unknown,
            format!("the configuration: {first}; `crontabber config check` tells all"),
        ),
        _ => (legacy::Status::Unknown, first.to_owned()),
    };
    // With stdout gone there is nobody to tell, and the code still tells.
    let _ = print(&legacy::broken(status, &why));
    exit(status)
}

/// The numbers of a plugin: in `Exit` they have the names that a pass gives them.
fn exit(status: legacy::Status) -> Exit {
    match status {
        legacy::Status::Ok => Exit::Ok,
        legacy::Status::Warning => Exit::Failed,
        legacy::Status::Critical => Exit::Contended,
        legacy::Status::Unknown => Exit::Ongoing,
    }
}

/// The rows that no job of the configuration has. 0 in any case, as crontabber has it.
pub(super) fn audit_ghosts(global: &Global) -> Result<Exit, Failure> {
    block_on(async {
        let view = View::open(global).await?;
        print(&legacy::ghosts(&view.plan()))?;
        Ok(Exit::Ok)
    })
}

/// The mistakes of the configuration on stderr; nothing where there are none.
pub(super) fn configtest(global: &Global) -> Result<Exit, Failure> {
    let (reports, exit) = config::examine(global, true);
    for report in reports.iter().filter(|report| !report.is_empty()) {
        write!(io::stderr(), "{report}")?;
    }
    Ok(exit)
}
