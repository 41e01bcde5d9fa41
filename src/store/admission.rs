//! How many jobs of one host begin their SQL at the same time, in the referee's database.
//!
//! Hundreds that are due at one instant and take a millisecond each are over sooner when few of them are under way
//! (docs/performance.md). Who takes longer than a moment makes room for the next, so nobody waits for what is
//! slow: a crowd of long ones is under way after a moment for each part of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// How many begin at once: 12 to 24 are alike, and eight are slower.
const MOST: usize = 16;

/// How long one keeps the others waiting. A short one takes half of that when all have begun at once.
const MOMENT: Duration = Duration::from_millis(10);

/// The door; its clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Admission(Arc<Semaphore>);

/// Who is inside: until this is dropped, or for a moment.
#[derive(Debug)]
pub(super) struct Admitted(
    #[expect(dead_code, reason = "it is its drop that tells")] oneshot::Sender<Infallible>,
);

impl Default for Admission {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Admission {
    /// Waits until there is room, in the order of those who ask. Must be called in a runtime.
    pub(super) async fn enter(&self) -> Admitted {
        let room = Arc::clone(&self.0).acquire_owned().await;
        let (inside, outside) = oneshot::channel();
        tokio::spawn(async move {
            let _ = timeout(MOMENT, outside).await;
            drop(room);
        });
        Admitted(inside)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};
    use tokio::{task::yield_now, time::Instant};

    use super::*;

    async fn full(door: &Admission) -> Vec<Admitted> {
        join_all((0..MOST).map(|_| door.enter())).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_it_is_full_enters_when_one_has_left() {
        let door = Admission::default();
        let mut inside = full(&door).await;
        let since = Instant::now();
        assert!(door.enter().now_or_never().is_none());
        inside.pop();
        let _next = door.enter().await;
        assert_eq!(since.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_keeps_nobody_waiting_for_longer_than_a_moment() {
        let door = Admission::default();
        let since = Instant::now();
        let mut inside = Vec::new();
        for _ in 0..3 {
            inside.append(&mut full(&door).await);
        }
        assert!(since.elapsed() >= MOMENT * 2);
        assert!(since.elapsed() <= MOMENT * 2 + Duration::from_millis(2));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_no_room() {
        let door = Admission::default();
        let inside = full(&door).await;
        assert!(door.enter().now_or_never().is_none());
        drop(inside);
        let free = async {
            while door.0.available_permits() < MOST {
                yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), free)
            .await
            .expect("room for all");
    }
}
