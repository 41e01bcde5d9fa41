//! What several ask for at the same time, carried out together.
//!
//! A transaction costs the server about as much for eight rows as for one. So whoever wants one of a kind hands it in
//! here: it is carried out at once if nothing of the kind is under way, and else with all that has been handed in until
//! that is over. Nobody waits for more to come, and nobody for long for what hangs.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

/// How many are carried out at once.
const MOST: usize = 32;

/// How long what is handed in waits for what is under way. A server that answers takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where to hand it in. When the last of these is dropped, what was handed in is still carried out.
#[derive(Debug)]
pub(crate) struct Together<W, A>(mpsc::Sender<(W, oneshot::Sender<A>)>);

impl<W, A> Clone for Together<W, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Send + 'static, A: Send + 'static> Together<W, A> {
    /// With how it is carried out: an answer for each, in their order. `lanes`: how often at the same time, should one
    /// take long. Must be called in a runtime.
    pub(crate) fn new<F>(
        lanes: Arc<Semaphore>,
        carry_out: impl Fn(Vec<W>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        let (sender, handed_in) = mpsc::channel(MOST);
        tokio::spawn(serve(handed_in, lanes, carry_out));
        Self(sender)
    }

    /// Hands it in and waits for the answer. `None`: whatever carried it out has panicked, and nobody knows how far it came.
    pub(crate) async fn ask(&self, wanted: W) -> Option<A> {
        let (answer, answered) = oneshot::channel();
        self.0.send((wanted, answer)).await.ok()?;
        answered.await.ok()
    }
}

async fn serve<W: Send + 'static, A: Send + 'static, F>(
    mut handed_in: mpsc::Receiver<(W, oneshot::Sender<A>)>,
    lanes: Arc<Semaphore>,
    carry_out: impl Fn(Vec<W>) -> F,
) where
    F: Future<Output = Vec<A>> + Send + 'static,
{
    while let Some(first) = handed_in.recv().await {
        let lane = Arc::clone(&lanes).acquire_owned().await;
        let mut ready = vec![first];
        while ready.len() < MOST
            && let Ok(more) = handed_in.try_recv()
        {
            ready.push(more);
        }
        let (wanted, waiting): (Vec<W>, Vec<_>) = ready.into_iter().unzip();
        let carried_out = carry_out(wanted);
        let task = tokio::spawn(async move {
            let answers = carried_out.await;
            drop(lane);
            for (waiting, answer) in waiting.into_iter().zip(answers) {
                // Who was given up meanwhile does not wait any more.
                let _ = waiting.send(answer);
            }
        });
        // Over in time or not: what has come meanwhile is next.
        let _ = timeout(PATIENCE, task).await;
    }
}
