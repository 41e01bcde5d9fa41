//! Time zones by name.

use jiff::tz::{self, TimeZone};
use thiserror::Error;

use super::nearest::nearest;

/// The zone that every machine knows.
pub(super) const UTC: &str = "UTC";

/// A name that is no time zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("time zone `{name}` is unknown")]
pub struct UnknownZone {
    /// The name.
    pub name: String,
    /// What to write instead, if that can be said.
    pub help: Option<String>,
}

/// The zone of an IANA name, in any case: from the machine's tz database, or from the one built
/// into this program where there is none. `UTC` needs neither.
pub fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    if let Some(zone) = known(name) {
        return Ok(zone);
    }
    let help = if differs_between_hosts(name) {
        Some("every host must mean the same zone: name it, as in `Europe/Berlin`".into())
    } else {
        suggestion(name)
    };
    Err(UnknownZone {
        name: name.to_owned(),
        help,
    })
}

/// What [`zone()`] finds, without the trouble of a suggestion.
///
/// jiff keeps the zones it has read, so that asking again costs a look at its cache, and it notices
/// when the machine's are replaced.
pub(super) fn known(name: &str) -> Option<TimeZone> {
    if name == UTC {
        return Some(TimeZone::UTC);
    }
    if differs_between_hosts(name) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// Files of the tz database that mean whatever their host was set to.
fn differs_between_hosts(name: &str) -> bool {
    ["localtime", "posixrules"]
        .iter()
        .any(|host| host.eq_ignore_ascii_case(name))
}

/// A zone whose place is the name (`berlin`), or else one that is spelled nearly so.
fn suggestion(name: &str) -> Option<String> {
    let wanted = name.trim().replace(' ', "_");
    let known: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
    let place_is_wanted = |zone: &&str| {
        zone.rsplit('/')
            .next()
            .is_some_and(|place| place.eq_ignore_ascii_case(&wanted))
    };
    let names = || known.iter().map(String::as_str);
    // Abbreviations are all alike: `PST` is one letter from `EST`, and three hours.
    let alike = || nearest(&wanted, names()).filter(|_| wanted.len() > 4);
    let found = names().find(place_is_wanted).or_else(alike)?;
    Some(format!("did you mean `{found}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(name: &str) -> Option<String> {
        zone(name).expect_err(name).help
    }

    #[test]
    fn names_are_known_in_any_case() {
        for name in ["UTC", "Europe/Berlin", "america/new_york", "Asia/Kathmandu"] {
            assert!(zone(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_comes_with_the_one_that_was_meant() {
        let mistaken = |name| help(name).unwrap_or_default();
        assert_eq!(mistaken("Europe/Berln"), "did you mean `Europe/Berlin`?");
        assert_eq!(mistaken("berlin"), "did you mean `Europe/Berlin`?");
        assert_eq!(mistaken("New York"), "did you mean `America/New_York`?");
        assert_eq!(mistaken("Evrope/Paris"), "did you mean `Europe/Paris`?");
    }

    #[test]
    fn what_is_like_nothing_gets_no_suggestion() {
        assert_eq!(help("PST"), None);
        assert_eq!(help(""), None);
        assert_eq!(help("Middle-earth/Hobbiton"), None);
        assert_eq!(help("../../etc/passwd"), None);
    }

    #[test]
    fn a_name_that_each_host_reads_differently_is_refused() {
        assert!(
            help("localtime")
                .unwrap_or_default()
                .starts_with("every host")
        );
        assert!(
            help("Posixrules")
                .unwrap_or_default()
                .starts_with("every host")
        );
    }
}
