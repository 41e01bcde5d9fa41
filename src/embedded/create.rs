//! Making a cluster: all of it, or nothing that counts.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{
    CREATE_LIMIT, EmbeddedError,
    account::{Account, command},
    binaries::Binaries,
    place::{Home, private_directory},
    postmaster::{failed, slow},
    until,
};

/// What a new cluster's `postgresql.conf` ends with. The operator may change it.
const SETTINGS: &str = "
# --- crontabber ---
max_connections = 200
shared_buffers = 16MB
max_wal_size = 256MB
# Not posix: systemd deletes a user's shared memory when the user logs out (RemoveIPC).
dynamic_shared_memory_type = mmap
# Neither ERROR nor WARNING: a row that another host has locked is an everyday error, and this log
# is only cut when the server starts.
log_min_messages = log
log_checkpoints = off
log_line_prefix = '%m [%p] '
";

/// Runs `initdb` and makes our database, beside the place where the data will be; moving them there
/// is the last step, so that a process killed on the way leaves nothing that looks like a cluster.
///
/// The caller holds both locks: nobody else is writing here, not even an `initdb` whose crontabber
/// was killed.
pub(super) fn create(
    home: &Home,
    binaries: &Binaries,
    account: Option<&Account>,
    log: &File,
) -> Result<(), EmbeddedError> {
    let new = home.unfinished_data();
    if new.exists() {
        fs::remove_dir_all(&new).map_err(EmbeddedError::io("delete", &new))?;
    }
    private_directory(&new, account)?;

    let mut initdb = command(&binaries.program("initdb"), account);
    initdb.arg("-D").arg(&new).args([
        "--username=crontabber",
        "--auth=trust", // whoever may enter the socket's directory is trusted
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
    ]);
    run(home, "initdb", initdb, b"", log)?;
    configure(&new.join("postgresql.conf"))?;

    // Before there is a server, so that a server never lacks the database.
    let mut single = command(&binaries.program("postgres"), account);
    single
        .args(["--single", "-c", "exit_on_error=on", "-D"])
        .arg(&new)
        .arg("template1");
    run(
        home,
        "postgres --single",
        single,
        b"CREATE DATABASE crontabber;\n",
        log,
    )?;

    let data = home.data();
    fs::rename(&new, &data).map_err(EmbeddedError::io("create", &data))?;
    let directory = home.directory();
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(EmbeddedError::io("sync", directory))
}

/// Appends our settings to those `initdb` chose.
fn configure(file: &Path) -> Result<(), EmbeddedError> {
    let append = || {
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(SETTINGS.as_bytes())?;
        file.sync_all()
    };
    append().map_err(EmbeddedError::io("write", file))
}

/// Runs a program to its end, its output to the log; past the limit it is killed with its children.
fn run(
    home: &Home,
    program: &'static str,
    mut command: Command,
    input: &[u8],
    log: &File,
) -> Result<(), EmbeddedError> {
    let path = command.get_program().to_owned();
    let since = home.log_length();
    let began = Instant::now();
    command.stdin(Stdio::piped());
    home.write_to(&mut command, log)?;
    let mut child = command.spawn().map_err(EmbeddedError::io("run", &path))?;
    // Only a program that has died does not read its few bytes, and its status says more than that.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    let exit = until(CREATE_LIMIT, || {
        child
            .try_wait()
            .map_err(EmbeddedError::io("wait for", &path))
    });
    let exit = match exit {
        Ok(Some(exit)) => exit,
        unfinished => {
            let group = Pid::from_raw(child.id().cast_signed());
            // Either may find nothing left to do: that is what is wanted.
            let _ = killpg(group, Signal::SIGKILL);
            let _ = child.wait();
            unfinished?;
            return Err(slow(home, program, CREATE_LIMIT));
        }
    };
    tracing::debug!(program, took = ?began.elapsed(), "ran");
    if exit.success() {
        Ok(())
    } else {
        Err(failed(home, program, exit.to_string(), since))
    }
}
