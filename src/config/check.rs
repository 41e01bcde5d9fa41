//! The section `[check]`: from where on something is worth a warning or an alarm.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    check::{Limits, Severity, Thresholds},
    place::ANNOUNCE_EVERY,
};

use super::{
    build::later_first,
    diagnostic::{Code, Findings},
    setting::{Found, Set, Setting, Shared, settings},
    value::{Count, Lasting, not_a_word},
};

settings! {
    /// The keys of `[check]`.
    CheckSettings {
        /// Errors in a row of a job.
        errors: CountThresholds,
        /// Errors in a row of a job that catches up on every slot (`catch_up = "all"`).
        errors_backfill: CountThresholds,
        /// How long a job is due and does not run.
        overdue: LengthThresholds,
        /// How long a job is due that has never run.
        never_run: LengthThresholds,
        /// For how much longer than its timeout and grace a run goes on.
        ongoing: LengthThresholds,
        /// How long a due job waits for a parent.
        blocked: LengthThresholds,
        /// How long no host has passed; hosts announce themselves every five minutes.
        no_pass: PassThresholds,
        /// How far the clock of a host is off the database's.
        clock_skew: LengthThresholds,
        /// What a run is whose lease ended long ago, and that no pass has counted as lost.
        stuck: Alarm,
        /// What a job is that waits for a person.
        held: Alarm,
        /// What a due job is that no live host may run.
        no_host: Alarm,
        /// What a job is by which live hosts mean different things.
        disagreement: Alarm,
        /// What a host is that goes on with an older configuration than its files have.
        config_error: Alarm,
        /// What a host is whose name two daemons use.
        same_name: Alarm,
        /// What a row is that no job of this configuration has.
        ghost: Alarm,
    }
}

settings! {
    /// From which number on something is worth a warning or an alarm.
    CountThresholds {
        /// Exit code 1.
        warning: CountThreshold,
        /// Exit code 2.
        critical: CountThreshold,
    }
}

settings! {
    /// From which length of time on something is worth a warning or an alarm.
    LengthThresholds {
        /// Exit code 1.
        warning: LengthThreshold<1>,
        /// Exit code 2.
        critical: LengthThreshold<1>,
    }
}

/// A minute more than the oldest that announcements get under a pass each minute: less would ring by itself.
const LEAST_PASS: u64 = (ANNOUNCE_EVERY.as_secs().unsigned_abs() + 60) * 1_000;

settings! {
    /// From which age of the newest announcement on it is worth a warning or an alarm.
    PassThresholds {
        /// Exit code 1.
        warning: LengthThreshold<LEAST_PASS>,
        /// Exit code 2.
        critical: LengthThreshold<LEAST_PASS>,
    }
}

/// The word for a threshold that nothing passes.
const NEVER: &str = "never";

/// A number, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountThreshold(Option<u32>);

impl Setting for CountThreshold {
    const EXPECTED: &'static str = "a whole number, or \"never\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_integer() {
            let count = Count::<1, 1_000_000>::read(found, findings)?;
            return Some(Self(Some(count.0)));
        }
        if found.text::<Self>(findings)? == NEVER {
            return Some(Self(None));
        }
        found.bad_value(findings, Self::EXPECTED);
        None
    }

    fn value(&self) -> Value {
        self.0.map_or(json!(NEVER), |count| json!(count))
    }
}

/// A length of time of at least so many milliseconds, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct LengthThreshold<const LEAST: u64>(Option<Duration>);

impl<const LEAST: u64> Setting for LengthThreshold<LEAST> {
    const EXPECTED: &'static str = "a duration such as \"10m\", or \"never\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.as_str() == Some(NEVER) {
            return Some(Self(None));
        }
        let length = Lasting::<LEAST>::read(found, findings)?;
        Some(Self(Some(length.0)))
    }

    fn value(&self) -> Value {
        self.0
            .map_or(json!(NEVER), |length| Lasting::<LEAST>(length).value())
    }
}

/// How bad something is that has no measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alarm(Option<Severity>);

impl Setting for Alarm {
    const EXPECTED: &'static str = "\"ok\", \"warning\" or \"critical\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        match found.text::<Self>(findings)? {
            "ok" => Some(Self(None)),
            "warning" => Some(Self(Some(Severity::Warning))),
            "critical" => Some(Self(Some(Severity::Critical))),
            other => {
                not_a_word(found, other, &["ok", "warning", "critical"], findings);
                None
            }
        }
    }

    fn value(&self) -> Value {
        match self.0 {
            None => json!("ok"),
            Some(severity) => json!(severity),
        }
    }
}

/// One of the two thresholds of a key.
trait Threshold<T> {
    fn get(&self) -> Option<T>;
}

impl Threshold<u32> for CountThreshold {
    fn get(&self) -> Option<u32> {
        self.0
    }
}

impl<const LEAST: u64> Threshold<Duration> for LengthThreshold<LEAST> {
    fn get(&self) -> Option<Duration> {
        self.0
    }
}

/// What the merged section says; `None`, and an error, where it contradicts itself.
pub(super) fn limits(settings: &CheckSettings, findings: &mut Findings) -> Option<Limits> {
    macro_rules! pair {
        ($key:ident) => {{
            let set = &settings.$key.as_ref()?.value;
            both(
                stringify!($key),
                (set.warning.as_ref(), set.critical.as_ref()),
                findings,
            )
        }};
    }
    let (errors, errors_backfill) = (pair!(errors), pair!(errors_backfill));
    let (overdue, never_run) = (pair!(overdue), pair!(never_run));
    let (ongoing, blocked) = (pair!(ongoing), pair!(blocked));
    let (no_pass, clock_skew) = (pair!(no_pass), pair!(clock_skew));
    let alarm = |set: &Option<Shared<Alarm>>| Some(set.as_ref()?.value.0);
    Some(Limits {
        errors: errors?,
        errors_backfill: errors_backfill?,
        overdue: overdue?,
        never_run: never_run?,
        ongoing: ongoing?,
        blocked: blocked?,
        no_pass: no_pass?,
        clock_skew: clock_skew?,
        stuck: alarm(&settings.stuck)?,
        held: alarm(&settings.held)?,
        no_host: alarm(&settings.no_host)?,
        disagreement: alarm(&settings.disagreement)?,
        config_error: alarm(&settings.config_error)?,
        same_name: alarm(&settings.same_name)?,
        ghost: alarm(&settings.ghost)?,
    })
}

fn both<T: PartialOrd, S: Threshold<T> + Setting>(
    key: &str,
    (warning, critical): (Option<&Shared<S>>, Option<&Shared<S>>),
    findings: &mut Findings,
) -> Option<Thresholds<T>> {
    let (warning, critical) = (warning?, critical?);
    let thresholds = Thresholds {
        warning: warning.value.get(),
        critical: critical.value.get(),
    };
    if thresholds.is_sound() {
        return Some(thresholds);
    }
    let [later, other] = later_first(warning.place, critical.place);
    let shown = |set: &Set<S>| set.value.value().to_string().replace('"', "");
    let message = format!("the warning of `{key}` comes after its alarm, and nobody would see it");
    findings
        .error(Code::BadValue, later, message)
        .label(format!(
            "warning {}, critical {}",
            shown(warning),
            shown(critical)
        ))
        .related(other, "the other")
        .help("name both: { warning = ..., critical = ... }; \"never\" switches one of them off");
    None
}
