//! What becomes of a feed after a fetch: its state, its errors, and when it is fetched again.
//!
//! Values in, values out.

use std::time::Duration;

/// What a feed is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is fetched.
    Active,
    /// It has failed too often; somebody may resume it.
    Suspended,
    /// Its server says that it is gone for good.
    Gone,
    /// It says itself that nothing will be added.
    Complete,
    /// It has moved to an address that another feed has.
    Duplicate,
}

impl State {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Gone => "gone",
            Self::Complete => "complete",
            Self::Duplicate => "duplicate",
        }
    }
}

/// How a fetch has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// A document, or word that it has not changed.
    Well {
        /// How long it says that nothing new will come.
        hint: Option<Duration>,
        /// Whether it says that nothing will ever come again.
        is_complete: bool,
    },
    /// Another status than 200 and 304.
    Status {
        /// It.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// No answer that counts.
    Nothing,
    /// An answer that is no feed.
    NoFeed,
}

/// What was known of a feed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Failures in a row.
    pub errors: u32,
    /// How long from one fetch to the next where all is well.
    pub every: Duration,
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// What it is from now on.
    pub state: State,
    /// Why, where that is not active.
    pub reason: Option<String>,
    /// Failures in a row.
    pub errors: u32,
    /// How long until the next fetch.
    pub wait: Duration,
}

/// The longest wait between two fetches, whoever asks for it.
pub const LONGEST: Duration = Duration::from_hours(24);

/// How often in a row something that will hardly pass by itself may happen.
const PATIENCE: u32 = 10;

/// The same of being turned away.
const PATIENCE_WITH_REFUSALS: u32 = 3;

/// What becomes of a feed; `chance`, from 0 to 1, spreads the waits after failures by a tenth, so that those that have failed
/// together do not come back together.
#[must_use]
pub fn after(before: Before, came: Came, chance: f64) -> After {
    let (patience, retry_after) = match came {
        Came::Well { hint, is_complete } => return well(before, hint, is_complete),
        Came::Status { status: 410, .. } => {
            return After {
                state: State::Gone,
                reason: Some("its server answers 410: gone for good".to_owned()),
                errors: before.errors.saturating_add(1),
                wait: LONGEST,
            };
        }
        Came::Status {
            status,
            retry_after,
        } => (patience_with(status), retry_after),
        Came::Nothing => (None, None),
        Came::NoFeed => (Some(PATIENCE), None),
    };
    let errors = before.errors.saturating_add(1);
    let doubled = before.every.saturating_mul(2_u32.saturating_pow(errors));
    let wait = doubled
        .min(LONGEST)
        .max(retry_after.unwrap_or_default().min(LONGEST));
    let is_over = patience.is_some_and(|patience| errors >= patience);
    After {
        state: if is_over {
            State::Suspended
        } else {
            State::Active
        },
        reason: is_over.then(|| format!("has failed {errors} times in a row")),
        errors,
        wait: wait.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 10.0),
    }
}

fn well(before: Before, hint: Option<Duration>, is_complete: bool) -> After {
    After {
        state: if is_complete {
            State::Complete
        } else {
            State::Active
        },
        reason: is_complete.then(|| "says itself that nothing will be added".to_owned()),
        errors: 0,
        wait: before
            .every
            .max(hint.unwrap_or_default())
            .min(LONGEST.max(before.every)),
    }
}

/// How often in a row a status may come before a feed is suspended; `None`: it may pass, however long it takes.
fn patience_with(status: u16) -> Option<u32> {
    match status {
        401 | 403 => Some(PATIENCE_WITH_REFUSALS),
        408 | 425 | 429 | 500.. => None,
        _ => Some(PATIENCE),
    }
}

