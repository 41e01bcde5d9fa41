//! Who listens hears of every change by hand, once, at its commit; and of nothing else, for transactions that notify wait
//! for each other.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::common::{Database, Postgres, Site, postgres_config, race::make_due, until};

/// Somebody who listens on the channel.
struct Listener {
    client: Client,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    async fn to(database: &Database) -> Self {
        let config = postgres_config(database.url());
        let (client, mut connection) = config.connect(NoTls).await.expect("the server is there");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(told) = message {
                    let words = format!("{} {}", told.channel(), told.payload());
                    ears.lock().await.push(words);
                }
            }
        });
        let listens = client.batch_execute("LISTEN crontabber; LISTEN here").await;
        listens.expect("anybody may listen");
        Self { client, heard }
    }

    /// All that was told since it was asked last. What was committed before this notification comes before it.
    async fn heard(&self) -> Vec<String> {
        self.client
            .batch_execute("NOTIFY here")
            .await
            .expect("a notification");
        until(Duration::from_secs(10), "it hears itself", async || {
            self.heard
                .lock()
                .await
                .iter()
                .any(|words| words.starts_with("here"))
        })
        .await;
        let mut heard = std::mem::take(&mut *self.heard.lock().await);
        heard.retain(|words| !words.starts_with("here"));
        heard
    }
}

#[tokio::test]
async fn each_change_by_hand_is_told_once_and_nothing_that_hosts_do() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("a", "every = \"1h\"", "") + &site.job("b", "every = \"1h\"", "exit 1")
    });
    let listener = {
        assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
        Listener::to(&database).await
    };
    make_due(&database, "a").await;
    make_due(&database, "b").await;
    site.on("alpha", &["tick"]).run().await;
    assert_eq!(site.ledger().starts().len(), 2);
    assert_eq!(
        listener.heard().await,
        [""; 0],
        "claims and records are quiet"
    );

    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    let claim = "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = md5('a')::uuid, run_slot = now(),
                        run_trigger = 'manual', attempt = 1, lease_until = now() + interval '1 hour', host = 'beta'
                  WHERE app_name = 'b'";
    for (line, told) in [
        (&["pause", "a", "b"][..], "pause a b"),
        (&["resume", "--all"], "resume a b"),
        (&["resume", "a"], ""),
        (&["trigger", "a"], "trigger a"),
        (&["trigger", "a"], ""),
        (&["cancel", "a"], "untrigger a"),
        (&["cancel", "a"], ""),
        (&["reset", "b"], "reset b"),
        (&["mark", "b", "--success"], "mark b"),
        (&["ghosts", "--remove", "old", "--yes"], "remove_ghost old"),
        (&["drain", "alpha"], "drain alpha"),
        (&["drain", "alpha"], ""),
        (&["drain", "alpha", "--undo"], "undrain alpha"),
        (&["list"], ""),
    ] {
        site.on("gamma", line).run().await;
        let told: Vec<String> = Some(told)
            .filter(|told| !told.is_empty())
            .map(|told| format!("crontabber {told}"))
            .into_iter()
            .collect();
        assert_eq!(listener.heard().await, told, "{line:?}");
    }
    database.execute(claim).await;
    site.on("gamma", &["cancel", "b", "--no-wait"]).run().await;
    let id: String = database.query_one("SELECT md5('a')::uuid::text").await;
    assert_eq!(listener.heard().await, [format!("crontabber cancel {id}")]);
}

#[tokio::test]
async fn names_that_are_longer_than_a_notification_are_cut_in_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("a", "every = \"1h\"", ""));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    // A foreign writer's, of four bytes a character.
    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES (repeat(U&'\\+01F600', 9000), now())")
        .await;
    let listener = Listener::to(&database).await;
    let paused = site
        .on("alpha", &["ghosts", "--remove", "*", "--yes"])
        .run()
        .await;
    assert_eq!(paused.code, Some(0), "{paused:?}");
    let heard = listener.heard().await;
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].chars().count(), "crontabber ".len() + 1900);
}
