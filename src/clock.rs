//! The clock that deadlines are kept on: the only file of the host that reads one.

mod alarm;

pub(crate) use alarm::Alarm;

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// An instant of `CLOCK_BOOTTIME`: it goes on during suspend and nobody can set it.
///
/// `std`'s `Instant` stands still while a machine sleeps, so a lease kept on it would outlive itself.
/// Comparable only within one boot of one machine; never stored, never sent to another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boottime(Duration);

impl Boottime {
    /// This moment.
    ///
    /// # Panics
    ///
    /// Where there is no `CLOCK_BOOTTIME`: Linux before 2.6.39, on which nothing of this runs.
    #[must_use]
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME");
        Self(now.into())
    }

    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// How long after the boot this is.
    #[must_use]
    pub fn since_boot(self) -> Duration {
        self.0
    }

    /// The instant this long after the boot.
    pub(crate) fn at(since_boot: Duration) -> Self {
        Self(since_boot)
    }
}

impl Add<Duration> for Boottime {
    type Output = Self;

    /// Saturates: "for ever" plus an hour is still for ever.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub<Duration> for Boottime {
    type Output = Self;

    /// Saturates at the boot.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

/// Since some instant in the past, as `CLOCK_MONOTONIC` counts: for service managers, which ask for that one.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("POSIX has CLOCK_MONOTONIC");
    now.into()
}

/// Waits until then; `None`: for ever. For pacing only: it stands still while the machine sleeps.
pub(crate) async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_go_back() {
        let before = Boottime::now();
        assert!(Boottime::now() >= before);
    }

    #[test]
    fn sums_saturate_at_both_ends() {
        let now = Boottime::now();
        assert!(now + Duration::MAX > now);
        assert_eq!((now - Duration::MAX).since_boot(), Duration::ZERO);
        assert_eq!(
            now.saturating_since(now + Duration::from_secs(1)),
            Duration::ZERO
        );
        assert_eq!(
            (now + Duration::from_secs(1)).saturating_since(now),
            Duration::from_secs(1)
        );
    }
}
