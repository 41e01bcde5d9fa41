//! `daemon`: a host that stays.

use std::sync::{Arc, Mutex};

use clap::Args;

use crate::{daemon::Daemon as Stays, exit::Exit, host::Said, systemd::Manager};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
};

/// Stays, and runs what falls due.
///
/// Wakes when something is due, when somebody says so, and when a parent has finished; beside that it looks every now and then (`poll`). Best started by a service manager: systemd/crontabber.service.
#[derive(Debug, Args)]
#[command(after_help = "\
Signals: TERM or INT lets what runs end for `drain` (2m), then kills it; a second one kills at once. HUP reads the
configuration again, and keeps the one it has if that has mistakes. USR1 writes all it has in mind to the log.

Exit codes: 0 stopped in good order; 64 usage; 77 a right is missing; 78 the configuration or the tables do not fit;
130, 143 killed its runs at a second signal. A database that is away is waited for.

Examples:
  crontabber daemon                            in the foreground, with its history on stderr
  crontabber daemon --host web1 -v             under a name of its own
  systemctl enable --now crontabber.service    for good")]
pub(super) struct Daemon {}

impl Daemon {
    #[expect(clippy::unused_self, reason = "like every command")]
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        let manager = Manager::from_environment();
        block_on(async {
            let said = Arc::new(Mutex::new(Said::default()));
            let fresh = open::stay(global, config, &said)?;
            let reload = open::reload(global, &fresh, &said);
            let exit = Box::pin(Stays::new(fresh, reload, said, manager)?.run()).await?;
            // Not by returning: to take the configuration of a thousand jobs apart takes longer than to read it.
            std::process::exit(exit.code().into())
        })
    }
}
