//! Starting the program of a run: by a child that borrows its guard's memory until it is the program, or by fork where it has
//! more to do before (to become another user, to take another priority) or a limit of its memory.
//!
//! The guard does not wait until the program runs: its directory or its file may hang in a network, and a guard that hangs
//! with it keeps no deadline. What goes wrong on the way the child tells through a pipe that the program does not inherit;
//! so it is the end of that pipe that says that the program runs.

use std::{
    ffi::CString,
    fs::File,
    io::Write,
    os::fd::{AsFd, OwnedFd},
    process,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::{
        resource::{Resource, getrlimit},
        stat::{Mode, umask},
    },
    unistd::{Gid, Pid, Uid, fchown, pipe2, read},
};

use super::{
    cell::Cell,
    exec::{self, because, candidates, is_path},
    kernel::{Forked, Launched, Program, Step, fork, fork_into, launch, why},
    wire::Words,
};

/// The longest word of trouble, in bytes.
const LONGEST: usize = 4096;

/// What the program is started with.
pub(super) struct Start<'a> {
    pub(super) words: &'a Words<'a>,
    /// `None`: this process's own, which is `/dev/null`.
    pub(super) stdin: Option<&'a OwnedFd>,
    /// The writing end of its output.
    pub(super) output: &'a OwnedFd,
    pub(super) cell: Option<&'a Cell>,
}

/// A child that becomes the program of a run.
pub(super) struct Starting {
    pub(super) main: Pid,
    /// The reading end of its stdout and stderr; does not wait.
    pub(super) output: OwnedFd,
    pub(super) trouble: Trouble,
}

/// Starts the program, or says in words why it cannot be.
///
/// It gets a session of its own, umask 022, every signal unblocked and at its default, exactly the environment
/// given, `stdin`, one pipe as both stdout and stderr, so that their order is kept, and no other file descriptor: all of
/// ours are closed on exec.
pub(super) fn spawn(
    words: &Words,
    stdin: Option<&OwnedFd>,
    cell: Option<&Cell>,
) -> Result<Starting, String> {
    umask(Mode::from_bits_truncate(0o022));
    let cannot = |errno| because("start", words.argv[0], errno);
    let (output, theirs) = quiet_pipe().map_err(cannot)?;
    let start = Start {
        words,
        stdin,
        output: &theirs,
        cell,
    };
    start.give_away_pipes();
    if let Some(launched) = start.launch() {
        return Ok(Starting {
            main: launched.pid,
            output,
            trouble: Trouble::of(Word::Launched {
                launched,
                name: words.argv[0].to_owned(),
                cwd: words.cwd.to_owned(),
            }),
        });
    }
    let (pipe, to_tell) = quiet_pipe().map_err(cannot)?;
    let (forked, is_inside) = start.fork().map_err(cannot)?;
    match forked {
        Forked::Parent(main) => Ok(Starting {
            main,
            output,
            trouble: Trouble::of(Word::Forked(pipe)),
        }),
        Forked::Child => {
            let Err(why) = start.become_program(is_inside, to_tell.as_fd());
            // Nobody else could be told. No more than a pipe takes at once, whoever reads.
            let _ = File::from(to_tell).write_all(&why.as_bytes()[..why.len().min(LONGEST)]);
            // Without destructors: the lock of the cgroup is the guard's.
            process::exit(127)
        }
    }
}

impl Start<'_> {
    /// Starts it without a copy of this process. `None`: it asks for more than that allows, or this machine does not know how.
    fn launch(&self) -> Option<Launched> {
        let words = self.words;
        // What the kernel kills for want of memory it kills with all that share the memory.
        if words.user.is_some() || words.nice.is_some() || words.memory_max.is_some() {
            return None;
        }
        let (_, hard) = getrlimit(Resource::RLIMIT_LOCKS).ok()?;
        let name = words.argv[0];
        let program = Program {
            files: candidates(name, &words.env),
            is_looked_for: !is_path(name),
            argv: &words.argv,
            env: &words.env,
            cwd: words.cwd,
            name: exec::NAME,
            stdin: self.stdin.map(AsFd::as_fd),
            output: self.output.as_fd(),
            locks: [words.brand, hard],
        };
        launch(&program, self.cell.map(Cell::directory)).ok()
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

    /// Lets the user open again, as `/dev/stdout` and its like, what was opened for him.
    fn give_away_pipes(&self) {
        let Some(user) = &self.words.user else { return };
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        for descriptor in [Some(self.output), self.stdin].into_iter().flatten() {
            // Without it he can still write to them, which is what they are for.
            let _ = fchown(descriptor, Some(uid), Some(gid));
        }
    }
}

/// A pipe whose reading end does not wait; the writing end does, for programs expect that of a stdout.
pub(super) fn quiet_pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

/// What a child says before it is the program: nothing, if all goes well.
pub(super) struct Trouble {
    word: Word,
    said: Vec<u8>,
}

/// How a child says it.
enum Word {
    /// In words for people.
    Forked(OwnedFd),
    /// In numbers.
    Launched {
        launched: Launched,
        name: CString,
        cwd: CString,
    },
}

impl Trouble {
    fn of(word: Word) -> Self {
        let said = Vec::new();
        Self { word, said }
    }

    /// Whether the program runs; `None`: not yet. An error says why it never will.
    pub(super) fn hear(&mut self) -> Option<Result<(), String>> {
        let mut heard = [0; LONGEST];
        loop {
            let length = match &mut self.word {
                Word::Forked(pipe) => read(pipe, &mut heard),
                Word::Launched { launched, .. } => launched.read(&mut heard),
            };
            match length {
                Ok(length) if length > 0 && self.said.len() < LONGEST => {
                    self.said.extend_from_slice(&heard[..length]);
                }
                Ok(_) if self.said.is_empty() => return Some(Ok(())),
                Ok(_) => return Some(Err(self.in_words())),
                Err(Errno::EAGAIN) => return None,
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    let why = format!("cannot hear whether it has started: {}", errno.desc());
                    return Some(Err(why));
                }
            }
        }
    }

    fn in_words(&self) -> String {
        if let Word::Launched { name, cwd, .. } = &self.word
            && let Some((step, errno)) = why(&self.said)
        {
            return match step {
                Step::Start => because("start", name, errno),
                Step::Enter => because("enter", cwd, errno),
            };
        }
        String::from_utf8_lossy(&self.said).into_owned()
    }
}
