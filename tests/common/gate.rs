//! Letting many processes go in the same instant.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{Crontabber, Running, until};

/// How long the shells in front of a gate may take to get there.
const ASSEMBLY: Duration = Duration::from_secs(30);

/// A gate in front of which processes wait, each in a shell that becomes the program when it is let through.
#[derive(Debug)]
pub struct Gate {
    path: PathBuf,
    /// Open for reading too, so that a reader never meets its end.
    fifo: File,
}

impl Gate {
    /// A closed gate in a directory of the test's own.
    pub fn new(directory: &Path) -> Self {
        let path = directory.join("gate");
        mkfifo(&path, Mode::S_IRWXU).expect("a directory has one gate");
        let fifo = File::options().read(true).write(true).open(&path);
        Self {
            path,
            fifo: fifo.expect("just made"),
        }
    }

    /// The pipe.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts all of these and returns when each of them waits at the gate.
    pub async fn gather(&self, commands: impl IntoIterator<Item = Crontabber>) -> Vec<Running> {
        let commands = commands.into_iter();
        self.assemble(commands.map(|command| command.behind(&self.path)))
            .await
    }

    /// The same for programs that stop at the gate by themselves, at a place of their own choice: each says `ready`
    /// there, and takes one byte from the pipe.
    pub async fn assemble(&self, commands: impl IntoIterator<Item = Crontabber>) -> Vec<Running> {
        let all: Vec<_> = commands.into_iter().map(Crontabber::spawn).collect();
        until(ASSEMBLY, "all processes stand at the gate", async || {
            all.iter()
                .all(|running| running.stdout().starts_with("ready"))
        })
        .await;
        all
    }

    /// Lets so many through, over this stretch of time: it is what the test is about, and no waiting for anything.
    pub fn open(&self, count: usize, spread: Duration) {
        let mut fifo = &self.fifo;
        if spread.is_zero() {
            return fifo
                .write_all(&vec![b'\n'; count])
                .expect("a gate holds a page of steps");
        }
        let step = spread / u32::try_from(count).expect("a crowd, no nation");
        for _ in 0..count {
            fifo.write_all(b"\n").expect("a gate holds a page of steps");
            thread::sleep(step);
        }
    }
}
