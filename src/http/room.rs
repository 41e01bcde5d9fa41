//! Room in memory for bodies: how much all of them together may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a body may take without asking. Most have no more.
pub(super) const FREE: usize = 1 << 20;

/// Semaphores count in 32 bits, and nobody minds a rounded KiB.
const UNIT: usize = 1 << 10;

/// Room for the bodies that have more than [`FREE`] bytes.
///
/// A body asks once, for all that it may come to need: bodies that asked for more and more would wait for each other.
#[derive(Debug, Clone)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// What a body takes of the room; free again when the last clone of it is dropped.
#[derive(Debug, Clone, Default)]
pub struct Share(Option<Arc<OwnedSemaphorePermit>>);

impl Share {
    /// Whether the body is large enough to have one.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl Room {
    /// For so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(permits)),
            units,
        }
    }

    /// Waits until there are so many bytes for a body, in the order in which bodies ask; one that is larger than the room
    /// has it for itself.
    pub(super) async fn share(&self, bytes: usize) -> Share {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let free = Arc::clone(&self.free);
        let permit = free.acquire_many_owned(units.min(self.units)).await;
        // Nobody closes it.
        Share(permit.ok().map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn bodies_share_the_room_and_the_largest_has_it_for_itself() {
        let room = Room::new(10 << 20);
        let six = room.share(6 << 20).await;
        let four = room.share(4 << 20).await;
        let mut none_left = Box::pin(room.share(1));
        assert!(none_left.as_mut().now_or_never().is_none());
        let kept = six.clone();
        drop((six, four));
        let one = none_left.await;
        let mut all = Box::pin(room.share(usize::MAX));
        assert!(all.as_mut().now_or_never().is_none());
        drop(one);
        assert!(all.as_mut().now_or_never().is_none(), "a clone is kept");
        drop(kept);
        assert!(all.await.is_some());
    }
}
