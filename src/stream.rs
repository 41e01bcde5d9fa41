//! Output while it is being printed: for jobs that say `stream_output`, in pieces in the database.
//!
//! ```text
//! program ─▶ guard ─ a few times a second ─▶ host ─ at most twice a second ─▶ crontabber_output ─▶ logs --follow
//!             │ what its capture still has     │ 80 KiB a run                  │ 64 pieces a run, an hour
//! ```
//!
//! It is a courtesy to people, so it may cost next to nothing and delay nothing. Each station has a bound and leaves out
//! the oldest when it is reached; the record of the run has the beginning and the end all the same. One statement
//! writes the pieces of all runs of this process, on a connection of its own: never one of the pool, which a claim or
//! a record may be waiting for. A database that is away costs pieces, and nothing else.
//!
//! **Numbers.** The pieces of a run are numbered from 0. A number that is missing says that something was left out
//! there. An empty piece is the last, and says that all that was printed has been told, but for those gaps.

mod pieces;
pub mod reader;
mod writer;

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{
    output::{Listener, Output},
    store::Database,
};
use pieces::{Piece, Pieces};

/// How many pieces of a run are kept in the database.
pub const KEPT: i32 = 64;

/// How many pieces one statement takes, of all runs together: a megabyte.
const BATCH: usize = 64;

/// How long the record of a run waits for its last pieces.
const LAST_PIECES: Duration = Duration::from_secs(1);

/// What a host process has to tell of its runs.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Notify,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Desk {
    runs: BTreeMap<Uuid, Run>,
    /// The last try to write has failed, and nobody waits for the next one, which comes then.
    failing_until: Option<Instant>,
    /// The run that has had the last word.
    last: Uuid,
}

#[derive(Debug, Default)]
struct Run {
    pieces: Pieces,
    /// Who waits for the last piece, once there will be no other.
    ended: Option<oneshot::Sender<()>>,
}

impl Stream {
    /// One without runs; it opens its connection with the first piece. Must be called in a runtime.
    #[must_use]
    pub fn new(database: Database, now: Option<Timestamp>) -> Self {
        let shared = Arc::new(Shared {
            desk: Mutex::default(),
            changed: Notify::new(),
        });
        let task = tokio::spawn(writer::write(Arc::clone(&shared), database, now));
        Self { shared, task }
    }

