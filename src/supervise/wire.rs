//! What host, supervisor and guard say to each other.
//!
//! An order travels as a file in memory, as long as it must be, laid out as `execve` takes it; everything
//! else is one datagram of less than [`MAX_REPORT`] bytes. Both ends are the same binary of the same machine,
//! so numbers are in its own byte order and there is no version.

use std::{
    ffi::CStr,
    fs::File,
    io::{self, IoSlice, Read, Seek, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::{ffi::OsStrExt, process::ExitStatusExt},
    },
    path::Path,
    process::ExitStatus,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        memfd::{MFdFlags, memfd_create},
        socket::{
            AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
        },
    },
    unistd::Pid,
};
use thiserror::Error;

use super::{Order, cgroup};
use crate::{
    clock::Boottime,
    ended::Stopped,
    output::{Capture, Output},
};

/// The longest report: an `Ended` with a full output.
pub(super) const MAX_REPORT: usize = ENDED_HEADER + Output::HEAD + Output::TAIL;

/// The longest order; the kernel takes no longer argument list either, where the stack is as usual.
const MAX_ORDER: u64 = 6 * 1024 * 1024;

/// Why an order cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadOrder {
    /// No program.
    #[error("the command is empty")]
    NoProgram,
    /// A NUL, which ends a string for the kernel.
    #[error("a NUL in {0}")]
    Nul(&'static str),
    /// A variable whose name is empty or holds `=`.
    #[error("`{0}` cannot be the name of a variable")]
    Variable(String),
    /// More than [`Order::MAX_STDIN`] bytes.
    #[error("stdin has {0} bytes, at most {max} are allowed", max = Order::MAX_STDIN)]
    Stdin(usize),
    /// More than the kernel would take.
    #[error("command and environment have {0} bytes, at most {MAX_ORDER} are allowed")]
    TooLong(u64),
}

/// Another user, as the kernel knows him.
#[derive(Debug, PartialEq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All his groups.
    pub(super) groups: Vec<u32>,
}

/// An order as the guard reads it: strings as the kernel wants them, borrowed from the order's bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Words<'a> {
    pub(super) deadline: Boottime,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
    /// The mark of the run's processes, see [`super::brand`].
    pub(super) brand: u64,
    /// Whose the program is; `None`: this process's.
    pub(super) user: Option<User>,
    pub(super) nice: Option<i8>,
    pub(super) memory_max: Option<u64>,
    /// The directory to make for its cgroup; `None`: there are none here.
    pub(super) cgroup: Option<&'a CStr>,
    /// Whether the host wants to hear what is printed while it is.
    pub(super) stream: bool,
    pub(super) cwd: &'a CStr,
    pub(super) argv: Vec<&'a CStr>,
    pub(super) env: Vec<&'a CStr>,
}

/// How many numbers every order begins with.
const NUMBERS: usize = 12;

/// What stands for "none" where a number may be zero.
const NONE: u64 = u64::MAX;

