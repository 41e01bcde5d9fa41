//! What came of asking for a run: who has asked, who may claim it, and how it ended.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    control::Happened,
    exit::Exit,
    store::{Connection, error::DatabaseError, limited, table::Triggered, transaction},
};

use super::{
    Times,
    entry::{self, Entry, short},
    lines::Lines,
    ongoing::Ongoing,
    text,
    why::quoted,
};

/// A request for a run of a job.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// The job.
    pub name: String,
    /// What came of asking; `None`: another session held the row.
    pub happened: Option<Happened>,
    /// The request that stands in the row: ours, or the earlier one that refuses ours.
    pub request: Option<Triggered>,
    /// The run that was going on.
    pub ongoing: Option<Ongoing>,
    /// The live hosts that may claim it, by name.
    pub hosts: Vec<String>,
    /// Why no live host may claim it.
    pub no_host: Option<String>,
    /// The run that was claimed for it, as far as it was followed.
    pub run: Option<Entry>,
    /// Whether the request was gone before a host had claimed it.
    pub is_gone: bool,
    /// How long it was followed.
    pub followed: Option<String>,
}

/// What has become of a request.
#[derive(Debug)]
pub enum Request {
    /// No host has claimed it yet.
    Waits,
    /// This is the run that was claimed for it: going on, or ended.
    Run(Box<Entry>),
    /// It is gone, and no run was claimed for it: somebody took it back, or removed the row.
    Gone,
}

/// What has become of a request for a run of a job.
pub async fn look_up(
    client: &Connection,
    job: &str,
    request: &Triggered,
) -> Result<Request, DatabaseError> {
    let of_request: [(&(dyn ToSql + Sync), Type); 2] =
        [(&job, Type::TEXT), (&request.id, Type::UUID)];
    let sql = include_str!("../../sql/read_trigger.sql");
    let query = client.query_typed(sql, &of_request);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let waits = rows.first().map(|row| row.try_get("waits")).transpose()?;
    // After that: what has left the row by now is in the log by now.
    Ok(match entry::triggered_run(client, job, request.at).await? {
        _ if waits == Some(true) => Request::Waits,
        Some(run) => Request::Run(Box::new(run)),
        None => Request::Gone,
    })
}

/// The same in JSON.
#[derive(Debug, Serialize)]
struct Told<'a> {
    name: &'a str,
    did: Option<&'static str>,
    refused: Option<&'static str>,
    slot: Option<Timestamp>,
    by: Option<&'a str>,
    hosts: &'a [String],
    ongoing: Option<&'a Ongoing>,
    run: Option<&'a Entry>,
    output: Option<&'a str>,
    why: String,
}

