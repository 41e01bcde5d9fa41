//! What several ask for at the same time, carried out together.
//!
//! A transaction of eight costs the server much less than eight of one. So whoever wants one of a kind hands it in
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

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{Mutex, PoisonError},
    };

    use futures_util::future::join_all;
    use tokio::{sync::Notify, task::yield_now, time::Instant};

    use super::*;

    type Told = Arc<Mutex<Vec<Vec<u32>>>>;

    /// Doubles numbers when it is told to, and writes down which came together.
    fn doubling(lanes: usize, go_on: &Arc<Notify>) -> (Together<u32, u32>, Told) {
        let told = Told::default();
        let (here, go_on) = (Arc::clone(&told), Arc::clone(go_on));
        let together = Together::new(Arc::new(Semaphore::new(lanes)), move |numbers: Vec<u32>| {
            let mut told = here.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(numbers.clone());
            let go_on = Arc::clone(&go_on);
            async move {
                go_on.notified().await;
                numbers.into_iter().map(|number| number * 2).collect()
            }
        });
        (together, told)
    }

    #[tokio::test]
    async fn what_comes_while_something_is_under_way_is_carried_out_together_after_it() {
        let go_on = Arc::new(Notify::new());
        let (together, told) = doubling(1, &go_on);
        let first = tokio::spawn({
            let together = together.clone();
            async move { together.ask(1).await }
        });
        while told.lock().unwrap().is_empty() {
            yield_now().await;
        }
        let others = tokio::spawn(async move { join_all((2..=4).map(|n| together.ask(n))).await });
        yield_now().await;
        go_on.notify_one();
        assert_eq!(first.await.unwrap(), Some(2));
        go_on.notify_one();
        assert_eq!(others.await.unwrap(), [Some(4), Some(6), Some(8)]);
        assert_eq!(*told.lock().unwrap(), [vec![1], vec![2, 3, 4]]);
    }

    #[tokio::test]
    async fn a_crowd_is_carried_out_in_parts_and_nobody_is_forgotten() {
        let go_on = Arc::new(Notify::new());
        let (together, told) = doubling(1, &go_on);
        let all = join_all((0..100).map(|n| together.ask(n)));
        let freely = async {
            loop {
                go_on.notify_one();
                yield_now().await;
            }
        };
        let answers = tokio::select! {
            answers = all => answers,
            never = freely => never,
        };
        assert_eq!(answers, (0..100).map(|n| Some(n * 2)).collect::<Vec<_>>());
        let told = told.lock().unwrap();
        assert!(told.iter().all(|part| part.len() <= MOST), "{told:?}");
        assert!(told.len() < 20, "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_keeps_the_others_waiting_for_a_moment_only() {
        let together = Together::new(
            Arc::new(Semaphore::new(2)),
            |numbers: Vec<u32>| async move {
                if numbers.contains(&0) {
                    pending::<()>().await;
                }
                numbers
            },
        );
        let since = Instant::now();
        let hangs = tokio::spawn({
            let together = together.clone();
            async move { together.ask(0).await }
        });
        yield_now().await;
        assert_eq!(together.ask(1).await, Some(1));
        assert!(since.elapsed() <= PATIENCE + Duration::from_millis(1));
        assert!(!hangs.is_finished());
    }

    #[tokio::test]
    async fn who_waits_for_a_panic_is_told_that_there_is_no_answer() {
        let together = Together::new(
            Arc::new(Semaphore::new(1)),
            |numbers: Vec<u32>| async move {
                assert!(!numbers.contains(&0), "the panic of this test");
                numbers
            },
        );
        assert_eq!(together.ask(0).await, None);
        assert_eq!(together.ask(1).await, Some(1));
    }
}
