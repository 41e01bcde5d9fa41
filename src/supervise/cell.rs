//! The cgroup of one run, as its guard has it: the kernel counts its processes, and kills them in one go.
//!
//! Whoever holds the lock on its directory deals with it: the guard, as long as it lives. A cgroup that anybody can lock
//! is left over.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Error, ErrorKind, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{
    fcntl::{Flock, FlockArg},
    unistd::Pid,
};

use super::{tree::descendants, wire::Words};

/// How often to try what somebody who sweeps may get in the way of.
const TRIES: u32 = 5;

/// How often to look whether a killed cgroup is empty, and how long between two looks.
const LOOKS: u32 = 50;
const LOOK: Duration = Duration::from_millis(2);

/// The cgroup of a run, locked.
#[derive(Debug)]
pub(super) struct Cell {
    path: PathBuf,
    directory: Flock<File>,
    /// Open from the beginning: to kill must need nothing.
    kill: File,
    is_removed: bool,
}

impl Cell {
    /// The run's, where it can have one; an error says in words why it may not be without.
    pub(super) fn of(words: &Words) -> Result<Option<Self>, String> {
        let made = words.cgroup.map(|path| {
            let path = Path::new(OsStr::from_bytes(path.to_bytes()));
            Self::make(path, words.memory_max)
        });
        match (made, words.memory_max) {
            (Some(Ok(cell)), _) => Ok(Some(cell)),
            (Some(Err(_)) | None, None) => Ok(None),
            (Some(Err(error)), Some(_)) => Err(format!("cannot limit its memory: {error}")),
            (None, Some(_)) => Err("cannot limit its memory: it has no cgroup here".to_owned()),
        }
    }

    /// Makes the cgroup and sets its limits.
    fn make(path: &Path, memory_max: Option<u64>) -> io::Result<Self> {
        let cell = Self::locked(path)?;
        if let Some(bytes) = memory_max {
            cell.limit(bytes)?;
        }
        Ok(cell)
    }

    fn locked(path: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            match fs::create_dir(path) {
                // Who sweeps holds what we have just made, and is about to remove it.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            match Self::lock(path) {
                Ok(Some(cell)) => return Ok(cell),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => thread::sleep(LOOK),
            }
        }
        Err(Error::new(
            ErrorKind::ResourceBusy,
            "its cgroup was taken away",
        ))
    }

    /// The cgroup that is there, if nobody deals with it.
    pub(super) fn lock(path: &Path) -> io::Result<Option<Self>> {
        let directory = File::open(path)?;
        let Ok(directory) = Flock::lock(directory, FlockArg::LockExclusiveNonblock) else {
            return Ok(None);
        };
        // Whoever had it locked before may have removed it.
        let is_there = fs::metadata(path).is_ok_and(|found| {
            directory
                .metadata()
                .is_ok_and(|ours| ours.ino() == found.ino())
        });
        if !is_there {
            return Ok(None);
        }
        match OpenOptions::new().write(true).open(path.join(KILL)) {
            Ok(kill) => Ok(Some(Self {
                path: path.to_owned(),
                directory,
                kill,
                is_removed: false,
            })),
            Err(error) => {
                // What cannot be removed is tried again at the next start.
                let _ = fs::remove_dir(path);
                let why = format!("no {KILL}, which takes Linux 5.14 ({error})");
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    fn limit(&self, bytes: u64) -> io::Result<()> {
        fs::write(self.path.join("memory.max"), bytes.to_string())?;
        // A limit that swapping gets round is none. There is no such file where nothing swaps.
        let _ = fs::write(self.path.join("memory.swap.max"), "0");
        // All or nothing: half a pipeline may end with 0.
        fs::write(self.path.join("memory.oom.group"), "1")
    }

    /// Its directory, to be born into.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Moves this process there.
    pub(super) fn enter(&self) -> io::Result<()> {
        fs::write(self.path.join(PROCESSES), "0")
    }

    /// The processes in it, as far as they can be named; those of cgroups below it are not.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let list = fs::read_to_string(self.path.join(PROCESSES)).unwrap_or_default();
        let pids = list.lines().filter_map(|line| line.parse().ok());
        // 0 is what a process of another pid namespace is called.
        pids.filter(|&pid| pid > 0).map(Pid::from_raw).collect()
    }

    /// Those of them that are not seen to be below this process.
    pub(super) fn out_of_sight(&self) -> Vec<Pid> {
        let below = descendants(Pid::this(), |_| false).unwrap_or_default();
        let below: BTreeSet<Pid> = below.into_iter().collect();
        let mut pids = self.processes();
        pids.retain(|pid| !below.contains(pid));
        pids
    }

    /// Kills everything in it and below it.
    pub(super) fn kill(&self) {
        // It cannot fail while the cgroup is there, and it is there while this is.
        let _ = (&self.kill).write_all(b"1");
    }

    /// Whether no process is in it or below it; zombies are none.
    pub(super) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events"));
        events.is_ok_and(|events| value(&events, "populated") == Some(0))
    }

    /// Removes it if no process is in it or below it, and whether none is. One in which a job has made others goes at the
    /// end. What the kernel has counted in it must have been read before.
    pub(super) fn remove_if_empty(&mut self) -> bool {
        // The kernel removes none that has processes, and to try it is less work than to ask. Gone is gone, whoever did it.
        self.is_removed = match fs::remove_dir(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        self.is_removed || self.is_empty()
    }

    /// Whether the kernel has killed something in it for want of memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        value(&events, "oom_kill").is_some_and(|killed| killed > 0)
    }

    /// Kills what is in it, and removes it when that is dead, if it is so soon.
    pub(super) fn clear(self) {
        for _ in 0..LOOKS {
            self.kill();
            if self.is_empty() {
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        if !self.is_removed {
            // While somebody is in it this fails, and the next start finds it.
            remove(&self.path);
        }
    }
}

const KILL: &str = "cgroup.kill";

/// The file that names the processes of a cgroup.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// Removes a cgroup and those that a job has made in it; each goes only if it is empty.
fn remove(path: &Path) {
    if fs::remove_dir(path).is_ok() {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}

/// The number behind a word in a file of one pair a line.
fn value(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == word).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_hold_one_pair_a_line() {
        let events = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(value(events, "oom_kill"), Some(2));
        assert_eq!(value("populated 0\nfrozen 0\n", "populated"), Some(0));
        assert_eq!(value("", "populated"), None);
    }

    #[test]
    fn one_that_somebody_has_locked_is_his() {
        // A lock is a lock on any directory.
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join(KILL), "").unwrap();
        let first = Cell::lock(&run).unwrap();
        assert!(first.is_some());
        assert!(Cell::lock(&run).unwrap().is_none());
        drop(first);
        assert!(Cell::lock(&run).unwrap().is_some());
    }

    #[test]
    fn where_the_kernel_cannot_kill_a_cgroup_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let run = directory.path().join("run");
        assert!(Cell::make(&run, None).is_err());
        assert!(!run.exists());
    }
}
