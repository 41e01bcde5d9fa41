//! `backfill JOB`: slots of the past that have not succeeded, oldest first.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};

use crate::{
    backfill::{self, Event, Over, backfill},
    control,
    engine::Engine,
    exit::Exit,
    pass::Ran,
    plan::{NotHere, Plan, Verdict, plan},
    record::{Outcome, Recorded},
    rights::refusal,
    schedule,
    spec::JobName,
    stop::{Stop, Stopper},
    view::{
        Medium,
        backfill::{Progress, dry_run},
        text::harmless,
    },
};

use super::{
    Global,
    fail::Failure,
    instant::day,
    open::{self, block_on},
    print,
};

/// Runs a job for every past slot of a range that has not succeeded
///
/// Oldest first, one at a time, each run with its own `CRONTABBER_SLOT`, on this host. The schedule goes on: a slot that
/// falls due meanwhile waits for one run at most, and several people may do the same range: each slot runs once. What
/// fails is not tried again, and what follows it is run all the same. Ctrl-C stops after the current slot; the same command
/// goes on from there.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal: how far it is, how long each takes, how long the others will; elsewhere a line every ten seconds.
Exit codes: 0 each slot has succeeded; 1 some have not; 4 it is paused, or does not run on this host; 64 the range is wrong;
130 or 143 killed by a second signal.

Examples:
  crontabber backfill digest --from 2031-05-01 --to 2031-05-04 --dry-run
  crontabber backfill digest --from 2031-05-01 --to 2031-05-04
  crontabber backfill digest --from 2031-05-01T06:00:00Z          until now")]
pub(super) struct Backfill {
    /// The job; of one that runs on each host its row on this one
    job: String,
    /// The beginning: a day, or an instant with its offset or in the job's zone
    #[arg(long, value_name = "T")]
    from: String,
    /// The end, included: a day, or an instant [default: now]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// Say which slots would run, and run none
    #[arg(long)]
    dry_run: bool,
}

impl Backfill {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        let spec = open::job(&config, &self.job)?;
        let name = spec.name.clone();
        let Some(when) = &spec.timetable else {
            return Err(Failure::Usage(format!(
                "`{name}` has no schedule, and so no slots of the past; `crontabber run {name} --force` runs it once"
            )));
        };
        let when = when.clone();
        let zone = schedule::zone(&when.timezone).unwrap_or(TimeZone::UTC);
        let from = bound(&self.from, &zone, false)?;
        let to = self.to.as_deref().map(|to| bound(to, &zone, true));
        let to = to.transpose()?;
        if let Some(to) = to.filter(|to| *to < from) {
            return Err(Failure::Usage(format!(
                "the range ends at {to}, before it begins at {from}"
            )));
        }
        block_on(async {
            let engine = open::engine(global, config)?;
            let number = engine.graph.number(&name);
            let number = number.expect("the graph holds the job that was looked up in it");
            // Before the first claim: a signal that came between would leave the job claimed and not run.
            let mut stop = Stopper::listen()?;
            let table = engine.look().await?;
            let plan = plan(&engine.graph, &table, &engine.host.place);
            if let Err((exit, why)) = may_run(&plan, number, &engine) {
                eprintln!("not run: {name} {}", harmless(&why));
                return Ok(exit);
            }
            let live = plan.here(number).and_then(|job| job.row?.pending());
            let range = (from, to.unwrap_or(table.now));
            let slots =
                backfill::slots(&when, live.unwrap_or(table.now), range).ok_or_else(|| {
                    Failure::Usage(format!(
                        "there are more than {} slots in this range; name a shorter one",
                        backfill::MOST
                    ))
                })?;
            let (to_do, succeeded) = not_succeeded(&engine, &name, slots).await?;
            if self.dry_run || to_do.is_empty() {
                print(&dry_run(name.as_str(), &to_do, succeeded))?;
                return Ok(Exit::Ok);
            }
            run(&engine, number, &to_do, &mut stop).await
        })
    }
}

/// A day, from its beginning or to its end, or an instant.
fn bound(text: &str, zone: &TimeZone, is_end: bool) -> Result<Timestamp, Failure> {
    let unknown = || {
        Failure::Usage(format!(
            "`{}` is no day and no instant: write 2031-05-05, 2031-05-05T09:00 or 2031-05-05T09:00:00Z",
            harmless(text)
        ))
    };
    let Some(date) = day(text) else {
        let instant = control::instant(text, zone).ok_or_else(unknown)?;
        return Ok(instant.at);
    };
    let date = if is_end {
        date.tomorrow().map_err(|_| unknown())?
    } else {
        date
    };
    let midnight = date.to_datetime(Time::midnight()).to_zoned(zone.clone());
    let midnight = midnight.map_err(|_| unknown())?.timestamp();
    let included = SignedDuration::from_micros(i64::from(is_end));
    midnight.checked_sub(included).map_err(|_| unknown())
}

