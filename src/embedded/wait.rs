//! Waiting with a limit, for locks and for the server.

use std::{
    fs::{File, TryLockError},
    thread,
    time::{Duration, Instant},
};

use super::{EmbeddedError, Server, place::Home, postmaster};

/// How often is looked; the whole of a warm start is about 30 ms.
const PAUSE: Duration = Duration::from_millis(2);

/// What ended a wait.
pub(super) enum Waited {
    /// The lock is ours, until the file is closed.
    Locked,
    /// The server is ready: no need for the lock.
    Ready(Server),
}

/// Waits until `look` finds something, for at most `limit`; `Ok(None)`: it never did.
pub(super) fn until<T>(
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>, EmbeddedError>,
) -> Result<Option<T>, EmbeddedError> {
    let since = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if since.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Waits for the lock on `file`, or for the server to be ready, whichever comes first.
pub(super) fn lock_or_ready(
    file: &File,
    home: &Home,
    limit: Duration,
    what: &'static str,
) -> Result<Waited, EmbeddedError> {
    let waited = until(limit, || {
        if let Some(server) = postmaster::ready(home) {
            return Ok(Some(Waited::Ready(server)));
        }
        Ok(try_lock(file, home)?.then_some(Waited::Locked))
    })?;
    waited.ok_or_else(|| postmaster::slow(home, what, limit))
}

/// Waits for the lock on `file`.
pub(super) fn lock(
    file: &File,
    home: &Home,
    limit: Duration,
    what: &'static str,
) -> Result<(), EmbeddedError> {
    until(limit, || Ok(try_lock(file, home)?.then_some(())))?
        .ok_or_else(|| postmaster::slow(home, what, limit))
}

/// Takes the lock on `file` (flock), unless somebody has it.
pub(super) fn try_lock(file: &File, home: &Home) -> Result<bool, EmbeddedError> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => {
            Err(EmbeddedError::io("lock", home.directory())(source))
        }
    }
}
