//! Starting the program of a run.

use std::{
    ffi::{CStr, CString, OsStr},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::SigSet,
        stat::{Mode, umask},
    },
    unistd::{AccessFlags, Pid, access, chdir, pipe2},
};

use super::{cell::Cell, exec::Start, wire::Words};
use crate::clock::Boottime;

/// Where a program without a `/` is looked for when the environment given names no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// Why nothing is started any more.
pub(super) const TOO_LATE: &str = "the deadline has come before the start";

/// A program that runs, and what it prints.
pub(super) struct Started {
    pub(super) main: Pid,
    /// The reading end of its stdout and stderr; does not wait.
    pub(super) output: OwnedFd,
}

/// Starts the program, or says in words why it cannot be.
///
/// It gets a session of its own, umask 022, every signal unblocked and at its default, exactly the environment
/// given, `stdin` (this process's own, which is `/dev/null`, if `None`), one pipe as both stdout and stderr, so
/// that their order is kept, and no other file descriptor: all of ours are closed on exec.
pub(super) fn spawn(
    words: &Words,
    stdin: Option<&OwnedFd>,
    cell: Option<&Cell>,
) -> Result<Started, String> {
    umask(Mode::from_bits_truncate(0o022));
    let name = words.argv[0];
    let (output, theirs) = output_pipe().map_err(|errno| because("start", name, errno))?;
    let main = if cell.is_none() && words.user.is_none() && words.nice.is_none() {
        at_once(words, stdin, &theirs)?
    } else {
        let start = Start {
            words,
            stdin,
            output: &theirs,
            cell,
        };
        start.program()?
    };
    Ok(Started { main, output })
}

/// By `posix_spawn`, which copies nothing.
fn at_once(words: &Words, stdin: Option<&OwnedFd>, output: &OwnedFd) -> Result<Pid, String> {
    // This process has one run at a time, so its directory is the run's until that is over.
    chdir(words.cwd).map_err(|errno| because("enter", words.cwd, errno))?;
    let name = words.argv[0];
    let program = find(name, &words.env).map_err(|errno| because("start", name, errno))?;
    // A directory may have hung in a network, and this process with it.
    if Boottime::now() >= words.deadline {
        return Err(TOO_LATE.to_owned());
    }
    branded(words.brand, || {
        posix_spawn(
            program.as_c_str(),
            &descriptors(stdin, output)?,
            &attributes()?,
            &words.argv,
            &words.env,
        )
    })
    .map_err(|errno| because("start", name, errno))
}

pub(super) fn because(verb: &str, what: &CStr, errno: Errno) -> String {
    format!(
        "cannot {verb} `{}`: {}",
        what.to_string_lossy(),
        errno.desc()
    )
}

/// The file to execute: the name itself if it is a path, else the first of the PATH given.
///
/// Looked up here, because libc's `execvp` looks through the PATH of the caller.
pub(super) fn find(name: &CStr, env: &[&CStr]) -> nix::Result<CString> {
    if name.to_bytes().contains(&b'/') {
        return Ok(name.to_owned());
    }
    let path = env
        .iter()
        .find_map(|pair| pair.to_bytes().strip_prefix(b"PATH="));
    let mut seen = Errno::ENOENT;
    for directory in path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':') {
        let file = Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name.to_bytes()));
        match access(&file, AccessFlags::X_OK) {
            Ok(()) if file.is_file() => {
                // An empty entry of the PATH means the current directory, as in every shell.
                return CString::new(file.into_os_string().into_encoded_bytes())
                    .map_err(|_| Errno::EINVAL);
            }
            // As a shell does: found but not allowed is worth saying, and the search goes on.
            Ok(()) | Err(Errno::EACCES) => seen = Errno::EACCES,
            Err(_) => {}
        }
    }
    Err(seen)
}

/// A pipe whose reading end does not wait; the writing end does, for programs expect that of a stdout.
fn output_pipe() -> nix::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

fn descriptors(stdin: Option<&OwnedFd>, output: &OwnedFd) -> nix::Result<PosixSpawnFileActions> {
    let mut actions = PosixSpawnFileActions::init()?;
    if let Some(stdin) = stdin {
        actions.add_dup2(stdin.as_fd().as_raw_fd(), libc::STDIN_FILENO)?;
    }
    for descriptor in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        actions.add_dup2(output.as_raw_fd(), descriptor)?;
    }
    Ok(actions)
}

fn attributes() -> nix::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;
    let session = PosixSpawnFlags::from_bits_retain(libc::c_int::from(libc::POSIX_SPAWN_SETSID));
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | session,
    )?;
    Ok(attributes)
}

/// Does `start` so that the process it starts bears the brand and this one, afterwards, does not.
fn branded<T>(brand: u64, start: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_LOCKS)?;
    setrlimit(Resource::RLIMIT_LOCKS, brand, hard)?;
    let started = start();
    // Taking back what was just allowed cannot fail, and a guard with a brand would only be killed earlier.
    let _ = setrlimit(Resource::RLIMIT_LOCKS, soft, hard);
    started
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Read as _,
        os::unix::fs::PermissionsExt,
        time::Duration,
    };

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
    fn what_is_ready_to_start_when_its_deadline_is_over_is_not_started() {
        let (output, theirs) = output_pipe().unwrap();
        let words = Words {
            deadline: Boottime::now(),
            timeout: Duration::from_mins(1),
            grace: Duration::ZERO,
            brand: 0,
            user: None,
            nice: None,
            memory_max: None,
            cgroup: None,
            stream: false,
            cwd: c"/",
            argv: vec![c"/bin/echo", c"too late"],
            env: Vec::new(),
        };
        let why = at_once(&words, None, &theirs).unwrap_err();
        assert_eq!(why, TOO_LATE);
        drop(theirs);
        let mut said = String::new();
        File::from(output).read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
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
