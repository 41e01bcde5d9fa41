//! One run of the program that knows how long a file is.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    time::{Instant, timeout, timeout_at},
};

use crate::http::shown_address;

/// The program could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the probe `{program}` cannot be started: {why}")]
pub struct NotStarted {
    program: String,
    why: String,
}

/// The longest that a probe may say, in bytes, on its standard output and error each.
const MOST_SAID: usize = 16 << 10;

/// How much of it an error keeps, in characters.
const MOST_KEPT: usize = 500;

/// The longest file, in seconds: a week.
const LONGEST: f64 = 604_800.0;

/// What a probe has said, and how it has ended.
#[derive(Debug, Default)]
struct Said {
    is_well: bool,
    /// How it has ended, in words.
    ended: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// How long the end of a program is waited for that was killed.
const KILLED: Duration = Duration::from_secs(5);

/// Lets the program look at the address until then. In the end it is gone, with all that it has started in its group.
pub(super) async fn ask(
    argv: &[String],
    address: &str,
    deadline: Instant,
) -> Result<Result<i32, String>, NotStarted> {
    let (program, arguments) = argv.split_first().expect("a probe names a program");
    // The job's own secrets are in this process's environment: the program needs none of them.
    let child = Command::new(program)
        .args(arguments)
        .arg(address)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| NotStarted {
        program: program.clone(),
        why: error.to_string(),
    })?;
    let group = child.id().map(|id| Pid::from_raw(id.cast_signed()));
    let heard = timeout_at(deadline, heard(&mut child)).await;
    if !matches!(heard, Ok(Ok(_)))
        && let Some(group) = group
    {
        // Gone already, as a rule, where the program itself has ended.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = timeout(KILLED, child.wait()).await;
    }
    Ok(match heard {
        Ok(Ok(said)) => answer(&said, address),
        Ok(Err(why)) => Err(why),
        Err(_) => Err("took too long".to_owned()),
    })
}

/// All that it says, to its end.
async fn heard(child: &mut Child) -> Result<Said, String> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(bounded(stdout), bounded(stderr))?;
    let status = child.wait().await.map_err(|error| error.to_string())?;
    Ok(Said {
        is_well: status.success(),
        ended: status.to_string(),
        stdout,
        stderr,
    })
}

async fn bounded(from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut said = Vec::new();
    if let Some(from) = from {
        let mut from = from.take(MOST_SAID as u64 + 1);
        let read = from.read_to_end(&mut said).await;
        read.map_err(|error| error.to_string())?;
    }
    if said.len() > MOST_SAID {
        return Err(format!("says more than {MOST_SAID} bytes"));
    }
    Ok(said)
}

/// Whole seconds, from 1 to a week, or what was said instead.
fn answer(said: &Said, address: &str) -> Result<i32, String> {
    let stdout = String::from_utf8_lossy(&said.stdout);
    let stderr = String::from_utf8_lossy(&said.stderr);
    if !said.is_well {
        return Err(format!("{}: {}", said.ended, kept(&stderr, address)));
    }
    let seconds = stdout.trim().parse::<f64>();
    let seconds = seconds.ok().map(f64::round);
    match seconds.filter(|seconds| (1.0..=LONGEST).contains(seconds)) {
        #[expect(clippy::cast_possible_truncation, reason = "it was just looked at")]
        Some(seconds) => Ok(seconds as i32),
        None => Err(format!(
            "says `{}` and no number of seconds from 1 to {LONGEST}",
            kept(&stdout, address)
        )),
    }
}

/// The beginning of what was said, on one line, and every address in it without what may be secret.
fn kept(said: &str, address: &str) -> String {
    let shown = said.replace(address, &shown_address(address));
    let words = shown.split_whitespace().map(|word| {
        let at = word.find("http://").or_else(|| word.find("https://"));
        at.map_or_else(
            || word.to_owned(),
            |at| format!("{}{}", &word[..at], shown_address(&word[at..])),
        )
    });
    let words: Vec<_> = words.collect();
    words.join(" ").chars().take(MOST_KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str) -> Result<i32, String> {
        let said = Said {
            is_well: true,
            stdout: stdout.into(),
            ..Said::default()
        };
        answer(&said, "https://a/x.mp3?token=1")
    }

    #[test]
    fn an_answer_is_a_number_of_seconds_and_nothing_else() {
        for (stdout, seconds) in [
            ("1\n", 1),
            ("61.5\n", 62),
            (" 3723.499000 \r\n", 3723),
            ("0.5", 1),
            ("604800", 604_800),
        ] {
            assert_eq!(said(stdout), Ok(seconds), "{stdout:?}");
        }
        for stdout in [
            "", "N/A", "0", "0.4", "-5", "604801", "nan", "inf", "1:02", "12 34", "1e99",
        ] {
            let error = said(stdout).unwrap_err();
            assert!(
                error.starts_with(&format!("says `{stdout}` and no number")),
                "{error}"
            );
        }
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_kept() {
        let said = Said {
            ended: "exit status: 1".to_owned(),
            stderr: b"[https @ 0x5] HTTP error 404\nhttps://a/x.mp3?token=1 2: gone (https://b/y?token=1)\n".to_vec(),
            ..Said::default()
        };
        let error = answer(&said, "https://a/x.mp3?token=1 2").unwrap_err();
        assert_eq!(
            error,
            "exit status: 1: [https @ 0x5] HTTP error 404 https://a/x.mp3: gone (https://b/y"
        );
    }
}
