//! `clone3`, for which libc has no function: children that are born into a cgroup.
//!
//! Not by moving them there later: that waits for every processor of the machine, for milliseconds.

use std::{
    mem,
    os::fd::{AsRawFd, BorrowedFd},
};

use nix::{errno::Errno, unistd::Pid};

use super::Forked;

/// `struct clone_args` of the kernel's first version that knows cgroups.
#[repr(C)]
#[derive(Default)]
pub(super) struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 1 << 33;

impl Arguments {
    /// A child in this cgroup.
    fn into(cgroup: BorrowedFd) -> Self {
        Self {
            flags: CLONE_INTO_CGROUP,
            exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
            cgroup: u64::from(cgroup.as_raw_fd().unsigned_abs()),
            ..Self::default()
        }
    }

    /// A child in this cgroup, or in this process's, with our memory and with the stack that begins there and is that long.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn sharing(cgroup: Option<BorrowedFd>, stack: usize, size: usize) -> Self {
        let mut arguments = cgroup.map_or_else(Self::default, Self::into);
        arguments.flags |= u64::from(libc::CLONE_VM.unsigned_abs());
        arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
        arguments.stack = stack as u64;
        arguments.stack_size = size as u64;
        arguments
    }
}

/// Forks a process that has one thread into the cgroup of this directory. Only a guard does so.
pub(in crate::supervise) fn fork_into(cgroup: BorrowedFd) -> nix::Result<Forked> {
    let arguments = Arguments::into(cgroup);
    let length = mem::size_of::<Arguments>();
    // SAFETY: `arguments` lives for the whole call and is as long as it says. Without CLONE_VM and without a stack it
    // is a fork, past libc, whose handlers and locks matter to processes with several threads only (see `fork`).
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, length) };
    match Errno::result(pid)? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(Pid::from_raw(
            i32::try_from(pid).expect("a pid is an i32"),
        ))),
    }
}
