//! What crontabber's other commands read and what they trip over. A `Stop` is a traceback and exit code 1.

use std::collections::BTreeSet;

use super::{Info, Job, Python, Stop};

/// `--list-jobs`: one line a job.
pub async fn list_jobs(python: &Python, jobs: &[Job]) -> Result<Vec<String>, Stop> {
    let mut lines = Vec::new();
    for job in jobs {
        let Some(info) = python.get(&job.name).await? else {
            lines.push(format!("{}: no previous run info", job.name));
            continue;
        };
        let state = if info.has_error() {
            format!(
                "error x{} {}",
                info.error_count.unwrap_or(0),
                texts(&info, &["traceback", "type", "value"])?
            )
        } else if info.ongoing.is_some() {
            "ongoing".into()
        } else {
            "ok".into()
        };
        let next = info.next_run.map_or("none".into(), |at| at.to_string());
        lines.push(format!("{}: {state}, next {next}", job.name));
    }
    Ok(lines)
}

/// `--nagios`: the code and the line.
pub async fn nagios(python: &Python, jobs: &[Job]) -> Result<(i32, String), Stop> {
    let (mut warnings, mut criticals) = (Vec::new(), Vec::new());
    for job in jobs {
        if !python.contains(&job.name).await? {
            continue;
        }
        let info = python.get(&job.name).await?.unwrap_or_default();
        match info.error_count.unwrap_or(0) {
            0 => continue,
            1 if job.is_backfill => &mut warnings,
            _ => &mut criticals,
        }
        .push(format!(
            "{}: {}",
            job.name,
            texts(&info, &["type", "value"])?
        ));
    }
    Ok(match (criticals.is_empty(), warnings.is_empty()) {
        (false, _) => (2, criticals.join("; ")),
        (true, false) => (1, warnings.join("; ")),
        (true, true) => (0, "all well".into()),
    })
}

/// `--audit-ghosts`: the rows that no job has.
pub async fn audit_ghosts(python: &Python, jobs: &[Job]) -> Result<BTreeSet<String>, Stop> {
    let known: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let keys = python.keys().await?;
    Ok(keys
        .into_iter()
        .filter(|key| !known.contains(key.as_str()))
        .collect())
}

/// `--reset-job`
pub async fn reset_job(python: &Python, job: &str) -> Result<(), Stop> {
    if python.contains(job).await? {
        python.pop(job).await?;
    }
    Ok(())
}

/// Fields of `last_error`, which must be there, and which a pipe takes in ASCII only.
fn texts(info: &Info, names: &[&str]) -> Result<String, Stop> {
    let mut texts = Vec::new();
    for name in names {
        let text = info
            .last_error
            .as_ref()
            .and_then(|error| error.get(name)?.as_str());
        let text = text.ok_or_else(|| Stop::Crash(format!("KeyError: '{name}'")))?;
        if !text.is_ascii() {
            return Err(Stop::Crash(format!("UnicodeEncodeError in '{name}'")));
        }
        texts.push(text);
    }
    Ok(texts.join(" | "))
}
