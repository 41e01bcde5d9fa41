//! Who is typing.

use std::env;

use nix::unistd::{Uid, User};

/// The person, as far as the machine knows: `anna@web1`. Behind `sudo` it is who called it.
pub(super) fn who(host: &str) -> String {
    let behind_sudo = env::var("SUDO_USER").ok().filter(|user| !user.is_empty());
    let user = behind_sudo.unwrap_or_else(|| {
        let uid = Uid::current();
        let known = User::from_uid(uid).ok().flatten();
        known.map_or_else(|| format!("uid {uid}"), |user| user.name)
    });
    format!("{user}@{host}")
}
