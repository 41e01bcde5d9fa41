//! What the key `depends_on` may hold.

use serde_json::{Value, json};

use crate::spec::{JobName, Needed, Parent};

use super::{
    diagnostic::Findings,
    setting::{Found, Setting, settings},
    source::Place,
    value::Limit,
};

/// The parents of a job, each where it is named.
#[derive(Debug, Clone)]
pub(super) struct Parents(pub(super) Vec<Named>);

/// A parent, and where its name stands.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) parent: Parent,
    pub(super) place: Place,
}

settings! {
    /// A parent of which more is said than its name.
    ParentSettings {
        /// The job.
        job: JobName,
        /// What it must have done: `success`, or `finish`, which is any end of a run.
        on: Needed,
        /// How much older than this job's slot its own may be; its latest, unless named.
        within: Limit,
    }
}

impl Setting for Parents {
    const EXPECTED: &'static str =
        "a list of jobs such as [\"feed_list\", { job = \"users\", within = \"1d\" }]";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let mut parents: Vec<Named> = Vec::new();
        for element in elements {
            let Some(named) = parent(&element, findings) else {
                continue;
            };
            let is_same = |first: &&Named| first.parent.job == named.parent.job;
            if let Some(first) = parents.iter().find(is_same) {
                let place = first.place;
                let error = element.bad_value(findings, "named before");
                error.related(place, "here");
                continue;
            }
            parents.push(named);
        }
        Some(Self(parents))
    }

    fn value(&self) -> Value {
        self.0.iter().map(|named| json!(named.parent)).collect()
    }
}

/// A name, or a table with one.
fn parent(found: &Found<'_>, findings: &mut Findings) -> Option<Named> {
    if !found.value.is_table() {
        let name = found.read::<JobName>(findings)?;
        return Some(Named {
            parent: Parent::named(name.value),
            place: name.place,
        });
    }
    let settings = ParentSettings::read(found, findings)?;
    let Some(job) = settings.job else {
        if !settings.refused.contains(&"job") {
            let error = found.bad_value(findings, "the name of a job under `job`");
            error.help("write for example { job = \"feeds\", within = \"1d\" }");
        }
        return None;
    };
    Some(Named {
        place: job.place,
        parent: Parent {
            job: job.value.clone(),
            on: settings.on.map_or(Needed::Success, |set| set.value),
            within: settings.within.map(|set| set.value.0),
        },
    })
}
