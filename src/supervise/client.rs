//! The host's side: giving orders.

use std::{
    io::{self, ErrorKind},
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::timeout;
use uuid::Uuid;

use super::{
    brand, cgroup,
    guarded::{Guarded, Reins},
    link::{Link, see_off_guards},
    wire,
};
use crate::{clock::Boottime, rights::Terms};

/// What to run, and by when it must be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which run it is: its cgroup is named after it, where runs have one.
    pub run_id: Uuid,
    /// As whom, how willingly and with how much memory.
    pub terms: Terms,
    /// The program and its arguments. Without a `/` it is looked for in the `PATH` of `env`. It is executed, never
    /// read by a shell; a script needs its `#!` line.
    pub argv: Vec<String>,
    /// The environment, all of it.
    pub env: Vec<(String, String)>,
    /// The directory it starts in.
    pub cwd: PathBuf,
    /// What it reads from stdin, at most [`Order::MAX_STDIN`] bytes; `/dev/null` if empty.
    pub stdin: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
    /// How long after SIGTERM it may tidy up.
    pub grace: Duration,
    /// Until when the host can prove its claim, unless it says more later: nothing of the run is left then.
    pub deadline: Boottime,
    /// Whether what it prints is to be told while it goes on, see [`Guarded::heard_by`].
    pub stream: bool,
}

impl Order {
    /// The longest stdin, in bytes.
    pub const MAX_STDIN: usize = 1 << 20;
}

/// The host's supervisor: started with the first order, and again when it was killed.
#[derive(Debug)]
pub struct Supervisor {
    program: PathBuf,
    link: Mutex<Option<Arc<Link>>>,
    /// Where the cgroups of runs are made; `None`: nowhere. Found out with the first order.
    cgroups: OnceLock<Option<PathBuf>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// One that is this very program, even when its file has been replaced since.
    #[must_use]
    pub fn new() -> Self {
        Self::with_program("/proc/self/exe")
    }

    /// One that is another program, which must be a `crontabber` of this version.
    pub fn with_program(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            link: Mutex::new(None),
            cgroups: OnceLock::new(),
        }
    }

    /// The same on a host that has no cgroup to divide.
    #[must_use]
    pub fn without_cgroups(self) -> Self {
        Self {
            cgroups: OnceLock::from(None),
            ..self
        }
    }

    /// The directory in which this host makes the cgroups of its runs, if it may.
    #[must_use]
    pub fn cgroups(&self) -> Option<&Path> {
        self.cgroups.get_or_init(cgroup::prepare).as_deref()
    }

    /// Starts a run. Returns when there is a process that becomes its program, or is known not to be
    /// ([`Guarded::ended`] says why). That may still fail, or take long where a directory or a file hangs.
    ///
    /// An error means that no program was started: the order makes no sense, there is no supervisor, or it did not
    /// answer before the deadline (whatever it does later, it starts nothing after that).
    /// Dropped before it returns, it takes the order back.
    ///
    /// Makes this process a child subreaper. Must be called within a tokio runtime with I/O and time enabled.
    pub async fn start(&self, order: &Order) -> io::Result<Guarded> {
        let words = wire::encode(order, brand(), self.cgroups())
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
        let limit = order.deadline.saturating_since(Boottime::now());
        timeout(limit, self.hand_over(order, &words))
            .await
            .unwrap_or_else(|_| {
                let why = "the supervisor did not answer before the run's deadline";
                Err(io::Error::new(ErrorKind::TimedOut, why))
            })
    }

    async fn hand_over(&self, order: &Order, words: &[u8]) -> io::Result<Guarded> {
        let (ours, theirs) = wire::pair()?;
        let file = wire::in_memory(c"order", words)?;
        let stdin = match order.stdin.as_slice() {
            [] => None,
            bytes => Some(wire::in_memory(c"stdin", bytes)?),
        };
        let mut descriptors = vec![theirs.as_fd(), file.as_fd()];
        descriptors.extend(stdin.as_ref().map(AsFd::as_fd));

        let mut link = self.link()?;
        if link.send(&descriptors).await.is_err() {
            // It has ended since the last run; what was not sent was not begun.
            link = self.link()?;
            link.send(&descriptors).await?;
        }
        drop(descriptors);
        // Ours would keep the socket open when guard and supervisor are gone.
        drop(theirs);
        let cgroup = self
            .cgroups()
            .map(|directory| directory.join(cgroup::name(order.run_id)));
        Guarded::begin(link, Reins::new(ours, order.deadline), cgroup).await
    }

    /// The supervisor that is alive, or a new one.
    fn link(&self) -> io::Result<Arc<Link>> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = link.as_ref().filter(|link| !link.is_dead()) {
            return Ok(Arc::clone(link));
        }
        if link.is_some() {
            tokio::spawn(see_off_guards());
        }
        let new = Arc::new(Link::new(&self.program)?);
        *link = Some(Arc::clone(&new));
        Ok(new)
    }

    /// Dismisses the supervisor, which ends with the last of its runs; whether it did so within `limit`.
    ///
    /// The next order would start another.
    pub async fn close(&self, limit: Duration) -> bool {
        let link = self
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match link {
            None => true,
            Some(link) => {
                link.dismiss();
                link.ended_within(limit).await.is_some()
            }
        }
    }
}
