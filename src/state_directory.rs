//! Where this program keeps what must outlive it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use nix::unistd::{Uid, User};

/// Where root keeps its state. Not below `/var/tmp`, where systemd deletes what is a month old.
pub(crate) const OF_ROOT: &str = "/var/lib/crontabber";

/// `$STATE_DIRECTORY` (set by systemd), else `/var/lib/crontabber` for root, else `$XDG_STATE_HOME/crontabber` or
/// `~/.local/state/crontabber`. `variable` reads the environment, as `std::env::var_os` does.
pub(crate) fn state_directory(uid: Uid, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    // An empty or relative value is as good as none, as the XDG specification has it.
    let path = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    // systemd separates several by colons.
    let by_systemd = variable("STATE_DIRECTORY").and_then(|list| {
        let first = list.as_bytes().split(|&byte| byte == b':').next()?;
        let first = PathBuf::from(OsStr::from_bytes(first));
        first.is_absolute().then_some(first)
    });
    by_systemd.unwrap_or_else(|| {
        if uid.is_root() {
            return OF_ROOT.into();
        }
        let home = || {
            path("HOME")
                // A user that cannot be looked up has no home; `/` is refused when it is written to.
                .or_else(|| Some(User::from_uid(uid).ok()??.dir))
                .unwrap_or_else(|| "/".into())
        };
        path("XDG_STATE_HOME")
            .unwrap_or_else(|| home().join(".local/state"))
            .join("crontabber")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn state(uid: u32, variables: &[(&str, &str)]) -> PathBuf {
        state_directory(Uid::from_raw(uid), |name| {
            let found = variables.iter().find(|(key, _)| *key == name)?;
            Some(found.1.into())
        })
    }

    #[test]
    fn systemd_names_the_state_directory_for_everybody() {
        let systemd = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/h")];
        assert_eq!(state(0, &systemd), Path::new("/var/lib/a"));
        assert_eq!(state(1000, &systemd), Path::new("/var/lib/a"));
    }

    #[test]
    fn root_keeps_its_state_in_var_lib_whatever_home_says() {
        let login = [("HOME", "/root"), ("XDG_STATE_HOME", "/root/state")];
        assert_eq!(state(0, &login), Path::new("/var/lib/crontabber"));
    }

    #[test]
    fn a_user_keeps_it_where_xdg_says_and_at_home_otherwise() {
        let home = ("HOME", "/home/eve");
        let at_home = Path::new("/home/eve/.local/state/crontabber");
        assert_eq!(state(1000, &[home]), at_home);
        assert_eq!(state(1000, &[home, ("XDG_STATE_HOME", "")]), at_home);
        assert_eq!(state(1000, &[home, ("STATE_DIRECTORY", "")]), at_home);
        assert_eq!(
            state(1000, &[home, ("XDG_STATE_HOME", "/data/state")]),
            Path::new("/data/state/crontabber")
        );
    }
}
