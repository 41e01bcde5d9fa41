//! What is left when host, supervisor and guard were all killed at once, found and killed at the next start.
//!
//! Nobody who was above those processes is there any more, so they are known by what they carry: the run id in
//! their environment. A guard above means that somebody is dealing with them.

use std::{fs, thread};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use uuid::Uuid;

use super::guard::{self, PASS};

/// How often to look again: what is killed leaves children behind that were not seen before.
const PASSES: u32 = 100;

/// How often to look who is above a process, while those above come and go.
const LOOKS: u32 = 5;

/// Kills every process of these runs that has no guard above it; how many there were.
///
/// A process of another user's cannot be read, and is left alone; so is what has cleared its environment.
#[must_use]
pub fn sweep(runs: &[Uuid]) -> usize {
    let marks: Vec<String> = runs
        .iter()
        .map(|run| format!("CRONTABBER_RUN_ID={run}"))
        .collect();
    let mut killed = 0;
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

fn unguarded(marks: &[String]) -> Vec<Pid> {
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
fn bears(pid: i32, marks: &[String]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|&byte| byte == 0);
    variables.any(|variable| marks.iter().any(|mark| mark.as_bytes() == variable))
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

/// From `/proc/PID/stat`: `4711 (name) S 1 4711 ...`, where the name may hold anything.
fn name_and_parent(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace().skip(1);
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?);
    // One that is just being forgotten has no group any more, and its parent is said to be 0.
    (group != "-1").then(|| (name.to_owned(), parent))
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
