//! Who descends from whom, as `/proc` tells it; and signals to all of them.

use std::{
    fs,
    io::{self, ErrorKind},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The processes that `pid` is the parent of; none when it is gone.
///
/// Reliable for one's own children as long as nobody reaps them meanwhile; of other processes a child may be
/// missed while its siblings end, so look again until there is none.
pub(super) fn children(pid: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    // A child belongs to the thread that started it.
    let Some(threads) = still_there(fs::read_dir(format!("/proc/{pid}/task")))? else {
        return Ok(children);
    };
    for thread in threads {
        let Some(thread) = still_there(thread)? else {
            break;
        };
        let list = still_there(fs::read_to_string(thread.path().join("children")))?;
        children.extend(
            list.unwrap_or_default()
                .split_ascii_whitespace()
                .filter_map(|pid| pid.parse().ok().map(Pid::from_raw)),
        );
    }
    Ok(children)
}

/// Everything below `root`, parents before children, without those that `spared` names and what is below them.
pub(super) fn descendants(root: Pid, spared: impl Fn(Pid) -> bool) -> io::Result<Vec<Pid>> {
    let mut found = children(root)?;
    found.retain(|&pid| !spared(pid));
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(children(parent)?);
        next += 1;
    }
    Ok(found)
}

/// Signals everything below this process except what is below (and including) the children named; `false` if
/// there was nothing, `true` if there was, or if it cannot be known.
///
/// A process that ends meanwhile is no matter: its pid stays taken until its parent asks, and numbers are not
/// given again before the counter has gone all the way round.
pub(super) fn signal_below(spared: &[Pid], signals: &[Signal]) -> bool {
    let Ok(found) = descendants(Pid::this(), |pid| spared.binary_search(&pid).is_ok()) else {
        return true;
    };
    send(&found, signals);
    !found.is_empty()
}

pub(super) fn send(pids: &[Pid], signals: &[Signal]) {
    for &pid in pids {
        for &signal in signals {
            // It has ended, or it has become another user's (`sudo`), and then we go on trying until it ends.
            let _ = kill(pid, signal);
        }
    }
}

/// What a process is called and who its parent is; `None` when it is gone.
///
/// From `/proc/PID/stat`: `4711 (name) S 1 4711 ...`, where the name may hold anything.
pub(super) fn name_and_parent(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace().skip(1);
    let (parent, group) = (fields.next()?.parse().ok()?, fields.next()?);
    // One that is just being forgotten has no group any more, and its parent is said to be 0.
    (group != "-1").then(|| (name.to_owned(), parent))
}

/// The mark of a process, see [`super::brand`]; `None` when it is gone or bears none.
pub(super) fn brand_of(pid: Pid) -> io::Result<Option<u64>> {
    let limits = still_there(fs::read_to_string(format!("/proc/{pid}/limits")))?;
    Ok(limits.as_deref().and_then(soft_limit_of_locks))
}

/// The first number of the line "Max file locks"; `None` for "unlimited".
fn soft_limit_of_locks(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// `None` for what ended while it was looked at.
fn still_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use super::*;
    use crate::clock::Boottime;

    /// A process that ends when its stdin is closed, below as many shells as `depth` says.
    fn nested(depth: usize) -> Child {
        // The `:` keeps a shell from replacing itself by its last command.
        let script = (0..depth).fold("cat".to_owned(), |inner, _| {
            format!("sh -c '{}'; :", inner.replace('\'', r"'\''"))
        });
        Command::new("sh")
            .args(["-c", &format!("{script}; :")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sh starts")
    }

    fn pid_of(child: &Child) -> Pid {
        Pid::from_raw(i32::try_from(child.id()).expect("a pid is an i32"))
    }

    #[test]
    fn a_tree_is_seen_to_its_depth_and_parents_come_first() {
        let mut top = nested(3);
        let root = pid_of(&top);
        let limit = Boottime::now() + Duration::from_secs(30);
        let mut found = Vec::new();
        while found.len() != 4 {
            assert!(Boottime::now() < limit, "there are only {found:?}");
            found = descendants(root, |_| false).expect("/proc can be read");
        }
        for pair in found.windows(2) {
            assert_eq!(children(pair[0]).expect("/proc can be read"), [pair[1]]);
        }
        let spared = found[0];
        assert_eq!(
            descendants(root, |pid| pid == spared).expect("/proc can be read"),
            []
        );
        drop(top.stdin.take());
        top.wait().expect("it was ours to wait for");
    }

    #[test]
    fn one_that_is_gone_has_no_children_and_no_brand() {
        let mut child = nested(0);
        let pid = pid_of(&child);
        drop(child.stdin.take());
        child.wait().expect("it was ours to wait for");
        assert_eq!(children(pid).expect("/proc can be read"), []);
        assert_eq!(brand_of(pid).expect("/proc can be read"), None);
    }

    #[test]
    fn the_brand_is_the_soft_limit_of_file_locks() {
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax file locks  4711  unlimited  locks\n";
        assert_eq!(soft_limit_of_locks(limits), Some(4711));
        assert_eq!(
            soft_limit_of_locks(&limits.replace("4711", "unlimited")),
            None
        );
        assert_eq!(soft_limit_of_locks(""), None);
    }
}
