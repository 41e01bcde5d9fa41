//! `logs --follow`: a run that is going on, wherever it is, told until it ends.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    exit::Exit,
    plan::Plan,
    store::{Connection, DatabaseError},
    stream::reader::{self, Claims, News},
    view::{
        Medium, Times,
        entry::{self, Entry, Prefix},
        follow::{Rest, Told, ended},
        logs, subject,
        text::harmless,
    },
};

use super::{
    fail::Failure,
    open::{self, View},
    print,
};

/// How often it is asked what is new.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// For how long it is asked again when the database is away: a failover.
const PATIENCE: Duration = Duration::from_mins(2);

/// Tells the run of this job that is going on, or that begins within this time (`None`: whenever it does).
pub(super) async fn follow_job(
    view: &View,
    name: &str,
    wait: Option<Duration>,
) -> Result<Exit, Failure> {
    let plan = view.plan();
    let subject = subject::named(&plan, name).ok_or_else(|| open::no_such(&plan, "job", name))?;
    let live = subject.ongoing(view.now());
    if let Some(run_id) = live.as_ref().and_then(|run| run.run_id) {
        return follow(view, run_id).await;
    }
    let times = Times {
        now: view.now(),
        medium: Medium::of_stdout(),
    };
    let now = match live {
        Some(_) => "is run by a Python host, which keeps no output",
        None => "is not running",
    };
    let next = subject
        .next_start()
        .map_or_else(String::new, |at| format!(", wanted {}", times.when(at)));
    tell(&format!("{name} {now}; waiting for its next run{next}"));
    if let Some(run_id) = next_run(view, name, wait).await? {
        return follow(view, run_id).await;
    }
    tell(&format!("{name} has not begun a run"));
    Ok(Exit::NotDue)
}

/// The next run of a job that begins; the one that has begun between two looks, too.
async fn next_run(
    view: &View,
    name: &str,
    wait: Option<Duration>,
) -> Result<Option<Uuid>, Failure> {
    let until = wait.map(|wait| Instant::now() + wait);
    let claims = async |client: &Connection| reader::claims(client, name).await;
    let fence = |claims: Option<Claims>| claims.map_or(0, |claims| claims.fence);
    let before = ask(view, claims).await?;
    if let Some(run_id) = before.and_then(|claims| claims.run_id) {
        return Ok(Some(run_id));
    }
    loop {
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(None);
        }
        sleep(ASK_EVERY).await;
        let now = ask(view, claims).await?;
        if let Some(run_id) = now.and_then(|claims| claims.run_id) {
            return Ok(Some(run_id));
        }
        if fence(now) != fence(before) {
            let newest = async |client: &Connection| entry::newest_run(client, &[name]).await;
            let run = ask(view, newest).await?;
            return Ok(run.and_then(|run| run.run_id));
        }
    }
}

/// Tells a run to its end: 0 for a success, 1 for anything else.
pub(super) async fn follow(view: &View, run_id: Uuid) -> Result<Exit, Failure> {
    let entry = read(view, run_id).await?;
    let medium = Medium::of_stdout();
    let times = Times {
        now: view.now(),
        medium,
    };
    tell(&logs::header(&entry, &times));
    let mut told = Told::new(medium);
    let is_over = entry.outcome != "running";
    // The record of a run that is over has more than the pieces, if there is one.
    if !is_over || entry.output.is_none() {
        if !is_over && !is_streamed(&view.plan(), &entry.name) {
            tell("this job does not stream; its output comes at its end: stream_output = true");
        }
        pieces(view, run_id, &mut told).await?;
    }
    let entry = if is_over {
        entry
    } else {
        read(view, run_id).await?
    };
    match told.rest(entry.output.as_deref().unwrap_or_default()) {
        Rest::Nothing => {}
        Rest::Text(rest) => print(&rest)?,
        Rest::Unknown => tell(&format!(
            "not all of its output was streamed: `crontabber logs {run_id}` prints what is kept"
        )),
    }
    print(told.end())?;
    tell(&ended(&entry, &times));
    Ok(match entry.outcome.as_str() {
        "success" => Exit::Ok,
        _ => Exit::Failed,
    })
}

/// What a run without a record has told so far; whether there was anything.
pub(super) async fn so_far(view: &View, run_id: Uuid) -> Result<bool, Failure> {
    let mut told = Told::new(Medium::of_stdout());
    let news = ask(view, async |client: &Connection| {
        reader::read(client, run_id, told.last()).await
    });
    let Some(news) = news.await? else {
        return Ok(false);
    };
    tell_pieces(&mut told, &news)?;
    print(told.end())?;
    Ok(!news.pieces.is_empty())
}

/// Prints pieces as they come, until the run is over.
async fn pieces(view: &View, run_id: Uuid, told: &mut Told) -> Result<(), Failure> {
    loop {
        let last = told.last();
        let news = async |client: &Connection| reader::read(client, run_id, last).await;
        let Some(news) = ask(view, news).await? else {
            return Err(gone(run_id));
        };
        tell_pieces(told, &news)?;
        if news.is_last() {
            return Ok(());
        }
        sleep(ASK_EVERY).await;
    }
}

fn tell_pieces(told: &mut Told, news: &News) -> io::Result<()> {
    for (number, printed) in &news.pieces {
        print(&told.piece(*number, printed))?;
    }
    Ok(())
}

/// The run as the log has it.
async fn read(view: &View, run_id: Uuid) -> Result<Entry, Failure> {
    let prefix = Prefix::parse(&run_id.to_string()).expect("an id is the beginning of itself");
    let runs = ask(view, async |client: &Connection| {
        entry::runs_like(client, prefix, 1).await
    });
    runs.await?.pop().ok_or_else(|| gone(run_id))
}

fn gone(run_id: Uuid) -> Failure {
    Failure::Usage(format!("the run {run_id} is not in the log any more"))
}

/// Whether the job tells its output while it runs; one that only others know may.
fn is_streamed(plan: &Plan<'_>, name: &str) -> bool {
    plan.get(name).is_none_or(|job| job.spec.stream_output)
}

/// Asks the database, and for a while again if it is away: the run goes on meanwhile, on its host.
pub(super) async fn ask<T>(
    view: &View,
    question: impl AsyncFn(&Connection) -> Result<T, DatabaseError>,
) -> Result<T, Failure> {
    let until = Instant::now() + PATIENCE;
    let mut is_told = false;
    loop {
        let answer = match Box::pin(view.database.get()).await {
            Ok(client) => question(&client).await,
            Err(error) => Err(error),
        };
        match answer {
            Err(error) if error.is_transient() && Instant::now() < until => {
                if !is_told {
                    tell(&format!("{error}; trying again"));
                    is_told = true;
                }
                sleep(ASK_EVERY).await;
            }
            answer => return Ok(answer?),
        }
    }
}

/// A remark beside the output; who has closed stderr does not want it.
pub(super) fn tell(remark: &str) {
    let _ = writeln!(io::stderr(), "{}", harmless(remark));
}
