//! `simulate`: what would happen, on a virtual clock.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write as _},
    time::Duration,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;

use crate::{
    config::Config,
    duration,
    exit::Exit,
    place::Place,
    simulate::{Down, Host, Scenario, simulate},
    spec::is_host_name,
    store::durations,
    view::{
        Medium,
        simulate::{Chart, json},
        text::harmless,
    },
};

use super::{
    Global,
    fail::Failure,
    instant::moment,
    open::{self, block_on},
    print,
};

/// Plays a stretch of time with the real planner, and runs nothing
///
/// Every job is taken to be well until the beginning. Runs take as long as they took lately (the median of the last
/// twenty successes), and the hosts are those that are live. Both can be given; with --offline they are ten seconds and this
/// host where they are not.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal: a bar a job (█ running, ✗ failed or lost, ░ slots that are not run), then sums; in a pipe the sums, tab-
separated. With --json every run and every range of skipped slots, in order of time.

Examples:
  crontabber simulate                                               the next day
  crontabber simulate --from 2031-03-29 --to 2031-03-31             a night in which clocks jump
  crontabber simulate --down web1@2031-05-05T02:00..2031-05-05T09:00   and what is caught up on afterwards
  crontabber simulate --fail import@2031-05-05T03:00 --took report=2h")]
pub(super) struct Simulate {
    /// The beginning: an instant with its offset or in local time, or how long from now [default: now]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// The end [default: a day later]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// A host, in place of those that are live; again for another
    #[arg(long = "on", value_name = "HOST")]
    hosts: Vec<String>,
    /// A host that is down from one instant to another
    #[arg(long, value_name = "HOST@T1..T2")]
    down: Vec<String>,
    /// The first run of a job from an instant on fails; again for another
    #[arg(long, value_name = "JOB@T")]
    fail: Vec<String>,
    /// How long the runs of a job take
    #[arg(long, value_name = "JOB=DURATION")]
    took: Vec<String>,
    /// How long those of jobs take that have not run lately
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    took_else: String,
    /// Ask no database
    #[arg(long)]
    offline: bool,
    /// As an object with everything that happens (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// What the database knows.
#[derive(Default)]
struct Known {
    hosts: Vec<Place>,
    took: HashMap<String, Duration>,
}

impl Simulate {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        let known = if self.offline {
            Known::default()
        } else {
            block_on(known(global))?
        };
        let scenario = self.scenario(global, &config, known)?;
        let (from, to) = (scenario.from, scenario.to);
        if self.json {
            return print_json(&config, &scenario);
        }
        let medium = Medium::of_stdout();
        let mut chart = Chart::new(from, to, medium);
        let summary = simulate(&config.graph, &scenario, |happening| chart.add(happening));
        print(&chart.text(&summary, medium))?;
        Ok(Exit::Ok)
    }

    fn scenario(
        &self,
        global: &Global,
        config: &Config,
        known: Known,
    ) -> Result<Scenario, Failure> {
        let now = Timestamp::now();
        let from = self
            .from
            .as_deref()
            .map_or(Ok(now), |text| instant(text, now))?;
        let day = SignedDuration::from_hours(24);
        let a_day_later = from.checked_add(day).unwrap_or(from);
        let to = self
            .to
            .as_deref()
            .map_or(Ok(a_day_later), |text| instant(text, now))?;
        if to <= from {
            return Err(Failure::Usage(format!(
                "it ends at {to}, before it begins at {from}"
            )));
        }
        let mut took = known.took;
        for given in &self.took {
            let (job, took_by) = halves(given, '=', "JOB=DURATION")?;
            took.insert(open::job(config, job)?.name.to_string(), span(took_by)?);
        }
        let mut fails = Vec::new();
        for given in &self.fail {
            let (job, at) = halves(given, '@', "JOB@T")?;
            fails.push((open::job(config, job)?.name.to_string(), instant(at, now)?));
        }
        Ok(Scenario {
            from,
            to,
            hosts: self.hosts(global, config, known.hosts, now)?,
            took,
            took_else: span(&self.took_else)?,
            fails,
        })
    }

