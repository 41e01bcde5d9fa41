//! What one line of a host's log says.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Something that a host did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It started a run.
    Ongoing(Run),
    /// A run of its has ended; if it was no success, the job is wanted again so much later.
    Ended {
        run: Run,
        outcome: String,
        reason: Option<String>,
        again_in: Option<SignedDuration>,
    },
    /// It wanted to start a job and left it to another process.
    Beaten {
        job: String,
        how: Race,
        by: Option<String>,
    },
    /// It closed a run whose host had stopped renewing its lease.
    Lost {
        job: String,
        run_id: String,
        on: String,
    },
    /// Something went wrong that is none of the above.
    Trouble(String),
    /// What the timeline leaves out; the host's log has it.
    Detail,
}

/// One start of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "`run_id` is what it is called everywhere"
)]
pub(crate) struct Run {
    pub(crate) job: String,
    pub(crate) run_id: String,
    pub(crate) attempt: i32,
}

/// How a race for a job was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Race {
    /// Another process held the row at that instant.
    Contended,
    /// Another process had claimed it since the plan.
    Ongoing,
    /// Another process had run it since the plan.
    Done,
}

/// A line of the log in JSON.
#[derive(Debug, Deserialize)]
struct Line {
    timestamp: Timestamp,
    level: String,
    message: String,
    #[serde(default)]
    job: String,
    #[serde(default)]
    run_id: String,
    #[serde(default)]
    attempt: i32,
    host: Option<String>,
    reason: Option<String>,
    error: Option<String>,
    next_run: Option<Timestamp>,
}

impl Event {
    /// Reads one line. What is no JSON was said on stderr for people: that is trouble.
    pub(crate) fn read(text: &str) -> Self {
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            return Self::Trouble(text.to_owned());
        };
        let beaten = |line: Line, how| Self::Beaten {
            job: line.job,
            how,
            by: line.host,
        };
        match line.message.as_str() {
            "ongoing" => Self::Ongoing(line.into_run()),
            "success" | "failure" | "timeout" | "cancelled" | "lost" => line.into_end(),
            message if message.starts_with("contended") => beaten(line, Race::Contended),
            message if message.starts_with("ongoing elsewhere") => beaten(line, Race::Ongoing),
            message if message.starts_with("not due any more") => beaten(line, Race::Done),
            message if message.starts_with("lost:") => Self::Lost {
                job: line.job,
                run_id: line.run_id,
                on: line.host.unwrap_or_default(),
            },
            _ if line.level == "WARN" || line.level == "ERROR" => {
                Self::Trouble(line.into_trouble())
            }
            _ => Self::Detail,
        }
    }
}

impl Line {
    fn into_run(self) -> Run {
        Run {
            job: self.job,
            run_id: self.run_id,
            attempt: self.attempt,
        }
    }

    fn into_end(self) -> Event {
        let (outcome, reason) = (self.message.clone(), self.reason.clone());
        let next_run = self.next_run.filter(|_| outcome != "success");
        let again_in = next_run.map(|next_run| next_run.duration_since(self.timestamp));
        Event::Ended {
            run: self.into_run(),
            outcome,
            reason,
            again_in,
        }
    }

    fn into_trouble(self) -> String {
        let parts = [Some(self.job), Some(self.message), self.error, self.reason];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_for_people_is_trouble() {
        assert_eq!(
            Event::read("no database"),
            Event::Trouble("no database".into())
        );
    }

    #[test]
    fn a_failure_says_why_and_when_it_is_tried_again() {
        let line = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","message":"failure","job":"flaky","slot":"2026-01-01T00:00:00Z","run_id":"r","attempt":2,"reason":"exit 1: upstream 503","next_run":"2026-01-01T00:00:04Z"}"#;
        let run = Run {
            job: "flaky".into(),
            run_id: "r".into(),
            attempt: 2,
        };
        let expected = Event::Ended {
            run,
            outcome: "failure".into(),
            reason: Some("exit 1: upstream 503".into()),
            again_in: Some(SignedDuration::from_secs(4)),
        };
        assert_eq!(Event::read(line), expected);
    }
}
