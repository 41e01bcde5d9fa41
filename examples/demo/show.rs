//! Who does what when: both hosts stay, one of them is killed and comes back, and the end.

use std::{
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
    event::Event,
    hosts::Host,
    narrator::{Narrator, Races},
    plot::Plot,
    processes,
    stage::Stage,
    timeline::{Timeline, Tone},
};

/// The names of the hosts.
const NAMES: [&str; 2] = ["alpha", "beta"];

/// How often we look whether a host is to be started again.
const BEAT: Duration = Duration::from_secs(1);

/// How often we look whether the processes of a killed host are gone.
const GLANCE: Duration = Duration::from_millis(20);

/// How long the last runs may take after both were told to stop.
const CURTAIN: Duration = Duration::from_secs(15);

/// What the show waits for.
#[derive(Debug)]
pub(crate) enum Cue {
    /// A host has said something.
    Said(usize, Event),
    /// The daemon of a host has ended.
    Silent(usize, u32),
    /// Somebody wants it to end.
    Stop,
}

/// The show while it plays.
pub(crate) struct Show<'a> {
    narrator: Narrator<'a>,
    hosts: [Host; 2],
    cues: Receiver<Cue>,
    next_beat: Instant,
    /// Whether a run has started.
    has_begun: bool,
    plot: Plot,
    /// Since when nothing new is started.
    ending: Option<Instant>,
}

impl<'a> Show<'a> {
    /// Everything in its place.
    pub(crate) fn new(
        stage: &Stage,
        (sender, cues): (SyncSender<Cue>, Receiver<Cue>),
        timeline: &'a Timeline,
    ) -> Result<Self, DemoError> {
        let host = |number| Host::new(stage, (number, NAMES[number]), sender.clone());
        let hosts = [host(0)?, host(1)?];
        let now = Instant::now();
        Ok(Self {
            narrator: Narrator::new(timeline),
            hosts,
            cues,
            next_beat: now,
            has_begun: false,
            plot: Plot::begin(now),
            ending: None,
        })
    }

    /// Plays for this long, or until somebody stops it; returns when nothing is going on any more.
    pub(crate) fn play(mut self, length: Duration) -> Result<Races, DemoError> {
        self.timeline().heading(NAMES)?;
        let until = Instant::now() + length;
        loop {
            let now = Instant::now();
            // Something has run at least, if anything ever does, and a takeover that has begun is seen through.
            let has_begun = self.has_begun || now >= until + CURTAIN;
            if now >= until && has_begun && !self.plot.is_open() {
                self.end(now)?;
            }
            match self.ending {
                Some(_) if self.hosts.iter().all(Host::is_idle) => {
                    return Ok(self.narrator.races());
                }
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

    fn timeline(&self) -> &'a Timeline {
        self.narrator.timeline()
    }

    /// Does what is due by the clock.
    fn act(&mut self, now: Instant) -> Result<(), DemoError> {
        if now >= self.next_beat {
            // After a stall the missed beats stay missed.
            self.next_beat = (self.next_beat + BEAT).max(now);
            self.beat()?;
        }
        self.strike(now)?;
        if let Some(host) = self.plot.give_up(now) {
            self.timeline()
                .host(host, "is back, and nobody has taken over", Tone::Bad)?;
        }
        Ok(())
    }

    /// Each host that is not to be down stands up.
    fn beat(&mut self) -> Result<(), DemoError> {
        for host in 0..self.hosts.len() {
            if self.plot.down() != Some(host) {
                self.hosts[host].stand_up()?;
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
                self.timeline().note(&format!(
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
        self.timeline().note(&format!(
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
                self.has_begun |= matches!(event, Event::Ongoing(_));
                self.narrator.tell(host, &event, now)?;
                if let Some(back) = self.plot.follow(host, &event, now) {
                    self.timeline().host(back, "is back", Tone::Striking)?;
                }
            }
            Cue::Silent(host, pid) => self.silent(host, pid)?,
            Cue::Stop if self.ending.is_some() => self.kill_all(),
            Cue::Stop => self.end(now)?,
        }
        Ok(())
    }

    /// A daemon has ended: at the end, or killed by us, that is as it should be.
    fn silent(&mut self, host: usize, pid: u32) -> Result<(), DemoError> {
        let Some(status) = self.hosts[host].ended(pid) else {
            return Ok(());
        };
        let is_killed = self.plot.down() == Some(host) || self.ending.is_some();
        if is_killed && status.code().is_none_or(|code| code == 0) {
            return Ok(());
        }
        self.timeline()
            .host(host, &format!("its daemon ended with {status}"), Tone::Bad)
    }

    /// Starts nothing more.
    fn end(&mut self, now: Instant) -> Result<(), DemoError> {
        if self.ending.is_none() {
            self.ending = Some(now);
            self.timeline()
                .note("both are told to stop; what is running ends")?;
            for host in &self.hosts {
                host.stop();
            }
        }
        Ok(())
    }

    fn kill_all(&mut self) {
        for host in &mut self.hosts {
            host.kill();
        }
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
