//! When a request is sent again: the rules of urllib3's `Retry`, and what is different here.
//!
//! - A request that found no connection is sent again whatever its method: the server has not seen it. One that was not
//!   answered, or answered with one of [`Policy::statuses`], is sent again if its method is among [`Policy::methods`].
//! - The first time at once, then after `factor * 2^(n-1)`, where `n` counts the failures in a row.
//! - `Retry-After` is heeded wherever a request is sent again, and makes that happen for 413, 429 and 503.
//! - Redirects start anew.
//!
//! Different from urllib3: a `Retry-After` that nobody can read is one of no seconds, and not an error; nothing is sent
//! again that would have to wait beyond the deadline; a body that broke off is an error and the end of it.

use std::time::Duration;

use reqwest::Method;

/// Statuses whose `Retry-After` is an invitation, even where they are not listed (urllib3's `RETRY_AFTER_STATUS_CODES`).
const INVITING: [u16; 3] = [413, 429, 503];

/// When a request is sent again.
///
/// ```
/// use crontabber::http::Policy;
/// use std::time::Duration;
///
/// let patient = Policy { total: 4, factor: Duration::from_millis(400), ..Policy::default() };
/// let seconds: Vec<f64> = (1..=4).map(|failures| patient.backoff(failures).as_secs_f64()).collect();
/// assert_eq!(seconds, [0.0, 0.8, 1.6, 3.2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How often after the first time; 0: never.
    pub total: u8,
    /// Half the wait before the second retry; each later one waits twice as long as the one before.
    pub factor: Duration,
    /// The longest wait that grows so.
    pub longest: Duration,
    /// The answers that may be other ones next time.
    pub statuses: Vec<u16>,
    /// What may be sent twice.
    pub methods: Methods,
    /// The longest wait that a server can ask for.
    pub longest_retry_after: Duration,
}

/// What may be sent twice although the first may have been heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// What does the same when it is done twice (RFC 9110, section 9.2.2).
    Idempotent,
    /// Everything: for a server that knows a message again, or where two are better than none.
    Any,
}

impl Default for Policy {
    /// Three times; 0 s, 0.6 s and 1.2 s after 500, 502 and 504; up to two minutes, or six hours where the server says so.
    fn default() -> Self {
        Self {
            total: 3,
            factor: Duration::from_millis(300),
            longest: Duration::from_mins(2),
            statuses: vec![500, 502, 504],
            methods: Methods::Idempotent,
            longest_retry_after: Duration::from_hours(6),
        }
    }
}

impl Policy {
    /// The wait after so many failures in a row: none after the first.
    #[must_use]
    pub fn backoff(&self, failures: u32) -> Duration {
        if failures <= 1 {
            return Duration::ZERO;
        }
        let growth = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        self.factor.saturating_mul(growth).min(self.longest)
    }

    fn allows(&self, method: &Method) -> bool {
        self.methods == Methods::Any || method.is_idempotent()
    }
}

/// How a request ended, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// No connection: the server has not seen it.
    Unheard,
    /// No answer: the server may have acted on it.
    Unanswered,
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// Its `Retry-After`; one that nobody can read is zero.
        retry_after: Option<Duration>,
    },
}

/// The retries of one request to one address.
#[derive(Debug)]
pub(super) struct Retries<'a> {
    policy: &'a Policy,
    method: Method,
    left: u8,
    failures: u32,
}

impl<'a> Retries<'a> {
    pub(super) fn new(policy: &'a Policy, method: &Method) -> Self {
        Self {
            policy,
            method: method.clone(),
            left: policy.total,
            failures: 0,
        }
    }

    /// After which wait it is sent again; `None`: this is how it ended. `remaining` is the time until the deadline.
    pub(super) fn after(&mut self, ended: Ended, remaining: Duration) -> Option<Duration> {
        if self.left == 0 || !self.is_passing(ended) {
            return None;
        }
        self.left -= 1;
        self.failures += 1;
        let wait = match ended {
            Ended::Answered {
                retry_after: Some(wait),
                ..
            } if !wait.is_zero() => wait.min(self.policy.longest_retry_after),
            _ => self.policy.backoff(self.failures),
        };
        (wait < remaining).then_some(wait)
    }

    /// Whether it may be better next time.
    fn is_passing(&self, ended: Ended) -> bool {
        match ended {
            Ended::Unheard => true,
            Ended::Unanswered => self.policy.allows(&self.method),
            Ended::Answered {
                status,
                retry_after,
            } => {
                let is_invited = retry_after.is_some() && INVITING.contains(&status);
                self.policy.allows(&self.method)
                    && (is_invited || self.policy.statuses.contains(&status))
            }
        }
    }
}

#[cfg(test)]
mod tests;
