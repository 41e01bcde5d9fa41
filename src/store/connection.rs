//! One open connection: its warnings counted, its cut-off work never inherited.
//!
//! A future that is dropped does not stop the server. Whoever borrows that connection next waits for
//! the query that nobody wants any more, or finds a transaction open that it did not begin. So work with
//! a limit runs under [`limited`]: when the limit passes, or when the future around it is dropped, the
//! connection's [`Fuse`] blows. The server is asked to cancel, the socket is closed, and the pool throws
//! the connection away instead of lending it again. What the cancelled work has done is not known: the
//! cancel request may have come too late.

use std::{
    future::{Future, poll_fn},
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::ClientWrapper;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::OnceCell,
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, NoTls, Socket,
    error::{DbError, Severity},
};

use super::{
    error::{DatabaseError, Doing},
    recurring::Recurring,
};

/// How long a cancel request may take. It is a courtesy to the server: the connection is lost anyway.
const CANCEL_LIMIT: Duration = Duration::from_secs(1);

/// One open connection. It is a [`ClientWrapper`], and through it a [`tokio_postgres::Client`].
#[derive(Debug)]
pub struct Connection {
    client: ClientWrapper,
    fuse: Fuse,
    warnings: Arc<Warnings>,
    server_version: Option<u32>,
    is_direct: OnceCell<bool>,
    is_settled: AtomicBool,
    recurring: Recurring,
}

impl Connection {
    /// How many warnings this connection has received. A `COMMIT` that is acknowledged with one more is
    /// not known to be durable: the wait for the synchronous standby was cancelled, or there was no
    /// transaction to commit. The count has moved before the acknowledgement can be seen.
    ///
    /// A role with `client_min_messages` above `warning` hears none: set it in the transaction.
    #[must_use]
    pub fn warnings(&self) -> u64 {
        self.warnings.here.load(Ordering::Acquire)
    }

    /// From now on what the server says beside its answers goes here; `None`: to the log.
    pub(super) fn hear_with(&self, ear: Option<Ear>) {
        *self.warnings.ear() = ear;
    }

    /// What [`limited`] needs to cut off work on this connection.
    #[must_use]
    pub fn fuse(&self) -> Fuse {
        self.fuse.clone()
    }

    pub(super) fn recurring(&self) -> &Recurring {
        &self.recurring
    }

    /// Whether its session was told for good what every transaction needs.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }

    pub(super) fn settled(&self) {
        self.is_settled.store(true, Ordering::Release);
    }

    /// Whether the server can be asked to tell its statistics at once: since PostgreSQL 15.
    pub(super) fn flushes_statistics(&self) -> bool {
        self.server_version.is_some_and(|version| version >= 15)
    }

    pub(super) fn known_direct(&self) -> &OnceCell<bool> {
        &self.is_direct
    }

    pub(super) fn cancel(&self) -> &CancelToken {
        &self.fuse.0.cancel
    }

    /// Lends it to nobody any more. For who has been told that the session is over: the socket may close a moment later,
    /// and until then it looks as if it could be used.
    pub(crate) fn retire(&self) {
        self.fuse.0.blown.store(true, Ordering::Release);
    }

    /// Whether it may still be used: open, and no work on it was cut off.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.fuse.0.blown.load(Ordering::Acquire) && !self.client.is_closed()
    }
}

impl Deref for Connection {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut ClientWrapper {
        &mut self.client
    }
}

/// Runs `work`, which uses the connection of `fuse`, for at most `limit`.
///
/// When that passes, the server is asked to cancel, which takes a second more at most, and the
/// connection is gone for everybody. The same happens in the background when the returned future is
/// dropped before it is ready.
pub async fn limited<T, E>(
    limit: Duration,
    fuse: Fuse,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, DatabaseError>
where
    DatabaseError: From<E>,
{
    let armed = Armed(Some(fuse));
    let outcome = timeout(limit, work).await;
    let fuse = armed.disarm();
    if outcome.is_err() {
        fuse.blow().await;
    }
    outcome
        .map_err(|_| DatabaseError::TimedOut {
            doing: Doing::Working,
            limit,
        })?
        .map_err(DatabaseError::from)
}

/// Blows its fuse when it is dropped armed, that is with work under way.
struct Armed(Option<Fuse>);

impl Armed {
    fn disarm(mut self) -> Fuse {
        self.0.take().expect("it is taken here and in `drop` only")
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let Some(fuse) = self.0.take() else {
            return;
        };
        fuse.0.blown.store(true, Ordering::Release);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(fuse.blow())),
            // Without a runtime nobody can be told; the socket closes with the connection's task.
            Err(_) => fuse.0.task.abort(),
        }
    }
}

/// The way to cut off what a connection is doing, without holding the connection.
#[derive(Clone)]
pub struct Fuse(Arc<Wire>);

struct Wire {
    blown: AtomicBool,
    cancel: CancelToken,
    encryption: Encryption,
    task: AbortHandle,
}

impl std::fmt::Debug for Fuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fuse").field(&self.0.blown).finish()
    }
}

