//! Hosts, as jobs and other hosts see them: a name and tags, and when they were heard of last.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{instance::Instance, rights::Rights, spec::Placement};

/// A host, as jobs ask for it: its name, what it offers, and how long it respects others that have no lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of this host.
    pub host: String,
    /// Which process it is.
    pub instance: Instance,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it may do for its jobs; of another host nothing is known.
    pub rights: Rights,
    /// How long a Python host's `ongoing` is respected.
    pub max_ongoing_age: Duration,
    /// Which hosts run a job that they do not all mean the same by.
    pub on_disagreement: OnDisagreement,
    /// Whether this process stays, as a daemon does: only then does it take jobs that are kept running.
    pub stays: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            host: String::new(),
            instance: Instance::default(),
            tags: Vec::new(),
            rights: Rights::default(),
            max_ongoing_age: MAX_ONGOING_AGE,
            on_disagreement: OnDisagreement::default(),
            stays: false,
        }
    }
}

impl Place {
    /// Whether a job may run here: one of its patterns names this host or one of its tags.
    #[must_use]
    pub fn matches(&self, placement: &Placement) -> bool {
        placement.hosts.is_empty()
            || placement
                .hosts
                .iter()
                .any(|pattern| match pattern.strip_prefix("tag:") {
                    Some(tag) => self.tags.iter().any(|own| glob(tag, own)),
                    None => glob(pattern, &self.host),
                })
    }
}

/// Which hosts run a job that they do not all mean the same by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisagreement {
    /// Any of them, each by its own definition; `hosts` and `check` say so.
    #[default]
    Warn,
    /// Those whose definition is the one that was changed last.
    Newest,
}

/// Whether `pattern`, in which `*` stands for any text, is all of `text`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// How old a host's announcement may get: `check` and `hosts` live on it, a pass should write nothing.
pub const ANNOUNCE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// A host that has announced itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its name and tags.
    pub place: Place,
    /// When it passed last, give or take [`ANNOUNCE_EVERY`].
    pub at: Timestamp,
    /// Since when it is drained: it takes no work.
    pub drained: Option<Timestamp>,
}

/// How long after its last announcement a host is taken for live: a quarter of an hour.
///
/// A pass announces its host when the last announcement is older than [`ANNOUNCE_EVERY`]; so a host that passes just
/// as often is heard of every second time, and that one may be late.
pub const LIVE_FOR: SignedDuration = SignedDuration::from_secs(3 * ANNOUNCE_EVERY.as_secs());

impl Seen {
    /// Whether it is taken for live.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) <= LIVE_FOR
    }

    /// Whether it takes work: it is live, and nobody has drained it.
    #[must_use]
    pub fn takes_work(&self, now: Timestamp) -> bool {
        self.is_live(now) && self.drained.is_none()
    }
}

/// How long a Python host's `ongoing` is respected unless the configuration says otherwise: crontabber's
/// `max_ongoing_age_hours`.
pub const MAX_ONGOING_AGE: Duration = Duration::from_hours(12);
