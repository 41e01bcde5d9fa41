//! Which process it is: the name of a host says where, this says who.
//!
//! Two daemons may have one name, by mistake or in cloned containers; a pid is given again, after a boot even soon. So a
//! process is told by the boot, the pid namespace, its pid there and when it started, and two of those are never the same.

use std::{fmt, fs, str::FromStr};

/// A process of a host: `BOOT_ID/PID_NAMESPACE/PID/START`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Instance {
    /// The kernel's random id of the boot; empty where it cannot be read.
    pub boot_id: String,
    /// The inode of the pid namespace: containers share a boot id.
    pub pid_namespace: u64,
    /// Its pid there.
    pub pid: i32,
    /// When it started, in clock ticks after the boot.
    pub start: u64,
}

impl Instance {
    /// This process.
    #[must_use]
    pub fn own() -> Self {
        let pid = std::process::id().cast_signed();
        Self {
            // Unreadable in some sandboxes; then no other process can prove to be of the same boot, which is the safe
            // side.
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            pid_namespace: pid_namespace().unwrap_or_default(),
            pid,
            start: started(pid).unwrap_or_default(),
        }
    }

    /// Whether the other is, or was, a process of the same boot and pid namespace: one whose end can be seen from here.
    #[must_use]
    pub fn can_see(&self, other: &Self) -> bool {
        !self.boot_id.is_empty()
            && self.pid_namespace != 0
            && self.boot_id == other.boot_id
            && self.pid_namespace == other.pid_namespace
    }

    /// Whether it runs, as far as a process that can see it can tell.
    #[must_use]
    pub fn is_running(&self) -> bool {
        started(self.pid).is_some_and(|start| start == self.start)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            boot_id,
            pid_namespace,
            pid,
            start,
        } = self;
        write!(f, "{boot_id}/{pid_namespace}/{pid}/{start}")
    }
}

/// It is no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not BOOT_ID/PID_NAMESPACE/PID/START")]
pub struct BadInstance;

impl FromStr for Instance {
    type Err = BadInstance;

    fn from_str(text: &str) -> Result<Self, BadInstance> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(BadInstance);
        let instance = Self {
            boot_id: part()?.to_owned(),
            pid_namespace: part()?.parse().map_err(|_| BadInstance)?,
            pid: part()?.parse().map_err(|_| BadInstance)?,
            start: part()?.parse().map_err(|_| BadInstance)?,
        };
        match parts.next() {
            None => Ok(instance),
            Some(_) => Err(BadInstance),
        }
    }
}

/// The inode in `pid:[4026531836]`.
fn pid_namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let text = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    text.parse().ok()
}

/// When a process started, in clock ticks after the boot: field 22 of `/proc/PID/stat`, counted after the name, which may
/// hold anything. `None`: there is none, or only a zombie of it.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_can_see_itself_and_is_running() {
        let own = Instance::own();
        assert!(own.can_see(&own) && own.is_running());
    }

    #[test]
    fn a_pid_that_was_given_again_is_another_process() {
        let own = Instance::own();
        let before = Instance {
            start: own.start - 1,
            ..own
        };
        assert!(!before.is_running());
    }

    #[test]
    fn another_boot_and_another_container_are_out_of_sight() {
        let own = Instance::own();
        let of_another_boot = Instance {
            boot_id: "other".into(),
            ..own.clone()
        };
        let of_another_container = Instance {
            pid_namespace: 1,
            ..own.clone()
        };
        assert!(!own.can_see(&of_another_boot) && !own.can_see(&of_another_container));
        // And where nothing could be read, nobody sees anybody.
        let blind = Instance::default();
        assert!(!blind.can_see(&blind));
    }

    #[test]
    fn its_text_says_all_of_it() {
        let own = Instance::own();
        assert_eq!(own.to_string().parse(), Ok(own));
        for wrong in ["", "a/b/c/d", "boot/1/2", "boot/1/2/3/4"] {
            assert_eq!(wrong.parse::<Instance>(), Err(BadInstance), "{wrong}");
        }
    }
}
