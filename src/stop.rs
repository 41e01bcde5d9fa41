//! Being told to stop: the first TERM or INT lets running jobs finish, the second kills them.

use std::{
    io,
    os::unix::net::UnixStream as StdUnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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

impl Stopper {
    /// Listens from now on, instead of dying of these signals.
    pub fn listen() -> io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        Ok(Self {
            terminate: bytes_of(SIGTERM, &requested)?,
            interrupt: bytes_of(SIGINT, &requested)?,
            requested,
            told: 0,
        })
    }

    /// Whether somebody has asked to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
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

fn bytes_of(signal: i32, requested: &Arc<AtomicBool>) -> io::Result<UnixStream> {
    flag::register(signal, Arc::clone(requested))?;
    let (ours, handlers) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    low_level::pipe::register(signal, handlers)?;
    UnixStream::from_std(ours)
}
