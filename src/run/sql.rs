//! Carrying out the SQL of a job.
//!
//! ```text
//! BEGIN                             ┐       its own words, whatever the database's defaults
//! execute_settings (execute_counts) │       the text, its limits, what every run is told; what was changed before
//! execute                           │ one   EXECUTE the text; a COMMIT inside is refused, and ends the run
//! SET CONSTRAINTS ALL IMMEDIATE     │ trip  what was put off is checked now, under the timeout
//! CLOSE, UNLISTEN, DISCARD, RESET   │       whatever it has left in its session, role and settings
//! execute_ending, execute_counts    ┘       what the record finds; and what was changed, for the output
//! record, record_log                ┐ one   the last statements: see `record`; without a claim an error
//! COMMIT                            ┘ trip  effects and record at once, or neither
//! ```
//!
//! Whoever dies, and whenever: without the COMMIT the server rolls back, and with it the run is recorded. There is no
//! guard, because there is no process; what a frozen host has left running on the server cannot be committed by
//! anybody but this host, and then its record finds the claim gone.
//!
//! With `transaction = false`, or in another database than the referee's, effects and record are two commits: at
//! least once, and `show` says so.

mod said;

use std::{borrow::Cow, pin::pin, sync::Arc, time::Duration};

use futures_util::{TryStreamExt as _, join};
use tokio::{sync::watch, time::timeout};
use tokio_postgres::{SimpleQueryMessage, types::Type};

use self::said::{Heard, changes, refusal, unsure};
use super::{Means, effects::Effects, environment};
use crate::{
    claim::Held,
    clock::Boottime,
    ended::{Ended, How, Stopped},
    heartbeat::{Cut, Leash},
    spec::Sql,
    store::{CLEAN, Connection, Session, limited, recurring::Parameter, transaction},
    stream::Printing,
};

/// What such a transaction is told beside its limits: the words of [`transaction::BEGIN`], with all notices.
const WORDS: [(&str, &str); 3] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("synchronous_commit", "on"),
    ("client_min_messages", "notice"),
];

/// The longest wait without a look at the clock, which goes on while the machine sleeps.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Without a transaction the settings are the session's, which a pooler lends to the next one as they are; and each
/// statement may meet another session.
const POOLER: &str = "`transaction = false` needs the server itself, and this address leads to a pooler: name the server's own in \
     `[database.NAME]`";

/// Carries out what was claimed, to its end; its effects, if only its record is missing.
pub(super) async fn carry_out(
    held: &Held,
    sql: &Sql,
    printing: Option<&Printing>,
    means: &Means<'_>,
) -> (Ended, Option<Cut>, Option<Effects>) {
    let (terms, mut seen) = watch::channel(Terms {
        deadline: held.must_end_by(),
        is_cancelled: false,
    });
    let renewal = means.heart.hold(held, Arc::new(terms));
    crate::faults::point("running");
    let heard = Heard::told_to(printing.map(Printing::listener));
    let run = Run {
        held,
        sql,
        told: environment::of_the_run(held),
        heard: &heard,
    };
    let (how, stopped, effects) = run.to_its_end(means, &mut seen).await;
    let cut = renewal.end();
    let ended = Ended {
        how,
        stopped,
        output: heard.output(),
    };
    (ended, cut, effects)
}

/// How long the run may go on.
#[derive(Debug, Clone, Copy)]
struct Terms {
    deadline: Boottime,
    is_cancelled: bool,
}

impl Leash for watch::Sender<Terms> {
    fn extend(&self, deadline: Boottime) {
        self.send_if_modified(|terms| {
            let is_later = !terms.is_cancelled && deadline > terms.deadline;
            if is_later {
                terms.deadline = deadline;
            }
            is_later
        });
    }

    fn cancel(&self) {
        self.send_modify(|terms| terms.is_cancelled = true);
    }
}

/// Waits until the run has to stop, and says why.
async fn stop(held: &Held, terms: &mut watch::Receiver<Terms>) -> Stopped {
    let times_out = held.since_here + held.spec.timeout;
    loop {
        let now = *terms.borrow_and_update();
        if now.is_cancelled {
            return Stopped::Cancelled;
        }
        let unproven = now.deadline - held.spec.lease.grace;
        let (at, why) = if times_out <= unproven {
            (times_out, Stopped::Timeout)
        } else {
            (unproven, Stopped::Deadline)
        };
        let left = at.saturating_since(Boottime::now());
        if left.is_zero() {
            return why;
        }
        // Whichever it is: look again.
        let _ = timeout(left.min(LOOK_AGAIN), terms.changed()).await;
    }
}

