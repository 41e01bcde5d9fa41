//! How long ago, in crontabber's words.

use jiff::Timestamp;

const UNITS: [(i64, &str); 7] = [
    (365 * 86_400, "year"),
    (30 * 86_400, "month"),
    (7 * 86_400, "week"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// The largest unit and, unless there are none of it, the next one: `2 weeks, 3 days`, `1 hour`. From a later to an
/// earlier instant `0 seconds`.
pub(super) fn timesince(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.duration_since(from).as_secs().max(0);
    let counted = |(size, name): (i64, &str), of: i64| match of / size {
        0 => None,
        1 => Some(format!("1 {name}")),
        count => Some(format!("{count} {name}s")),
    };
    let Some(largest) = UNITS.iter().position(|&(size, _)| seconds >= size) else {
        return "0 seconds".to_owned();
    };
    let rest = seconds % UNITS[largest].0;
    let next = UNITS.get(largest + 1).and_then(|&unit| counted(unit, rest));
    let words: Vec<String> = counted(UNITS[largest], seconds)
        .into_iter()
        .chain(next)
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    /// Each of them as crontabber 0.18.1 says it.
    #[test]
    fn it_is_said_as_crontabber_says_it() {
        for (seconds, said) in [
            (-5, "0 seconds"),
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "1 minute, 1 second"),
            (3_599, "59 minutes, 59 seconds"),
            (3_600, "1 hour"),
            (3_605, "1 hour"),
            (7_260, "2 hours, 1 minute"),
            (86_400, "1 day"),
            (90_000, "1 day, 1 hour"),
            (604_800, "1 week"),
            (1_468_800, "2 weeks, 3 days"),
            (2_592_000, "1 month"),
            (40 * 86_400, "1 month, 1 week"),
            (366 * 86_400, "1 year"),
            (400 * 86_400, "1 year, 1 month"),
        ] {
            let from: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
            assert_eq!(
                timesince(from, from + SignedDuration::from_secs(seconds)),
                said
            );
        }
    }
}