impl Fuse {
    /// Asks the server to cancel what it is doing; the connection lives on, and its answer tells whether it did.
    pub async fn ask_to_cancel(&self) {
        match timeout(CANCEL_LIMIT, self.0.encryption.cancel(&self.0.cancel)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a cancel request was not sent"),
            Err(_) => tracing::debug!("a cancel request took too long"),
        }
    }

    /// Cancels what the server is doing, and closes the connection.
    async fn blow(self) {
        self.0.blown.store(true, Ordering::Release);
        // A server that cannot be told finds out when it writes to the closed socket.
        self.ask_to_cancel().await;
        self.0.task.abort();
    }
}

/// Who hears what the server says beside its answers; without one, notices go to the log.
pub type Ear = Arc<dyn Fn(Said<'_>) + Send + Sync>;

/// What a server says beside its answers.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// A notice or a warning.
    Notice(&'a DbError),
    /// What somebody has told those who listen, on a channel that this connection listens on.
    Notified(&'a str),
    /// Nothing more: the connection has ended.
    Closed,
}

/// Warnings received: on one connection, and on all of a database.
struct Warnings {
    here: AtomicU64,
    everywhere: Arc<AtomicU64>,
    ear: Mutex<Option<Ear>>,
}

impl std::fmt::Debug for Warnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Warnings").field(&self.here).finish()
    }
}

impl Warnings {
    fn ear(&self) -> MutexGuard<'_, Option<Ear>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.ear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells who listens, if somebody does.
    fn tell(&self, said: Said<'_>) -> bool {
        let ear = self.ear().clone();
        ear.as_ref().inspect(|ear| ear(said)).is_some()
    }

    /// Counts before it logs: the acknowledgement behind the warning must not overtake the count.
    fn hear(&self, notice: &DbError) {
        let is_warning = notice.parsed_severity() == Some(Severity::Warning);
        if is_warning {
            self.here.fetch_add(1, Ordering::Release);
            self.everywhere.fetch_add(1, Ordering::Release);
        }
        if self.tell(Said::Notice(notice)) {
            return;
        }
        if !is_warning {
            tracing::debug!(
                severity = notice.severity(),
                code = notice.code().code(),
                "{}",
                notice.message()
            );
            return;
        }
        tracing::warn!(code = notice.code().code(), "{}", notice.message());
    }
}

/// How the bytes of a connection travel.
pub(super) enum Encryption {
    /// As they are.
    None,
    /// Through a handshake.
    #[cfg(feature = "tls")]
    Tls(super::tls::Connector),
}

impl Encryption {
    /// Opens a connection and starts the task that serves it.
    pub(super) async fn connect(
        self,
        config: &Config,
        everywhere: &Arc<AtomicU64>,
        ear: Option<Ear>,
    ) -> Result<Connection, tokio_postgres::Error> {
        let warnings = Arc::new(Warnings {
            here: AtomicU64::new(0),
            everywhere: Arc::clone(everywhere),
            ear: Mutex::new(ear),
        });
        let (client, task, server_version) = match &self {
            Self::None => start(config.connect(NoTls).await?, &warnings),
            #[cfg(feature = "tls")]
            Self::Tls(connector) => start(config.connect(connector.clone()).await?, &warnings),
        };
        let fuse = Fuse(Arc::new(Wire {
            blown: AtomicBool::new(false),
            cancel: client.cancel_token(),
            encryption: self,
            task: task.abort_handle(),
        }));
        Ok(Connection {
            client: ClientWrapper::new(client, task),
            fuse,
            warnings,
            server_version,
            is_direct: OnceCell::new(),
            is_settled: AtomicBool::new(false),
            recurring: Recurring::default(),
        })
    }

    async fn cancel(&self, token: &CancelToken) -> Result<(), tokio_postgres::Error> {
        match self {
            Self::None => token.cancel_query(NoTls).await,
            #[cfg(feature = "tls")]
            Self::Tls(connector) => token.cancel_query(connector.clone()).await,
        }
    }
}

fn start<S>(
    (client, connection): (Client, tokio_postgres::Connection<Socket, S>),
    warnings: &Arc<Warnings>,
) -> (Client, tokio::task::JoinHandle<()>, Option<u32>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let version = connection.parameter("server_version").and_then(major);
    let task = tokio::spawn(serve(connection, Arc::clone(warnings)));
    (client, task, version)
}

/// 15 of `15.14 (Debian 15.14-0+deb12u1)`, 19 of `19devel`.
fn major(version: &str) -> Option<u32> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Moves the bytes of one connection until it ends.
async fn serve<S>(mut connection: tokio_postgres::Connection<Socket, S>, warnings: Arc<Warnings>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => warnings.hear(&notice),
            Some(Ok(AsyncMessage::Notification(told))) => {
                warnings.tell(Said::Notified(told.payload()));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let error = DatabaseError::from(error);
                tracing::debug!(%error, "a connection has ended");
                break;
            }
            None => break,
        }
    }
    warnings.tell(Said::Closed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_what_the_text_begins_with() {
        assert_eq!(major("15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major("19devel"), Some(19));
        assert_eq!(major("9.6.24"), Some(9));
        assert_eq!(major(""), None);
    }
}
