//! Being told to stop: the first TERM or INT lets running jobs finish, the second kills them. And being called by
//! signals that stop nothing.

use std::{
    io,
    os::unix::net::UnixStream as StdUnixStream,
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};
use tokio::net::UnixStream;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Start nothing more, wait for what is running.
    Drain,
    /// Kill what is running; the signal that said so.
    Kill(i32),
}

/// Listens for TERM and INT.
#[derive(Debug)]
pub struct Stopper {
    requested: Arc<AtomicBool>,
    /// A byte for each signal.
    terminate: UnixStream,
    interrupt: UnixStream,
    told: usize,
}

/// Listens for one signal that does not stop anything, `HUP` or `USR1`: as often as it comes in a row, it is heard once.
#[derive(Debug)]
pub(crate) struct Called {
    bytes: UnixStream,
}

impl Called {
    /// Listens from now on, instead of dying of it.
    pub(crate) fn listen(signal: i32) -> io::Result<Self> {
        Ok(Self {
            bytes: bytes_of(signal)?,
        })
    }

    /// Waits for the next time. A caller may give up waiting and ask again; nothing is missed.
    pub(crate) async fn changed(&mut self) {
        loop {
            // This pair of sockets, which only we hold, has no error but "nothing to read".
            let _ = self.bytes.readable().await;
            let mut bytes = [0; 256];
            let mut heard = 0;
            while let Ok(more @ 1..) = self.bytes.try_read(&mut bytes) {
                heard += more;
            }
            if heard > 0 {
                return;
            }
        }
    }
}

impl Stopper {
    /// Listens from now on, instead of dying of these signals.
    pub fn listen() -> io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        Ok(Self {
            terminate: flagged(SIGTERM, &requested)?,
            interrupt: flagged(SIGINT, &requested)?,
            requested,
            told: 0,
        })
    }

    /// Whether somebody has asked to stop; set by the signal itself.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.requested)
    }

    /// Waits for the next request. A caller may give up waiting and ask again; nothing is missed.
    pub async fn changed(&mut self) -> Stop {
        loop {
            let (signal, ready, socket) = tokio::select! {
                ready = self.terminate.readable() => (SIGTERM, ready, &self.terminate),
                ready = self.interrupt.readable() => (SIGINT, ready, &self.interrupt),
            };
            let mut bytes = [0; 16];
            // Nothing to read is a false alarm, and this pair of sockets, which only we hold, has no other error.
            let asked = ready
                .and_then(|()| socket.try_read(&mut bytes))
                .unwrap_or(0);
            if asked > 0 {
                self.told += asked;
                return if self.told == 1 {
                    Stop::Drain
                } else {
                    Stop::Kill(signal)
                };
            }
        }
    }
}

fn flagged(signal: i32, requested: &Arc<AtomicBool>) -> io::Result<UnixStream> {
    flag::register(signal, Arc::clone(requested))?;
    bytes_of(signal)
}

/// A byte for each time a signal comes; when nobody reads them, no more than a socket holds.
fn bytes_of(signal: i32) -> io::Result<UnixStream> {
    let (ours, handlers) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    low_level::pipe::register(signal, handlers)?;
    UnixStream::from_std(ours)
}