    /// Takes the output of a run from now on.
    pub(crate) fn open(&self, run_id: Uuid) -> Printing {
        self.shared.desk().runs.insert(run_id, Run::default());
        Printing(Arc::new(Ear {
            run_id,
            shared: Arc::clone(&self.shared),
        }))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A run whose output is told while it is printed.
#[derive(Debug)]
pub(crate) struct Printing(Arc<Ear>);

impl Printing {
    /// Who hears it.
    pub(crate) fn listener(&self) -> Arc<dyn Listener> {
        Arc::clone(&self.0) as Arc<dyn Listener>
    }

    /// Tells the rest, of which this is what was kept, so that whoever sees the run's record sees all pieces before
    /// it. Waits for the database a moment at most.
    pub(crate) async fn end(self, output: &Output, patience: Duration) {
        let (said, written) = oneshot::channel();
        {
            let mut desk = self.0.shared.desk();
            let is_failing = desk
                .failing_until
                .is_some_and(|until| Instant::now() < until);
            let Some(run) = desk.runs.get_mut(&self.0.run_id) else {
                return;
            };
            run.pieces.end(output);
            if run.pieces.is_empty() || is_failing {
                return;
            }
            run.ended = Some(said);
        }
        self.0.shared.changed.notify_one();
        // Whatever comes of it: the record does not wait for longer.
        let _ = timeout(patience.min(LAST_PIECES), written).await;
    }
}

impl Drop for Printing {
    /// Nobody waits for what is left: the run is being recorded, or was given up.
    fn drop(&mut self) {
        let run = self.0.shared.desk().runs.remove(&self.0.run_id);
        let left_out = run.map_or(0, |run| run.pieces.left_out());
        if left_out > 0 {
            tracing::debug!(run_id = %self.0.run_id, bytes = left_out, "left out of the streamed output");
        }
    }
}

#[derive(Debug)]
struct Ear {
    run_id: Uuid,
    shared: Arc<Shared>,
}

impl Listener for Ear {
    fn hear(&self, position: u64, bytes: &[u8]) {
        if let Some(run) = self.shared.desk().runs.get_mut(&self.run_id) {
            run.pieces.hear(position, bytes);
        }
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing that holds this lock can panic half-way through a change.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn is_empty(&self) -> bool {
        self.runs.values().all(|run| run.pieces.is_empty())
    }

    /// Whether a record waits for its run's last pieces.
    fn is_awaited(&self) -> bool {
        self.runs.values().any(|run| run.ended.is_some())
    }

    /// Takes what one statement can hold: of each run as much as of every other.
    fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut order: Vec<Uuid> = self.runs.keys().copied().collect();
        // Whoever had to wait the last time comes first.
        let next = order.partition_point(|run_id| *run_id <= self.last);
        order.rotate_left(next);
        let mut before = None;
        while before != Some(batch.pieces.len()) {
            before = Some(batch.pieces.len());
            for run_id in &order {
                if batch.pieces.len() < BATCH
                    && let Some(piece) = self.runs.get_mut(run_id).and_then(|run| run.pieces.take())
                {
                    self.last = *run_id;
                    batch.pieces.push((*run_id, piece));
                }
            }
        }
        for run in self.runs.values_mut() {
            if run.pieces.is_empty() {
                batch.ended.extend(mem::take(&mut run.ended));
            }
        }
        batch
    }
}

/// Pieces on their way into the database. Dropped, it lets the records go that wait for them.
#[derive(Debug, Default)]
struct Batch {
    pieces: Vec<(Uuid, Piece)>,
    ended: Vec<oneshot::Sender<()>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::Capture,
        store::{Address, Environment},
    };

    fn desk(runs: u128) -> Desk {
        let mut desk = Desk::default();
        for id in 0..runs {
            let run = desk.runs.entry(Uuid::from_u128(id)).or_default();
            run.pieces.hear(0, &vec![b'x'; 40_000]);
        }
        desk
    }

    #[tokio::test]
    async fn a_record_waits_a_moment_at_most_for_a_server_that_does_not_answer() {
        // It takes connections, as a frozen server does, and says nothing.
        let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://x@{}/x", frozen.local_addr().unwrap());
        let address = Address::parse(&url, &Environment::of_this_process()).unwrap();
        let hour = Duration::from_hours(1);
        let stream = Stream::new(Database::new(address, "test", 1, hour), None);
        let printing = stream.open(Uuid::nil());
        let mut capture = Capture::default();
        capture.push(b"something");
        let output = capture.output();
        let ended = printing.end(&output, Duration::from_millis(20));
        timeout(Duration::from_secs(20), ended).await.unwrap();
        assert!(
            stream.shared.desk().runs.is_empty(),
            "nothing is kept for later"
        );
    }

    #[test]
    fn a_loud_host_writes_a_megabyte_at_once_and_each_run_has_its_share() {
        let batch = desk(30).take();
        assert_eq!(batch.pieces.len(), BATCH);
        let of = |id| {
            let run = Uuid::from_u128(id);
            batch.pieces.iter().filter(|(of, _)| *of == run).count()
        };
        assert!((0..30).all(|id| (2..=3).contains(&of(id))));
    }

    #[test]
    fn a_record_is_let_go_when_the_last_piece_of_its_run_is_written() {
        let mut desk = desk(30);
        let (said, mut written) = oneshot::channel();
        desk.runs.get_mut(&Uuid::from_u128(29)).unwrap().ended = Some(said);
        let first = desk.take();
        assert!(first.ended.is_empty() && desk.is_awaited());
        drop(first);
        assert!(
            written
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        let second = desk.take();
        assert!(!second.ended.is_empty() && desk.is_empty() && !desk.is_awaited());
        drop(second);
        assert!(
            written
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
    }
}
