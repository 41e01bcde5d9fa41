//! Where the runs of this host get their cgroups: its own cgroup v2, if that is delegated to it.
//!
//! ```text
//! /system.slice/crontabber.service     delegated (Delegate=yes)
//!   ├─ host                            daemon, supervisor, guards
//!   ├─ run-6f1c...                     one run, killed by the kernel in one go
//!   └─ run-a07e...
//! ```
//!
//! **Whose is it?** systemd marks what it delegates. Older ones do so for root's eyes only; then, what an ordinary user may
//! write to, and what is above it not, was given to him just there. And where no systemd runs (a container, a machine with
//! another init) there is nobody who manages the tree, but there may be other hosts in it. **Why `host`?** The kernel hands controllers, memory among them, only to the children of a
//! cgroup that has no process of its own, but for the root of all.
//!
//! Nothing here is needed for a run to end in time: where there is no cgroup, the guard finds the tree by itself. So
//! everything is tried, and nothing insisted upon, but by a job that says `memory_max`.

use std::{
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, Uid, access};
use uuid::Uuid;

use super::{
    cell::{Cell, PROCESSES},
    kernel::is_marked,
};

/// The cgroup in which this host's own processes are.
const HOST: &str = "host";

/// How the cgroup of a run begins; then its run id.
const RUN: &str = "run-";

/// A cgroup that is this host's to divide.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Delegated {
    directory: PathBuf,
    /// Whether this process is in its leaf already.
    is_in_leaf: bool,
    /// Whether everything in it was started by this host, or at its behest.
    is_ours_alone: bool,
}

/// The name of a run's cgroup.
pub(super) fn name(run_id: Uuid) -> String {
    format!("{RUN}{run_id}")
}

/// Makes this host ready to give each run a cgroup, and clears what a dead one has left; the directory they are made
/// in. `None`: this host has no cgroup to divide, or cannot.
pub(super) fn prepare() -> Option<PathBuf> {
    let delegated = match find(&Surroundings::here()) {
        Ok(delegated) => delegated,
        Err(why) => {
            tracing::debug!("runs have no cgroups: {why}");
            return None;
        }
    };
    if let Err(error) = delegated.hand_out_memory() {
        // Refused to the jobs that want it, each with its reason.
        tracing::debug!(%error, "memory cannot be limited here");
    }
    delegated.tidy_up();
    Some(delegated.directory)
}

/// Whether the memory of a run can be limited here; if not, why. Changes nothing.
pub fn can_limit_memory() -> Result<(), String> {
    find(&Surroundings::here())?.can_hand_out_memory()
}

/// Kills and removes the cgroups of those of these runs that nobody guards any more; how many processes were in them.
pub(super) fn sweep(runs: &[Uuid]) -> usize {
    let Ok(delegated) = find(&Surroundings::here()) else {
        return 0;
    };
    let cgroups = runs.iter().map(|&run| delegated.directory.join(name(run)));
    cgroups.map(|path| clear(&path)).sum()
}

/// Kills and removes the cgroup of a run if no guard holds it; how many processes were in it.
pub(super) fn clear(path: &Path) -> usize {
    let Ok(Some(cell)) = Cell::lock(path) else {
        return 0;
    };
    let alive = cell.processes().len();
    cell.clear();
    alive
}

/// What decides where this process may make cgroups.
struct Surroundings {
    /// `/proc/self/cgroup`.
    cgroup: String,
    /// `/proc/self/mountinfo`.
    mounts: String,
    is_root: bool,
    /// Whether systemd manages the tree.
    has_systemd: bool,
}

impl Surroundings {
    fn here() -> Self {
        Self {
            cgroup: fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
            is_root: Uid::effective().is_root(),
            has_systemd: Path::new("/run/systemd/system").is_dir(),
        }
    }
}

/// The cgroup that this process may divide, or why there is none.
fn find(here: &Surroundings) -> Result<Delegated, String> {
    let own = own(&here.cgroup, &here.mounts).ok_or("it is in no cgroup v2")?;
    let leaf = own.ends_with(HOST).then(|| own.parent()).flatten();
    let whole = leaf.filter(|parent| is_delegated(parent, here).is_ok());
    let directory = whole.unwrap_or(&own);
    let is_ours_alone = is_delegated(directory, here)?;
    Ok(Delegated {
        directory: directory.to_owned(),
        is_in_leaf: whole.is_some(),
        is_ours_alone,
    })
}

/// The directory of this process's cgroup v2.
fn own(cgroup: &str, mounts: &str) -> Option<PathBuf> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Outside of what this process's cgroup namespace shows.
    if path.contains("/..") {
        return None;
    }
    mounts.lines().find_map(|line| {
        // 41 31 0:38 ROOT MOUNT OPTIONS ... - TYPE SOURCE OPTIONS
        let (before, after) = line.split_once(" - ")?;
        if after.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        let below = Path::new(path).strip_prefix(unescaped(root)).ok()?;
        // Component by component: joining nothing would leave a slash at the end.
        Some(
            Path::new(&unescaped(mount))
                .components()
                .chain(below.components())
                .collect(),
        )
    })
}

