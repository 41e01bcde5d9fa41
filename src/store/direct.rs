//! Whether a connection leads to the server itself, or to a pooler that lends servers out.
//!
//! A server announces its process id when a session begins, for cancel requests. A pooler announces a number of its
//! own, because it has no server yet. So the one that was announced is compared with `pg_backend_pid()`.
//! tokio-postgres keeps the announced one to itself, but writes it into every cancel request.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    CancelToken,
    tls::{ChannelBinding, TlsConnect, TlsStream},
};

use super::{Connection, limited, transaction};

impl Connection {
    /// Whether it leads to the server itself, and not to a pooler that lends servers out. Asks the server once, which
    /// is a trip; without an answer it is not known, and `false`.
    pub async fn is_direct(&self) -> bool {
        let asks = || async {
            let query = self.query_typed("SELECT pg_catalog.pg_backend_pid()", &[]);
            let rows = limited(transaction::LIMIT, self.fuse(), query).await;
            let pid = rows.ok().and_then(|rows| rows.first()?.try_get(0).ok());
            pid.is_some() && pid == announced(self.cancel())
        };
        *self.known_direct().get_or_init(asks).await
    }
}

/// The process id that was announced when the connection of this token was opened.
fn announced(token: &CancelToken) -> Option<i32> {
    let ear = Ear::default();
    // Nothing in it waits: no byte leaves this process.
    let written = token.cancel_query_raw(ear.clone(), NoHandshake);
    written.now_or_never()?.ok()?;
    // Length, request code, process id, secret key.
    let heard = ear.0.lock().unwrap_or_else(PoisonError::into_inner);
    let request = heard.last_chunk::<16>()?;
    let number = request[8..12].try_into().ok()?;
    Some(i32::from_be_bytes(number))
}

/// Hears a cancel request instead of a server, and says yes to encryption, which then is none.
#[derive(Debug, Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl AsyncRead for Ear {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if space.remaining() > 0 {
            space.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ear {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Ear {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Encryption that leaves everything as it is.
struct NoHandshake;

impl TlsConnect<Ear> for NoHandshake {
    type Stream = Ear;
    type Error = io::Error;
    type Future = Ready<io::Result<Ear>>;

    fn connect(self, ear: Ear) -> Self::Future {
        ready(Ok(ear))
    }
}
