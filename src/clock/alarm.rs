//! An alarm that rings on time: also after suspend, and not some milliseconds late.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use super::Boottime;
use crate::supervise::watched;

/// An alarm on `CLOCK_BOOTTIME`. tokio's timers count milliseconds and stand still in suspend; this one is the kernel's.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: TimerFd,
    /// The same timer, as tokio watches it.
    watched: AsyncFd<Arc<OwnedFd>>,
}

impl Alarm {
    /// One that is not set. Must be called within a tokio runtime with I/O enabled.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        let same = Arc::new(timer.as_fd().try_clone_to_owned()?);
        Ok(Self {
            timer,
            watched: watched(same)?,
        })
    }

    /// Waits until then, or not at all if that has passed. To be dropped and asked again at will, with another instant.
    pub(crate) async fn at(&self, instant: Boottime) {
        // Never zero, which would mean "no alarm".
        let instant = instant.max(Boottime::at(Duration::from_nanos(1)));
        let alarm = Expiration::OneShot(instant.since_boot().into());
        self.timer
            .set(alarm, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            .expect("a valid timer takes every instant");
        while Boottime::now() < instant {
            // An alarm that was set before this one may have rung.
            let Ok(mut ready) = self.watched.readable().await else {
                return;
            };
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rings_when_it_is_time_and_not_before() {
        let alarm = Alarm::new().unwrap();
        for milliseconds in [20, 0, 5] {
            let at = Boottime::now() + Duration::from_millis(milliseconds);
            alarm.at(at).await;
            assert!(Boottime::now() >= at);
        }
        // Long past.
        alarm.at(Boottime::at(Duration::ZERO)).await;
    }

    #[tokio::test]
    async fn it_can_be_set_to_another_instant_before_it_has_rung() {
        let alarm = Alarm::new().unwrap();
        let far = Boottime::now() + Duration::from_hours(1);
        let soon = Boottime::now() + Duration::from_millis(5);
        tokio::select! {
            () = alarm.at(far) => panic!("an hour has not passed"),
            () = tokio::task::yield_now() => {}
        }
        alarm.at(soon).await;
        assert!(Boottime::now() < far);
    }
}