struct Run<'a> {
    held: &'a Held,
    sql: &'a Sql,
    /// What it is told about itself.
    told: Vec<(&'static str, String)>,
    heard: &'a Heard,
}

impl Run<'_> {
    async fn to_its_end(
        &self,
        means: &Means<'_>,
        terms: &mut watch::Receiver<Terms>,
    ) -> (How, Option<Stopped>, Option<Effects>) {
        let connection = tokio::select! {
            connection = self.connect(means) => connection,
            why = stop(self.held, terms) => {
                let how = How::NotStarted("stopped before it was sent".to_owned());
                return (how, Some(why), None);
            }
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(why) => return (How::NotStarted(why), None, None),
        };
        let fuse = connection.fuse();
        let (done, stopped) = {
            let mut work = pin!(self.work(&connection));
            tokio::select! {
                done = &mut work => (done, None),
                why = stop(self.held, terms) => {
                    fuse.ask_to_cancel().await;
                    let done = timeout(self.held.spec.lease.grace, &mut work).await;
                    let unanswered = || Err("the server did not answer when it was asked to cancel".to_owned());
                    (done.unwrap_or_else(|_| unanswered()), Some(why))
                }
            }
        };
        match done {
            Err(why) => (How::Refused(why), stopped, None),
            Ok(()) if stopped.is_some() || !self.sql.is_exactly_once() => {
                (How::CarriedOut, stopped, None)
            }
            Ok(()) => {
                let effects = Effects::new(connection, terms.borrow().deadline);
                (How::CarriedOut, None, Some(effects))
            }
        }
    }

    async fn connect(&self, means: &Means<'_>) -> Result<Session, String> {
        let named = match &self.sql.database {
            Some(name) => Some(means.elsewhere.database(name)?),
            None => None,
        };
        let database = named.as_ref().unwrap_or(means.database);
        let ear = self.heard.ear();
        let told = self.told.iter().map(|(name, _)| *name).collect();
        let opened = database.session(told, ear).await;
        opened.map_err(|error| error.to_string())
    }

    /// Sends the SQL and hears what comes of it; the error is for people.
    async fn work(&self, client: &Session) -> Result<(), String> {
        if !self.sql.transaction && !client.is_direct().await {
            return Err(POOLER.to_owned());
        }
        let sent = async {
            if self.sql.transaction {
                self.in_a_transaction(client).await?;
                Ok(false)
            } else {
                self.by_itself(client).await?;
                self.has_left_open(client).await
            }
        };
        let is_open = sent.await.map_err(|error| refusal(error, self.heard))?;
        if is_open {
            return Err("its BEGIN has no COMMIT: what came after it is rolled back".to_owned());
        }
        if self.sql.transaction && self.sql.database.is_some() {
            let commit = client.batch_execute("COMMIT");
            let committed = limited(transaction::LIMIT, client.fuse(), commit).await;
            committed.map_err(|error| unsure(&error))?;
        }
        Ok(())
    }

    /// All of it is sent before anything is answered: what follows a refusal is refused as well, and should it be the
    /// BEGIN that is refused, then there is no text to execute, because that was set for the transaction only.
    async fn in_a_transaction(&self, client: &Session) -> Result<(), tokio_postgres::Error> {
        // Whether the session may be used again; not in the transaction, which an error would end.
        client.is_direct().await;
        let settings = Settings::of(self, true);
        // Whatever the SQL has set and made: what follows is ours. Behind a pooler the session goes on to others.
        let tidy_up = format!(
            "SET LOCAL statement_timeout = '{}'; SET CONSTRAINTS ALL IMMEDIATE; \
             {CLEAN}; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL",
            settings.limit
        );
        let settings = settings.parameters();
        // The record waits for the row as long as a lease lasts, and a short one no less than any transaction of ours.
        let at_most = milliseconds(self.held.spec.lease.lease.max(transaction::LIMIT));
        let at_most: [Parameter<'_>; 1] = [(&at_most, Type::TEXT)];
        let from_nothing = client.counts_from_nothing();
        let before = if from_nothing { SETTINGS } else { BEFORE };
        let before = client.question_in_a_transaction(before, &settings);
        let execute = match self.sql.database {
            None => EXECUTE,
            Some(_) => EXECUTE_ELSEWHERE,
        };
        let execute = client.question_in_a_transaction(execute, &[]);
        let after = client.question_in_a_transaction(AFTER, &at_most);
        let (begun, before, done, tidied_up, after) = join!(
            client.batch_execute(transaction::BEGIN_ONLY),
            before.ask(client),
            execute.ask(client),
            client.batch_execute(&tidy_up),
            after.ask(client),
        );
        begun?;
        let before = before?;
        done?;
        tidied_up?;
        let before = if from_nothing {
            said::Counts::new()
        } else {
            said::counts(&before)?
        };
        self.heard.say(&changes(&before, &said::counts(&after?)?));
        Ok(())
    }

    /// Without a transaction of ours: what cannot run in one, or makes its own.
    async fn by_itself(&self, client: &Connection) -> Result<(), tokio_postgres::Error> {
        let settings = Settings::of(self, false);
        client.query_typed(SETTINGS, &settings.parameters()).await?;
        let mut answers = pin!(client.simple_query_raw(&self.sql.text).await?);
        // One by one: nobody wants the rows of a SELECT, and they may be more than there is memory.
        while let Some(answer) = answers.try_next().await? {
            if let SimpleQueryMessage::CommandComplete(rows) = answer
                && rows > 0
            {
                self.heard.say(&format!("{rows} rows\n"));
            }
        }
        Ok(())
    }

    /// Whether the text has begun a transaction and not ended it: the clock of a transaction stands still.
    async fn has_left_open(&self, client: &Connection) -> Result<bool, tokio_postgres::Error> {
        let asked = client
            .simple_query(include_str!("../../sql/execute_is_open.sql"))
            .await?;
        let is_row = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
        Ok(asked.iter().any(is_row))
    }
}

