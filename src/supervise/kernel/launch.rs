//! A child that borrows this process's memory until it is the program, while this process goes on.
//!
//! To copy the memory for it, and to throw the copy away, costs more than a short program. To stand still until it gives the
//! memory back, as `vfork` does, is not for a guard: the program's directory or file may hang, and the deadline comes.
//!
//! What the two share is what makes it dangerous. So the child has a stack of its own and the texts and lists that it was
//! given, which nobody changes or frees until the kernel says that it has let go of them; and it calls the kernel and nothing
//! else: nothing of libc but what copies bytes, for its `errno` would be that of both, no allocation, no lock, nothing that
//! may panic. That is why it can do no more than every run needs: who is to be another user, or to have another priority,
//! is forked.
//!
//! Whom the kernel kills with a core dump before Linux 5.16, and whom it kills for want of memory, it kills with all that share
//! the memory. Then a run is lost with its guard, as if somebody had killed that: the supervisor sees to the rest.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(
        dead_code,
        reason = "elsewhere nobody has tried it, and everything is forked"
    )
)]

use std::{
    ffi::{CStr, CString, c_char},
    mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
};

use nix::{
    errno::Errno,
    unistd::{Pid, read},
};

use super::clone::Arguments;
use crate::supervise::spawn::quiet_pipe;

/// What a child is to become, and what it finds.
pub(in crate::supervise) struct Program<'a> {
    /// Where it may be, in the order in which it is looked for.
    pub(in crate::supervise) files: Vec<CString>,
    /// Whether it is looked for. Else the first is executed as it is.
    pub(in crate::supervise) is_looked_for: bool,
    pub(in crate::supervise) argv: &'a [&'a CStr],
    pub(in crate::supervise) env: &'a [&'a CStr],
    pub(in crate::supervise) cwd: &'a CStr,
    /// What the child is called until then.
    pub(in crate::supervise) name: &'a CStr,
    /// `None`: this process's own.
    pub(in crate::supervise) stdin: Option<BorrowedFd<'a>>,
    /// Its stdout and stderr.
    pub(in crate::supervise) output: BorrowedFd<'a>,
    /// Its soft and hard limit of file locks.
    pub(in crate::supervise) locks: [u64; 2],
}

/// A child on its way, and what it was lent for that. Dropped before the end of its word was heard, it leaves that to the
/// child for ever.
#[derive(Debug)]
pub(in crate::supervise) struct Launched {
    pub(in crate::supervise) pid: Pid,
    /// The reading end of its word.
    pipe: OwnedFd,
    lent: Option<*mut Plan>,
}

impl Launched {
    /// Reads what it says, without waiting. Nothing more: it is the program, or has ended.
    pub(in crate::supervise) fn read(&mut self, heard: &mut [u8]) -> nix::Result<usize> {
        let length = read(&self.pipe, heard)?;
        if length == 0
            && let Some(plan) = self.lent.take()
        {
            // SAFETY: it comes from a box and is taken back once. The child had the only writing end, and the kernel closes that
            // after it has taken our memory from it: at its exec or its end.
            drop(unsafe { Box::from_raw(plan) });
        }
        Ok(length)
    }
}

/// The child's way to the program, and all that it reads and writes on that way.
#[derive(Debug)]
struct Plan {
    /// This and the next two end with NULL, and point to `texts`.
    files: Vec<*const c_char>,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    is_looked_for: bool,
    cwd: CString,
    name: CString,
    stdin: Option<usize>,
    output: usize,
    to_tell: usize,
    locks: [u64; 2],
    stack: Vec<u128>,
    /// What the lists point to.
    _texts: Vec<u8>,
}

/// The child's stack: 16 KiB, of which it uses three at most, when it is not optimised.
const STACK: usize = 16 * 1024 / mem::size_of::<u128>();

/// What a child could not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervise) enum Step {
    Start,
    Enter,
}

/// What a child has said, if these are words of it.
pub(in crate::supervise) fn why(said: &[u8]) -> Option<(Step, Errno)> {
    let (step, errno) = said.split_at_checked(4)?;
    let step = match i32::from_ne_bytes(step.try_into().ok()?) {
        START => Step::Start,
        ENTER => Step::Enter,
        _ => return None,
    };
    let errno = i32::from_ne_bytes(errno.try_into().ok()?);
    Some((step, Errno::from_raw(errno)))
}

