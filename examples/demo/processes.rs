//! What runs on this machine, by the environment it was started with.

use std::{fs, process};

/// A variable in the environment of every process that the demo is behind.
pub(crate) const MARK: &str = "DEMO_MARK";

/// Its value, by which this demo's processes are told from another's.
pub(crate) fn mark() -> String {
    process::id().to_string()
}

/// The pids of the processes in whose environment `name=value` stands; those of other users cannot be looked at.
pub(crate) fn with(name: &str, value: &str) -> Vec<i32> {
    // Somebody else may be reading /proc for us; without it there is nothing to be told.
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let wanted = format!("{name}={value}");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| has(*pid, wanted.as_bytes()))
        .collect()
}

fn has(pid: i32, wanted: &[u8]) -> bool {
    // One that has just gone away, or is somebody else's, has none that we can read.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment
        .split(|&byte| byte == 0)
        .any(|variable| variable == wanted)
}
