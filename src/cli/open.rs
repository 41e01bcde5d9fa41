//! Opening what a command needs: the configuration, the database, a runtime; no more than it needs, no earlier.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{self, Config},
    engine::Engine,
    heartbeat::Heart,
    host::Host,
    plan::Place,
    store::{Address, Database, Environment},
    supervise::Supervisor,
};

use super::{Global, fail::Failure};

/// How long a stop may wait for running jobs, in a pass.
const DRAIN: Duration = Duration::from_mins(1);

/// The configuration that was named, or that is found.
pub(super) fn configuration(global: &Global) -> Result<Config, Failure> {
    Ok(config::load(global.config.as_deref())?)
}

/// Runs a command's asynchronous part: one thread, because a command that starts each minute on every host
/// should be over in milliseconds.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(work);
    // Nothing is waited for: what is still under way in the background is a connection being closed.
    runtime.shutdown_background();
    outcome
}