/// An order as bytes: numbers, the user's groups, then the cgroup, cwd, arguments and `NAME=value` pairs, a NUL after
/// each. `cgroups`: where this host makes those of its runs.
pub(super) fn encode(
    order: &Order,
    brand: u64,
    cgroups: Option<&Path>,
) -> Result<Vec<u8>, BadOrder> {
    if order.argv.first().is_none_or(String::is_empty) {
        return Err(BadOrder::NoProgram);
    }
    if order.stdin.len() > Order::MAX_STDIN {
        return Err(BadOrder::Stdin(order.stdin.len()));
    }
    let account = order.terms.account.as_ref();
    let groups = account.map_or(&[][..], |account| &account.groups);
    let cgroup = cgroups.map(|directory| directory.join(cgroup::name(order.run_id)));
    let mut bytes = Vec::with_capacity(1024);
    let numbers = [
        nanoseconds(order.deadline.since_boot()),
        nanoseconds(order.timeout),
        nanoseconds(order.grace),
        brand,
        order.stream.into(),
        order.argv.len() as u64,
        order.env.len() as u64,
        order
            .terms
            .nice
            .map_or(NONE, |nice| i64::from(nice).cast_unsigned() & 0xff),
        order.terms.memory_max.unwrap_or(NONE),
        account.map_or(NONE, |account| account.uid.into()),
        account.map_or(NONE, |account| account.gid.into()),
        groups.len() as u64,
    ];
    let groups = groups.iter().copied().map(u64::from);
    for number in numbers.into_iter().chain(groups) {
        bytes.extend(number.to_ne_bytes());
    }
    let cgroup = cgroup.as_deref().unwrap_or(Path::new(""));
    push(&mut bytes, &[cgroup.as_os_str().as_bytes()], "the cgroup")?;
    push(&mut bytes, &[order.cwd.as_os_str().as_bytes()], "cwd")?;
    for argument in &order.argv {
        push(&mut bytes, &[argument.as_bytes()], "the command")?;
    }
    for (name, value) in &order.env {
        if name.is_empty() || name.contains('=') {
            return Err(BadOrder::Variable(name.clone()));
        }
        push(
            &mut bytes,
            &[name.as_bytes(), b"=", value.as_bytes()],
            "the environment",
        )?;
    }
    match bytes.len() as u64 {
        length if length > MAX_ORDER => Err(BadOrder::TooLong(length)),
        _ => Ok(bytes),
    }
}

/// The order in `bytes`; `None` if they are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Words<'_>> {
    let (numbers, rest) = bytes.split_at_checked(NUMBERS * 8)?;
    let mut numbers = numbers.chunks_exact(8).filter_map(number);
    let mut next = || numbers.next();
    let (deadline, timeout, grace, brand) = (next()?, next()?, next()?, next()?);
    let stream = next()? != 0;
    let (arguments, variables) = (next()?, next()?);
    let (nice, memory_max) = (next()?, next()?);
    let (uid, gid, groups) = (next()?, next()?, next()?);
    let length = usize::try_from(groups).ok()?.checked_mul(8)?;
    let (groups, mut strings) = rest.split_at_checked(length)?;
    let mut string = || {
        let string = CStr::from_bytes_until_nul(strings).ok()?;
        strings = &strings[string.count_bytes() + 1..];
        Some(string)
    };
    Some(Words {
        deadline: Boottime::at(Duration::from_nanos(deadline)),
        timeout: Duration::from_nanos(timeout),
        grace: Duration::from_nanos(grace),
        brand,
        user: match uid {
            NONE => None,
            uid => Some(User {
                uid: u32::try_from(uid).ok()?,
                gid: u32::try_from(gid).ok()?,
                groups: groups.chunks_exact(8).map(group).collect::<Option<_>>()?,
            }),
        },
        nice: match nice {
            NONE => None,
            nice => Some(u8::try_from(nice).ok()?.cast_signed()),
        },
        memory_max: Some(memory_max).filter(|&bytes| bytes != NONE),
        stream,
        cgroup: string().map(|path| Some(path).filter(|path| !path.is_empty()))?,
        cwd: string()?,
        argv: (0..arguments).map(|_| string()).collect::<Option<_>>()?,
        env: (0..variables).map(|_| string()).collect::<Option<_>>()?,
    })
}

fn group(bytes: &[u8]) -> Option<u32> {
    u32::try_from(number(bytes)?).ok()
}

fn push(bytes: &mut Vec<u8>, parts: &[&[u8]], place: &'static str) -> Result<(), BadOrder> {
    for part in parts {
        if part.contains(&0) {
            return Err(BadOrder::Nul(place));
        }
        bytes.extend_from_slice(part);
    }
    bytes.push(0);
    Ok(())
}