/// The address to ask from now on: the first that it is said to have moved to and that is one of a feed; or the known one.
/// From `https` nothing moves to `http`: whoever listens on the way could say so.
#[must_use]
pub fn address<'a>(known: &'a str, told: impl IntoIterator<Item = &'a String>) -> &'a str {
    let is_safe = |address: &&String| {
        address.starts_with("https://")
            || (address.starts_with("http://") && !known.starts_with("https://"))
    };
    told.into_iter().find(is_safe).map_or(known, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn failed(times: u32, came: Came) -> After {
        let mut before = Before {
            errors: 0,
            every: HOUR,
        };
        let mut last = after(before, came, 0.0);
        for _ in 1..times {
            before.errors = last.errors;
            last = after(before, came, 0.0);
        }
        last
    }

    fn status(status: u16) -> Came {
        Came::Status {
            status,
            retry_after: None,
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_ever_more_rarely_and_for_ever() {
        for came in [
            Came::Nothing,
            status(500),
            status(503),
            status(429),
            status(408),
        ] {
            let waits: Vec<u64> = (1..=6)
                .map(|times| failed(times, came).wait.as_secs() / 3600)
                .collect();
            assert_eq!(waits, [2, 4, 8, 16, 24, 24]);
            assert_eq!(failed(1000, came).state, State::Active);
        }
    }

    #[test]
    fn what_will_hardly_pass_is_suspended() {
        for (came, patience) in [
            (status(404), 10),
            (Came::NoFeed, 10),
            (status(400), 10),
            (status(401), 3),
            (status(403), 3),
        ] {
            assert_eq!(failed(patience - 1, came).state, State::Active);
            let over = failed(patience, came);
            let reason = format!("has failed {patience} times in a row");
            assert_eq!((over.state, over.reason), (State::Suspended, Some(reason)));
        }
    }

    #[test]
    fn what_is_gone_for_good_is_asked_for_no_more() {
        assert_eq!(failed(1, status(410)).state, State::Gone);
    }

    #[test]
    fn a_server_that_asks_to_be_left_alone_is_left_alone_for_a_day_at_most() {
        let before = Before {
            errors: 0,
            every: HOUR,
        };
        for (asked, waits) in [(1, 2), (5, 5), (1000, 24)] {
            let came = Came::Status {
                status: 503,
                retry_after: Some(HOUR * asked),
            };
            assert_eq!(after(before, came, 0.0).wait, HOUR * waits);
        }
    }

    #[test]
    fn a_success_forgets_what_failed_and_minds_what_the_feed_says() {
        let before = Before {
            errors: 9,
            every: HOUR,
        };
        for (hint, waits) in [
            (None, 1),
            (Some(HOUR / 2), 1),
            (Some(HOUR * 6), 6),
            (Some(HOUR * 99), 24),
        ] {
            let is_complete = false;
            let after = after(before, Came::Well { hint, is_complete }, 1.0);
            assert_eq!(
                (after.state, after.errors, after.wait),
                (State::Active, 0, HOUR * waits)
            );
        }
        let hint = None;
        let is_complete = true;
        let complete = after(before, Came::Well { hint, is_complete }, 0.0);
        assert_eq!(complete.state, State::Complete);
    }

    #[test]
    fn a_feed_moves_to_where_a_feed_can_be_and_not_where_others_can_listen() {
        for (known, told, then) in [
            ("http://a/", &["https://b/"][..], "https://b/"),
            ("http://a/", &["http://b/"], "http://b/"),
            ("https://a/", &["http://b/"], "https://a/"),
            (
                "https://a/",
                &["javascript:b", "/b", "", "https://c/"],
                "https://c/",
            ),
            ("https://a/", &[], "https://a/"),
        ] {
            let told: Vec<String> = told.iter().map(ToString::to_string).collect();
            assert_eq!(address(known, &told), then, "{known} {told:?}");
        }
    }

    #[test]
    fn those_that_failed_together_do_not_come_back_together() {
        let before = Before {
            errors: 0,
            every: HOUR,
        };
        let wait = |chance| after(before, Came::Nothing, chance).wait;
        assert_eq!((wait(0.0), wait(1.0)), (HOUR * 2, Duration::from_mins(132)));
        assert_eq!(wait(7.0), wait(1.0));
    }
}