const START: i32 = 1;
const ENTER: i32 = 2;

/// Starts a child on its way to the program, in this cgroup if there is one. An error means that there is no child: mostly
/// that this kernel, this sandbox or this processor does not know how. All signals must be blocked here, and none ignored.
pub(in crate::supervise) fn launch(
    program: &Program,
    cgroup: Option<BorrowedFd>,
) -> nix::Result<Launched> {
    let (pipe, to_tell) = quiet_pipe()?;
    let number = |fd: BorrowedFd| usize::try_from(fd.as_raw_fd()).map_err(|_| Errno::EBADF);
    let files: Vec<&CStr> = program.files.iter().map(CString::as_c_str).collect();
    let lists = [&files, program.argv, program.env];
    // In one piece: many small ones would lie all over the memory of this process, and each page that is written to is copied.
    let all = || lists.iter().copied().flatten();
    let length = all().map(|text| text.count_bytes() + 1).sum();
    let mut texts = Vec::with_capacity(length);
    all().for_each(|text| texts.extend_from_slice(text.to_bytes_with_nul()));
    let mut next = texts.as_ptr().cast::<c_char>();
    let mut list = |of: &[&CStr]| -> Vec<*const c_char> {
        let mut pointers = Vec::with_capacity(of.len() + 1);
        for text in of {
            pointers.push(next);
            next = next.wrapping_add(text.count_bytes() + 1);
        }
        pointers.push(ptr::null());
        pointers
    };
    let plan = Plan {
        files: list(&files),
        argv: list(program.argv),
        env: list(program.env),
        is_looked_for: program.is_looked_for,
        cwd: program.cwd.to_owned(),
        name: program.name.to_owned(),
        stdin: program.stdin.map(number).transpose()?,
        output: number(program.output)?,
        to_tell: number(to_tell.as_fd())?,
        locks: program.locks,
        stack: Vec::with_capacity(STACK),
        _texts: texts,
    };
    let plan = Box::into_raw(Box::new(plan));
    match born(plan, cgroup) {
        Ok(pid) => Ok(Launched {
            pid,
            pipe,
            lent: Some(plan),
        }),
        Err(errno) => {
            // SAFETY: it comes from a box, and there is no child.
            drop(unsafe { Box::from_raw(plan) });
            Err(errno)
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn born(plan: *mut Plan, cgroup: Option<BorrowedFd>) -> nix::Result<Pid> {
    // SAFETY: it comes from a box, and there is no child yet.
    let stack = unsafe { &mut (*plan).stack };
    let (stack, size) = (
        stack.as_mut_ptr(),
        stack.capacity() * mem::size_of::<u128>(),
    );
    let arguments = Arguments::sharing(cgroup, stack.expose_provenance(), size);
    let result: i64;
    // SAFETY: `arguments` lives for the whole call and is as long as it says. The child begins behind the system call with a
    // stack of its own, which is aligned for a call, and never returns from `child`; all that it uses is `plan`, which lives
    // until it has let go of it. In this process nothing happens but the call, which keeps every register but these.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call {child}",
            "ud2",
            "2:",
            child = sym child,
            in("r12") plan,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &raw const arguments,
            in("rsi") mem::size_of::<Arguments>(),
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match i32::try_from(result) {
        Ok(pid) if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(Errno::from_raw(refused(result))),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn born(_: *mut Plan, _: Option<BorrowedFd>) -> nix::Result<Pid> {
    Err(Errno::ENOSYS)
}

/// The error number in what the kernel has returned.
fn refused(result: i64) -> i32 {
    i32::try_from(result.wrapping_neg()).unwrap_or(0)
}

/// In the child: becomes the program, or says why not.
#[cfg(target_arch = "x86_64")]
unsafe extern "C" fn child(plan: *const Plan) -> ! {
    // SAFETY: `plan` is that of `launch`, and lives until this is over. From here on nothing is called but the kernel.
    unsafe {
        let plan = &*plan;
        let (step, why) = become_program(plan);
        let words = [step, refused(why)];
        call(libc::SYS_write, [plan.to_tell, at(words.as_ptr()), 8, 0]);
        loop {
            call(libc::SYS_exit_group, [127, 0, 0, 0]);
        }
    }
}

/// What could not be done, and what the kernel has returned.
///
/// # Safety
///
/// To be called in the child only, whose descriptors and signals are its own.
#[cfg(target_arch = "x86_64")]
unsafe fn become_program(plan: &Plan) -> (i32, i64) {
    const IN_ALL: usize = libc::c_int::MAX.unsigned_abs() as usize;
    let none = 0_u64;
    // SAFETY: every pointer is to something in `plan` or on this stack, laid out as the kernel has it.
    unsafe {
        let locks = [0, libc::RLIMIT_LOCKS as usize, at(plan.locks.as_ptr()), 0];
        let mask = [
            libc::SIG_SETMASK.unsigned_abs() as usize,
            at(&raw const none),
            0,
            8,
        ];
        let steps = [
            (libc::SYS_rt_sigprocmask, mask),
            (libc::SYS_setsid, [0; 4]),
            (libc::SYS_dup2, [plan.stdin.unwrap_or(0), 0, 0, 0]),
            (libc::SYS_dup2, [plan.output, 1, 0, 0]),
            (libc::SYS_dup2, [plan.output, 2, 0, 0]),
            (libc::SYS_prlimit64, locks),
        ];
        for (number, arguments) in steps {
            let result = call(number, arguments);
            if result < 0 {
                return (START, result);
            }
        }
        // What follows may hang for long. Until then it must not pass for its guard: by the run's socket, by the lock on the
        // cgroup, or by name. Before Linux 5.9 exec closes them.
        call(
            libc::SYS_close_range,
            [3, plan.to_tell.wrapping_sub(1), 0, 0],
        );
        call(
            libc::SYS_close_range,
            [plan.to_tell.wrapping_add(1), IN_ALL, 0, 0],
        );
        call(
            libc::SYS_prctl,
            [
                libc::PR_SET_NAME.unsigned_abs() as usize,
                at(plan.name.as_ptr()),
                0,
                0,
            ],
        );
        let result = call(libc::SYS_chdir, [at(plan.cwd.as_ptr()), 0, 0, 0]);
        if result < 0 {
            return (ENTER, result);
        }
        let mut file = plan.files.as_ptr();
        if !plan.is_looked_for {
            return (START, execute(*file, plan));
        }
        let mut seen = -i64::from(libc::ENOENT);
        while !(*file).is_null() {
            match is_program(*file) {
                Ok(()) => return (START, execute(*file, plan)),
                // As a shell does: found but not allowed is worth saying, and the search goes on.
                Err(result) if result == -i64::from(libc::EACCES) => seen = result,
                Err(_) => {}
            }
            file = file.add(1);
        }
        (START, seen)
    }
}

/// Whether this is a file that may be executed; else why not, as the kernel has it.
#[cfg(target_arch = "x86_64")]
unsafe fn is_program(file: *const c_char) -> Result<(), i64> {
    let mut found = mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `file` ends with NUL, and `found` is what the kernel fills in, which it has if it returns 0.
    unsafe {
        let file = at(file);
        let result = call(libc::SYS_access, [file, libc::X_OK as usize, 0, 0]);
        if result < 0 {
            return Err(result);
        }
        let result = call(libc::SYS_stat, [file, at(found.as_mut_ptr()), 0, 0]);
        if result < 0 || found.assume_init_ref().st_mode & libc::S_IFMT != libc::S_IFREG {
            return Err(-i64::from(libc::EACCES));
        }
    }
    Ok(())
}

/// Becomes that program; what the kernel has returned if it does not.
#[cfg(target_arch = "x86_64")]
unsafe fn execute(file: *const c_char, plan: &Plan) -> i64 {
    // SAFETY: the lists end with NULL, and their texts with NUL.
    unsafe {
        let (argv, env) = (at(plan.argv.as_ptr()), at(plan.env.as_ptr()));
        call(libc::SYS_execve, [at(file), argv, env, 0])
    }
}

/// An address as the kernel takes it; what is there counts as read and written from now on.
#[cfg(target_arch = "x86_64")]
fn at<T>(pointer: *const T) -> usize {
    pointer.expose_provenance()
}

/// Asks the kernel, past libc.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: libc::c_long, arguments: [usize; 4]) -> i64 {
    let [first, second, third, fourth] = arguments;
    let result: i64;
    // SAFETY: as safe as what is asked for; the kernel keeps every register but these.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
