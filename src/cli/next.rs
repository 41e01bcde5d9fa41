//! `next`: the slots ahead, without the database.

use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    config::{self, Config, Typed},
    exit::Exit,
    spec::on_host,
    view::{
        Medium,
        next::{Asked, Named, Next as Ahead, Window},
    },
};

use super::{
    Global,
    fail::Failure,
    instant::{day, moment},
    now, open, print, zone,
};

/// When jobs run next, or when a schedule would; works without a database
///
/// Of all jobs together in order of time, or of one; or of a schedule that no job has, and then without a configuration.
/// Where the clocks change it says what becomes of the slot.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("typed").args(["schedule", "every"]).conflicts_with("job")),
    after_help = "\
T is RFC 3339 (`2027-03-28T01:00:00Z`), a wall time in the zone of the schedule, of all jobs together in UTC (`2027-03-28T02:00`), a day (`2027-03-28`, its midnight included) or how long from now (`2h`, `3d`).

A period such as `every = \"1h\"` counts from a slot that only the table knows; here it counts from T. The table may also hold a pause or a retry: crontabber show JOB.

In a pipe: the job where there are several, the slot in its zone, the slot in UTC, when it starts (its jitter added), what is to be said; tabs between.
Exit codes: 0 told; 64 a name, a schedule or an instant is wrong; 78 the configuration is.

Examples:
  crontabber next                                             all jobs, in order of time
  crontabber next report --from 2027-03-28 -n 3               one, around a change of the clocks
  crontabber next --until 2h -n 1000                          all that is wanted in two hours
  crontabber next --schedule '30 2 * * *' --timezone Europe/Berlin --json
  crontabber next --every 1d --at 03:45"
)]
pub(super) struct Next {
    /// Only this job, or its row on one host, JOB@HOST [default: all of them, in order of time]
    job: Option<String>,
    /// Crontab fields in place of a job; several times: a slot of any of them
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    schedule: Vec<String>,
    /// A period in place of a job, such as 1h
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    every: Option<String>,
    /// The time of day of a period of whole days
    #[arg(
        long,
        value_name = "HH:MM",
        requires = "every",
        conflicts_with = "schedule",
        allow_hyphen_values = true
    )]
    at: Option<String>,
    /// The zone of `--schedule` and `--at` [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "typed")]
    timezone: Option<String>,
    /// How many, at most
    #[arg(short, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    n: u16,
    /// The slots after this instant [default: now]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// And none after this one
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// As an array: of jobs objects, of a schedule instants (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Next {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        if self.every.is_some() || !self.schedule.is_empty() {
            return self.of_schedule();
        }
        let config = open::configuration(global)?;
        let Some(name) = &self.job else {
            let window = self.window(&TimeZone::UTC)?;
            return self.tell(Asked::Jobs(config.graph.jobs()), window);
        };
        let job = named(&config, name)?;
        let timetable = job.spec.timetable.as_ref();
        let zone = timetable.map_or(Ok(TimeZone::UTC), |timetable| zone(&timetable.timezone))?;
        self.tell(Asked::Job(job), self.window(&zone)?)
    }

    fn of_schedule(&self) -> Result<Exit, Failure> {
        let timezone = self.timezone.as_deref().unwrap_or("UTC");
        let zone = zone(timezone)?;
        let timetable = config::timetable(Typed {
            schedules: &self.schedule,
            every: self.every.as_deref(),
            at: self.at.as_deref(),
            timezone,
        });
        let timetable = timetable.map_err(Failure::Schedule)?;
        self.tell(Asked::Schedule(&timetable), self.window(&zone)?)
    }

    fn window(&self, zone: &TimeZone) -> Result<Window, Failure> {
        // Whole seconds, as slots are: periods count from it.
        let now = Timestamp::from_second(now()?.as_second()).map_err(std::io::Error::other)?;
        let moment = |text: &String| moment(text, now, zone);
        let from = self.from.as_ref().map_or(Ok(now), moment)?;
        let until = self.until.as_ref().map(moment).transpose()?;
        if let Some(until) = until.filter(|until| *until < from) {
            return Err(Failure::Usage(format!(
                "--until is {until}, which is before {from}, where the slots begin: name a later instant, or an \
                 earlier --from"
            )));
        }
        Ok(Window {
            now,
            counted_from: from,
            after: match &self.from {
                Some(text) if day(text).is_some() => before(from),
                _ => from,
            },
            until,
            number: usize::from(self.n),
        })
    }

    fn tell(&self, asked: Asked<'_>, window: Window) -> Result<Exit, Failure> {
        let ahead = Ahead::of(asked, window);
        print(&if self.json {
            ahead.json()
        } else {
            ahead.text(Medium::of_stdout())
        })?;
        if ahead.is_cut() {
            eprintln!("there are more until then: -n shows up to 10000");
        }
        Ok(Exit::Ok)
    }
}

/// The job of this name, or the row of a job that runs on each host.
fn named<'a>(config: &'a Config, name: &'a str) -> Result<Named<'a>, Failure> {
    if let Some((job, _)) = on_host(name)
        && let Ok(spec) = open::job(config, job)
        && spec.is_on_each()
    {
        return Ok(Named { name, spec });
    }
    let spec = open::job(config, name)?;
    Ok(Named {
        name: spec.name.as_str(),
        spec,
    })
}

/// The last instant before this one, as finely as the table tells them apart.
fn before(instant: Timestamp) -> Timestamp {
    let earlier = instant.checked_sub(SignedDuration::from_micros(1));
    earlier.unwrap_or(instant)
}
