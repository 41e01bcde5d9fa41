//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// Looks every few milliseconds until `condition` holds; after `limit` the test fails with `what`,
/// a sentence about the world: `"the second host has taken the job over"`.
pub async fn until(limit: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !condition().await {
        assert!(
            since.elapsed() < limit,
            "still not so after {limit:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
