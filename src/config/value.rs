//! What single keys may hold: durations, numbers, words.

use std::time::Duration;

use serde_json::{Value, json};
use toml::de::{DeFloat, DeInteger};

use crate::{
    duration, memory,
    place::OnDisagreement,
    spec::{CatchUp, Needed, On, OnDbLoss, OnLost, Overlap, Start},
};

use super::{
    diagnostic::{Code, Findings},
    setting::{Found, Setting},
};

impl Setting for String {
    const EXPECTED: &'static str = "a text";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        found.text::<Self>(findings).map(str::to_owned)
    }

    fn value(&self) -> Value {
        json!(self)
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        found.expect::<Self, _>(found.value.as_bool(), findings)
    }

    fn value(&self) -> Value {
        json!(self)
    }
}

/// A duration of at least so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lasting<const LEAST: u64>(pub(super) Duration);

/// Longer than nothing.
pub(super) type Limit = Lasting<1>;

impl<const LEAST: u64> Setting for Lasting<LEAST> {
    const EXPECTED: &'static str = "a duration such as \"90s\" or \"1h30m\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_integer() || found.value.is_float() {
            let help = "write a unit: \"30s\", \"5m\", \"2h\", \"1d\"";
            found.wrong_type(Self::EXPECTED, findings).help(help);
            return None;
        }
        let text = found.text::<Self>(findings)?;
        let length = match duration::parse(text) {
            Ok(length) => length,
            Err(bad) => {
                let place = found.part(bad.span);
                let error = findings.error(Code::BadDuration, place, bad.message);
                error.label(bad.label).help = bad.help;
                return None;
            }
        };
        let least = Duration::from_millis(LEAST);
        if length < least {
            let label = match LEAST {
                1 => "longer than nothing".to_owned(),
                _ => format!("{} at least", duration::written(least)),
            };
            found.bad_value(findings, label);
            return None;
        }
        Some(Self(length))
    }

    fn value(&self) -> Value {
        json!(duration::written(self.0))
    }
}

/// How long something may take; `None`: as long as it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeout(pub(super) Option<Duration>);

impl Setting for Timeout {
    const EXPECTED: &'static str = "a duration such as \"90s\" or \"1h30m\", or \"never\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.as_str() == Some(NEVER) {
            return Some(Self(None));
        }
        Limit::read(found, findings).map(|limit| Self(Some(limit.0)))
    }

    fn value(&self) -> Value {
        self.0
            .map_or(json!(NEVER), |limit| Lasting::<1>(limit).value())
    }
}

/// The word for a length of time that never passes.
const NEVER: &str = "never";

/// A whole number in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count<const LEAST: u32, const MOST: u32>(pub(super) u32);

impl<const LEAST: u32, const MOST: u32> Setting for Count<LEAST, MOST> {
    const EXPECTED: &'static str = "a whole number";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let number = found.expect::<Self, _>(found.value.as_integer(), findings)?;
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if (LEAST..=MOST).contains(&number) => Some(Self(number)),
            _ => {
                found.bad_value(findings, format!("{LEAST} to {MOST}"));
                None
            }
        }
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// A number in a range, whole or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number<const LEAST: u32, const MOST: u32>(pub(super) f64);

impl<const LEAST: u32, const MOST: u32> Setting for Number<LEAST, MOST> {
    const EXPECTED: &'static str = "a number";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let whole = found.value.as_integer().map(DeInteger::as_str);
        let float = found.value.as_float().map(DeFloat::as_str);
        let text = found.expect::<Self, _>(whole.or(float), findings)?;
        match text.parse() {
            Ok(number) if (f64::from(LEAST)..=f64::from(MOST)).contains(&number) => {
                Some(Self(number))
            }
            // Numbers like 0x10 land here too: nobody means them.
            _ => {
                found.bad_value(findings, format!("{LEAST} to {MOST}"));
                None
            }
        }
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// How willing a process is to let others go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Niceness(pub(super) i8);

impl Setting for Niceness {
    const EXPECTED: &'static str = "a whole number from -20 to 19";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let number = found.expect::<Self, _>(found.value.as_integer(), findings)?;
        match i8::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if (-20..=19).contains(&number) => Some(Self(number)),
            _ => {
                found.bad_value(findings, "-20 (first) to 19 (last)");
                None
            }
        }
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) u64);

impl Setting for Bytes {
    const EXPECTED: &'static str = "an amount of memory such as \"512M\" or \"2G\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let bytes = memory::parse(text);
        if bytes.is_none() {
            found.bad_value(findings, "a number with K, M, G or T");
        }
        bytes.map(Self)
    }

    fn value(&self) -> Value {
        json!(memory::written(self.0))
    }
}

/// A value that is one of a few words.
macro_rules! words {
    ($kind:ty, $expected:literal, $( $word:literal => $variant:path ),*) => {
        impl Setting for $kind {
            const EXPECTED: &'static str = $expected;

            fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
                match found.text::<Self>(findings)? {
                    $( $word => Some($variant), )*
                    other => {
                        not_a_word(found, other, &[$($word),*], findings);
                        None
                    }
                }
            }

            fn value(&self) -> Value {
                match self { $( $variant => json!($word) ),* }
            }
        }
    };
}

pub(super) fn not_a_word(found: &Found<'_>, wrong: &str, words: &[&str], findings: &mut Findings) {
    let meant = findings.nearest(wrong, words.iter().copied());
    let error = found.bad_value(findings, format!("one of {}", words.join(", ")));
    if let Some(meant) = meant {
        error.help(format!("did you mean \"{meant}\"?"));
    }
}

words!(Needed, "\"success\" or \"finish\"", "success" => Self::Success, "finish" => Self::Finish);
words!(Start, "\"next\" or \"now\"", "next" => Self::Next, "now" => Self::Now);
words!(OnLost, "\"retry\", \"skip\" or \"hold\"", "retry" => Self::Retry, "skip" => Self::Skip, "hold" => Self::Hold);
words!(CatchUp, "\"none\", \"latest\" or \"all\"", "none" => Self::None, "latest" => Self::Latest, "all" => Self::All);
words!(Overlap, "\"skip\" or \"queue_one\"", "skip" => Self::Skip, "queue_one" => Self::QueueOne);
words!(On, "\"one\" or \"each\"", "one" => Self::One, "each" => Self::Each);
words!(OnDbLoss, "\"kill\" or \"continue\"", "kill" => Self::Kill, "continue" => Self::Continue);
words!(OnDisagreement, "\"warn\" or \"newest\"", "warn" => Self::Warn, "newest" => Self::Newest);
