//! A host: the real program, staying as under systemd, and killed as a kernel would.

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

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{DemoError, event::Event, processes, show::Cue, stage::Stage};

/// One host of the two.
#[derive(Debug)]
pub(crate) struct Host {
    name: &'static str,
    /// Which of the two.
    number: usize,
    program: PathBuf,
    configuration: PathBuf,
    /// Of the database, for the job that asks its host for one.
    url: String,
    log: File,
    daemon: Option<Child>,
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
            url: stage.url(),
            log,
            daemon: None,
            cues,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether nothing of it runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.daemon.is_none()
    }

    /// Starts its daemon, unless that runs.
    pub(crate) fn stand_up(&mut self) -> Result<(), DemoError> {
        if self.daemon.is_some() {
            return Ok(());
        }
        let home = env::var_os("HOME").unwrap_or_else(|| "/".into());
        let mut daemon = Command::new(&self.program)
            .arg("--config")
            .arg(&self.configuration)
            .args(["--host", self.name, "daemon", "--log-format", "json", "-v"])
            .env_clear()
            .env("HOME", home)
            .env(processes::MARK, processes::mark())
            .env("FEEDS_DATABASE_URL", &self.url)
            // Ctrl-C is for us: we say when it is over.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(DemoError::io("start", &self.program))?;
        let said = daemon.stderr.take().expect("it is piped");
        let log = self
            .log
            .try_clone()
            .map_err(DemoError::io("write the log of", &self.program))?;
        listen(self.number, daemon.id(), said, log, self.cues.clone());
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Takes note that its daemon has said its last word; how it ended.
    pub(crate) fn ended(&mut self, pid: u32) -> Option<ExitStatus> {
        let daemon = self.daemon.take_if(|daemon| daemon.id() == pid);
        // It has closed its stderr, which it does by ending; a failure is a child that somebody else has reaped.
        daemon?.wait().ok()
    }

    /// Tells its daemon to stop when what it runs has ended.
    pub(crate) fn stop(&self) {
        if let Some(daemon) = &self.daemon {
            // The only error is that it has just ended by itself.
            let _ = kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM);
        }
    }

    /// Kills it with -9.
    pub(crate) fn kill(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut daemon) = self.daemon.take() {
            // Killed, so it does not take long.
            let _ = daemon.wait();
        }
    }
}

/// Passes on what a daemon says, line by line, until it is silent.
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
