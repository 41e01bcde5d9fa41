//! Who does what when: a tick of both hosts each second, what they say about it, and the end.

use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    DemoError,
    event::{Event, Race, Run},
    hosts::Host,
    plot::Plot,
    processes,
    stage::Stage,
    timeline::{Timeline, Tone},
};

/// The names of the hosts.
const NAMES: [&str; 2] = ["alpha", "beta"];

/// How often both hosts ask what is due.
const BEAT: Duration = Duration::from_secs(1);

/// How much later than the first tick the others come in their second. The first one meets the jobs, and the seconds of
/// `every = "1s"` count from then: a tick a moment too early would find them not due yet.
const PHASE: Duration = Duration::from_millis(250);

/// How often we look whether the processes of a killed host are gone.
const GLANCE: Duration = Duration::from_millis(20);

/// How long the last runs may take after the last tick.
const CURTAIN: Duration = Duration::from_secs(15);

/// Jobs that run each second: only their ends are shown.
const BRIEF: [&str; 2] = ["pulse", "memory"];

/// What the show waits for.
#[derive(Debug)]
pub(crate) enum Cue {
    /// A host has said something.
    Said(usize, Event),
    /// A tick of a host has ended.
    Silent(usize, u32),
    /// Somebody wants it to end.
    Stop,
}

/// The races that were lost politely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Races {
    /// The row was held at that instant.
    pub(crate) contended: u32,
    /// The job had just been started.
    pub(crate) ongoing: u32,
    /// The job had just been run.
    pub(crate) done: u32,
}

/// The show while it plays.
pub(crate) struct Show<'a> {
    timeline: &'a mut Timeline,
    hosts: [Host; 2],
    cues: Receiver<Cue>,
    next_beat: Instant,
    beats: u32,
    /// When each run that is going on was started.
    since: HashMap<String, Instant>,
    plot: Plot,
    races: Races,
    /// Since when nothing new is started.
    ending: Option<Instant>,
}

impl<'a> Show<'a> {
    /// Everything in its place.
    pub(crate) fn new(
        stage: &Stage,
        (sender, cues): (SyncSender<Cue>, Receiver<Cue>),
        timeline: &'a mut Timeline,
    ) -> Result<Self, DemoError> {
        let host = |number| Host::new(stage, (number, NAMES[number]), sender.clone());
        let hosts = [host(0)?, host(1)?];
        let now = Instant::now();
        Ok(Self {
            timeline,
            hosts,
            cues,
            next_beat: now,
            beats: 0,
            since: HashMap::new(),
            plot: Plot::begin(now),
            races: Races::default(),
            ending: None,
        })
    }

    /// Plays for this long, or until somebody stops it; returns when nothing is going on any more.
    pub(crate) fn play(mut self, length: Duration) -> Result<Races, DemoError> {
        self.timeline.start(NAMES)?;
        let until = Instant::now() + length;
        loop {
            let now = Instant::now();
            // There is a tick at least, and a takeover that has begun is seen through.
            if now >= until && self.beats > 0 && !self.plot.is_open() {
                self.end(now)?;
            }
            match self.ending {
                Some(_) if self.hosts.iter().all(Host::is_idle) => return Ok(self.races),
                Some(since) if now >= since + CURTAIN => self.kill_all(),
                Some(_) => {}
                None => self.act(now)?,
            }
            // Nothing said is no error: the clock goes on.
            if let Ok(cue) = self.cues.recv_timeout(self.patience(now)) {
                self.take(cue)?;
            }
        }
    }

    /// Does what is due by the clock.
    fn act(&mut self, now: Instant) -> Result<(), DemoError> {
        if now >= self.next_beat {
            let phase = if self.beats == 0 {
                PHASE
            } else {
                Duration::ZERO
            };
            // After a stall the missed beats stay missed.
            self.next_beat = (self.next_beat + BEAT + phase).max(now);
            self.beat()?;
        }
        self.strike(now)?;
        if let Some(host) = self.plot.give_up(now) {
            self.timeline
                .host(host, "is back, and nobody has taken over", Tone::Bad)?;
        }
        Ok(())
    }