/// A path as mountinfo writes it: blanks and their like as `\040`.
fn unescaped(path: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(path.to_owned(), |path, (from, to)| path.replace(from, to))
}

/// Whether this process may divide a cgroup: `Ok(true)` if it was given to it as a whole, `Ok(false)` if merely nobody
/// else manages it.
fn is_delegated(directory: &Path, here: &Surroundings) -> Result<bool, String> {
    let shown = directory.display();
    for file in ["", PROCESSES, "cgroup.subtree_control"] {
        access(&directory.join(file), AccessFlags::W_OK)
            .map_err(|errno| format!("its cgroup {shown} is not its own ({})", errno.desc()))?;
    }
    let is_writable = |path| access(path, AccessFlags::W_OK).is_ok();
    let is_given = || !here.is_root && !directory.parent().is_some_and(is_writable);
    if has_mark(directory) || is_given() {
        return Ok(true);
    }
    if here.has_systemd {
        return Err(format!(
            "its cgroup {shown} is systemd's (no Delegate=yes in its unit)"
        ));
    }
    Ok(false)
}

/// Whether systemd has delegated it.
fn has_mark(directory: &Path) -> bool {
    let Ok(directory) = CString::new(directory.as_os_str().as_bytes()) else {
        return false;
    };
    [c"trusted.delegate", c"user.delegate"]
        .into_iter()
        .any(|name| is_marked(&directory, name))
}

impl Delegated {
    /// Clears what dead hosts have left here. What is alive of it only where no other host could have started it: one of
    /// those may be about to deal with it.
    fn tidy_up(&self) {
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let run_id = name.to_str().and_then(|name| name.strip_prefix(RUN));
            if run_id.is_none_or(|id| Uuid::try_parse(id).is_err()) {
                continue;
            }
            if self.is_ours_alone {
                clear(&entry.path());
            } else {
                // Dropped, an empty one is removed.
                drop(Cell::lock(&entry.path()));
            }
        }
    }

    fn lists(&self, file: &str, word: &str) -> bool {
        let list = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        list.split_whitespace().any(|listed| listed == word)
    }

    /// The root of all: it may have processes and hand out controllers too.
    fn is_root(&self) -> bool {
        !self.directory.join("cgroup.type").exists()
    }

    fn hands_out_memory(&self) -> bool {
        self.lists("cgroup.subtree_control", "memory")
    }

    fn can_hand_out_memory(&self) -> Result<(), String> {
        let directory = self.directory.display();
        if !self.lists("cgroup.controllers", "memory") {
            return Err(format!("its cgroup {directory} has no memory controller"));
        }
        let own = Some(std::process::id().cast_signed());
        let is_alone = || processes(&self.directory).all(|pid| Some(pid) == own);
        if self.is_root() || self.hands_out_memory() || self.is_ours_alone || is_alone() {
            return Ok(());
        }
        Err(format!(
            "other processes are in its cgroup {directory} beside it"
        ))
    }

    /// Has the kernel count the memory of each run.
    fn hand_out_memory(&self) -> std::io::Result<()> {
        if !self.lists("cgroup.controllers", "memory") || self.hands_out_memory() {
            return Ok(());
        }
        if !self.is_root() && !self.is_in_leaf {
            self.move_into_leaf()?;
        }
        fs::write(self.directory.join("cgroup.subtree_control"), "+memory")
    }

    /// Moves this process out of the way; and, where all of the cgroup is this host's, what it has started before (a
    /// database, say).
    fn move_into_leaf(&self) -> std::io::Result<()> {
        let leaf = self.directory.join(HOST);
        if !leaf.is_dir() {
            fs::create_dir(&leaf)?;
        }
        fs::write(leaf.join(PROCESSES), "0")?;
        if self.is_ours_alone {
            for pid in processes(&self.directory) {
                // It may have ended.
                let _ = fs::write(leaf.join(PROCESSES), pid.to_string());
            }
        }
        Ok(())
    }
}

