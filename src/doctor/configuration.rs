//! The files, and the secrets they name.

use super::{Check, Finding, facts::Configuration};
use crate::view::text::counted;

const ALL_OF_IT: &str = "`crontabber config check` tells all of it, with its places";

pub(super) fn findings(found: &Configuration) -> Vec<Finding> {
    let files = match &found.mistake {
        Some(mistake) => Finding::problem(
            Check::Configuration,
            format!("{}; the first: {mistake}", found.summary),
            ALL_OF_IT,
        ),
        None if found.warnings > 0 => {
            Finding::warning(Check::Configuration, &found.summary, ALL_OF_IT)
        }
        None => Finding::ok(Check::Configuration, &found.summary),
    };
    let secrets = found.secrets.as_ref();
    let secrets = secrets.map(|secrets| match (&secrets.mistake, secrets.warnings) {
        (Some(mistake), _) => Finding::problem(Check::Secrets, mistake, ALL_OF_IT),
        (None, 0) => Finding::ok(Check::Secrets, "all that are named can be read"),
        (None, number) => Finding::warning(
            Check::Secrets,
            format!("{} cannot be read on this host", counted(number, "secret")),
            "a run that names one fails here; `crontabber config check` says which",
        ),
    });
    [files].into_iter().chain(secrets).collect()
}
