//! As whom a job runs, how willingly and with how much memory: what this host may do of that, and what it says where it
//! may not.
//!
//! A job that asks for what this host may not do is not claimed here, but left to hosts that may: to run it as somebody
//! else would be worse than not to run it.

mod account;
mod here;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    actions::{missing, path_of},
    memory,
    spec::{JobSpec, Kind, RunAs},
};

pub use account::Account;

/// To send signals to other users' processes.
pub(crate) const CAP_KILL: u8 = 5;
/// To take on groups.
pub(crate) const CAP_SETGID: u8 = 6;
/// To become another user.
pub(crate) const CAP_SETUID: u8 = 7;
/// To go before others.
pub(crate) const CAP_SYS_NICE: u8 = 23;

/// What a host may do for its jobs. One that may do nothing, unless somebody looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Who it is.
    pub user: Me,
    /// Whether it may become any other user, and end what it has started as him.
    pub may_switch: bool,
    /// The lowest niceness that it may give.
    pub least_nice: i8,
    /// The users that jobs name: their number, `None` where there is no such user, or why nobody knows.
    pub users: BTreeMap<String, Result<Option<u32>, String>>,
    /// Why it may not limit memory; `None`: it may.
    pub no_memory_limit: Option<String>,
    /// The actions that jobs name and it has, each with the directories it was looked for in.
    pub actions: BTreeSet<(String, String)>,
}

/// The user that a host is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Me {
    /// His name, or his number if he has none.
    pub name: String,
    /// His number.
    pub uid: u32,
}

/// What a run is started with, on this host: what its job asks for, looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Another user than the host's; `None`: the host's.
    pub account: Option<Account>,
    /// Another priority than the host's.
    pub nice: Option<i8>,
    /// How many bytes of memory all its processes may have together.
    pub memory_max: Option<u64>,
}

/// Why this host cannot run a job as it asks; `None`: it can, or the job has no process at all.
#[must_use]
pub fn refusal(spec: &JobSpec, rights: &Rights) -> Option<String> {
    match spec.kind {
        Kind::Sql(_) => None,
        Kind::Command(_) | Kind::Shell(_) => may_run_as(&spec.run_as, rights).err(),
        Kind::Action { ref name, .. } => {
            let action = (name.clone(), path_of(spec).to_owned());
            if rights.actions.contains(&action) {
                return may_run_as(&spec.run_as, rights).err();
            }
            Some(missing(&action.0, &action.1))
        }
    }
}

/// Whether a host may run what asks for this; an error says in a sentence why not, and what to do.
pub fn may_run_as(asked: &RunAs, rights: &Rights) -> Result<(), String> {
    if let Some(user) = &asked.user {
        may_be(user, rights)?;
    }
    if let Some(nice) = asked.nice.filter(|&nice| nice < rights.least_nice) {
        return Err(format!(
            "this host cannot give it nice = {nice}, only {} and more: it runs as `{}`, not as root; run it as root, or \
             give its unit LimitNICE={nice}",
            rights.least_nice, rights.user.name
        ));
    }
    match (asked.memory_max, &rights.no_memory_limit) {
        (Some(bytes), Some(why)) => Err(format!(
            "this host cannot keep it to memory_max = \"{}\": {why}; it takes a cgroup v2 that is delegated to \
             crontabber (Delegate=yes in its unit)",
            memory::written(bytes)
        )),
        _ => Ok(()),
    }
}

