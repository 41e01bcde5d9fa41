//! As whom the server runs: PostgreSQL refuses to run as root.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Gid, Uid, User};

use super::place::Home;

/// The users root's server may run as, the first that exists.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];
/// What `nobody` is where no such user is listed.
const NOBODY: u32 = 65534;

/// The user that root hands the server to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Whose the server of this home is; `None`: the caller's own, who is not root.
    ///
    /// An owner stays an owner: data that belong to somebody are run as that one, also when a
    /// user `postgres` has been installed since, or when root looks after somebody else's cluster.
    pub(super) fn of(home: &Home) -> Option<Self> {
        if !Uid::effective().is_root() {
            return None;
        }
        let owner = owner(&home.data()).or_else(|| owner(home.directory()));
        Some(owner.unwrap_or_else(Self::choose))
    }

    /// The user of a cluster that root makes.
    pub(super) fn choose() -> Self {
        CANDIDATES
            .into_iter()
            // A look-up that fails is a user that cannot be used.
            .find_map(|name| User::from_name(name).ok().flatten())
            .map_or_else(|| Self::numbered(NOBODY, NOBODY), Self::from)
    }

    fn numbered(uid: u32, gid: u32) -> Self {
        Self {
            name: uid.to_string(),
            uid,
            gid,
        }
    }

    /// The first directory on the way to `path` that this user cannot enter, by its mode.
    ///
    /// What does not exist yet is made enterable by whoever makes it. Access control lists are not
    /// looked at: a directory opened only by one counts as closed.
    pub(super) fn closed(&self, path: &Path) -> Option<PathBuf> {
        let mut ancestors: Vec<_> = path.ancestors().collect();
        ancestors.reverse();
        ancestors
            .into_iter()
            .find(|directory| {
                fs::metadata(directory).is_ok_and(|found| {
                    let may = if found.uid() == self.uid {
                        0o100
                    } else if found.gid() == self.gid {
                        0o010
                    } else {
                        0o001
                    };
                    found.mode() & may == 0
                })
            })
            .map(Path::to_owned)
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}

/// Who owns `path`, if it is there and not root's.
fn owner(path: &Path) -> Option<Account> {
    let found = fs::metadata(path).ok()?;
    let (uid, gid) = (found.uid(), found.gid());
    if uid == 0 {
        return None;
    }
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => Some(Account {
            gid: Gid::from_raw(gid).as_raw(),
            ..Account::from(user)
        }),
        // The number is as good as the name.
        _ => Some(Account::numbered(uid, gid)),
    }
}

/// A program of PostgreSQL, run as `account`: no terminal, no locale, no environment of ours, and a
/// process group of its own, so that Ctrl-C at a crontabber does not reach it.
pub(super) fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/")
        .stdin(std::process::Stdio::null())
        .process_group(0);
    if let Some(account) = account {
        // std drops root's supplementary groups together with the uid.
        command.uid(account.uid).gid(account.gid);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_closed_to_others_is_named() {
        let top = tempfile::tempdir().expect("/tmp takes directories");
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        mode(top.path(), 0o711).expect("it is ours");
        let closed = top.path().join("home");
        fs::create_dir(&closed).expect("it is new");
        mode(&closed, 0o700).expect("it is ours");

        let stranger = Account::numbered(54321, 54321);
        assert_eq!(stranger.closed(&closed.join("a/b")), Some(closed.clone()));
        assert_eq!(stranger.closed(&top.path().join("new/b")), None);

        let owner = fs::metadata(&closed).expect("it is there");
        let owner = Account::numbered(owner.uid(), owner.gid());
        assert_eq!(owner.closed(&closed.join("a/b")), None);
    }
}
