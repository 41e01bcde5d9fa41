//! One request, one answer, each part of it within its limit.

use std::time::Duration;

use reqwest::{RequestBuilder, Response, Url, header::CONTENT_ENCODING};
use tokio::time::{Instant, timeout_at};

use super::{
    error::{HttpError, Timeout},
    pace::{Gauge, Pace},
    room::{FREE, Room, Share},
};

/// How much of a server is borne.
///
/// The head of an answer has the limits of hyper 1.12 for HTTP/1.1, the only version spoken: 100 fields, and 408 KiB with
/// everything that came along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Finding the address, the connection and its encryption.
    pub connect: Duration,
    /// From the connection to the end of the answer's head; and then each wait for more of the body.
    pub read: Duration,
    /// One request with its answer, from the address to the last byte. Redirects and retries each have their own.
    pub total: Duration,
    /// Bytes of a body, after decompression.
    pub body: usize,
    /// Bytes of all bodies together that have more than a MiB, as long as their answers are kept. One that finds no room
    /// waits, which counts for the deadline of its request and for no other limit.
    pub bodies: usize,
    /// The least speed of a body.
    pub pace: Pace,
}

impl Default for Limits {
    /// 10 s to connect, 20 s for each wait, a minute for all; 15 MiB, 32 MiB of all bodies, and no slower than 4 KiB in
    /// 20 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(20),
            total: Duration::from_mins(1),
            body: 15 << 20,
            bodies: 32 << 20,
            pace: Pace {
                bytes: 4 << 10,
                window: Duration::from_secs(20),
            },
        }
    }
}

/// That much later; a wait of more than a year is one of a year, since clocks end.
pub(super) fn later(from: Instant, by: Duration) -> Instant {
    from + by.min(Duration::from_hours(24 * 365))
}

/// One request on its way.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    limits: &'a Limits,
    room: &'a Room,
    started: Instant,
    deadline: Instant,
    /// The nearer of the two ends that nothing moves, and which it is.
    end: (Instant, Timeout),
}

impl<'a> Exchange<'a> {
    pub(super) fn start(limits: &'a Limits, room: &'a Room, deadline: Instant) -> Self {
        let started = Instant::now();
        let total = later(started, limits.total);
        let end = if deadline <= total {
            (deadline, Timeout::Deadline)
        } else {
            (total, Timeout::Total(limits.total))
        };
        Self {
            limits,
            room,
            started,
            deadline,
            end,
        }
    }

    pub(super) fn took(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sends it and waits for the head of the answer.
    pub(super) async fn head(
        &self,
        request: RequestBuilder,
        url: &Url,
    ) -> Result<Response, HttpError> {
        let limit = self.limits.connect.saturating_add(self.limits.read);
        let (at, timeout) = self.nearer(later(self.started, limit), Timeout::Head(limit));
        match timeout_at(at, request.send()).await {
            Err(_) => Err(timeout.into()),
            Ok(sent) => sent.map_err(|error| HttpError::of_head(&error, url, self.limits.connect)),
        }
    }

    /// Takes the body, piece by piece.
    pub(super) async fn body(
        &mut self,
        mut response: Response,
    ) -> Result<(Vec<u8>, Share), HttpError> {
        expect_decoded(&response)?;
        let limit = self.limits.body;
        // Known from the start where it is not compressed.
        let told = response.content_length();
        let most = told
            .map_or(Ok(limit), usize::try_from)
            .unwrap_or(usize::MAX);
        if most > limit {
            return Err(HttpError::TooBig { limit });
        }
        // Of a short one all of it at once; what is longer waits for its share first.
        let known = told.map_or(0, |_| most.min(FREE));
        let (mut body, mut share) = (Vec::with_capacity(known), Share::default());
        let mut last = Instant::now();
        let mut gauge = Gauge::new(self.limits.pace, last);
        loop {
            let idle = Timeout::Idle(self.limits.read);
            let (at, timeout) = self.nearer(later(last, self.limits.read), idle);
            let window_ends = gauge.window_ends();
            let piece = match timeout_at(at.min(window_ends), response.chunk()).await {
                Err(_) if at <= window_ends => return Err(timeout.into()),
                Err(_) => None,
                Ok(Err(error)) => return Err(HttpError::of_body(&error, body.len())),
                Ok(Ok(None)) => return Ok((body, share)),
                Ok(Ok(Some(piece))) => {
                    last = Instant::now();
                    Some(piece)
                }
            };
            let piece = piece.as_deref().unwrap_or_default();
            if body.len() + piece.len() > limit {
                return Err(HttpError::TooBig { limit });
            }
            if body.len() + piece.len() > FREE && !share.is_some() {
                share = self.share(most).await?;
                last = Instant::now();
                gauge = Gauge::new(self.limits.pace, last);
                if told.is_some() {
                    body.reserve_exact(most - body.len());
                }
            }
            body.extend_from_slice(piece);
            if gauge.is_too_slow(piece.len(), Instant::now()) {
                return Err(HttpError::TooSlow(self.limits.pace));
            }
        }
    }

    /// Waits for room; the server is not to blame for it, so the end of the request is that much later.
    async fn share(&mut self, bytes: usize) -> Result<Share, HttpError> {
        let since = Instant::now();
        let share = timeout_at(self.deadline, self.room.share(bytes)).await;
        let share = share.map_err(|_| Timeout::Deadline)?;
        let later = self.end.0 + since.elapsed();
        if later < self.deadline {
            self.end.0 = later;
        } else {
            self.end = (self.deadline, Timeout::Deadline);
        }
        Ok(share)
    }

    fn nearer(&self, at: Instant, timeout: Timeout) -> (Instant, Timeout) {
        if at < self.end.0 {
            (at, timeout)
        } else {
            self.end
        }
    }
}

/// What was decoded has lost its field: what still has one is an encoding that was not asked for, or two of them.
fn expect_decoded(response: &Response) -> Result<(), HttpError> {
    let Some(encoding) = response.headers().get(CONTENT_ENCODING) else {
        return Ok(());
    };
    let has_no_body = matches!(response.status().as_u16(), 204 | 304);
    let name = encoding.to_str().unwrap_or("?").trim();
    if has_no_body || name.is_empty() || name.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    Err(HttpError::UnknownEncoding(name.chars().take(40).collect()))
}
