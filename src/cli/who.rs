//! Who is typing.

use std::env;

use nix::unistd::{Uid, User};

use crate::control::By;

use super::open::View;

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

/// Who changes something here, as owned texts.
pub(super) struct Author {
    who: String,
    host: String,
    reason: Option<String>,
}

impl Author {
    pub(super) fn new(view: &View, reason: Option<String>) -> Self {
        let host = view.place.host.clone();
        Self {
            who: who(&host),
            host,
            reason: reason.filter(|reason| !reason.trim().is_empty()),
        }
    }

    pub(super) fn by(&self) -> By<'_> {
        By {
            who: &self.who,
            host: &self.host,
            reason: self.reason.as_deref(),
        }
    }
}
