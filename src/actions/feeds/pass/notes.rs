//! Fetches that have brought no document, written down together: as many as are ready, and none waits for more to come.

use tokio::sync::{mpsc, oneshot};

use super::is_its_own;
use crate::{
    actions::feeds::store::{self, Noted},
    store::{Database, DatabaseError},
};

/// How many are written down at once.
const MOST: usize = 64;

/// One, and who waits for what became of it: whether the feed was still ours.
type Note = (Noted, oneshot::Sender<Result<bool, DatabaseError>>);

/// Where to hand them in.
#[derive(Debug)]
pub(super) struct Notes(mpsc::Sender<Note>);

/// Where they come from.
#[derive(Debug)]
pub(super) struct Pile(mpsc::Receiver<Note>);

pub(super) fn notes() -> (Notes, Pile) {
    let (sender, receiver) = mpsc::channel(MOST);
    (Notes(sender), Pile(receiver))
}

impl Notes {
    /// Waits until it is written down. `false`: the feed is not this process's any more.
    pub(super) async fn write(&self, noted: Noted) -> Result<bool, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        let taken = self.0.send((noted, answer)).await;
        taken.expect("notes are taken as long as a pass works");
        answered.await.expect("each note is answered")
    }
}

impl Pile {
    /// Writes down what is handed in, until nobody is left who could.
    pub(super) async fn write_down(mut self, database: &Database) {
        let mut ready = Vec::new();
        while self.0.recv_many(&mut ready, MOST).await > 0 {
            let (noted, answers): (Vec<_>, Vec<_>) = ready.drain(..).unzip();
            let written = write(database, &noted).await;
            for (answer, written) in answers.into_iter().zip(written) {
                // Who has failed elsewhere meanwhile does not wait any more.
                let _ = answer.send(written);
            }
        }
    }
}

/// What became of each. One that the database does not take keeps no other from it: then each is written alone.
async fn write(database: &Database, noted: &[Noted]) -> Vec<Result<bool, DatabaseError>> {
    match store::note(database, noted).await {
        Err(error) if noted.len() > 1 && is_its_own(&error) => {
            let mut each = Vec::new();
            for one in noted.chunks(1) {
                let written = store::note(database, one).await;
                each.push(written.map(|ours| !ours.is_empty()));
            }
            each
        }
        written => {
            let is_ours = |one: &Noted| {
                let ours = written.as_ref().map_err(Clone::clone)?;
                Ok(ours.contains(&one.id()))
            };
            noted.iter().map(is_ours).collect()
        }
    }
}
