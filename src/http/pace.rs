//! How fast a body comes: a server that sends a byte now and then never lets an idle limit pass.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::later;

/// The least that has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many bytes, after decompression.
    pub bytes: u64,
    /// In each stretch so long; the last one, which the end of the body cuts off, does not count.
    pub window: Duration,
}

/// Measures a body against a pace, window by window.
#[derive(Debug)]
pub(super) struct Gauge {
    pace: Pace,
    window_ends: Instant,
    came: u64,
}

impl Gauge {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        Self {
            pace,
            window_ends: later(now, pace.window),
            came: 0,
        }
    }

    /// When to look again although nothing came.
    pub(super) fn window_ends(&self) -> Instant {
        self.window_ends
    }

    /// Counts bytes that came, and tells whether the window that ends with them was too slow.
    #[must_use]
    pub(super) fn is_too_slow(&mut self, bytes: usize, now: Instant) -> bool {
        self.came = self.came.saturating_add(bytes as u64);
        if now < self.window_ends {
            return false;
        }
        let is_slow = self.came < self.pace.bytes;
        self.came = 0;
        self.window_ends = later(now, self.pace.window);
        is_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_to_bring_its_bytes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let pace = Pace {
            bytes: 100,
            window: Duration::from_secs(10),
        };
        let mut gauge = Gauge::new(pace, start);
        let came = [
            (1, 99, false),
            (10, 1, false),
            (12, 1, false),
            (19, 98, false),
            (20, 0, true),
        ];
        for (second, bytes, expected) in came {
            assert_eq!(gauge.is_too_slow(bytes, at(second)), expected, "{second} s");
        }
        assert_eq!(gauge.window_ends(), at(30));
    }

    #[test]
    fn a_pace_of_nothing_is_never_too_slow() {
        let start = Instant::now();
        let pace = Pace {
            bytes: 0,
            window: Duration::MAX,
        };
        let mut gauge = Gauge::new(pace, start);
        assert!(!gauge.is_too_slow(0, start + Duration::from_hours(1)));
    }
}
