//! What a job that goes on cannot say: one that is kept running, one that goes on without the database.

use super::{
    build::Ingredients,
    diagnostic::{Code, Findings},
    setting::Shared,
    source::Place,
};
use crate::spec::OnDbLoss;

impl Ingredients<'_> {
    /// Refuses keys beside `keep_running` or `on_db_loss = "continue"` that would mean nothing. Those that come from
    /// `[defaults]` were written for other jobs.
    pub(super) fn refuse_what_lasts(&self, findings: &mut Findings) {
        if self.settings.keeps_running() {
            self.refuse_slots(findings);
            self.refuse_sql(findings);
        }
        self.refuse_sql_without_its_database(findings);
    }

    fn refuse_slots(&self, findings: &mut Findings) {
        let (settings, base) = (self.settings, self.base);
        let attempts = settings
            .retry
            .as_ref()
            .and_then(|set| key(set.value.attempts.as_ref()));
        let in_base = base
            .retry
            .as_ref()
            .and_then(|set| key(set.value.attempts.as_ref()));
        let named = [
            (
                "every",
                key(settings.every.as_ref()),
                key(base.every.as_ref()),
            ),
            ("at", key(settings.at.as_ref()), key(base.at.as_ref())),
            (
                "schedule",
                key(settings.schedule.as_ref()),
                key(base.schedule.as_ref()),
            ),
            (
                "depends_on",
                key(settings.depends_on.as_ref()),
                key(base.depends_on.as_ref()),
            ),
            (
                "catch_up",
                key(settings.catch_up.as_ref()),
                key(base.catch_up.as_ref()),
            ),
            (
                "catch_up_limit",
                key(settings.catch_up_limit.as_ref()),
                key(base.catch_up_limit.as_ref()),
            ),
            (
                "start_deadline",
                key(settings.start_deadline.as_ref()),
                key(base.start_deadline.as_ref()),
            ),
            (
                "overlap",
                key(settings.overlap.as_ref()),
                key(base.overlap.as_ref()),
            ),
            ("retry.attempts", attempts, in_base),
        ];
        for (name, place, in_base) in named {
            let own = place.filter(|&place| Some(place) != in_base && !place.is_built_in());
            let Some(place) = own else { continue };
            let message = format!(
                "`{name}` of job `{}` has no meaning with `keep_running`",
                self.name
            );
            let (label, help) = match name {
                "depends_on" => (
                    "it waits for nobody",
                    "leave it out, and let the program wait for what it needs",
                ),
                "retry.attempts" => (
                    "it is started again for ever",
                    "leave it out; `crontabber pause` ends that",
                ),
                _ => (
                    "it has no slots to miss or to wait for: it is started whenever it does not run",
                    "leave it out; or leave out `keep_running`, for a job that is wanted at times",
                ),
            };
            let error = findings.error(Code::Misplaced, place, message);
            error.label(label).help(help);
            let keep_running =
                key(settings.keep_running.as_ref()).filter(|place| !place.is_built_in());
            error
                .related
                .extend(keep_running.map(|place| (place, "kept running".to_owned())));
        }
    }

    fn refuse_sql(&self, findings: &mut Findings) {
        let sql = key(self.settings.sql.as_ref()).or(key(self.settings.sql_file.as_ref()));
        let Some(place) = sql else { return };
        let message = format!("the SQL of job `{}` cannot be kept running", self.name);
        findings
            .error(Code::Misplaced, place, message)
            .label("it is done when it is carried out")
            .help("give it a schedule, such as every = \"1m\", in place of `keep_running`");
    }

    fn refuse_sql_without_its_database(&self, findings: &mut Findings) {
        let Some(set) = &self.settings.on_db_loss else {
            return;
        };
        let is_own = Some(set.key) != key(self.base.on_db_loss.as_ref());
        if !self.is_sql_of_the_referee() || set.value != OnDbLoss::Continue || !is_own {
            return;
        }
        let message = format!(
            "the SQL of job `{}` cannot go on without its database",
            self.name
        );
        findings
            .error(Code::Misplaced, set.place, message)
            .label("what it does is lost with the database")
            .help("leave `on_db_loss` out: the slot runs again when the database is back");
    }
}

/// Where a key stands.
fn key<T>(set: Option<&Shared<T>>) -> Option<Place> {
    set.map(|set| set.key)
}