    /// One tick of each host that is up; one of them is first, then the other.
    fn beat(&mut self) -> Result<(), DemoError> {
        self.beats += 1;
        let order = if self.beats.is_multiple_of(2) {
            [0, 1]
        } else {
            [1, 0]
        };
        for host in order {
            if self.plot.down() != Some(host) {
                self.hosts[host].tick()?;
            }
        }
        Ok(())
    }

    /// Kills the host that is aimed at, and watches the processes of its run go.
    fn strike(&mut self, now: Instant) -> Result<(), DemoError> {
        match self.plot.clone() {
            Plot::Aimed { host, run_id, at } if now >= at => self.kill(host, run_id, now),
            Plot::Struck {
                host,
                run_id,
                at,
                is_gone: false,
            } if run_processes(&run_id) == 0 => {
                self.plot = Plot::Struck {
                    host,
                    run_id,
                    at,
                    is_gone: true,
                };
                let after = at.elapsed().as_secs_f64();
                self.timeline.note(&format!(
                    "no process of the run is left after {after:.2}s; its lease goes on"
                ))
            }
            _ => Ok(()),
        }
    }

    fn kill(&mut self, host: usize, run_id: String, now: Instant) -> Result<(), DemoError> {
        let processes = run_processes(&run_id);
        if processes == 0 {
            // It was quicker than we thought: the next one, then.
            self.plot = Plot::begin(now);
            return Ok(());
        }
        self.hosts[host].kill();
        self.plot = Plot::Struck {
            host,
            run_id,
            at: now,
            is_gone: false,
        };
        let name = self.hosts[host].name();
        let run = if processes == 1 {
            "1 process".to_owned()
        } else {
            format!("{processes} processes")
        };
        self.timeline.note(&format!(
            "kill -9 {name}, half-way through `report`, a run of {run}"
        ))
    }

    /// How long there is nothing to do but to listen.
    fn patience(&self, now: Instant) -> Duration {
        let next = match &self.plot {
            Plot::Struck { is_gone: false, .. } => now + GLANCE,
            Plot::Aimed { at, .. } => self.next_beat.min(*at),
            _ => self.next_beat,
        };
        let longest = if self.ending.is_some() { GLANCE } else { BEAT };
        next.saturating_duration_since(now)
            .clamp(Duration::from_millis(1), longest)
    }

    fn take(&mut self, cue: Cue) -> Result<(), DemoError> {
        let now = Instant::now();
        match cue {
            Cue::Said(host, event) => {
                self.tell(host, &event, now)?;
                if let Some(back) = self.plot.follow(host, &event, now) {
                    self.timeline.host(back, "is back", Tone::Striking)?;
                }
            }
            Cue::Silent(host, pid) => self.silent(host, pid)?,
            Cue::Stop if self.ending.is_some() => self.kill_all(),
            Cue::Stop => self.end(now)?,
        }
        Ok(())
    }

    /// A tick has ended: its exit codes up to 3 are the ordinary ones, and so is being killed by us.
    fn silent(&mut self, host: usize, pid: u32) -> Result<(), DemoError> {
        let Some(status) = self.hosts[host].ended(pid) else {
            return Ok(());
        };
        let is_killed = self.plot.down() == Some(host) || self.ending.is_some();
        if status.code().map_or(is_killed, |code| code <= 3) {
            return Ok(());
        }
        self.timeline
            .host(host, &format!("a tick ended with {status}"), Tone::Bad)
    }