/// The processes of a cgroup; 0 for one of another pid namespace.
fn processes(directory: &Path) -> impl Iterator<Item = i32> {
    let list = fs::read_to_string(directory.join(PROCESSES)).unwrap_or_default();
    let pids: Vec<i32> = list.lines().filter_map(|line| line.parse().ok()).collect();
    pids.into_iter()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn the_directory_of_a_cgroup_is_found_below_its_mount() {
        let of = |cgroup, mounts| own(cgroup, mounts).map(|path| path.display().to_string());
        let hybrid = "8:pids:/a\n0::/system.slice/crontabber.service\n";
        assert_eq!(
            of(hybrid, MOUNTS).as_deref(),
            Some("/sys/fs/cgroup/unified/system.slice/crontabber.service")
        );
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(of("0::/\n", unified).as_deref(), Some("/sys/fs/cgroup"));
        let of_a_container = "30 23 0:26 /docker/4711 /my\\040cgroups rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            of("0::/docker/4711/a\n", of_a_container).as_deref(),
            Some("/my cgroups/a")
        );
        assert_eq!(of("0::/elsewhere\n", of_a_container), None);
        assert_eq!(of("0::/../outside\n", unified), None);
        assert_eq!(of("4:memory:/a\n", MOUNTS), None);
        assert_eq!(of(hybrid, ""), None);
    }

    /// A directory that looks like a cgroup with these controllers, and what `/proc` says of a process in it.
    fn cgroup(controllers: &str, path: &str) -> (TempDir, Surroundings) {
        let mount = tempfile::tempdir().unwrap();
        let directory = mount.path().join("unit");
        fs::create_dir_all(directory.join(HOST)).unwrap();
        for place in [directory.clone(), directory.join(HOST)] {
            for file in [PROCESSES, "cgroup.subtree_control", "cgroup.type"] {
                fs::write(place.join(file), "").unwrap();
            }
            fs::write(place.join("cgroup.controllers"), controllers).unwrap();
        }
        let here = Surroundings {
            cgroup: format!("0::{path}\n"),
            mounts: format!(
                "1 1 0:1 / {} rw - cgroup2 cgroup2 rw\n",
                mount.path().display()
            ),
            is_root: true,
            has_systemd: false,
        };
        (mount, here)
    }

    #[test]
    fn what_systemd_has_not_delegated_is_systemds_and_without_systemd_it_is_nobodys() {
        let (mount, here) = cgroup("memory pids\n", "/unit");
        let found = find(&here).unwrap();
        assert_eq!(found.directory, mount.path().join("unit"));
        assert!(!found.is_ours_alone && !found.is_in_leaf);

        let under_systemd = Surroundings {
            has_systemd: true,
            ..here
        };
        let why = find(&under_systemd).unwrap_err();
        assert!(
            why.ends_with("is systemd's (no Delegate=yes in its unit)"),
            "{why}"
        );
    }

    #[test]
    fn what_a_user_may_write_to_was_given_to_him_where_he_may_not_go_further_up() {
        let (mount, here) = cgroup("", "/unit");
        let of_a_user = Surroundings {
            is_root: false,
            has_systemd: true,
            ..here
        };
        // As below his own systemd: the mark alone would tell.
        assert!(find(&of_a_user).is_err());
        if Uid::effective().is_root() {
            println!("not tried: root may go anywhere");
            return;
        }
        fs::set_permissions(mount.path(), fs::Permissions::from_mode(0o555)).unwrap();
        assert!(find(&of_a_user).unwrap().is_ours_alone);
        fs::set_permissions(mount.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_written_to_was_not_given_to_us() {
        let (mount, here) = cgroup("", "/unit");
        let file = mount.path().join("unit").join(PROCESSES);
        fs::remove_file(&file).unwrap();
        assert!(find(&here).unwrap_err().contains("is not its own"));
        if !Uid::effective().is_root() {
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
            assert!(find(&here).unwrap_err().contains("is not its own"));
        }
    }

    #[test]
    fn a_host_that_is_in_its_leaf_already_divides_what_is_above() {
        let (mount, here) = cgroup("memory\n", "/unit/host");
        let found = find(&here).unwrap();
        assert_eq!(found.directory, mount.path().join("unit"));
        assert!(found.is_in_leaf);
    }

    #[test]
    fn memory_is_limited_where_there_is_the_controller_and_nobody_in_the_way() {
        let (_mount, here) = cgroup("pids\n", "/unit");
        let why = find(&here).unwrap().can_hand_out_memory().unwrap_err();
        assert!(why.ends_with("has no memory controller"), "{why}");

        let (mount, here) = cgroup("memory pids\n", "/unit");
        assert_eq!(find(&here).unwrap().can_hand_out_memory(), Ok(()));
        let unit = mount.path().join("unit");
        fs::write(unit.join(PROCESSES), "1\n").unwrap();
        let why = find(&here).unwrap().can_hand_out_memory().unwrap_err();
        assert!(why.contains("other processes are in its cgroup"), "{why}");
        fs::write(unit.join("cgroup.subtree_control"), "memory\n").unwrap();
        assert_eq!(find(&here).unwrap().can_hand_out_memory(), Ok(()));
    }

    #[test]
    fn the_host_moves_out_of_the_way_before_it_hands_out_memory() {
        let (mount, here) = cgroup("memory\n", "/unit");
        find(&here).unwrap().hand_out_memory().unwrap();
        let unit = mount.path().join("unit");
        let read = |file: PathBuf| fs::read_to_string(file).unwrap();
        assert_eq!(read(unit.join("cgroup.subtree_control")), "+memory");
        assert_eq!(read(unit.join(HOST).join(PROCESSES)), "0");
    }
}
