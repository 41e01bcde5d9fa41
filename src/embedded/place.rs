//! Where a cluster keeps what: its directory, its socket, and the ways around a bad directory.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, symlink},
    },
    path::{Component, Path, PathBuf, absolute},
};

use nix::unistd::Uid;
use sha2::{Digest, Sha256};

use super::{EmbeddedError, account::Account, wait};
use crate::state_directory::{OF_ROOT, state_directory};

/// The port, which on a Unix socket is no more than the end of a file name. Named, so that a
/// `PGPORT` in somebody's environment changes nothing.
const PORT: u16 = 5432;
/// The longest directory of a socket: the kernel takes 107 bytes with `/.s.PGSQL.5432`.
pub(super) const LONGEST_SOCKET_DIRECTORY: usize = 107 - "/.s.PGSQL.5432".len();
/// The longest directory of a cluster whose socket is reached without a detour.
pub(super) const LONGEST_DIRECTORY: usize = LONGEST_SOCKET_DIRECTORY - "/run".len();
/// A log longer than this is moved aside at the next start; the one before it is deleted.
const LONGEST_LOG: u64 = 1024 * 1024;

/// Where the embedded database is unless the configuration says otherwise.
///
/// `postgres` below the state directory. `variable` reads the environment, as `std::env::var_os` does.
#[must_use]
pub fn default_directory(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    state_directory(Uid::effective(), variable).join("postgres")
}

/// The directory a cluster really has, and the files in it.
#[derive(Debug)]
pub(super) struct Home {
    directory: PathBuf,
    /// The directory that was asked for, if this is not it.
    instead_of: Option<PathBuf>,
}

