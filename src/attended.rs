//! A run that somebody waits for at a terminal, and may stop.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use crate::{
    claim::Claim,
    clock::sleep_until,
    engine::Engine,
    pass::Ran,
    stop::{Stop, Stopper},
    store::error::DatabaseError,
    tick::LAST_WORDS,
    work::run_and_record,
};

/// A run that was started and is waited for.
pub struct Attended {
    engine: Arc<Engine>,
    run: JoinHandle<Result<Ran, DatabaseError>>,
}

/// How the waiting ended.
#[derive(Debug)]
pub struct Waited {
    /// The run, which has ended and was recorded; `None`: it was killed, and its record was given up.
    pub ran: Option<Box<Ran>>,
    /// What was asked for last; a run that ended in spite of it ended by itself.
    pub asked: Option<Stop>,
}

impl Attended {
    /// Starts the run of a claim.
    #[must_use]
    pub fn start(engine: &Arc<Engine>, claim: Claim) -> Self {
        Self {
            engine: Arc::clone(engine),
            run: tokio::spawn(run_and_record(Arc::clone(engine), claim)),
        }
    }

    /// Waits for the run. The first request to stop gives it so long (`None`: as long as it takes), the end of that or a
    /// second request kills it; then its record is tried for half a minute. `tell` hears of each request.
    ///
    /// # Errors
    /// The database has not taken the record.
    pub async fn wait(
        mut self,
        stop: &mut Stopper,
        drain: Option<Duration>,
        mut tell: impl FnMut(Stop),
    ) -> Result<Waited, DatabaseError> {
        let (mut asked, mut drain_at) = (None, None);
        loop {
            tokio::select! {
                ended = &mut self.run => {
                    let ran = ended.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
                    return Ok(Waited { ran: Some(Box::new(ran?)), asked });
                }
                () = sleep_until(drain_at) => {
                    drain_at = None;
                    if matches!(asked, Some(Stop::Kill(_))) {
                        self.run.abort();
                        return Ok(Waited { ran: None, asked });
                    }
                    self.engine.heart.stop_all();
                }
                request = stop.changed() => {
                    let limit = match request {
                        Stop::Drain => drain,
                        Stop::Kill(_) => {
                            self.engine.heart.stop_all();
                            Some(LAST_WORDS)
                        }
                    };
                    drain_at = limit.map(|limit| Instant::now() + limit);
                    asked = Some(request);
                    tell(request);
                }
            }
        }
    }
}
