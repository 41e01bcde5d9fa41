//! What the forked child of a guard does to become the program of a run. It has one thread, as its guard has, so it may do
//! whatever it likes; one that borrows its guard's memory may not (`kernel/launch.rs`).

use std::{
    convert::Infallible,
    ffi::{CStr, CString, OsStr},
    fs,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt},
    path::Path,
};

use nix::{
    errno::Errno,
    sys::{
        prctl::{set_name, set_no_new_privs},
        resource::{Resource, getrlimit, setrlimit},
        signal::SigSet,
    },
    unistd::{
        AccessFlags, Gid, Uid, access, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve,
        getgroups, getresgid, getresuid, setgroups, setresgid, setresuid, setsid, setuid,
    },
};

use super::{
    kernel::{close_all_but, drop_capabilities, set_nice},
    spawn::Start,
    wire::User,
};

/// What the child is called until it is the program.
pub(super) const NAME: &CStr = c"ct-start";

/// Where a program without a `/` is looked for when the environment given names no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

impl Start<'_> {
    /// Becomes the program, or says why not, which `to_tell` is kept for. `is_inside`: it is in the cgroup already, if there
    /// is one.
    pub(super) fn become_program(
        &self,
        is_inside: bool,
        to_tell: BorrowedFd,
    ) -> Result<Infallible, String> {
        let words = self.words;
        let name = words.argv[0];
        let cannot = |errno| because("start", name, errno);
        if let Some(cell) = self.cell
            && !is_inside
        {
            cell.enter()
                .map_err(|error| format!("cannot enter its cgroup: {error}"))?;
        }
        SigSet::empty().thread_set_mask().map_err(cannot)?;
        setsid().map_err(cannot)?;
        if let Some(stdin) = self.stdin {
            dup2_stdin(stdin).map_err(cannot)?;
        }
        dup2_stdout(self.output).map_err(cannot)?;
        dup2_stderr(self.output).map_err(cannot)?;
        // What follows may hang for long. Until then it must not pass for its guard: by the run's socket, by the lock on the
        // cgroup, or by name.
        close_all_but(to_tell);
        let _ = set_name(NAME);
        let (_, hard) = getrlimit(Resource::RLIMIT_LOCKS).map_err(cannot)?;
        setrlimit(Resource::RLIMIT_LOCKS, words.brand, hard).map_err(cannot)?;
        if let Some(nice) = words.nice {
            give_way(nice)?;
        }
        if let Some(user) = &words.user {
            switch_to(user)?;
        }
        // As that user: root's way into a directory is not his.
        chdir(words.cwd).map_err(|errno| because("enter", words.cwd, errno))?;
        let program = find(name, &words.env).map_err(cannot)?;
        execve(program.as_c_str(), &words.argv, &words.env).map_err(cannot)
    }
}

/// Takes this priority, for good.
fn give_way(nice: i8) -> Result<(), String> {
    set_nice(nice).map_err(|errno| format!("cannot be given nice {nice}: {}", errno.desc()))?;
    // Many kernels share processors out among sessions first, and then it is the session's niceness that counts. There is
    // no such file where they do not, and it takes ten changes a second of all users together.
    let _ = fs::write("/proc/self/autogroup", nice.to_string());
    Ok(())
}

/// Becomes this user and nothing but this user, and makes sure of it.
fn switch_to(user: &User) -> Result<(), String> {
    let failed = |errno: Errno| format!("cannot become user {}: {}", user.uid, errno.desc());
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(failed)?;
    setresgid(gid, gid, gid).map_err(failed)?;
    setresuid(uid, uid, uid).map_err(failed)?;
    drop_capabilities().map_err(failed)?;
    set_no_new_privs().map_err(failed)?;

    let is = getresuid().map_err(failed)?;
    let in_group = getresgid().map_err(failed)?;
    let in_groups = getgroups().map_err(failed)?;
    let is_he = [is.real, is.effective, is.saved] == [uid; 3]
        && [in_group.real, in_group.effective, in_group.saved] == [gid; 3]
        && in_groups.len() == groups.len()
        && in_groups.iter().all(|group| groups.contains(group));
    let cannot_go_back = uid.is_root() || setuid(Uid::from_raw(0)).is_err();
    if is_he && cannot_go_back {
        Ok(())
    } else {
        Err(format!(
            "did not become user {} for good: not started",
            user.uid
        ))
    }
}

/// Whether this is a path, and not a name that is looked for in the PATH.
pub(super) fn is_path(name: &CStr) -> bool {
    name.to_bytes().contains(&b'/')
}

/// The files that may be meant: the name itself if it is a path, else one for each directory of the PATH given.
pub(super) fn candidates(name: &CStr, env: &[&CStr]) -> Vec<CString> {
    if is_path(name) {
        return vec![name.to_owned()];
    }
    let path = env
        .iter()
        .find_map(|pair| pair.to_bytes().strip_prefix(b"PATH="));
    let directories = path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':');
    // An empty entry of the PATH means the current directory, as in every shell.
    let file = |directory| {
        let file = Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name.to_bytes()));
        CString::new(file.into_os_string().into_encoded_bytes()).ok()
    };
    directories.filter_map(file).collect()
}

/// The file to execute: the first of those that may be meant.
///
/// Looked up here, because libc's `execvp` looks through the PATH of the caller.
fn find(name: &CStr, env: &[&CStr]) -> nix::Result<CString> {
    let mut candidates = candidates(name, env);
    if is_path(name) {
        return candidates.pop().ok_or(Errno::ENOENT);
    }
    let mut seen = Errno::ENOENT;
    for file in candidates {
        let path = Path::new(OsStr::from_bytes(file.to_bytes()));
        match access(path, AccessFlags::X_OK) {
            Ok(()) if path.is_file() => return Ok(file),
            // As a shell does: found but not allowed is worth saying, and the search goes on.
            Ok(()) | Err(Errno::EACCES) => seen = Errno::EACCES,
            Err(_) => {}
        }
    }
    Err(seen)
}

/// What could not be done with what, and why.
pub(super) fn because(verb: &str, what: &CStr, errno: Errno) -> String {
    format!(
        "cannot {verb} `{}`: {}",
        what.to_string_lossy(),
        errno.desc()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_executable_file_of_the_path_is_found() {
        let directory = tempfile::tempdir().unwrap();
        for place in ["empty", "directory/tool", "second"] {
            fs::create_dir_all(directory.path().join(place)).unwrap();
        }
        let tool = directory.path().join("second/tool");
        fs::write(&tool, "").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let at = directory.path().display();
        let path = CString::new(format!(
            "PATH={at}/none:{at}/empty:{at}/directory:{at}/second"
        ))
        .unwrap();
        let found = find(c"tool", &[c"A=b", &path]).unwrap();
        assert_eq!(found.as_bytes(), tool.as_os_str().as_bytes());
        let path = CString::new(format!("PATH={at}/empty:{at}/directory")).unwrap();
        assert_eq!(find(c"tool", &[&path]), Err(Errno::EACCES));
        assert_eq!(find(c"tool", &[c"PATH="]), Err(Errno::ENOENT));
    }

    #[test]
    fn a_path_is_taken_as_it_is_and_no_path_at_all_means_the_usual_places() {
        assert_eq!(
            find(c"./tool", &[c"PATH=/bin"]).unwrap(),
            c"./tool".to_owned()
        );
        assert!(find(c"sh", &[]).unwrap().to_bytes().ends_with(b"bin/sh"));
    }
}