/// Carries out the text, next to our tables.
const EXECUTE: &str = include_str!("../../sql/execute.sql");

/// The same in another database.
const EXECUTE_ELSEWHERE: &str = include_str!("../../sql/execute_elsewhere.sql");

/// What a text finds when it starts.
const SETTINGS: &str = include_str!("../../sql/execute_settings.sql");

/// The same, and what its session has changed before, where that may be something.
const BEFORE: &str = concat!(
    include_str!("../../sql/execute_counts.sql"),
    "(\n",
    include_str!("../../sql/execute_settings.sql"),
    ")"
);

/// What its record finds, and what its session has changed then.
const AFTER: &str = concat!(
    include_str!("../../sql/execute_counts.sql"),
    "(\n",
    include_str!("../../sql/execute_ending.sql"),
    ")"
);

/// A length of time as the server takes it; 0, which is no limit, for what it cannot count to: 24 days.
fn milliseconds(length: Duration) -> String {
    format!("{}ms", i32::try_from(length.as_millis()).unwrap_or(0))
}

/// The parameters of `execute_settings.sql`.
struct Settings<'a> {
    text: &'a str,
    limit: String,
    names: Vec<Cow<'a, str>>,
    values: Vec<&'a str>,
    is_local: bool,
}

impl<'a> Settings<'a> {
    fn of(run: &'a Run<'a>, is_local: bool) -> Self {
        let told = run.told.iter();
        let told = told.map(|(name, value)| {
            let name = name.to_lowercase().replacen('_', ".", 1);
            (Cow::Owned(name), value.as_str())
        });
        let words = WORDS.iter().filter(|_| is_local);
        let words = words.map(|&(name, value)| (Cow::Borrowed(name), value));
        let (names, values) = words.chain(told).unzip();
        let spec = &run.held.spec;
        // Later than our own limit, for a host that cannot cancel any more.
        let limit = spec.timeout.saturating_add(spec.lease.grace);
        Self {
            text: &run.sql.text,
            limit: milliseconds(limit),
            names,
            values,
            is_local,
        }
    }

    fn parameters(&self) -> [Parameter<'_>; 5] {
        [
            (&self.text, Type::TEXT),
            (&self.limit, Type::TEXT),
            (&self.names, Type::TEXT_ARRAY),
            (&self.values, Type::TEXT_ARRAY),
            (&self.is_local, Type::BOOL),
        ]
    }
}
