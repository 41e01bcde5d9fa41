//! Where a job may run: which of the hosts that have announced themselves may, and whether one of them is live.

use jiff::Timestamp;

use crate::{
    place::{OnDisagreement, Place, Seen},
    spec::{JobSpec, Placement},
    store::table::{JobState, Table},
};

/// Why a due job is for other hosts and not for this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotHere {
    /// Its `hosts` do not name this one.
    Placement,
    /// This host is drained, since then.
    Drained(Timestamp),
    /// These live hosts go by a definition of it that was changed later than this host's; none: it was not asked which.
    Older(Vec<String>),
}

/// Whether this host leaves a job to those that go by its newest definition. Not if none of them is left: an old
/// definition is better than no run.
pub(super) fn older(
    spec: &JobSpec,
    row: &JobState,
    table: &Table,
    place: &Place,
) -> Option<NotHere> {
    // The row of one host nobody else runs.
    if place.on_disagreement == OnDisagreement::Warn || spec.is_on_each() {
        return None;
    }
    let newest = row.definition_hash.as_deref()?;
    if newest == spec.definition() {
        return None;
    }
    match table.newest.get(spec.name.as_str()) {
        None => Some(NotHere::Older(Vec::new())),
        Some(hosts) if hosts.is_empty() => None,
        Some(hosts) => Some(NotHere::Older(hosts.clone())),
    }
}

/// No live host may run a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoHost {
    /// The job's `hosts`; none: it is the row of one host, of the one that is silent.
    pub patterns: Vec<String>,
    /// The hosts that may run it and have not passed lately, each with its last announcement, the newest first;
    /// none: no host that may run it has ever passed.
    pub silent: Vec<(String, Timestamp)>,
    /// The live hosts that may run it and are drained, by name.
    pub drained: Vec<String>,
}

/// How many silent hosts a sentence names.
const NAMED: usize = 3;

impl NoHost {
    /// `no live host for hosts = ["db*"]: db1 silent since ...`, with words for how long a host has been silent.
    #[must_use]
    pub fn sentence(&self, silent: impl Fn(Timestamp) -> String) -> String {
        let drained = self.drained.iter().map(|host| format!("{host} is drained"));
        let quiet = self.silent.iter();
        let quiet = quiet.map(|(host, at)| format!("{host} silent {}", silent(*at)));
        let named: Vec<String> = drained.chain(quiet).take(NAMED).collect();
        let all = self.drained.len() + self.silent.len();
        let why = match all.saturating_sub(NAMED) {
            _ if named.is_empty() => "none that matches has ever passed".to_owned(),
            0 => named.join(", "),
            more => format!("{}, and {more} more", named.join(", ")),
        };
        if self.patterns.is_empty() {
            return format!("no live host for this row: {why}");
        }
        format!("no live host for hosts = {:?}: {why}", self.patterns)
    }
}

/// The hosts that may run a job, as far as they have announced themselves.
pub fn that_match<'a>(
    hosts: &'a [Seen],
    placement: &'a Placement,
) -> impl Iterator<Item = &'a Seen> {
    hosts.iter().filter(|seen| seen.place.matches(placement))
}