fn may_be(user: &str, rights: &Rights) -> Result<(), String> {
    if user == rights.user.name {
        return Ok(());
    }
    match rights.users.get(user) {
        Some(Ok(Some(uid))) if *uid == rights.user.uid => Ok(()),
        Some(Ok(Some(_))) if rights.may_switch => Ok(()),
        Some(Ok(Some(_))) => Err(format!(
            "this host cannot switch to user `{user}`: it runs as `{}`, not as root; run it as root, or with CAP_SETUID, \
             CAP_SETGID and CAP_KILL",
            rights.user.name
        )),
        Some(Ok(None)) | None => Err(format!(
            "this host knows no user `{user}`; create him here, or name the hosts that have him in `hosts`"
        )),
        Some(Err(why)) => Err(format!("this host cannot look up user `{user}`: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Rights {
        Rights {
            user: Me {
                name: "root".into(),
                uid: 0,
            },
            may_switch: true,
            least_nice: -20,
            users: users(),
            no_memory_limit: None,
            ..Rights::default()
        }
    }

    fn anna() -> Rights {
        Rights {
            user: Me {
                name: "anna".into(),
                uid: 1000,
            },
            may_switch: false,
            least_nice: 0,
            users: users(),
            no_memory_limit: Some("it is in no cgroup v2".into()),
            ..Rights::default()
        }
    }

    fn users() -> BTreeMap<String, Result<Option<u32>, String>> {
        BTreeMap::from([
            ("backup".into(), Ok(Some(34))),
            ("alias-of-anna".into(), Ok(Some(1000))),
            ("nobody-has-this".into(), Ok(None)),
            ("far".into(), Err("no route to host".into())),
        ])
    }

    fn user(name: &str) -> RunAs {
        RunAs {
            user: Some(name.into()),
            ..RunAs::default()
        }
    }

    fn nice(nice: i8) -> RunAs {
        RunAs {
            nice: Some(nice),
            ..RunAs::default()
        }
    }

    fn memory_max(bytes: u64) -> RunAs {
        RunAs {
            memory_max: Some(bytes),
            ..RunAs::default()
        }
    }

    #[test]
    fn whoever_asks_for_nothing_runs_anywhere() {
        assert_eq!(may_run_as(&RunAs::default(), &Rights::default()), Ok(()));
    }

    #[test]
    fn root_may_be_anybody_there_is() {
        assert_eq!(may_run_as(&user("backup"), &root()), Ok(()));
        assert_eq!(
            may_run_as(&user("nobody-has-this"), &root()).unwrap_err(),
            "this host knows no user `nobody-has-this`; create him here, or name the hosts that have him in `hosts`"
        );
        assert_eq!(
            may_run_as(&user("far"), &root()).unwrap_err(),
            "this host cannot look up user `far`: no route to host"
        );
    }

    #[test]
    fn who_is_not_root_may_be_himself_only_by_whatever_name() {
        assert_eq!(may_run_as(&user("anna"), &anna()), Ok(()));
        assert_eq!(may_run_as(&user("alias-of-anna"), &anna()), Ok(()));
        assert_eq!(
            may_run_as(&user("backup"), &anna()).unwrap_err(),
            "this host cannot switch to user `backup`: it runs as `anna`, not as root; run it as root, or with \
             CAP_SETUID, CAP_SETGID and CAP_KILL"
        );
    }

    #[test]
    fn to_stand_back_is_always_allowed_and_to_push_forward_is_not() {
        assert_eq!(may_run_as(&nice(19), &anna()), Ok(()));
        assert_eq!(may_run_as(&nice(0), &anna()), Ok(()));
        assert_eq!(may_run_as(&nice(-20), &root()), Ok(()));
        assert_eq!(
            may_run_as(&nice(-1), &anna()).unwrap_err(),
            "this host cannot give it nice = -1, only 0 and more: it runs as `anna`, not as root; run it as root, or \
             give its unit LimitNICE=-1"
        );
    }

    #[test]
    fn memory_is_limited_where_the_kernel_does_so_for_this_host() {
        assert_eq!(may_run_as(&memory_max(1 << 26), &root()), Ok(()));
        assert_eq!(
            may_run_as(&memory_max(1 << 26), &anna()).unwrap_err(),
            "this host cannot keep it to memory_max = \"64M\": it is in no cgroup v2; it takes a cgroup v2 that is \
             delegated to crontabber (Delegate=yes in its unit)"
        );
    }
}
