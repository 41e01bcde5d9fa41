//! Doing the work of a claim: a process in its own session, under a guard that outlives us; or SQL on a connection
//! of its own, whose effects only its record commits.

mod effects;
mod environment;
mod healthy;
pub mod placeholder;
mod sql;

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    actions,
    claim::{Claim, Held},
    ended::Ended,
    heartbeat::{Cut, Heart},
    output::Output,
    rights::{Account, Terms},
    spec::Kind,
    store::{Database, Elsewhere},
    stream::{Printing, Stream},
    supervise::{Order, Supervisor},
};

pub(crate) use effects::{Effects, Settled};

/// A run that has ended, and how. Only [`run`] makes one, and recording consumes it.
#[derive(Debug)]
#[must_use = "a run that is not recorded stays `running` until its lease ends, and is then `lost`"]
pub struct Finished {
    pub(crate) held: Held,
    pub(crate) ended: Ended,
    /// Why this host cut it short, if it did.
    pub(crate) cut: Option<Cut>,
    /// When it ended, by the database's clock as far as this host can tell.
    pub(crate) at: Timestamp,
    /// What its SQL has done, for its record to commit.
    pub(crate) effects: Option<Effects>,
}

impl Finished {
    /// What was run.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What it printed: the beginning and the end.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.ended.output
    }
}

/// What a host process carries runs out with.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// The name of the host.
    pub host: &'a str,
    /// Starts and guards processes.
    pub supervisor: &'a Supervisor,
    /// Renews the claims meanwhile.
    pub heart: &'a Heart,
    /// Tells what runs print while they print it, where a job says so.
    pub stream: &'a Stream,
    /// The referee, where SQL is carried out unless it names another database.
    pub database: &'a Database,
    /// The way to those others.
    pub elsewhere: &'a Elsewhere,
}

/// Runs what was claimed, to its end. Its lease is renewed meanwhile; without that it is stopped in time.
pub async fn run(claim: Claim, means: &Means<'_>) -> Finished {
    let held = claim.into_held();
    crate::faults::point("before-spawn");
    let printing = held
        .spec
        .stream_output
        .then(|| means.stream.open(held.run_id));
    let (ended, cut, effects) = match &held.spec.kind {
        Kind::Sql(text) => sql::carry_out(&held, text, printing.as_ref(), means).await,
        _ => match order(&held, means.host).await {
            Ok(order) => {
                let (ended, cut) = supervised(&held, &order, printing.as_ref(), means).await;
                (ended, cut, None)
            }
            Err(why) => (Ended::not_started(why), None, None),
        },
    };
    let at = held.database_now();
    if let Some(printing) = printing {
        // Its lease is renewed no more: a wait must not use it up.
        printing.end(&ended.output, held.spec.lease.margin).await;
    }
    crate::faults::point("before-record");
    Finished {
        held,
        ended,
        cut,
        at,
        effects,
    }
}

async fn supervised(
    held: &Held,
    order: &Order,
    printing: Option<&Printing>,
    means: &Means<'_>,
) -> (Ended, Option<Cut>) {
    match means.supervisor.start(order).await {
        Ok(mut guarded) => {
            let renewal = means.heart.hold(held, Arc::new(guarded.reins()));
            if let Some(printing) = printing {
                guarded = guarded.heard_by(printing.listener());
            }
            crate::faults::point("running");
            let process = guarded.pid();
            let ended = tokio::select! {
                ended = guarded.ended() => ended,
                never = healthy::watch(held, process, means.database) => match never {},
            };
            (ended, renewal.end())
        }
        Err(error) => {
            let why = format!("cannot start a guard: {error}");
            (Ended::not_started(why), None)
        }
    }
}

/// What the guard is told: the process, its whole environment, and its limits.
async fn order(held: &Held, host: &str) -> Result<Order, String> {
    let values = placeholder::Values::of(held, host);
    let mut stdin = Vec::new();
    let argv = match &held.spec.kind {
        Kind::Command(argv) => argv
            .iter()
            .map(|element| values.fill(element).map_err(|bad| bad.to_string()))
            .collect::<Result<Vec<_>, _>>()?,
        Kind::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
        Kind::Action { name, with } => {
            let path = actions::path_of(&held.spec);
            let argv = actions::argv(name, path);
            stdin = with.to_string().into_bytes();
            argv.ok_or_else(|| actions::missing(name, path))?
        }
        Kind::Sql(_) => return Err("SQL has no process".to_owned()),
    };
    let asked = &held.spec.run_as;
    // Not as the plan knew him: users come and go, and their numbers are given again.
    let account = match &asked.user {
        Some(name) => Some(Account::named(name).await?),
        None => None,
    };
    let cwd = held.spec.cwd.clone();
    Ok(Order {
        run_id: held.run_id,
        argv,
        env: environment::of(held, &values, account.as_ref())?,
        cwd: cwd.unwrap_or_else(|| account.as_ref().map_or("/".into(), Account::directory)),
        terms: Terms {
            account: account.filter(|account| !account.is_own()),
            nice: asked.nice,
            memory_max: asked.memory_max,
        },
        stdin,
        timeout: held.spec.timeout,
        grace: held.spec.lease.grace,
        deadline: crate::faults::deadline(held.must_end_by()),
        stream: held.spec.stream_output,
    })
}
