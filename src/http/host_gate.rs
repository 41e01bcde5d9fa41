//! One request at a time for each host, with a gap between two: what a guest does who comes with many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Url;
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::{Instant, sleep_until},
};

use super::exchange::later;

/// Lets requests to a host in one after the other, in the order in which they came.
///
/// A host is scheme, name and port. Those that nobody asks for are forgotten after the gap, so that there are never more
/// than twice those in use, and some.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use crontabber::http::HostGate;
/// use std::time::Duration;
///
/// let gate = HostGate::new(Duration::from_secs(1));
/// let pass = gate.enter("https://example.com/feed").await;
/// // Somebody else's host is another matter.
/// gate.enter("https://example.org/feed").await;
/// // One request, and then the next may come, after a second.
/// drop(pass);
/// # }
/// ```
#[derive(Debug)]
pub struct HostGate {
    gap: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    hosts: HashMap<String, Arc<Host>>,
    /// At how many to look for those that can be forgotten.
    crowded: usize,
}

/// The turn at a host, and until when it is to be left alone.
type Host = Turn<Option<Instant>>;

/// The right to send a request to a host, until it is dropped.
#[derive(Debug)]
#[must_use = "a pass that is dropped lets the next one in"]
pub struct Pass {
    gap: Duration,
    /// `None`: the address is none, and nobody asks it.
    turn: Option<OwnedMutexGuard<Option<Instant>>>,
}

impl Pass {
    /// Whether somebody waits for the same host now.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        // The gate has the host, this pass has it, and so has each that waits.
        let hosts = self.turn.as_ref().map(OwnedMutexGuard::mutex);
        hosts.is_some_and(|host| Arc::strong_count(host) > 2)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(turn) = &mut self.turn {
            **turn = Some(later(Instant::now(), self.gap));
        }
    }
}

/// Fewer are not worth a look.
const FEW: usize = 64;

impl HostGate {
    /// A gate with this gap between the end of a request and the start of the next.
    #[must_use]
    pub fn new(gap: Duration) -> Self {
        Self {
            gap,
            hosts: Mutex::default(),
        }
    }

    /// Waits for the turn of a request to this address. Who stops waiting is passed over.
    pub async fn enter(&self, address: &str) -> Pass {
        let turn = match self.host(address) {
            None => None,
            Some(host) => {
                let turn = host.lock_owned().await;
                if let Some(at) = *turn {
                    sleep_until(at).await;
                }
                Some(turn)
            }
        };
        Pass {
            gap: self.gap,
            turn,
        }
    }

    fn host(&self, address: &str) -> Option<Arc<Host>> {
        let origin = Url::parse(address).ok()?.origin().ascii_serialization();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.forget(Instant::now());
        Some(Arc::clone(hosts.hosts.entry(origin).or_default()))
    }

    /// How many hosts are remembered.
    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.hosts.lock().unwrap().hosts.len()
    }
}

impl Hosts {
    /// Forgets hosts that nobody waits for and that need not be left alone any more; looks at them only when they have
    /// doubled since, so that each costs the same however many there are.
    fn forget(&mut self, now: Instant) {
        if self.hosts.len() < self.crowded.max(FEW) {
            return;
        }
        self.hosts.retain(|_, host| {
            let is_wanted = Arc::strong_count(host) > 1;
            let is_left_alone = || match host.try_lock() {
                Ok(until) => until.is_some_and(|until| until > now),
                Err(_) => true,
            };
            is_wanted || is_left_alone()
        });
        self.crowded = self.hosts.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn requests_to_one_host_come_one_by_one_in_order_and_with_a_gap() {
        let gate = HostGate::new(GAP);
        let start = Instant::now();
        let log = Mutex::new(Vec::new());
        join_all((0..4).map(async |number| {
            let pass = gate.enter("http://a/feed").await;
            log.lock()
                .unwrap()
                .push((number, start.elapsed().as_secs()));
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(pass);
        }))
        .await;
        assert_eq!(*log.lock().unwrap(), [(0, 0), (1, 11), (2, 22), (3, 33)]);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_do_not_wait_for_each_other() {
        let gate = HostGate::new(GAP);
        let _pass = gate.enter("http://a/").await;
        for other in [
            "https://a/",
            "http://a:81/",
            "http://b/",
            "no address",
            "no address",
        ] {
            assert!(gate.enter(other).now_or_never().is_some(), "{other}");
        }
        for same in ["http://a:80/x", "http://A/?y", "http://u:p@a/"] {
            assert!(gate.enter(same).now_or_never().is_none(), "{same}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_is_passed_over() {
        let gate = HostGate::new(GAP);
        let pass = gate.enter("http://a/").await;
        {
            let mut gone = Box::pin(gate.enter("http://a/"));
            assert!(gone.as_mut().now_or_never().is_none());
            assert!(pass.is_awaited());
            let next = gate.enter("http://a/");
            drop(gone);
            assert!(!pass.is_awaited());
            drop(pass);
            let waited = Instant::now();
            drop(next.await);
            assert_eq!(waited.elapsed(), GAP);
        }
        // And who stops in the gap takes nobody's time.
        assert!(gate.enter("http://a/").now_or_never().is_none());
        let waited = Instant::now();
        drop(gate.enter("http://a/").await);
        assert_eq!(waited.elapsed(), GAP);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_nobody_asks_are_forgotten_after_the_gap_and_not_before() {
        let gate = HostGate::new(GAP);
        let held = gate.enter("http://held/").await;
        for number in 0..1_000 {
            drop(gate.enter(&format!("http://{number}.example/")).await);
        }
        assert_eq!(gate.remembered(), 1_001);
        tokio::time::advance(GAP).await;
        for number in 0..10_000 {
            drop(gate.enter(&format!("http://{number}.example/")).await);
            tokio::time::advance(GAP / 10).await;
        }
        assert!(gate.remembered() < 100, "{}", gate.remembered());
        assert!(gate.enter("http://held/").now_or_never().is_none());
        drop(held);
    }
}
