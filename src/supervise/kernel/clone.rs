//! Children that are born into a cgroup: by `clone3`, for which libc has no function.
//!
//! Not by moving them there later: that waits for every processor of the machine, for milliseconds.

use std::{
    ffi::{CStr, c_char, c_int},
    iter, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use nix::{errno::Errno, sys::signal::SigSet, unistd::Pid};

use super::{Forked, default_signals};

/// `struct clone_args` of the kernel's first version that knows cgroups.
#[repr(C)]
#[derive(Default)]
struct Arguments {
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

/// Born into the cgroup of `cgroup`.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

impl Arguments {
    fn into(cgroup: BorrowedFd, how: c_int) -> Self {
        Self {
            flags: CLONE_INTO_CGROUP | u64::from(how.unsigned_abs()),
            exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
            cgroup: u64::from(cgroup.as_raw_fd().unsigned_abs()),
            ..Self::default()
        }
    }
}

/// Forks a process that has one thread into the cgroup of this directory. Only a guard does so.
pub(in crate::supervise) fn fork_into(cgroup: BorrowedFd) -> nix::Result<Forked> {
    let arguments = Arguments::into(cgroup, 0);
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

/// A program as `execve` takes it, and what it finds open.
pub(in crate::supervise) struct Program<'a> {
    pub(in crate::supervise) file: &'a CStr,
    pub(in crate::supervise) argv: &'a [&'a CStr],
    pub(in crate::supervise) env: &'a [&'a CStr],
    /// `None`: this process's own.
    pub(in crate::supervise) stdin: Option<BorrowedFd<'a>>,
    /// Its stdout and stderr.
    pub(in crate::supervise) output: BorrowedFd<'a>,
}

/// Why there is no such process.
#[derive(Debug)]
pub(in crate::supervise) enum Unborn {
    /// The kernel, or a sandbox, does not make processes in this way.
    Unable,
    /// It cannot become that program.
    Refused(Errno),
}

/// Starts a program in the cgroup of this directory, in a session of its own, with every signal unblocked and at its
/// default. Only a guard does so, which has one thread.
///
/// As `posix_spawn` does: until it is the program, the child borrows this process's memory, and this process waits. To
/// copy the memory, and to throw the copy away, costs as much as half of a short program. Should the file hang, in a
/// network, then so does this process, and its host kills it after the run's deadline.
pub(in crate::supervise) fn spawn_into(
    cgroup: BorrowedFd,
    program: &Program,
) -> Result<Pid, Unborn> {
    let (argv, env) = (pointers(program.argv), pointers(program.env));
    let mut child = Child {
        file: program.file.as_ptr(),
        argv: argv.as_ptr(),
        env: env.as_ptr(),
        stdin: program.stdin.map_or(-1, |stdin| stdin.as_raw_fd()),
        output: program.output.as_raw_fd(),
        failed: 0,
    };
    // A handler would run on the memory of two.
    let mut mask = SigSet::empty();
    let blocked = SigSet::all()
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)
        .inspect(|before| mask = *before);
    if blocked.is_err() {
        return Err(Unborn::Unable);
    }
    let born = born(cgroup, &mut child);
    // It was the mask a moment ago.
    let _ = mask.thread_set_mask();
    let pid = born.ok_or(Unborn::Unable)?;
    // SAFETY: nobody else writes there any more: the child is the program, or has ended.
    let failed = unsafe { ptr::read_volatile(&raw const child.failed) };
    if failed == 0 {
        return Ok(pid);
    }
    // Its status says nothing more; and its cgroup must be empty to be removed.
    let _ = nix::sys::wait::waitpid(pid, None);
    Err(Unborn::Refused(Errno::from_raw(failed)))
}

fn pointers(words: &[&CStr]) -> Vec<*const c_char> {
    let words = words.iter().map(|word| word.as_ptr());
    words.chain(iter::once(ptr::null())).collect()
}

/// What the child is told; and what it tells.
#[repr(C)]
struct Child {
    file: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    /// Below 0: as it is.
    stdin: c_int,
    output: c_int,
    /// Why it cannot become the program: an error number.
    failed: c_int,
}

/// The pid of the child, when it has become the program or has ended. `None`: there is none.
#[cfg(target_arch = "x86_64")]
fn born(cgroup: BorrowedFd, child: &mut Child) -> Option<Pid> {
    let arguments = Arguments::into(cgroup, libc::CLONE_VM | libc::CLONE_VFORK);
    let pid: i64;
    // SAFETY: `arguments` lives for the whole call and is as long as it says. The child goes on with the stack of this
    // function, below all that is in use, which stands still until the child has let go of it (CLONE_VFORK); it never
    // returns from `become_it`, which keeps to the calls that a child of vfork may make. The stack is aligned for a call,
    // and nothing is kept below it, because `nostack` is not said. All that the child writes to is `child`, whose pointer
    // goes in here, and the memory of libc's `errno`.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r12",
            "call {become_it}",
            "2:",
            become_it = sym become_it,
            // The call of the kernel leaves it as it is.
            in("r12") ptr::from_mut(child),
            inlateout("rax") libc::SYS_clone3 => pid,
            in("rdi") &raw const arguments,
            in("rsi") mem::size_of::<Arguments>(),
            clobber_abi("C"),
        );
    }
    // Below 0 it is an error number.
    i32::try_from(pid)
        .ok()
        .filter(|&pid| pid > 0)
        .map(Pid::from_raw)
}

/// Elsewhere nobody has tried it.
#[cfg(not(target_arch = "x86_64"))]
fn born(_: BorrowedFd, child: &mut Child) -> Option<Pid> {
    let _: extern "C" fn(*mut Child) -> ! = become_it;
    let _ = (child, libc::CLONE_VM, Arguments::into);
    None
}

/// In the child: becomes the program, or says why not.
extern "C" fn become_it(child: *mut Child) -> ! {
    // SAFETY: `child` is that of `spawn_into`, which waits, and its texts and lists live longer. Between clone and exec
    // nothing is done but calls that only ask the kernel for something; nothing is allocated, and nothing is locked.
    unsafe {
        let child = &mut *child;
        default_signals();
        let mut none = mem::MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        let is_ready = libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) == 0
            && libc::setsid() >= 0
            && (child.stdin < 0 || libc::dup2(child.stdin, libc::STDIN_FILENO) >= 0)
            && libc::dup2(child.output, libc::STDOUT_FILENO) >= 0
            && libc::dup2(child.output, libc::STDERR_FILENO) >= 0;
        if is_ready {
            libc::execve(child.file, child.argv, child.env);
        }
        child.failed = *libc::__errno_location();
        libc::_exit(127)
    }
}