/// Why this host cannot run the job for any slot of the past, and the exit code of that.
fn may_run(plan: &Plan<'_>, number: usize, engine: &Engine) -> Result<(), (Exit, String)> {
    let spec = &engine.graph.jobs()[number];
    let elsewhere = || {
        let hosts = &spec.placement.hosts;
        (
            Exit::NotDue,
            format!("runs on hosts = {hosts:?}, and this is none of them"),
        )
    };
    let Some(job) = plan.here(number) else {
        return Err(elsewhere());
    };
    if !engine.host.place.matches(&spec.placement) {
        return Err(elsewhere());
    }
    if let Some(why) = refusal(spec, &engine.host.place.rights) {
        return Err((Exit::Configuration, format!("cannot run here: {why}")));
    }
    match &job.verdict {
        Verdict::Paused(_) | Verdict::Held => Err((Exit::NotDue, format!("is {}", job.reason()))),
        Verdict::Elsewhere(NotHere::Drained(_)) => Err((Exit::NotDue, job.reason())),
        _ => Ok(()),
    }
}

/// The slots that have not succeeded, and how many have.
async fn not_succeeded(
    engine: &Engine,
    name: &JobName,
    mut slots: Vec<Timestamp>,
) -> Result<(Vec<Timestamp>, usize), Failure> {
    let (Some(&first), Some(&last)) = (slots.first(), slots.last()) else {
        return Ok((slots, 0));
    };
    let row = engine.row(name);
    let succeeded = backfill::succeeded(&engine.database, &row, first, last).await?;
    let all = slots.len();
    slots.retain(|slot| !succeeded.contains(slot));
    let left = slots.len();
    Ok((slots, all - left))
}

async fn run(
    engine: &Arc<Engine>,
    number: usize,
    slots: &[Timestamp],
    stop: &mut Stopper,
) -> Result<Exit, Failure> {
    let name = engine.graph.jobs()[number].name.as_str();
    let mut teller = Teller::new(Progress::new(name, slots.len()));
    let mut tell = |event| teller.tell(event);
    let over = backfill(engine, number, slots, stop, &mut tell).await;
    teller.clear();
    let progress = &teller.progress;
    print(&format!("{}\n", progress.sum()))?;
    let is_done = progress.failed == 0 && progress.done + progress.by_others == progress.slots;
    Ok(match over? {
        Over::All if is_done => Exit::Ok,
        Over::All | Over::Stopped(None) => Exit::Failed,
        Over::Stopped(Some(signal)) => Exit::of_signal(signal),
        Over::Refused(why) => {
            eprintln!("stopped: {name}: {}", harmless(&why));
            Exit::NotDue
        }
    })
}

/// How often somebody who reads a log is told.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Tells how it goes on standard error.
struct Teller {
    progress: Progress,
    began: Instant,
    said: Instant,
    is_terminal: bool,
}

impl Teller {
    fn new(progress: Progress) -> Self {
        Self {
            progress,
            began: Instant::now(),
            said: Instant::now(),
            is_terminal: io::stderr().is_terminal(),
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Started(slot) => self.progress.now = slot.to_string(),
            Event::Ended(ran) => self.ended(&ran),
            Event::Done(_) => self.progress.by_others += 1,
            Event::Waiting(why) => self.progress.now = format!("waiting: {why}"),
            Event::Asked(Stop::Drain) => {
                self.line("asked to stop: waiting for this slot; ask again to kill it");
            }
            Event::Asked(Stop::Kill(_)) => self.line("asked to stop again: killing it"),
        }
        self.show();
    }

    fn ended(&mut self, ran: &Ran) {
        self.progress.done += 1;
        self.progress.took = self.began.elapsed();
        let is_recorded = matches!(ran.recorded, Recorded::Written(_) | Recorded::Already);
        if ran.after.outcome != Outcome::Success || !is_recorded {
            self.progress.failed += 1;
            let how = if is_recorded {
                ran.after.summary()
            } else {
                "fenced: nothing was recorded".to_owned()
            };
            let (slot, run_id) = (ran.held.slot, ran.held.run_id);
            self.line(&format!(
                "{slot} {} (crontabber logs {run_id})",
                harmless(&how)
            ));
        }
    }

    /// A bar that is drawn anew, or now and then a line.
    fn show(&mut self) {
        if self.is_terminal {
            let width = match Medium::of_stdout() {
                Medium::Terminal { width, .. } => width,
                Medium::Pipe => 100,
            };
            // Nothing is lost where nobody can be shown it.
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.progress.bar(width));
        } else if self.said.elapsed() >= LINE_EVERY {
            self.said = Instant::now();
            let line = self.progress.line();
            self.line(&line);
        }
    }

    fn line(&self, line: &str) {
        self.clear();
        let _ = writeln!(io::stderr(), "{line}");
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
