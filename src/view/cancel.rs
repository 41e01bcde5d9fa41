//! What came of cancelling a run.

use serde::Serialize;
use uuid::Uuid;

use crate::{control::Happened, store::table::Triggered};

use super::{
    Times,
    entry::{Entry, short},
    lines::Lines,
    text,
    why::quoted,
};

/// A run that somebody wants to end.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    /// Its job.
    pub name: String,
    /// The run; `None`: none is going on, or a Python host's.
    pub run_id: Option<Uuid>,
    /// Where.
    pub host: Option<String>,
    /// Whether it was going on.
    pub is_live: bool,
    /// What came of asking its host; `None`: it was not asked.
    pub happened: Option<Happened>,
    /// The run in the log, once it has ended.
    pub run: Option<Entry>,
    /// The run that somebody has asked for, and that no host has claimed yet.
    pub request: Option<Triggered>,
    /// Whether somebody else held the row of its job: then nothing was asked.
    pub is_contended: bool,
}

/// The same in JSON.
#[derive(Debug, Serialize)]
struct Told<'a> {
    name: &'a str,
    run_id: Option<Uuid>,
    host: Option<&'a str>,
    did: Option<&'static str>,
    refused: Option<&'static str>,
    outcome: Option<&'a str>,
    why: String,
}

impl Cancel {
    /// It has ended, so.
    #[must_use]
    pub fn ended(self, run: Entry) -> Self {
        Self {
            run_id: run.run_id,
            host: run.host.clone(),
            run: Some(run),
            ..self
        }
    }

    /// One sentence.
    #[must_use]
    pub fn text(&self, times: &Times) -> String {
        let mut lines = Lines::new(times.medium);
        lines.line(&self.said(times));
        if let Some(request) = self.request.as_ref().filter(|_| self.is_live) {
            let name = quoted(&self.name).unwrap_or_else(|| "JOB".to_owned());
            lines.line(&format!(
                "another run of it was {} {}; to take that back, when this one has ended: crontabber cancel {name}",
                request.words(),
                times.both(request.at)
            ));
        }
        lines.into_text()
    }

    /// An object.
    #[must_use]
    pub fn json(&self, times: &Times) -> String {
        let asked = matches!(self.happened, Some(Happened::Done | Happened::AskedBefore));
        let did = if self.request.is_some() && !self.is_live {
            "untriggered"
        } else {
            "cancel_requested"
        };
        let refused = match (&self.happened, self.is_live) {
            _ if self.is_contended => Some("contended"),
            (Some(happened), _) => happened.refused(),
            (None, true) => Some("python"),
            (None, false) => Some("ended"),
        };
        text::json(&Told {
            name: &self.name,
            run_id: self.run_id,
            host: self.host.as_deref(),
            did: asked.then_some(did),
            refused,
            outcome: self.run.as_ref().map(|run| run.outcome.as_str()),
            why: self.said(times),
        })
    }

    fn said(&self, times: &Times) -> String {
        let name = &self.name;
        let typed = quoted(name).unwrap_or_else(|| "JOB".to_owned());
        let host = self.host.as_deref().unwrap_or("its host");
        let run = self.run_id.map(|id| {
            if times.medium.is_terminal() {
                short(id)
            } else {
                id.to_string()
            }
        });
        let run = run.map(|run| format!("run {run} of {name} on {host}"));
        let run = run.unwrap_or_else(|| name.clone());
        if self.is_contended {
            return format!("not cancelled: another session holds the row of {name}; try again");
        }
        if let Some(request) = self.request.as_ref().filter(|_| !self.is_live) {
            let who = request.words();
            let at = times.both(request.at);
            return match self.happened {
                Some(Happened::Done) => {
                    format!("taken back: the run of {name} that was {who} {at}")
                }
                _ => format!(
                    "not taken back: the run of {name} that was {who} {at} has just been claimed; to end it type this again"
                ),
            };
        }
        match (&self.run, &self.happened) {
            (Some(ended), happened) => {
                let how = match (ended.outcome.as_str(), &ended.reason) {
                    (outcome, Some(reason)) if outcome != reason => format!("{outcome}: {reason}"),
                    (outcome, _) => outcome.to_owned(),
                };
                let at = ended.finished_at.map(|at| format!(" {}", times.both(at)));
                let at = at.unwrap_or_default();
                match (ended.outcome.as_str(), happened) {
                    ("cancelled", Some(_)) => format!("cancelled: {run}"),
                    (_, Some(Happened::Done | Happened::AskedBefore)) => {
                        format!("not cancelled: {run} ended before that{at}: {how}")
                    }
                    _ => format!(
                        "not cancelled: {name} is not running; its run {} ended{at}: {how}",
                        short_of(ended)
                    ),
                }
            }
            (None, Some(Happened::Done | Happened::AskedBefore)) => format!(
                "{host} was asked to end it: {run}; how it ends: crontabber history {typed} -n 1"
            ),
            (None, Some(_)) => format!("not cancelled: {run} is not going on any more"),
            (None, None) if self.is_live => format!(
                "not cancelled: {name} is run by a Python host, which takes no orders; end its process there, and then: \
                 crontabber reset {typed} --clear-ongoing"
            ),
            (None, None) => format!("not cancelled: {name} is not running, and has never run"),
        }
    }
}

fn short_of(run: &Entry) -> String {
    run.run_id.map(short).unwrap_or_default()
}
