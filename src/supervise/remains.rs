//! What is left of other processes of this host: their guards, and what their runs had started.

use std::{collections::HashSet, fs};

use uuid::Uuid;

use crate::instance::Instance;

/// The variable by which a supervisor, and every guard it has forked, says whose it is.
pub(super) const INSTANCE: &str = "CRONTABBER_INSTANCE";

/// The variable by which a process says of which run it is.
pub(super) const RUN_ID: &str = "CRONTABBER_RUN_ID";

/// The marks of all processes that can be read.
#[derive(Debug, Default)]
pub(crate) struct Remains(HashSet<Vec<u8>>);

impl Remains {
    /// Reads the environments of all processes. A process of another user cannot be read.
    pub(crate) fn now() -> Self {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Self::default();
        };
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Self(pids.flat_map(marks).collect())
    }

    /// Whether a supervisor or a guard of that process is left: it deals with the runs.
    pub(crate) fn has_guards_of(&self, instance: &Instance) -> bool {
        self.0.contains(format!("{INSTANCE}={instance}").as_bytes())
    }

    /// Whether a process of that run is left.
    pub(crate) fn has_run(&self, run: Uuid) -> bool {
        self.0.contains(format!("{RUN_ID}={run}").as_bytes())
    }
}

fn marks(pid: u32) -> Vec<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let variables = environment.split(|&byte| byte == 0);
    let is_mark = |variable: &&[u8]| {
        [INSTANCE, RUN_ID].iter().any(|name| {
            variable
                .strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"="))
        })
    };
    variables.filter(is_mark).map(<[u8]>::to_vec).collect()
}
