//! What is left when host, supervisor and guard were all killed at once, found and killed at the next start.
//!
//! Nobody who was above those processes is there any more, so they are known by what they carry: the run id in
//! their environment, or in the name of their cgroup. A guard above means that somebody is dealing with them.

use std::{fs, thread};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use uuid::Uuid;

use super::{
    cgroup,
    guard::{self, PASS},
    tree::name_and_parent,
};

/// How often to look again: what is killed leaves children behind that were not seen before.
const PASSES: u32 = 100;

/// How often to look who is above a process, while those above come and go.
const LOOKS: u32 = 5;

/// Kills every process of these runs that has no guard above it, whoever's it is if this is root; how many there were.
///
/// What has cleared its environment is known by its cgroup only. To an ordinary user other users' processes cannot be
/// read, nor can he kill them: they are left alone, unless they are in a cgroup that is his.
#[must_use]
pub fn sweep(runs: &[Uuid]) -> usize {
    let marks: Vec<Mark> = runs.iter().map(|&run| Mark::of(run)).collect();
    let mut killed = cgroup::sweep(runs);
    for _ in 0..PASSES {
        let found = unguarded(&marks);
        if found.is_empty() {
            break;
        }
        killed += found.len();
        for pid in found {
            // It has ended meanwhile; else it is found again.
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(PASS);
    }
    killed
}

/// What the processes of one run carry.
struct Mark {
    variable: String,
    cgroup: String,
}

impl Mark {
    fn of(run: Uuid) -> Self {
        Self {
            variable: format!("CRONTABBER_RUN_ID={run}"),
            cgroup: cgroup::name(run),
        }
    }
}

fn unguarded(marks: &[Mark]) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| bears(pid, marks) && !is_guarded(pid))
        .map(Pid::from_raw)
        .collect()
}

/// Whether a process carries one of these marks; a zombie carries nothing.
///
/// Everybody may read the name of a cgroup; an environment, not even root without `CAP_SYS_PTRACE`.
fn bears(pid: i32, marks: &[Mark]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let has = |variable: &str| {
        let mut variables = environment.split(|&byte| byte == 0);
        variables.any(|found| found == variable.as_bytes())
    };
    let is_in = |cgroup: &str| {
        let mut lines = cgroups.lines().filter_map(|line| line.strip_prefix("0::"));
        lines.any(|path| path.split('/').any(|part| part == cgroup))
    };
    marks
        .iter()
        .any(|mark| has(&mark.variable) || is_in(&mark.cgroup))
}

/// Whether one of the processes above is a guard; in doubt there is one.
///
/// A process above that ends while we look has left its children to a guard, or to init: looking again tells. What
/// goes on to change, or is gone itself, is left to the next pass: a healthy run must lose nothing.
fn is_guarded(pid: i32) -> bool {
    (0..LOOKS).find_map(|_| guard_above(pid)).unwrap_or(true)
}

/// `None`: a process of the chain has ended meanwhile.
fn guard_above(mut pid: i32) -> Option<bool> {
    while pid > 1 {
        let (name, parent) = name_and_parent(pid)?;
        if guard::NAME.to_bytes() == name.as_bytes() {
            return Some(true);
        }
        pid = parent;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_above_this_process_that_guards_it() {
        assert!(!is_guarded(Pid::this().as_raw()));
    }

    #[test]
    fn a_process_that_ends_under_our_eyes_is_left_alone() {
        // Above the largest pid that Linux gives.
        assert_eq!(guard_above(1 << 23), None);
        assert!(is_guarded(1 << 23));
    }
}
