//! A host: the real program, started once a second as a systemd timer or cron would, and killed as a kernel would.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::mpsc::SyncSender,
    thread,
};

use crate::{DemoError, event::Event, processes, show::Cue, stage::Stage};

/// How many ticks of a host may go on at once: a tick lasts as long as the runs it started.
const MOST: usize = 4;

/// One host of the two.
#[derive(Debug)]
pub(crate) struct Host {
    name: &'static str,
    /// Which of the two.
    number: usize,
    program: PathBuf,
    configuration: PathBuf,
    log: File,
    ticks: Vec<Child>,
    cues: SyncSender<Cue>,
}

impl Host {
    /// A host that does nothing yet, and reports to `cues`.
    pub(crate) fn new(
        stage: &Stage,
        (number, name): (usize, &'static str),
        cues: SyncSender<Cue>,
    ) -> Result<Self, DemoError> {
        let path = stage.log(name);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(DemoError::io("write", path))?;
        Ok(Self {
            name,
            number,
            program: stage.program().to_owned(),
            configuration: stage.configuration(),
            log,
            ticks: Vec::new(),
            cues,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether nothing of it runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.ticks.is_empty()
    }

    /// Starts a tick, unless several are going on.
    pub(crate) fn tick(&mut self) -> Result<(), DemoError> {
        if self.ticks.len() >= MOST {
            return Ok(());
        }
        let home = env::var_os("HOME").unwrap_or_else(|| "/".into());
        let mut tick = Command::new(&self.program)
            .arg("--config")
            .arg(&self.configuration)
            .args(["--host", self.name, "tick", "--log-format", "json", "-v"])
            .env_clear()
            .env("HOME", home)
            .env(processes::MARK, processes::mark())
            // Ctrl-C is for us: we say when it is over.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(DemoError::io("start", &self.program))?;
        let said = tick.stderr.take().expect("it is piped");
        let log = self
            .log
            .try_clone()
            .map_err(DemoError::io("write the log of", &self.program))?;
        listen(self.number, tick.id(), said, log, self.cues.clone());
        self.ticks.push(tick);
        Ok(())
    }

    /// Takes note that a tick has said its last word; how it ended.
    pub(crate) fn ended(&mut self, pid: u32) -> Option<ExitStatus> {
        let at = self.ticks.iter().position(|tick| tick.id() == pid)?;
        // It has closed its stderr, which it does by ending; a failure is a child that somebody else has reaped.
        self.ticks.swap_remove(at).wait().ok()
    }

    /// Kills its ticks with -9.
    pub(crate) fn kill(&mut self) {
        for tick in &mut self.ticks {
            // The only error is that it has just ended by itself.
            let _ = tick.kill();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        for mut tick in self.ticks.drain(..) {
            // Killed, so it does not take long.
            let _ = tick.wait();
        }
    }
}

/// Passes on what a tick says, line by line, until it is silent.
fn listen(host: usize, pid: u32, said: ChildStderr, mut log: File, cues: SyncSender<Cue>) {
    thread::spawn(move || {
        // What cannot be read is as good as the end.
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            // A full disk shows in the database first.
            let _ = writeln!(log, "{line}");
            if cues.send(Cue::Said(host, Event::read(&line))).is_err() {
                return;
            }
        }
        // Nobody listens after the end of the show.
        let _ = cues.send(Cue::Silent(host, pid));
    });
}