impl Trigger {
    /// Whether the request stands, or has been carried out.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.happened == Some(Happened::Done)
    }

    /// How the command ends: of a run that was followed as `run` does.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (&self.happened, &self.run) {
            (None | Some(Happened::ChangedMeanwhile), _) => Exit::Contended,
            (Some(Happened::Done), Some(run)) => exit_of(run),
            (Some(Happened::Done), None) if self.is_gone => Exit::NotDue,
            (Some(Happened::Done), None) if self.followed.is_some() => Exit::Ongoing,
            (Some(Happened::Done), None) => Exit::Ok,
            (Some(_), _) => Exit::NotDue,
        }
    }

    /// An object.
    #[must_use]
    pub fn json(&self, times: &Times) -> String {
        let refused = match &self.happened {
            None => Some("contended"),
            Some(happened) => happened.refused(),
        };
        let request = self.request.as_ref();
        text::json(&Told {
            name: &self.name,
            did: self.is_asked().then_some("triggered"),
            refused,
            slot: request.map(|request| request.at),
            by: request.and_then(|request| request.by.as_deref()),
            hosts: &self.hosts,
            ongoing: self.ongoing.as_ref(),
            run: self.run.as_ref(),
            output: self.run.as_ref().and_then(|run| run.output.as_deref()),
            why: self.said(times),
        })
    }

    /// What became of asking, and what to type next.
    #[must_use]
    pub fn text(&self, times: &Times) -> String {
        let mut lines = Lines::new(times.medium);
        lines.line(&self.said(times));
        if times.medium.is_terminal()
            && self.is_asked()
            && let Some(typed) = quoted(&self.name)
        {
            lines.line(&format!("hint: crontabber cancel {typed}   takes it back"));
        }
        lines.into_text()
    }

    /// One sentence.
    fn said(&self, times: &Times) -> String {
        let name = &self.name;
        let typed = quoted(name).unwrap_or_else(|| "JOB".to_owned());
        match (&self.happened, &self.run) {
            (None, _) => format!("not asked: another session holds the row of {name}; try again"),
            (Some(Happened::Done), Some(run)) => self.ran(run, times),
            (Some(Happened::Done), None) => self.waits(&typed),
            (Some(Happened::AskedBefore), _) => {
                let asked = self.request.as_ref();
                let who = asked.map(Triggered::words).unwrap_or_default();
                let at = asked.map(|asked| times.both(asked.at)).unwrap_or_default();
                format!(
                    "not asked: a run of {name} was {who} {at}, and waits for a host; crontabber cancel {typed} takes it \
                     back"
                )
            }
            (Some(Happened::NoRow), _) => format!("not asked: {name} has no row; it was removed"),
            (Some(_), _) => {
                format!("not asked: {name} was changed by somebody else at this moment; try again")
            }
        }
    }

    fn waits(&self, typed: &str) -> String {
        let name = &self.name;
        if self.is_gone {
            return format!(
                "the run of {name} was not claimed: somebody has taken the request back (crontabber audit {typed})"
            );
        }
        let what = match &self.followed {
            Some(limit) => format!(
                "no host has claimed the run of {name} within {limit}, and the request stands"
            ),
            None => format!("asked for a run of {name}"),
        };
        let who = match (&self.no_host, self.hosts.as_slice()) {
            (Some(why), _) => format!("it waits, for there is {why}"),
            (None, hosts) => format!("it runs on {}", one_of(hosts)),
        };
        let after = self
            .ongoing
            .as_ref()
            .map(|run| format!(", when the run that goes on on {} has ended", run.host));
        format!("{what}; {who}{}", after.unwrap_or_default())
    }

    fn ran(&self, run: &Entry, times: &Times) -> String {
        let name = &self.name;
        let host = run.host.as_deref().unwrap_or("a host");
        let id = run.run_id.map(short).unwrap_or_default();
        let waited = Option::zip(self.request.as_ref(), run.started_at);
        let waited = waited.map(|(asked, at)| {
            format!(", {} after it was asked for", between(asked.at, at, times))
        });
        let waited = waited.unwrap_or_default();
        let run_on = format!("run {id} of {name} on {host}{waited}");
        match (run.outcome.as_str(), &run.reason) {
            ("running", _) => {
                let limit = self.followed.as_deref().unwrap_or("the wait");
                format!("{run_on}, has not ended within {limit}")
            }
            (outcome, Some(reason)) if outcome != reason => {
                format!("{outcome}: {reason}; {run_on}")
            }
            (outcome, _) => format!("{outcome}: {run_on}"),
        }
    }
}

/// `db1, db2 or web1`, of many a few.
fn one_of(hosts: &[String]) -> String {
    const NAMED: usize = 6;
    match hosts {
        [] => "the first host that passes".to_owned(),
        [one] => one.clone(),
        [first @ .., last] if hosts.len() <= NAMED => format!("{} or {last}", first.join(", ")),
        hosts => format!("one of {} hosts", hosts.len()),
    }
}

fn between(from: Timestamp, to: Timestamp, times: &Times) -> String {
    Times { now: to, ..*times }.since(from)
}

/// What `run` says with its exit code about a run that has ended so.
fn exit_of(run: &Entry) -> Exit {
    match run.outcome.as_str() {
        "running" => Exit::Ongoing,
        "success" => Exit::Ok,
        "timeout" => Exit::TimedOut,
        _ => Exit::Failed,
    }
}
