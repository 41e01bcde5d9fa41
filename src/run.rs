//! Doing the work of a claim: a process in its own session, under a guard that outlives us.

mod environment;
pub mod placeholder;

use jiff::Timestamp;

use crate::{
    claim::{Claim, Held},
    heartbeat::{Cut, Heart},
    spec::Kind,
    supervise::{Ended, How, Order, Output, Supervisor},
};

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

/// Runs what was claimed, to its end. Its lease is renewed meanwhile; without that its guard kills it in time.
pub async fn run(claim: Claim, host: &str, supervisor: &Supervisor, heart: &Heart) -> Finished {
    let held = claim.into_held();
    crate::faults::point("before-spawn");
    let (ended, cut) = match order(&held, host) {
        Ok(order) => supervised(&held, &order, supervisor, heart).await,
        Err(why) => (not_started(why), None),
    };
    crate::faults::point("before-record");
    let at = held.database_now();
    Finished {
        held,
        ended,
        cut,
        at,
    }
}

async fn supervised(
    held: &Held,
    order: &Order,
    supervisor: &Supervisor,
    heart: &Heart,
) -> (Ended, Option<Cut>) {
    match supervisor.start(order).await {
        Ok(guarded) => {
            heart.add(held, guarded.reins());
            crate::faults::point("running");
            let ended = guarded.ended().await;
            (ended, heart.remove(held.run_id))
        }
        Err(error) => (not_started(format!("cannot start a guard: {error}")), None),
    }
}

fn not_started(why: String) -> Ended {
    Ended {
        how: How::NotStarted(why),
        stopped: None,
        output: Output::default(),
    }
}

/// What the guard is told: the process, its whole environment, and its limits.
fn order(held: &Held, host: &str) -> Result<Order, String> {
    let values = placeholder::Values::of(held, host);
    let argv = match &held.spec.kind {
        Kind::Command(argv) => argv
            .iter()
            .map(|element| values.fill(element).map_err(|bad| bad.to_string()))
            .collect::<Result<Vec<_>, _>>()?,
        Kind::Shell(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
        Kind::Sql(_) | Kind::Action { .. } => {
            return Err("this version runs `command` and `shell` jobs only".to_owned());
        }
    };
    Ok(Order {
        argv,
        env: environment::of(held, &values)?,
        cwd: held.spec.cwd.clone().unwrap_or_else(|| "/".into()),
        stdin: Vec::new(),
        timeout: held.spec.timeout,
        grace: held.spec.lease.grace,
        deadline: crate::faults::deadline(held.deadline()),
    })
}
