//! Times of day that some nights have not, and some have twice.

use jiff::{SignedDuration, Timestamp};

use crate::schedule::{Remark, Rule};

use super::{
    Config, Report,
    diagnostic::{Code, Findings},
    job::JobSettings,
    source::Place,
};

/// How far ahead is looked: each zone that changes its clocks every year has done so.
const AHEAD: SignedDuration = SignedDuration::from_hours(366 * 24);

impl Config {
    /// The schedules for fixed times that the clocks of their zones jump over or show twice within a year of `now`, a
    /// warning each.
    ///
    /// Not among [`Config::warnings`]: it is of the calendar, and a pass has no time to look through that.
    #[must_use]
    pub fn check_clocks(&self, now: Timestamp) -> Report {
        let mut findings = Findings::default();
        for settings in self.job_settings.values() {
            let Some(zone) = settings.timezone.as_ref() else {
                continue;
            };
            let zone = zone.value.0.as_str();
            for (rule, place) in rules(settings) {
                let until = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
                warn(&rule.moved(zone, now, until), zone, place, &mut findings);
            }
        }
        self.report(findings)
    }
}

/// The rules of a job, each with where its times are written.
fn rules(settings: &JobSettings) -> Vec<(Rule, Place)> {
    let schedule = settings.schedule.iter().flat_map(|set| &set.value.0);
    let mut rules: Vec<_> = schedule
        .map(|one| (Rule::Crontab(one.fields.clone()), one.place))
        .collect();
    if let (Some(every), Some(at)) = (&settings.every, &settings.at) {
        let rule = Rule::Every {
            period: every.value.0,
            at: Some(at.value.0),
        };
        rules.push((rule, at.place));
    }
    rules
}

/// The first that is skipped and the first that comes twice: the years to come are like this one.
fn warn(remarks: &[Remark], zone: &str, place: Place, findings: &mut Findings) {
    let is_skipped = |remark: &&Remark| matches!(remark, Remark::Skipped { .. });
    let skipped = remarks.iter().find(is_skipped);
    let twice = remarks.iter().find(|remark| !is_skipped(remark));
    let (Some(first), second) = (skipped.or(twice), skipped.and(twice)) else {
        return;
    };
    let said = |remark: &Remark| {
        let day = remark.wall().strftime("%F");
        remark.said_of(&format!("on {day} in {zone}"))
    };
    let warning = findings.warning(Code::ClockChange, place, said(first));
    warning.label(match first {
        Remark::Skipped { .. } => "not in every night",
        _ => "twice in one night",
    });
    let second = second.map(|remark| format!("and {}\n", said(remark)));
    let second = second.unwrap_or_default();
    warning.help(format!(
        "{second}if that is not meant, name an hour in which the clocks do not change, or timezone = \"UTC\""
    ));
}