/// Whether no live host that takes work may run a job with this placement, due or not.
///
/// `None` also where nothing can be said: for a job that may run anywhere (that no host at all passes is no matter of
/// placement), and as long as no host whatever has announced itself, in a fleet that is new or still Python's.
#[must_use]
pub fn no_host(placement: &Placement, hosts: &[Seen], now: Timestamp) -> Option<NoHost> {
    if placement.hosts.is_empty() || hosts.is_empty() {
        return None;
    }
    if that_match(hosts, placement).any(|seen| seen.takes_work(now)) {
        return None;
    }
    let (live, quiet): (Vec<&Seen>, Vec<&Seen>) =
        that_match(hosts, placement).partition(|seen| seen.is_live(now));
    let drained = live.iter().map(|seen| seen.place.host.clone()).collect();
    let silent = quiet.iter().map(|seen| (seen.place.host.clone(), seen.at));
    let mut silent: Vec<(String, Timestamp)> = silent.collect();
    silent.sort_by(|(one, heard), (other, earlier)| earlier.cmp(heard).then(one.cmp(other)));
    Some(NoHost {
        patterns: placement.hosts.clone(),
        silent,
        drained,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{place::Place, spec::On};

    fn place(host: &str, tags: &[&str]) -> Place {
        Place {
            host: host.into(),
            tags: tags.iter().map(|&tag| tag.into()).collect(),
            ..Place::default()
        }
    }

    fn on(hosts: &[&str]) -> Placement {
        Placement {
            hosts: hosts.iter().map(|&host| host.into()).collect(),
            on: On::One,
        }
    }

    fn now() -> Timestamp {
        "2031-05-05T12:00:00Z".parse().unwrap()
    }

    /// `name` or `name tag`, and how many minutes ago it was seen.
    fn fleet(hosts: &[(&str, i64)]) -> Vec<Seen> {
        let seen = |&(words, minutes): &(&str, i64)| {
            let (host, tag) = words.split_once(' ').unwrap_or((words, ""));
            Seen {
                place: place(host, &[tag]),
                at: now() - jiff::SignedDuration::from_mins(minutes),
                drained: (tag == "drained").then(now),
            }
        };
        hosts.iter().map(seen).collect()
    }

    fn asked(patterns: &[&str], hosts: &[(&str, i64)]) -> Option<NoHost> {
        let hosts = fleet(hosts);
        no_host(&on(patterns), &hosts, now())
    }

    fn sentence(patterns: &[&str], hosts: &[(&str, i64)]) -> String {
        let minutes = |at: Timestamp| format!("for {}m", now().duration_since(at).as_mins());
        asked(patterns, hosts).unwrap().sentence(minutes)
    }

    #[test]
    fn a_drained_host_is_live_and_runs_nothing() {
        let hosts = [("db1 drained", 1), ("db2", 20), ("web1", 1)];
        assert_eq!(
            sentence(&["db*"], &hosts),
            r#"no live host for hosts = ["db*"]: db1 is drained, db2 silent for 20m"#
        );
        assert_eq!(asked(&["db*"], &[("db1 drained", 1), ("db2", 1)]), None);
    }

    #[test]
    fn a_job_without_hosts_runs_anywhere() {
        assert!(place("web1", &[]).matches(&on(&[])));
    }

    #[test]
    fn a_pattern_names_hosts_and_a_tag_names_what_they_offer() {
        assert!(place("web1", &[]).matches(&on(&["web*"])));
        assert!(!place("db1", &[]).matches(&on(&["web*", "*cache*"])));
        assert!(place("db1", &["eu"]).matches(&on(&["web*", "tag:eu"])));
        assert!(!place("eu", &[]).matches(&on(&["tag:eu"])));
        assert!(place("a-b-c", &[]).matches(&on(&["a*b*c"])));
        assert!(!place("a-c-b", &[]).matches(&on(&["a*b*c"])));
        assert!(!place("web12", &[]).matches(&on(&["web1"])));
    }

    #[test]
    fn a_live_host_that_matches_by_name_or_tag_is_enough() {
        let hosts = [("web1 eu", 1), ("db1", 20 * 60)];
        assert_eq!(asked(&["web*"], &hosts), None);
        assert_eq!(asked(&["db1", "tag:e*"], &hosts), None);
        assert!(asked(&["tag:us"], &hosts).is_some());
        assert!(asked(&["db1"], &hosts).is_some());
    }

    #[test]
    fn a_host_is_live_for_a_quarter_of_an_hour_and_in_the_future() {
        assert_eq!(asked(&["web1"], &[("web1", 15)]), None);
        assert!(asked(&["web1"], &[("web1", 16)]).is_some());
        // The database's clock was set back.
        assert_eq!(asked(&["web1"], &[("web1", -60)]), None);
    }

    #[test]
    fn nothing_is_said_of_a_fleet_in_which_nobody_has_passed_and_of_jobs_for_any_host() {
        assert_eq!(asked(&["db*"], &[]), None);
        assert_eq!(asked(&[], &[("web1", 900)]), None);
    }

    #[test]
    fn the_sentence_names_those_who_are_silent_the_newest_first() {
        assert_eq!(
            sentence(&["db*"], &[("web1", 0)]),
            r#"no live host for hosts = ["db*"]: none that matches has ever passed"#
        );
        let hosts = [("db1", 90), ("db2", 30), ("web1", 0)];
        assert_eq!(
            sentence(&["db*"], &hosts),
            r#"no live host for hosts = ["db*"]: db2 silent for 30m, db1 silent for 90m"#
        );
        let hosts = [
            ("db1", 90),
            ("db2", 30),
            ("db3", 30),
            ("db4", 31),
            ("db5", 400),
        ];
        assert_eq!(
            sentence(&["db*", "tag:x"], &hosts),
            r#"no live host for hosts = ["db*", "tag:x"]: db2 silent for 30m, db3 silent for 30m, db4 silent for 31m, and 2 more"#
        );
    }
}
