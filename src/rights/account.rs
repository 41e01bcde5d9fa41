//! A user of the system, looked up by name.

use std::{ffi::CString, path::PathBuf, time::Duration};

use nix::unistd::{Uid, User, getgrouplist};
use tokio::{task::spawn_blocking, time::timeout};

/// How long to wait for whoever knows the users: a directory server, somewhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// A user, with everything that a process needs to become him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// His name.
    pub name: String,
    /// His number.
    pub uid: u32,
    /// That of his own group.
    pub gid: u32,
    /// Those of all his groups.
    pub groups: Vec<u32>,
    /// His directory, as the system has it: there may be none.
    pub home: PathBuf,
}

impl Account {
    /// The user of this name as he is now; an error says in words why he cannot be had.
    pub async fn named(name: &str) -> Result<Self, String> {
        let wanted = name.to_owned();
        // It may ask over the network, and waits for the answer.
        let asked = timeout(PATIENCE, spawn_blocking(move || Self::look_up(&wanted))).await;
        let Ok(answer) = asked else {
            return Err(format!(
                "cannot look up user `{name}`: no answer within {PATIENCE:?}"
            ));
        };
        let account = answer.map_err(|_| format!("cannot look up user `{name}`"))??;
        account.ok_or_else(|| format!("there is no user `{name}` here"))
    }

    /// The same without a limit; `None`: there is no such user.
    fn look_up(name: &str) -> Result<Option<Self>, String> {
        let failed = |errno: nix::Error| format!("cannot look up user `{name}`: {}", errno.desc());
        let Some(user) = User::from_name(name).map_err(failed)? else {
            return Ok(None);
        };
        let c_name = CString::new(user.name.as_str()).map_err(|_| "a NUL in a name".to_owned())?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
        Ok(Some(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
            home: user.dir,
        }))
    }

    /// Whether this process is he.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.uid == Uid::effective().as_raw()
    }

    /// Where his runs start unless they say otherwise: at home, if he has one.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        if self.home.is_dir() {
            self.home.clone()
        } else {
            "/".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_is_found_who_is_not_there() {
        let root = Account::look_up("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(Account::look_up("no-such-user-here"), Ok(None));
    }

    #[tokio::test]
    async fn a_run_is_told_which_user_there_is_not() {
        let why = Account::named("no-such-user-here").await.unwrap_err();
        assert_eq!(why, "there is no user `no-such-user-here` here");
    }

    #[test]
    fn who_has_no_home_starts_at_the_root() {
        let mut account = Account::look_up("root").unwrap().unwrap();
        account.home = "/no/such/home".into();
        assert_eq!(account.directory(), PathBuf::from("/"));
    }
}
