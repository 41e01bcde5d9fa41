//! This machine and this process, looked at.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::AtFlags,
    unistd::{AccessFlags, Uid, User, faccessat},
};

use crate::{
    config::Config,
    doctor::facts::{Here, State},
    place::Place,
    rights::refusal,
    spec::JobSpec,
    state_directory::state_directory,
};

/// Where systems keep the rules of time zones.
const ZONES: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

pub(super) fn look(state: Option<&Path>, config: Option<&Config>, place: Option<&Place>) -> Here {
    let uid = Uid::effective();
    let usual = || state_directory(uid, |name| env::var_os(name));
    let known = User::from_uid(uid).ok().flatten();
    let own = env::var_os("TZDIR").map(PathBuf::from);
    let zones = own.into_iter().chain(ZONES.map(PathBuf::from));
    let jobs = config.map_or(&[][..], |config| config.graph.jobs());
    let mut timetables = jobs.iter().filter_map(|job| job.timetable.as_ref());
    let refused = |job: &JobSpec| {
        let place = place.filter(|place| place.matches(&job.placement))?;
        Some((job.name.to_string(), refusal(job, &place.rights)?))
    };
    Here {
        user: known.map_or_else(|| format!("{uid}"), |user| format!("{} ({uid})", user.name)),
        is_root: uid.is_root(),
        refused: jobs.iter().filter_map(refused).collect(),
        cgroup: cgroup(),
        state: state_of(&state.map_or_else(usual, Path::to_owned)),
        names_children: fs::metadata("/proc/thread-self/children").is_ok(),
        zones: zones.into_iter().find(|path| path.join("UTC").exists()),
        needs_zones: timetables.any(|when| when.timezone != "UTC"),
    }
}

/// The control group of this process, in the one hierarchy of version 2, if this process may make others below it.
fn cgroup() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let path = Path::new("/sys/fs/cgroup").join(path);
    let is_one = path.join("cgroup.procs").exists();
    (is_one && refused(&path).is_none()).then_some(path)
}

fn state_of(directory: &Path) -> State {
    let exists = directory.exists();
    // What is not there yet is made below the nearest that is.
    let nearest = directory.ancestors().find(|path| path.exists());
    let refused = match nearest {
        Some(path) if !path.is_dir() => Some(format!("{} is no directory", path.display())),
        Some(path) => refused(path),
        None => Some("no such place".to_owned()),
    };
    State {
        directory: directory.to_owned(),
        exists,
        refused,
    }
}

/// Why this process may not make files in a directory.
fn refused(directory: &Path) -> Option<String> {
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    let asked = faccessat(nix::fcntl::AT_FDCWD, directory, wanted, AtFlags::AT_EACCESS);
    let error = asked.err()?;
    Some(format!("{}: {}", directory.display(), error.desc()))
}