    fn tell(&mut self, host: usize, event: &Event, now: Instant) -> Result<(), DemoError> {
        match event {
            Event::Ongoing(run) => {
                self.since.insert(run.run_id.clone(), now);
                self.tell_start(host, run)
            }
            Event::Ended {
                run,
                outcome,
                reason,
                again_in,
            } => {
                let lasted = self
                    .since
                    .remove(&run.run_id)
                    .map_or(Duration::ZERO, |since| now - since);
                self.tell_end(host, run, (outcome, lasted), reason.as_deref())?;
                match again_in {
                    Some(delay) => {
                        let what = format!("wanted again in {:.1}s", delay.as_secs_f64());
                        self.timeline.job(host, &run.job, &what, Tone::Plain)
                    }
                    None => Ok(()),
                }
            }
            Event::Beaten { job, how, by } => {
                let what = self.races.count(*how, by.as_deref());
                self.timeline.job(host, job, &what, Tone::Faint)
            }
            Event::Lost { job, run_id, on } => {
                self.since.remove(run_id);
                self.timeline.job(
                    host,
                    job,
                    &format!("lost on {on}: its lease is over"),
                    Tone::Bad,
                )
            }
            Event::Trouble(what) => self.timeline.host(host, what, Tone::Bad),
            Event::Detail => Ok(()),
        }
    }

    fn tell_start(&self, host: usize, run: &Run) -> Result<(), DemoError> {
        match run.attempt {
            1 if BRIEF.contains(&run.job.as_str()) => Ok(()),
            1 => self.timeline.job(host, &run.job, "ongoing", Tone::Plain),
            attempt => self.timeline.job(
                host,
                &run.job,
                &format!("ongoing, attempt {attempt}"),
                Tone::Striking,
            ),
        }
    }

    fn tell_end(
        &self,
        host: usize,
        run: &Run,
        (outcome, lasted): (&str, Duration),
        reason: Option<&str>,
    ) -> Result<(), DemoError> {
        let tone = match outcome {
            "success" if BRIEF.contains(&run.job.as_str()) => Tone::Faint,
            "success" => Tone::Good,
            _ => Tone::Bad,
        };
        let mut what = format!("{outcome} {:.2}s", lasted.as_secs_f64());
        if let Some(reason) = reason {
            what = format!("{what}, {reason}");
        }
        self.timeline.job(host, &run.job, &what, tone)
    }

    /// Starts nothing more.
    fn end(&mut self, now: Instant) -> Result<(), DemoError> {
        if self.ending.is_none() {
            self.ending = Some(now);
            self.timeline.note("no more ticks; what is running ends")?;
        }
        Ok(())
    }

    fn kill_all(&mut self) {
        for host in &mut self.hosts {
            host.kill();
        }
    }
}

impl Races {
    /// Counts one more, and says what it was.
    fn count(&mut self, how: Race, by: Option<&str>) -> String {
        let (number, what) = match how {
            Race::Contended => (
                &mut self.contended,
                "contended: left to the other".to_owned(),
            ),
            Race::Ongoing => (
                &mut self.ongoing,
                format!("ongoing on {}: left to it", by.unwrap_or("another")),
            ),
            Race::Done => (&mut self.done, "just run by the other".to_owned()),
        };
        *number += 1;
        what
    }

    /// All of them.
    pub(crate) fn sum(self) -> u32 {
        self.contended + self.ongoing + self.done
    }
}

/// Where cues go and come from. From now on Ctrl-C is one of them.
pub(crate) fn cues() -> Result<(SyncSender<Cue>, Receiver<Cue>), DemoError> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(DemoError::io("listen for", "signals"))?;
    // More than both hosts say in a beat; whoever finds it full waits.
    let (sender, receiver) = sync_channel(1024);
    let stop = sender.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            // Nobody listens after the end of the show, which is what was asked for.
            let _ = stop.send(Cue::Stop);
        }
    });
    Ok((sender, receiver))
}

/// How many processes a run has.
fn run_processes(run_id: &str) -> usize {
    processes::with("CRONTABBER_RUN_ID", run_id).len()
}
