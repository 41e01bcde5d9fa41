//! Being told that something has changed, on a connection of one's own. A hint: who hears nothing looks now and then.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle, time::sleep};
use tokio_postgres::types::Type;

use super::{
    Database, Said, again::Again, error::DatabaseError, limited, recurring::Parameter, transaction,
};

/// How often a connection on which nobody says anything is asked whether it is still there.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// How long it may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// What says that a run of the job named behind it has ended, and that what follows is for another host.
pub(crate) const FINISHED: &str = "finished ";

/// Hears what is said on the channel `crontabber`, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens, and hands each word to `hear`; an empty one when something may have been missed.
    ///
    /// Behind a pooler that lends out sessions nobody can listen; then it says so in the log, and is silent.
    pub(crate) fn start(database: Database, hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let hear = Arc::new(hear);
        let task = tokio::spawn(async move {
            let mut again = Again::default();
            loop {
                match session(&database, &hear, &mut again).await {
                    Ok(Over::NobodyCan) => {
                        tracing::info!(
                            "this address leads to a pooler: looking now and then instead of listening"
                        );
                        return;
                    }
                    Ok(Over::Closed) => {}
                    Err(error) => tracing::debug!(%error, "cannot listen"),
                }
                sleep(again.pause()).await;
            }
        });
        Self { task }
    }
}

/// Says something to all who listen.
pub(crate) async fn tell(database: &Database, what: &str) -> Result<(), DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&what, Type::TEXT)];
    transaction::run(database, include_str!("../../sql/tell.sql"), &parameters).await?;
    Ok(())
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Over {
    /// The connection has ended.
    Closed,
    /// It leads to a pooler.
    NobodyCan,
}

async fn session<F>(
    database: &Database,
    hear: &Arc<F>,
    again: &mut Again,
) -> Result<Over, DatabaseError>
where
    F: Fn(&str) + Send + Sync + 'static,
{
    let closed = Arc::new(Notify::new());
    let ear = {
        let (hear, closed) = (Arc::clone(hear), Arc::clone(&closed));
        Arc::new(move |said: Said<'_>| match said {
            Said::Notified(word) => hear(word),
            Said::Closed => closed.notify_one(),
            Said::Notice(notice) => {
                tracing::debug!(code = notice.code().code(), "{}", notice.message());
            }
        })
    };
    let client = database.dedicated_to(ear).await?;
    if !client.is_direct().await {
        return if client.is_usable() {
            Ok(Over::NobodyCan)
        } else {
            Ok(Over::Closed)
        };
    }
    let listen = client.batch_execute("LISTEN crontabber");
    limited(LIMIT, client.fuse(), listen).await?;
    *again = Again::default();
    hear("");
    loop {
        tokio::select! {
            () = closed.notified() => return Ok(Over::Closed),
            () = sleep(ASK_EVERY) => {}
        }
        let ask = client.batch_execute("");
        limited(LIMIT, client.fuse(), ask).await?;
    }
}