impl Home {
    /// Where the cluster asked for at `asked` is: data stay where they are found; else it is there
    /// if the server's user can get there, and below [`OF_ROOT`] if not.
    pub(super) fn of(asked: &Path) -> Self {
        let here = Self {
            directory: resolved(asked),
            instead_of: None,
        };
        if !Uid::effective().is_root() || here.data().exists() {
            return here;
        }
        let name = format!("instead-of-{}", hash(&here.directory));
        let elsewhere = Self {
            directory: Path::new(OF_ROOT).join(name),
            instead_of: Some(here.directory.clone()),
        };
        let closed = || Account::of(&here).and_then(|account| account.closed(&here.directory));
        if elsewhere.data().exists() || closed().is_some() {
            elsewhere
        } else {
            here
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The data directory while it is made.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.directory.join("data.new")
    }

    /// The server's log, locked as long as any of its processes lives.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// The log before this one.
    fn old_log(&self) -> PathBuf {
        self.directory.join("server.log.1")
    }

    /// The directory of the socket.
    fn run(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// Says which directory was asked for, for the operator who finds this one.
    fn note(&self) -> PathBuf {
        self.directory.join("instead_of")
    }

    /// Held by whoever creates, starts or stops.
    fn lock(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// The socket, by a path short enough for the kernel.
    pub(super) fn socket(&self) -> PathBuf {
        self.socket_directory().join(format!(".s.PGSQL.{PORT}"))
    }

    /// The file by which PostgreSQL keeps two servers from one socket.
    pub(super) fn socket_lock(&self) -> PathBuf {
        self.run().join(format!(".s.PGSQL.{PORT}.lock"))
    }

    fn socket_directory(&self) -> PathBuf {
        let run = self.run();
        if run.as_os_str().len() <= LONGEST_SOCKET_DIRECTORY {
            run
        } else {
            self.link()
        }
    }

    /// A short name of a `run` that lies too deep, the same for every process that looks for it.
    /// It is a link, so that the server's own files stay together; and in `/tmp`, because every
    /// user has that, cron or login.
    fn link(&self) -> PathBuf {
        Path::new("/tmp").join(format!("crontabber-{}", hash(&self.directory)))
    }

    /// The URL of the database, as libpq and we understand it.
    pub(super) fn url(&self) -> String {
        let host = percent_encoded(&self.socket_directory());
        format!("postgresql:///crontabber?host={host}&port={PORT}&user=crontabber")
    }

    /// What the server is told on its command line: what is promised, no more. Anything else is in
    /// `postgresql.conf`, where the operator may change it.
    ///
    /// The socket's directory is relative to the data, so it needs neither quoting nor a short path.
    pub(super) fn promises() -> String {
        format!(
            "-c listen_addresses= -c port={PORT} -c unix_socket_directories=../run -c unix_socket_permissions=0700 -c fsync=on"
        )
    }

    /// Makes the directories and the short link, as far as they are missing.
    pub(super) fn prepare(&self, account: Option<&Account>) -> Result<(), EmbeddedError> {
        if !self.directory.exists() {
            self.create(if account.is_some() { 0o711 } else { 0o700 })?;
        }
        if let Some(account) = account
            && let Some(closed) = account.closed(&self.directory)
        {
            return Err(EmbeddedError::Unreachable {
                user: account.name.clone(),
                closed,
            });
        }
        private_directory(&self.run(), account)?;
        self.link_socket()
    }

    /// Makes the directory and those above it, with this mode whatever the umask is: a directory of
    /// root's is entered by another user.
    fn create(&self, mode: u32) -> Result<(), EmbeddedError> {
        let ancestors: Vec<_> = self.directory.ancestors().collect();
        for missing in ancestors.into_iter().rev() {
            match fs::create_dir(missing) {
                Ok(()) => fs::set_permissions(missing, fs::Permissions::from_mode(mode)),
                // Also when somebody else has just made it.
                Err(_) if missing.is_dir() => Ok(()),
                Err(error) => Err(error),
            }
            .map_err(EmbeddedError::io("create", missing))?;
        }
        if let Some(asked) = &self.instead_of {
            let (asked, directory) = (asked.display(), self.directory.display());
            tracing::warn!(%asked, %directory, "the embedded database goes elsewhere: its user cannot enter the directory asked for");
            let note = self.note();
            fs::write(&note, format!("{asked}\n")).map_err(EmbeddedError::io("write", &note))?;
        }
        Ok(())
    }

    /// Makes the short link to a `run` that lies too deep, again if `/tmp` has been cleaned.
    pub(super) fn link_socket(&self) -> Result<(), EmbeddedError> {
        if self.run().as_os_str().len() <= LONGEST_SOCKET_DIRECTORY {
            return Ok(());
        }
        let link = self.link();
        match symlink(self.run(), &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map_err(EmbeddedError::io("create", &link)),
        }
        // Anybody may put anything into /tmp: a link of somebody else's could lead to a server of
        // theirs tomorrow.
        let ours = fs::symlink_metadata(&link).is_ok_and(|found| {
            let owners = [0, Uid::effective().as_raw()];
            owners.contains(&found.uid()) && fs::read_link(&link).is_ok_and(|to| to == self.run())
        });
        if ours {
            Ok(())
        } else {
            Err(EmbeddedError::Squatted(link))
        }
    }

    /// Opens the lock of those who create, start or stop.
    pub(super) fn open_lock(&self, account: Option<&Account>) -> Result<File, EmbeddedError> {
        open(&self.lock(), account)
    }

    /// Opens the log, which is also the lock of the server itself.
    pub(super) fn open_log(&self, account: Option<&Account>) -> Result<File, EmbeddedError> {
        open(&self.log(), account)
    }

    /// Moves a long log aside, now that no server writes to it, and locks the new one.
    pub(super) fn rotate_log(
        &self,
        log: File,
        account: Option<&Account>,
    ) -> Result<File, EmbeddedError> {
        let length = log.metadata().map_or(0, |found| found.len());
        if length <= LONGEST_LOG {
            return Ok(log);
        }
        let old = self.old_log();
        fs::rename(self.log(), &old).map_err(EmbeddedError::io("write", &old))?;
        let new = self.open_log(account)?;
        wait::lock(&new, self, super::START_LIMIT, "the rotation of the log")?;
        Ok(new)
    }

    /// The major version that made the data; `None`: there are none.
    pub(super) fn major(&self) -> Result<Option<u32>, EmbeddedError> {
        let data = self.data();
        match fs::read_to_string(data.join("PG_VERSION")) {
            Ok(text) => match text.trim().parse() {
                Ok(major) => Ok(Some(major)),
                Err(_) => Err(EmbeddedError::NotData(data)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if data.exists() {
                    Err(EmbeddedError::NotData(data))
                } else {
                    Ok(None)
                }
            }
            Err(error) => Err(EmbeddedError::io("read", data)(error)),
        }
    }

    /// Deletes everything a cluster has, and its directory if nothing else is in it.
    pub(super) fn remove(&self) -> Result<(), EmbeddedError> {
        for directory in [self.data(), self.unfinished_data(), self.run()] {
            absent_is_fine(fs::remove_dir_all(&directory))
                .map_err(EmbeddedError::io("delete", &directory))?;
        }
        let mut files = vec![self.log(), self.old_log(), self.lock(), self.note()];
        if fs::read_link(self.link()).is_ok_and(|to| to == self.run()) {
            files.push(self.link());
        }
        for file in files {
            absent_is_fine(fs::remove_file(&file)).map_err(EmbeddedError::io("delete", &file))?;
        }
        // Something of the operator's may be in there: then it stays.
        let _ = fs::remove_dir(&self.directory);
        Ok(())
    }
}

/// Makes a directory that only the server's user may enter.
pub(super) fn private_directory(
    path: &Path,
    account: Option<&Account>,
) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other.map_err(EmbeddedError::io("create", path))?,
    }
    if let Some(account) = account {
        chown(path, Some(account.uid), Some(account.gid))
            .map_err(EmbeddedError::io("hand over", path))?;
    }
    // Whatever the umask was.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(EmbeddedError::io("close", path))
}

/// Opens a file to append to, made if missing and handed to the server's user. A link is refused:
/// root may be looking after a directory that somebody else can write to.
fn open(path: &Path, account: Option<&Account>) -> Result<File, EmbeddedError> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(EmbeddedError::io("open", path))?;
    if let Some(account) = account {
        fchown(&file, Some(account.uid), Some(account.gid))
            .map_err(EmbeddedError::io("hand over", path))?;
    }
    Ok(file)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The absolute path without links, as far as it exists: one name for one directory.
fn resolved(path: &Path) -> PathBuf {
    // Only an empty path, or a current directory that is gone, has no absolute form.
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (fs::canonicalize(ancestor), path.strip_prefix(ancestor)) {
            let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
            if rest.components().all(|part| plain(&part)) {
                return found.components().chain(rest.components()).collect();
            }
        }
    }
    path
}

/// A short name for a path, the same in every process and version.
fn hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest.iter().take(6).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

/// A path as the value of a URL's parameter; slashes stay readable.
fn percent_encoded(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes any text");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_strange_directories_apart() {
        assert_eq!(
            percent_encoded(Path::new("/a b/c&d=%/é")),
            "/a%20b/c%26d%3D%25/%C3%A9"
        );
    }

    #[test]
    fn one_directory_has_one_name() {
        let top = tempfile::tempdir().expect("/tmp takes directories");
        let top = top.path().canonicalize().expect("it is there");
        fs::create_dir(top.join("real")).expect("it is new");
        symlink(top.join("real"), top.join("link")).expect("it is new");
        assert_eq!(resolved(&top.join("link/new/x")), top.join("real/new/x"));
        assert_eq!(resolved(&top.join("link/../real")), top.join("real"));
    }
}
