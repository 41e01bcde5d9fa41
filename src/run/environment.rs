//! The environment of a run: nothing is inherited, everything has a reason.

use std::sync::LazyLock;

use super::placeholder::{Values, instant};
use crate::{actions::PATH, claim::Held, config::Surroundings, rights::Account, spec::NO_TIMEOUT};

/// Where secrets are looked for: copied once, and not for each of a thousand runs.
static HERE: LazyLock<Surroundings> = LazyLock::new(Surroundings::of_this_process);

/// The variables of a run; the job's own come last and win, except over what names the run.
pub(super) fn of(
    held: &Held,
    values: &Values,
    account: Option<&Account>,
) -> Result<Vec<(String, String)>, String> {
    let home = match account {
        Some(account) => account.home.to_string_lossy().into_owned(),
        None => std::env::var("HOME").unwrap_or_else(|_| "/".to_owned()),
    };
    let zone = held
        .spec
        .timetable
        .as_ref()
        .map_or("UTC", |when| when.timezone.as_str());
    let mut env: Vec<(String, String)> = vec![
        ("PATH".to_owned(), PATH.to_owned()),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("HOME".to_owned(), home),
        ("TZ".to_owned(), zone.to_owned()),
    ];
    // As cron does; a host that runs its jobs as itself has no need to tell them who they are.
    for name in ["USER", "LOGNAME"] {
        env.extend(account.map(|account| (name.to_owned(), account.name.clone())));
    }
    for (name, value) in &held.spec.env {
        let value = values.fill(value).map_err(|bad| bad.to_string())?;
        set(&mut env, name, value);
    }
    for (name, reference) in &held.spec.secrets {
        let value = reference
            .resolve(&HERE)
            .map_err(|why| format!("secret `{name}`: {why}"))?;
        set(&mut env, name, value.expose().to_owned());
    }
    for (name, value) in of_the_run(held) {
        set(&mut env, name, value);
    }
    Ok(env)
}

/// What every run is told about itself.
pub(super) fn of_the_run(held: &Held) -> Vec<(&'static str, String)> {
    let mut env = vec![
        ("CRONTABBER_JOB", held.job().to_string()),
        ("CRONTABBER_SLOT", instant(held.slot)),
        ("CRONTABBER_ATTEMPT", held.attempt.to_string()),
        ("CRONTABBER_RUN_ID", held.run_id.to_string()),
        (
            "CRONTABBER_RUN_KEY",
            format!("{}/{}", held.job(), instant(held.slot)),
        ),
        ("CRONTABBER_FENCE", held.fence.to_string()),
    ];
    if held.spec.timeout < NO_TIMEOUT {
        env.push(("CRONTABBER_DEADLINE", instant(held.times_out_at())));
    }
    if let Some(at) = held.last_success {
        env.push(("CRONTABBER_LAST_SUCCESS", instant(at)));
    }
    env
}

fn set(env: &mut Vec<(String, String)>, name: &str, value: String) {
    match env.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => env.push((name.to_owned(), value)),
    }
}