/// A span as the messages have it.
pub(super) fn nanoseconds(span: Duration) -> u64 {
    // 584 years stand for ever.
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

/// A file in memory with these bytes, at its beginning.
pub(super) fn in_memory(name: &CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// What is in such a file.
pub(super) fn from_memory(file: OwnedFd) -> io::Result<Vec<u8>> {
    let file = File::from(file);
    let length = file.metadata()?.len().min(MAX_ORDER);
    // One more: the read that finds the end needs room, too.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(MAX_ORDER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The one thing a host tells a guard: the new deadline. (To cancel, it shuts its side of the socket.)
pub(super) fn extension(deadline: Boottime) -> [u8; 8] {
    nanoseconds(deadline.since_boot()).to_ne_bytes()
}

/// What such a datagram says; `None` if it is none.
pub(super) fn extended(datagram: &[u8]) -> Option<Boottime> {
    Some(Boottime::at(Duration::from_nanos(number(datagram)?)))
}

/// What a run's socket tells the host.
#[derive(Debug, PartialEq)]
pub(super) enum Report {
    /// There is a process that becomes the program, if it can.
    Started { main: Pid, guard: Pid },
    /// The program does not run, and never will. Instead of `Started`, or after it.
    NotStarted {
        why: String,
        stopped: Option<Stopped>,
    },
    /// The run is over and nothing of it is left.
    Ended {
        status: ExitStatus,
        stopped: Option<Stopped>,
        output: Output,
    },
    /// From the supervisor: the guard was killed, and nothing of the run is left.
    Lost,
    /// No message: the socket is closed, and there will be none.
    Closed,
}

const STARTED: u8 = 1;
const NOT_STARTED: u8 = 2;
const ENDED: u8 = 3;
const LOST: u8 = 4;
/// See [`super::telling`].
pub(super) const PRINTED: u8 = 5;

/// Tag, reason, status, total, length of the head.
const ENDED_HEADER: usize = 1 + 1 + 4 + 8 + 4;

/// Tells the host that there is a process that becomes the program.
pub(super) fn send_started(socket: &impl AsFd, main: Pid, guard: Pid) -> nix::Result<()> {
    let [main, guard] = [main, guard].map(|pid| pid.as_raw().to_ne_bytes());
    send(socket, &[&[STARTED], &main, &guard])
}

/// Tells the host that the program does not run.
pub(super) fn send_not_started(
    socket: &impl AsFd,
    why: &str,
    stopped: Option<Stopped>,
) -> nix::Result<()> {
    let why = &why.as_bytes()[..why.len().min(Output::HEAD)];
    send(socket, &[&[NOT_STARTED, reason_code(stopped)], why])
}

/// Tells the host that the run is over.
pub(super) fn send_ended(
    socket: &impl AsFd,
    status: ExitStatus,
    stopped: Option<Stopped>,
    output: &Capture,
) -> nix::Result<()> {
    let with = |[head, older, newer]: [&[u8]; 3]| {
        let length = u32::try_from(head.len()).expect("the head has 16 KiB");
        send(
            socket,
            &[
                &[ENDED, reason_code(stopped)],
                &status.into_raw().to_ne_bytes(),
                &output.total().to_ne_bytes(),
                &length.to_ne_bytes(),
                head,
                older,
                newer,
            ],
        )
    };
    match with(output.kept()) {
        // A machine whose socket buffers are set very small: the verdict matters more than the text.
        Err(Errno::EMSGSIZE | Errno::ENOBUFS) => with([&[], &[], &[]]),
        result => result,
    }
}

/// Tells the host, in a guard's place, that the guard was killed and nothing of the run is left.
pub(super) fn send_lost(socket: &impl AsFd) -> nix::Result<()> {
    send(socket, &[&[LOST]])
}

/// A pair of connected sockets for datagrams that notices when the other end is closed.
pub(super) fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
    socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC)
}

/// Sends descriptors, which are all there is to say: of an order, or of the line on which a guard waits that is free.
/// Never waits.
pub(super) fn send_descriptors(
    socket: &impl AsFd,
    descriptors: &[BorrowedFd<'_>],
) -> nix::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let (byte, rights) = ([IoSlice::new(b"o")], [ControlMessage::ScmRights(&raw)]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(socket.as_fd().as_raw_fd(), &byte, &rights, flags, None).map(drop)
}

/// Sends one datagram. Waits only when the buffer is full, and a run makes two; what is told on the way leaves room.
fn send(socket: &impl AsFd, parts: &[&[u8]]) -> nix::Result<()> {
    send_with(socket, parts, MsgFlags::empty())
}

pub(super) fn send_with(socket: &impl AsFd, parts: &[&[u8]], flags: MsgFlags) -> nix::Result<()> {
    let parts: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<()>(socket, &parts, &[], MsgFlags::MSG_NOSIGNAL | flags, None).map(drop)
}

impl Report {
    /// The report in a datagram; `None` if it is none.
    pub(super) fn decode(datagram: &[u8]) -> Option<Self> {
        let (&tag, mut rest) = datagram.split_first()?;
        match tag {
            STARTED => Some(Self::Started {
                main: Pid::from_raw(i32::from_ne_bytes(take(&mut rest)?)),
                guard: Pid::from_raw(i32::from_ne_bytes(take(&mut rest)?)),
            }),
            NOT_STARTED => Some(Self::NotStarted {
                stopped: reason(take::<1>(&mut rest)?[0]),
                why: String::from_utf8_lossy(rest).into_owned(),
            }),
            ENDED => {
                let stopped = reason(take::<1>(&mut rest)?[0]);
                let status = i32::from_ne_bytes(take(&mut rest)?);
                let total = u64::from_ne_bytes(take(&mut rest)?);
                let head = u32::from_ne_bytes(take(&mut rest)?);
                let (head, tail) = rest.split_at_checked(usize::try_from(head).ok()?)?;
                Some(Self::Ended {
                    status: ExitStatus::from_raw(status),
                    stopped,
                    output: Output {
                        head: head.to_vec(),
                        tail: tail.to_vec(),
                        total,
                    },
                })
            }
            LOST => Some(Self::Lost),
            _ => None,
        }
    }
}

/// Takes the first `N` bytes off.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn reason_code(stopped: Option<Stopped>) -> u8 {
    match stopped {
        None => 0,
        Some(Stopped::Timeout) => 1,
        Some(Stopped::Cancelled) => 2,
        Some(Stopped::Deadline) => 3,
        Some(Stopped::HostGone) => 4,
        Some(Stopped::OutOfMemory) => 5,
    }
}

fn reason(code: u8) -> Option<Stopped> {
    match code {
        1 => Some(Stopped::Timeout),
        2 => Some(Stopped::Cancelled),
        3 => Some(Stopped::Deadline),
        4 => Some(Stopped::HostGone),
        5 => Some(Stopped::OutOfMemory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, recv, socketpair};
    use uuid::Uuid;

    use super::*;
    use crate::rights::{Account, Terms};

    fn order() -> Order {
        Order {
            run_id: Uuid::nil(),
            terms: Terms::default(),
            argv: vec!["echo".into(), String::new(), "ü".into()],
            env: vec![("A".into(), "1=2".into()), ("EMPTY".into(), String::new())],
            cwd: "/tmp".into(),
            stdin: Vec::new(),
            timeout: Duration::MAX,
            grace: Duration::from_millis(1500),
            deadline: Boottime::at(Duration::from_secs(7)),
            stream: true,
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_given() {
        let bytes = encode(&order(), 42, None).unwrap();
        let words = decode(&bytes).unwrap();
        assert_eq!(words.argv, [c"echo", c"", c"ü"]);
        assert_eq!((words.user, words.cgroup), (None, None));
        assert_eq!((words.nice, words.memory_max), (None, None));
        assert_eq!(words.env, [c"A=1=2", c"EMPTY="]);
        assert_eq!(words.cwd, c"/tmp");
        assert_eq!(words.brand, 42);
        assert!(words.stream);
        assert_eq!(words.grace, Duration::from_millis(1500));
        assert_eq!(words.timeout, Duration::from_nanos(u64::MAX));
        assert_eq!(words.deadline, Boottime::at(Duration::from_secs(7)));
    }

    /// As another user, of two groups, with everything that can be asked for.
    fn demanding() -> Order {
        let account = Account {
            name: "backup".into(),
            uid: 34,
            gid: 35,
            groups: vec![35, 1000],
            home: "/var/backups".into(),
        };
        Order {
            terms: Terms {
                account: Some(account),
                nice: Some(-20),
                memory_max: Some(1 << 26),
            },
            ..order()
        }
    }

    #[test]
    fn an_order_says_as_whom_how_willingly_and_with_how_much_memory() {
        let bytes = encode(&demanding(), 42, Some(Path::new("/cgroups"))).unwrap();
        let words = decode(&bytes).unwrap();
        let groups = vec![35, 1000];
        let (uid, gid) = (34, 35);
        assert_eq!(words.user, Some(User { uid, gid, groups }));
        assert_eq!((words.nice, words.memory_max), (Some(-20), Some(1 << 26)));
        let cgroup = c"/cgroups/run-00000000-0000-0000-0000-000000000000";
        assert_eq!(words.cgroup, Some(cgroup));
        assert_eq!(words.cwd, c"/tmp");
    }

    #[test]
    fn half_an_order_is_none() {
        let bytes = encode(&demanding(), 42, None).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn what_the_kernel_would_misread_is_refused() {
        let refuses = |change: fn(&mut Order), message: &str| {
            let mut order = order();
            change(&mut order);
            assert_eq!(encode(&order, 42, None).unwrap_err().to_string(), message);
        };
        refuses(|order| order.argv.clear(), "the command is empty");
        refuses(|order| order.argv[0].clear(), "the command is empty");
        refuses(|order| order.argv[1].push('\0'), "a NUL in the command");
        refuses(
            |order| order.env[0].1.push('\0'),
            "a NUL in the environment",
        );
        refuses(|order| order.cwd.push("\0"), "a NUL in cwd");
        refuses(
            |order| order.env[0].0.push('='),
            "`A=` cannot be the name of a variable",
        );
        refuses(
            |order| order.env[0].0.clear(),
            "`` cannot be the name of a variable",
        );
        refuses(
            |order| order.stdin = vec![0; Order::MAX_STDIN + 1],
            "stdin has 1048577 bytes, at most 1048576 are allowed",
        );
        refuses(
            |order| order.argv.push("x".repeat(7_000_000)),
            "command and environment have 7000125 bytes, at most 6291456 are allowed",
        );
    }

    #[test]
    fn a_full_output_fits_into_one_datagram() {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (guard, host) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let mut capture = Capture::default();
        while capture.total() < 1_000_000 {
            let length = capture.space().len();
            capture.space().fill(b'x');
            capture.advance(length);
        }
        let status = ExitStatus::from_raw(7 << 8);
        send_ended(&guard, status, Some(Stopped::Timeout), &capture).unwrap();

        let mut datagram = vec![0; MAX_REPORT];
        let length = recv(host.as_raw_fd(), &mut datagram, MsgFlags::empty()).unwrap();
        assert_eq!(length, MAX_REPORT);
        let Some(Report::Ended {
            status,
            stopped,
            output,
        }) = Report::decode(&datagram)
        else {
            panic!("it was an Ended");
        };
        assert_eq!((status.code(), stopped), (Some(7), Some(Stopped::Timeout)));
        assert_eq!(
            (output.head.len(), output.tail.len()),
            (Output::HEAD, Output::TAIL)
        );
        assert_eq!(output.total, capture.total());
    }

    #[test]
    fn a_datagram_that_is_no_report_is_none() {
        for datagram in [&[][..], &[9], &[STARTED, 1, 2], &[ENDED, 0, 0, 0, 0, 0]] {
            assert_eq!(Report::decode(datagram), None);
        }
    }
}
