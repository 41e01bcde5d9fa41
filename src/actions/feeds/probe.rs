//! How long files are whose feeds do not say it, by a program that knows: `ffprobe`, or another that takes an address and
//! prints seconds.
//!
//! It comes after the pass and cannot fail it: what a probe does not find out is written down and tried again.

mod ask;

use std::{future::ready, time::Duration};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::Type;

pub use ask::NotStarted;

use crate::{
    http::{Network, check_for_another, shown_address},
    store::{Database, DatabaseError, recurring::Parameter, transaction::run},
};

/// How files are probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The program and its arguments, at least one; the address comes last.
    pub argv: Vec<String>,
    /// How long one may take.
    pub timeout: Duration,
    /// How many run at once.
    pub parallel: usize,
    /// How many a pass does at most.
    pub most: usize,
}

/// What the probes of a pass have found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Probed {
    /// Files whose duration is known now.
    pub probed: usize,
    /// Files whose duration is not, although they were asked.
    pub probe_failures: usize,
}

/// A file that this process is to probe.
#[derive(Debug)]
struct Claimed {
    url: String,
    /// Failures in a row before this.
    errors: i32,
    /// What makes the claim this one.
    next_probe: Timestamp,
}

/// The first wait after a failure, and the least that a claim lasts.
const WAIT: Duration = Duration::from_hours(1);

/// The most that a claim lasts; a pass that takes longer may meet another at the same file.
const LONGEST_CLAIM: Duration = Duration::from_hours(24);

/// How often in a row a file may fail before it is left alone.
const PATIENCE: i32 = 3;

/// How many failures are told one by one.
const TOLD: usize = 5;

/// Probes files without a duration, the newest first; a failure is told by `tell`. Where that has to end by an instant, none
/// is begun that might take longer.
pub async fn probe(
    database: &Database,
    probe: &Probe,
    allowed: &[Network],
    end: Option<Instant>,
    mut tell: impl FnMut(&str),
) -> Result<Probed, DatabaseError> {
    let mut done = Probed::default();
    let is_time = || end.is_none_or(|end| Instant::now() + probe.timeout <= end);
    if !is_time() {
        return Ok(done);
    }
    let claimed = claim(database, probe).await?;
    let in_time = stream::iter(claimed).take_while(|_| ready(is_time()));
    let probes = in_time.map(|claimed| async move {
        let found = one(probe, allowed, &claimed.url).await;
        if let Ok(found) = &found {
            note(database, &claimed, found.as_ref()).await?;
        }
        Ok::<_, DatabaseError>((claimed, found))
    });
    let mut probes = std::pin::pin!(probes.buffer_unordered(probe.parallel));
    while let Some(result) = probes.next().await {
        match result? {
            (_, Ok(Ok(_))) => done.probed += 1,
            (claimed, Ok(Err(why))) => {
                done.probe_failures += 1;
                if done.probe_failures <= TOLD {
                    tell(&format!("probe of {}: {why}", shown_address(&claimed.url)));
                }
            }
            // The others would not start either, and none of the files is to blame.
            (_, Err(not_started)) => {
                tell(&not_started.to_string());
                return Ok(done);
            }
        }
    }
    Ok(done)
}

/// The seconds of a file, or why they are not known.
async fn one(
    probe: &Probe,
    allowed: &[Network],
    address: &str,
) -> Result<Result<i32, String>, NotStarted> {
    let deadline = Instant::now() + probe.timeout;
    match timeout_at(deadline, check_for_another(address, allowed)).await {
        Ok(Ok(())) => ask::ask(&probe.argv, address, deadline).await,
        Ok(Err(error)) => Ok(Err(error.to_string())),
        Err(_) => Ok(Err("its name was not resolved in time".to_owned())),
    }
}

/// How long a file is left alone after so many failures in a row; `None`: for good.
fn wait_after(errors: i32) -> Option<Duration> {
    let doublings = u32::try_from(errors.saturating_sub(1)).unwrap_or_default();
    (errors < PATIENCE).then(|| WAIT.saturating_mul(2_u32.saturating_pow(doublings)))
}

/// Takes the files of this pass, and puts them off for as long as all of them may take. At once, and not a few at a time as
/// feeds are: to look past all that are known costs the same however many are taken.
async fn claim(database: &Database, probe: &Probe) -> Result<Vec<Claimed>, DatabaseError> {
    let number = i64::try_from(probe.most).unwrap_or(i64::MAX);
    let rounds = u32::try_from(probe.most.div_ceil(probe.parallel)).unwrap_or(u32::MAX);
    let lasting = probe.timeout.saturating_mul(rounds);
    let lasting = lasting.clamp(WAIT, LONGEST_CLAIM).as_secs_f64();
    let parameters: [Parameter<'_>; 2] = [(&number, Type::INT8), (&lasting, Type::FLOAT8)];
    let rows = run(database, include_str!("sql/claim_probes.sql"), &parameters).await?;
    let claimed = rows.iter().map(|row| {
        Ok(Claimed {
            url: row.try_get("url")?,
            errors: row.try_get("errors")?,
            next_probe: row.try_get("next_probe")?,
        })
    });
    claimed.collect()
}

/// Writes down what came of a probe; not where its claim is not this process's any more.
async fn note(
    database: &Database,
    claimed: &Claimed,
    found: Result<&i32, &String>,
) -> Result<(), DatabaseError> {
    let (duration, error) = (found.ok(), found.err());
    let errors = error.map_or(0, |_| claimed.errors.saturating_add(1));
    let wait = error.and_then(|_| wait_after(errors));
    let wait = wait.map(|wait| wait.as_secs_f64());
    let parameters: [Parameter<'_>; 6] = [
        (&claimed.url, Type::TEXT),
        (&claimed.next_probe, Type::TIMESTAMPTZ),
        (&duration, Type::INT4),
        (&errors, Type::INT4),
        (&error, Type::TEXT),
        (&wait, Type::FLOAT8),
    ];
    run(database, include_str!("sql/note_probe.sql"), &parameters)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fails_is_left_alone_ever_longer_and_then_for_good() {
        let hours = |errors| wait_after(errors).map(|wait| wait.as_secs() / 3600);
        assert_eq!([1, 2, 3, 4].map(hours), [Some(1), Some(2), None, None]);
    }
}
