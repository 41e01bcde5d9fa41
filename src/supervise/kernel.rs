//! The calls that no safe wrapper makes for us.
#![expect(
    unsafe_code,
    reason = "fork, into a cgroup too, a child that borrows our memory, waitpid with every status, descriptors out of a \
              message, sockets watched by tokio, signals at their default, what a child gives up before it becomes a \
              program: descriptors, priority, capabilities; and freed memory"
)]

mod clone;
mod launch;

use std::{
    ffi::CStr,
    io, mem,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
    ptr,
    sync::Arc,
};

use nix::{
    errno::Errno,
    unistd::{ForkResult, Pid},
};
use tokio::io::unix::AsyncFd;

pub(super) use clone::fork_into;
pub(super) use launch::{Launched, Program, Step, launch, why};

/// The most file descriptors a message may bring.
pub(super) const MAX_DESCRIPTORS: usize = 3;

/// Which side of a fork this is.
pub(super) enum Forked {
    /// The old process, with the new one's pid.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Forks a process that has one thread. Only the supervisor and its guards do so.
pub(super) fn fork() -> nix::Result<Forked> {
    // SAFETY: what makes fork unsafe is a second thread holding a lock that the child then finds
    // locked for ever. Neither starts a thread: no runtime, no library that would.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// Takes every signal as a program expects it: at its default.
pub(super) fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is no handler that could run. It fails for SIGKILL, SIGSTOP and the two that are libc's own.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Closes every descriptor from 3 on but one. Only a child that becomes a program does so, or exits without destructors:
/// whoever owns the others in it never uses them again.
pub(super) fn close_all_but(kept: BorrowedFd) {
    let kept = libc::c_long::from(kept.as_raw_fd());
    let last = libc::c_long::from(libc::c_int::MAX);
    for (first, last) in [(3, kept - 1), (kept + 1, last)] {
        // SAFETY: it takes numbers only, and see above. It fails for an empty range, and before Linux 5.9, where exec closes
        // them.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

/// Gives this process this priority.
pub(super) fn set_nice(nice: i8) -> nix::Result<()> {
    // SAFETY: it takes numbers only.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.into()) };
    Errno::result(result).map(drop)
}

/// Keeps a capability from the programs that this process starts; it may go on using it itself.
pub(super) fn keep_to_itself(capability: u8) {
    let capability = libc::c_ulong::from(capability);
    // SAFETY: it takes numbers only. It fails on kernels that know no ambient capabilities, and so hand on none.
    unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_LOWER,
            capability,
            0,
            0,
        )
    };
}

/// Gives up every capability: those that a change of the user takes away, and those that it does not.
pub(super) fn drop_capabilities() -> nix::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    // The version and whose (0: this thread's); two times effective, permitted and inheritable.
    let (header, none) = ([VERSION_3, 0], [0_u32; 6]);
    // SAFETY: both live for the whole call and are laid out as version 3 has it.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Whether a file bears the extended attribute of this name with the value `1`.
pub(super) fn is_marked(file: &CStr, name: &CStr) -> bool {
    let mut value = [0_u8; 8];
    // SAFETY: both texts end with a NUL, and `value` is as long as it says.
    let length = unsafe {
        libc::getxattr(
            file.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    usize::try_from(length).is_ok_and(|length| &value[..length] == b"1")
}

/// What a look at the children has found.
#[derive(Debug)]
pub(super) enum Reaped {
    /// This one has ended so, and its pid is free again.
    Ended(Pid, ExitStatus),
    /// They are all alive.
    Alive,
    /// There is none.
    None,
}

/// Takes one ended child, any (`None`) or the one named, without waiting for it.
///
/// Not nix's `waitpid`: a child killed by a real-time signal makes that an error, with the child
/// already gone and its pid unsaid.
pub(super) fn reap(which: Option<Pid>) -> Reaped {
    let mut status = 0;
    let which = which.map_or(-1, Pid::as_raw);
    // SAFETY: `status` is a valid place for an int, for the whole call.
    match unsafe { libc::waitpid(which, &raw mut status, libc::WNOHANG) } {
        0 => Reaped::Alive,
        pid if pid > 0 => Reaped::Ended(Pid::from_raw(pid), ExitStatus::from_raw(status)),
        // ECHILD; WNOHANG is never interrupted, and the options are valid.
        _ => Reaped::None,
    }
}

/// What a message brought.
pub(super) enum Received {
    /// Bytes that do not matter, and the file descriptors in their order: all that were sent, or at most the first
    /// when this process could not open them all.
    Descriptors(Vec<OwnedFd>),
    /// The other end is closed.
    Closed,
}

/// Receives one message without waiting; every descriptor is closed on exec.
///
/// Not nix's `recvmsg`: when the descriptors did not all fit, it hides those that did, open.
pub(super) fn receive(socket: BorrowedFd) -> io::Result<Received> {
    let mut byte = [0_u8; 1];
    let mut vector = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: byte.len(),
    };
    // u64: a control message header must be aligned as one.
    let mut control = [0_u64; 8];
    // SAFETY: msghdr is plain old data, for which all zeroes means "none of it".
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control);

    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: `message` points at `vector` and `control`, both alive and as long as it says.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    if Errno::result(length)? == 0 {
        return Ok(Received::Closed);
    }
    let mut descriptors = descriptors(&message);
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        descriptors.truncate(1);
    }
    Ok(Received::Descriptors(descriptors))
}

/// The file descriptors of a message that the kernel has just filled in.
fn descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut received = Vec::with_capacity(MAX_DESCRIPTORS);
    // SAFETY: the kernel has set `msg_control` and `msg_controllen`, so these macros walk within
    // the buffer; a header of type SCM_RIGHTS is followed by as many ints as its length says, each
    // a descriptor that the kernel has just opened for us and nobody else has.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(control) = header.as_ref() {
            if (control.cmsg_level, control.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(header);
                let bytes = control.cmsg_len - data.offset_from_unsigned(header.cast());
                for index in 0..bytes / mem::size_of::<libc::c_int>() {
                    let at = data.add(index * mem::size_of::<libc::c_int>());
                    let raw = ptr::read_unaligned(at.cast::<[u8; 4]>());
                    received.push(OwnedFd::from_raw_fd(libc::c_int::from_ne_bytes(raw)));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    received
}

/// A descriptor that tokio watches. Needs a runtime with I/O enabled.
pub(crate) fn watched(socket: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: an `Arc<OwnedFd>` names the same descriptor as long as it lives, nothing takes it out or closes it
    // before, and the `AsyncFd` owns it.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

/// Makes glibc keep little of what this process frees: two heaps for all threads, where each would have its own; what
/// is larger than most documents goes back at once, where the first large piece would teach it to keep up to 64 MiB; and
/// of the rest a heap keeps no more than some documents at its end. Less is not worth it: the kernel would have to clear
/// the same pages for each document, a tenth of a pass. To be called before there are threads.
#[cfg(feature = "feeds")]
pub(crate) fn keep_little_freed_memory() {
    const LARGE: i32 = 1 << 20;
    const KEPT: i32 = 4 << 20;
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and glibc locks its own books.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives back to the kernel what this process has freed. glibc keeps all that lies below its last used byte, and what a
/// configuration takes while it is read is several times what is left of it.
pub(crate) fn give_back_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and glibc locks its own books.
    unsafe {
        libc::malloc_trim(0);
    }
}
