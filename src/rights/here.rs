//! What this process may do, as the kernel says it; looked at only as far as jobs ask for it.

use std::{collections::BTreeSet, fs};

use nix::{
    sys::resource::{Resource, getrlimit},
    unistd::{Uid, User},
};

use super::{CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_NICE, Me, Rights};
use crate::{
    actions::{argv, path_of},
    spec::{JobSpec, Kind, RunAs},
    supervise,
};

impl Rights {
    /// The rights of this process, as far as these jobs care: where none asks for anything, nothing is looked at.
    #[must_use]
    pub fn here(jobs: &[JobSpec]) -> Self {
        let actions = jobs.iter().filter_map(|spec| match &spec.kind {
            Kind::Action { name, .. } => Some((name.clone(), path_of(spec).to_owned())),
            _ => None,
        });
        let mut actions: BTreeSet<_> = actions.collect();
        actions.retain(|(name, path)| argv(name, path).is_some());
        let rights = Self::to_run_as(jobs.iter().map(|job| &job.run_as));
        Self { actions, ..rights }
    }

    fn to_run_as<'a>(asked: impl Iterator<Item = &'a RunAs>) -> Self {
        let asked: Vec<&RunAs> = asked.filter(|asked| **asked != RunAs::default()).collect();
        if asked.is_empty() {
            return Self::default();
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let may = |capability| has(&status, capability);
        let mut rights = Self {
            user: me(),
            may_switch: [CAP_SETUID, CAP_SETGID, CAP_KILL].into_iter().all(may),
            least_nice: if may(CAP_SYS_NICE) { -20 } else { least_nice() },
            ..Self::default()
        };
        for name in asked.iter().filter_map(|asked| asked.user.as_ref()) {
            let known = rights.users.entry(name.clone());
            known.or_insert_with(|| number(name));
        }
        if asked.iter().any(|asked| asked.memory_max.is_some()) {
            rights.no_memory_limit = supervise::can_limit_memory().err();
        }
        rights
    }
}

fn me() -> Me {
    let uid = Uid::effective();
    let known = User::from_uid(uid).ok().flatten();
    Me {
        name: known.map_or_else(|| uid.to_string(), |user| user.name),
        uid: uid.as_raw(),
    }
}

fn number(name: &str) -> Result<Option<u32>, String> {
    match User::from_name(name) {
        Ok(user) => Ok(user.map(|user| user.uid.as_raw())),
        Err(errno) => Err(errno.desc().to_owned()),
    }
}

/// Whether a process with this `/proc/PID/status` has a capability in effect.
fn has(status: &str, capability: u8) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << capability) != 0)
}

/// The lowest niceness that an ordinary user may give: his own, or what his limit says.
fn least_nice() -> i8 {
    let (limit, _) = getrlimit(Resource::RLIMIT_NICE).unwrap_or_default();
    // 1 to 40 stand for 19 to -20; 0 for no leave to go down at all.
    let allowed = 20 - i8::try_from(limit.min(40)).expect("40 is an i8");
    allowed.min(own_nice())
}

/// Field 19 of `/proc/self/stat`, counted after the name, which may hold anything.
fn own_nice() -> i8 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let nice = after.split_ascii_whitespace().nth(16);
    nice.and_then(|nice| nice.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_a_bit_of_the_effective_ones() {
        let status = "CapPrm:\tffffffffffffffff\nCapEff:\t00000000000000c0\n";
        assert!(has(status, CAP_SETUID) && has(status, CAP_SETGID));
        assert!(!has(status, CAP_KILL) && !has("", CAP_KILL));
    }

    #[test]
    fn nobody_is_asked_where_no_job_asks() {
        let rights = Rights::to_run_as([RunAs::default()].iter());
        assert_eq!(rights, Rights::default());
    }

    #[test]
    fn the_users_that_jobs_name_are_looked_up() {
        let asked = ["root", "no-such-user-here"].map(|name| RunAs {
            user: Some(name.to_owned()),
            ..RunAs::default()
        });
        let rights = Rights::to_run_as(asked.iter());
        assert_eq!(rights.users["root"], Ok(Some(0)));
        assert_eq!(rights.users["no-such-user-here"], Ok(None));
        assert_eq!(rights.user.uid, Uid::effective().as_raw());
    }
}