    /// Those that are named, or live; this one where there is none; and those that are said to be down.
    fn hosts(
        &self,
        global: &Global,
        config: &Config,
        live: Vec<Place>,
        now: Timestamp,
    ) -> Result<Vec<Host>, Failure> {
        let mut places = live;
        let named = self.hosts.iter().map(String::as_str);
        let down = self
            .down
            .iter()
            .map(|down| halves(down, '@', "HOST@T1..T2"));
        let down = down.collect::<Result<Vec<_>, _>>()?;
        if !self.hosts.is_empty() {
            places.retain(|place| self.hosts.contains(&place.host));
        }
        if places.is_empty() && self.hosts.is_empty() {
            places.push(open::place(global, config)?);
        }
        for name in named.chain(down.iter().map(|(host, _)| *host)) {
            if !is_host_name(name) {
                return Err(Failure::Usage(format!(
                    "`{}` is no name of a host",
                    harmless(name)
                )));
            }
            if places.iter().all(|place| place.host != name) {
                places.push(Place {
                    host: name.to_owned(),
                    ..open::place(global, config)?
                });
            }
        }
        places.sort_unstable_by(|one, other| one.host.cmp(&other.host));
        let host = |place: Place| {
            let own = down.iter().filter(|(host, _)| *host == place.host);
            let down = own.map(|(_, stretch)| {
                let (from, to) = stretch
                    .split_once("..")
                    .ok_or_else(|| misread(stretch, "HOST@T1..T2"))?;
                Ok::<_, Failure>(Down {
                    from: instant(from, now)?,
                    to: instant(to, now)?,
                })
            });
            Ok(Host {
                down: down.collect::<Result<_, _>>()?,
                max_parallel: config.daemon.max_parallel,
                // What a host may do for a job is not known of others.
                place: Place {
                    stays: true,
                    ..place
                },
            })
        };
        places.into_iter().map(host).collect()
    }
}

async fn known(global: &Global) -> Result<Known, Failure> {
    let view = open::View::open(global).await?;
    let hosts = view
        .plan()
        .hosts
        .iter()
        .filter(|seen| seen.takes_work(view.now()));
    let hosts = hosts.map(|seen| Place {
        rights: view.place.rights.clone(),
        ..seen.place.clone()
    });
    let names = view.config.graph.jobs().iter().map(|job| job.name.as_str());
    let took = durations::of_each(&*view.connection().await?, &names.collect::<Vec<_>>()).await?;
    Ok(Known {
        hosts: hosts.collect(),
        took,
    })
}

fn print_json(config: &Config, scenario: &Scenario) -> Result<Exit, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = write!(
        out,
        "{{\"from\":{},\"to\":{},\"hosts\":{},\"events\":[",
        json!(scenario.from),
        json!(scenario.to),
        json!(
            scenario
                .hosts
                .iter()
                .map(|host| &host.place.host)
                .collect::<Vec<_>>()
        )
    );
    let mut separator = "";
    let summary = simulate(&config.graph, scenario, |happening| {
        if written.is_ok() {
            written = write!(out, "{separator}\n{}", json(happening));
        }
        separator = ",";
    });
    written?;
    let peak = json!({ "runs": summary.peak, "at": summary.peak_at });
    writeln!(out, "\n],\"peak\":{peak}}}")?;
    out.flush()?;
    Ok(Exit::Ok)
}

fn instant(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    moment(text, now, &TimeZone::system())
}

fn span(text: &str) -> Result<Duration, Failure> {
    duration::parse(text).map_err(|bad| Failure::Usage(format!("`{}`: {bad}", harmless(text))))
}

fn halves<'a>(text: &'a str, between: char, form: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once(between).ok_or_else(|| misread(text, form))
}

fn misread(text: &str, form: &str) -> Failure {
    Failure::Usage(format!("`{}` is not of the form {form}", harmless(text)))
}
