//! Starting a program that is another user's, has another priority or a cgroup of its own: by fork.
//!
//! `posix_spawn` can do none of that. A guard has one thread, so its child may do whatever it likes before it becomes the
//! program; what goes wrong on the way it tells through a pipe that the program does not inherit.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process,
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::set_no_new_privs,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal, kill},
        wait::waitpid,
    },
    unistd::{
        Gid, Pid, Uid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, fchown, getgroups,
        getresgid, getresuid, pipe2, setgroups, setresgid, setresuid, setsid, setuid,
    },
};

use super::{
    cell::Cell,
    kernel::{Forked, default_signals, drop_capabilities, fork, fork_into, set_nice},
    spawn::{because, find},
    wire::{User, Words},
};
use crate::clock::Boottime;

/// The longest word of trouble.
const LONGEST: u64 = 4096;

/// What the program is started with.
pub(super) struct Start<'a> {
    pub(super) words: &'a Words<'a>,
    /// `None`: this process's own.
    pub(super) stdin: Option<&'a OwnedFd>,
    /// The writing end of its output.
    pub(super) output: &'a OwnedFd,
    pub(super) cell: Option<&'a Cell>,
}

impl Start<'_> {
    /// Starts it; an error says in words why it could not be.
    pub(super) fn program(&self) -> Result<Pid, String> {
        let name = self.words.argv[0];
        let cannot = |errno| because("start", name, errno);
        self.give_away_pipes();
        let (trouble, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(cannot)?;
        let (forked, is_inside) = self.fork().map_err(cannot)?;
        let pid = match forked {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                let Err(why) = self.become_it(is_inside);
                // Nobody else could be told.
                let _ = File::from(theirs).write_all(why.as_bytes());
                // Without destructors: the lock of the cgroup is the guard's.
                process::exit(127)
            }
        };
        drop(theirs);
        let why = self.heard(trouble, pid);
        if why.is_empty() {
            return Ok(pid);
        }
        // Its status says nothing more; and its cgroup must be empty to be removed.
        let _ = waitpid(pid, None);
        Err(why)
    }

    /// Forks, into the cgroup if there is one; whether the child is there already.
    fn fork(&self) -> nix::Result<(Forked, bool)> {
        if let Some(cell) = self.cell
            && let Ok(forked) = fork_into(cell.directory())
        {
            return Ok((forked, true));
        }
        // A kernel or a sandbox that does not know how: it moves by itself.
        Ok((fork()?, false))
    }

    /// What the child says before it is the program: nothing, if all went well.
    fn heard(&self, trouble: OwnedFd, pid: Pid) -> String {
        // A directory may hang in a network; the run's deadline ends that too.
        let limit = self.words.deadline.saturating_since(Boottime::now());
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut look = [PollFd::new(trouble.as_fd(), PollFlags::POLLIN)];
        if poll(&mut look, limit) == Ok(0) {
            // It is ours to wait for, so it is still its pid.
            let _ = kill(pid, Signal::SIGKILL);
            return because("start", self.words.argv[0], Errno::ETIMEDOUT);
        }
        let mut why = Vec::new();
        let read = File::from(trouble).take(LONGEST).read_to_end(&mut why);
        match read {
            Ok(_) => String::from_utf8_lossy(&why).into_owned(),
            Err(error) => format!("cannot hear whether it has started: {error}"),
        }
    }

    /// Lets the user open again, as `/dev/stdout` and its like, what was opened for him.
    fn give_away_pipes(&self) {
        let Some(user) = &self.words.user else { return };
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        for descriptor in [Some(self.output), self.stdin].into_iter().flatten() {
            // Without it he can still write to them, which is what they are for.
            let _ = fchown(descriptor, Some(uid), Some(gid));
        }
    }

    /// In the child: becomes the program, or says why not.
    fn become_it(&self, is_inside: bool) -> Result<Infallible, String> {
        let words = self.words;
        let name = words.argv[0];
        let cannot = |errno| because("start", name, errno);
        if let Some(cell) = self.cell
            && !is_inside
        {
            cell.enter()
                .map_err(|error| format!("cannot enter its cgroup: {error}"))?;
        }
        default_signals();
        SigSet::empty().thread_set_mask().map_err(cannot)?;
        setsid().map_err(cannot)?;
        if let Some(stdin) = self.stdin {
            dup2_stdin(stdin).map_err(cannot)?;
        }
        dup2_stdout(self.output).map_err(cannot)?;
        dup2_stderr(self.output).map_err(cannot)?;
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
