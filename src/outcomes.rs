//! Outcomes that the database has not taken yet, on disk.
//!
//! A run may end while the database is away, and its process before the database is back. So what is to be recorded is
//! written to a file first, one for each run, and synced; whoever comes next on this host delivers it. It is fenced like
//! every record: delivered twice it changes nothing, and a run that somebody else has taken over meanwhile only learns
//! how it ended all the same.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{record::Record, spec::short_hex};

/// What a kept outcome is called, after its run.
const EXTENSION: &str = "json";

/// Where outcomes are kept.
#[derive(Debug)]
pub struct Outcomes {
    /// `None`: nowhere.
    directory: Option<PathBuf>,
    /// The runs whose records this process is trying itself.
    in_hand: Mutex<HashSet<Uuid>>,
}

impl Outcomes {
    /// Those of this host for this database, in `outcomes` of its state directory. Makes nothing yet.
    ///
    /// `database` tells one from another: a machine may serve several, and none must be told of runs of another.
    #[must_use]
    pub fn below(state_directory: &Path, database: &str) -> Self {
        let of = short_hex(&Sha256::digest(database));
        Self {
            directory: Some(state_directory.join("outcomes").join(of)),
            in_hand: Mutex::default(),
        }
    }

    /// None are kept: what the database does not take is lost with this process.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            directory: None,
            in_hand: Mutex::default(),
        }
    }

    /// Keeps one, durably. Until [`done`](Self::done) it is in this process's own hands.
    pub(crate) fn keep(&self, record: &Record) -> io::Result<()> {
        self.in_hand().insert(record.run_id);
        let Some(directory) = &self.directory else {
            return Ok(());
        };
        // Output may hold what is not for everybody.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let draft = directory.join(format!("{}.new", record.run_id));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&draft, file_of(directory, record.run_id))?;
        File::open(directory)?.sync_all()
    }

    /// The database has it, or nobody wants it any more.
    pub(crate) fn done(&self, run_id: Uuid) {
        if let Some(directory) = &self.directory
            && let Err(error) = fs::remove_file(file_of(directory, run_id))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(%run_id, %error, "cannot delete a delivered outcome; it will be delivered again, which changes nothing");
        }
        self.in_hand().remove(&run_id);
    }

    /// This process does not try it any longer.
    pub(crate) fn let_go(&self, run_id: Uuid) {
        self.in_hand().remove(&run_id);
    }

    /// Whether anything was left behind; without a look inside.
    pub(crate) fn are_left(&self) -> bool {
        let Some(Ok(files)) = self.directory.as_ref().map(fs::read_dir) else {
            return false;
        };
        let in_hand = self.in_hand();
        files
            .filter_map(|file| Some(file.ok()?.path()))
            .any(|path| {
                let run_id = path
                    .file_stem()
                    .and_then(|stem| stem.to_str()?.parse().ok());
                path.extension().is_some_and(|of| of == EXTENSION)
                    && run_id.is_none_or(|run_id| !in_hand.contains(&run_id))
            })
    }

    /// What was left behind, by this process or another. A file that makes no sense is set aside, and said so.
    pub(crate) fn left(&self) -> Vec<Record> {
        let Some(directory) = &self.directory else {
            return Vec::new();
        };
        let files = match fs::read_dir(directory) {
            Ok(files) => files,
            // As a rule there is none.
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(%error, directory = %directory.display(), "cannot look for outcomes that were left behind");
                return Vec::new();
            }
        };
        let paths = files.filter_map(|file| Some(file.ok()?.path()));
        let kept = paths.filter(|path| path.extension().is_some_and(|of| of == EXTENSION));
        let records = kept.filter_map(|path| match read(&path) {
            Ok(record) => Some(record),
            // Somebody else has delivered it.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "an outcome that was left behind cannot be read; it is set aside as .bad");
                // Then it is told again at the next look.
                let _ = fs::rename(&path, path.with_extension("bad"));
                None
            }
        });
        let in_hand = self.in_hand();
        records
            .filter(|record| !in_hand.contains(&record.run_id))
            .collect()
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_of(directory: &Path, run_id: Uuid) -> PathBuf {
    directory.join(format!("{run_id}.{EXTENSION}"))
}

fn read(path: &Path) -> io::Result<Record> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record(number: u128) -> Record {
        Record {
            run_id: Uuid::from_u128(number),
            ..Record::of_a_test()
        }
    }

    #[test]
    fn what_is_kept_is_found_by_the_next_process_and_gone_when_it_is_delivered() {
        let directory = tempfile::tempdir().unwrap();
        let before = Outcomes::below(directory.path(), "db");
        assert!(before.left().is_empty());
        before.keep(&record(1)).unwrap();
        // In this process's hands.
        assert!(before.left().is_empty());
        let next = Outcomes::below(directory.path(), "db");
        assert_eq!(next.left(), [record(1)]);
        next.done(record(1).run_id);
        assert!(next.left().is_empty());
        // And the first one does not mind.
        before.done(record(1).run_id);
    }

    #[test]
    fn what_is_let_go_is_left_for_the_next_look() {
        let directory = tempfile::tempdir().unwrap();
        let outcomes = Outcomes::below(directory.path(), "db");
        outcomes.keep(&record(1)).unwrap();
        outcomes.let_go(record(1).run_id);
        assert_eq!(outcomes.left(), [record(1)]);
    }

    #[test]
    fn half_a_file_is_set_aside_and_keeps_nothing_else_back() {
        let directory = tempfile::tempdir().unwrap();
        let outcomes = Outcomes::below(directory.path(), "db");
        outcomes.keep(&record(2)).unwrap();
        outcomes.let_go(record(2).run_id);
        let kept = outcomes.directory.clone().unwrap();
        fs::write(kept.join("1.json"), "{\"job\":").unwrap();
        // What a crash leaves before the rename is no outcome.
        fs::write(kept.join("3.new"), "{}").unwrap();
        assert_eq!(outcomes.left(), [record(2)]);
        assert!(kept.join("1.bad").exists());
    }

    #[test]
    fn another_database_is_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let outcomes = Outcomes::below(directory.path(), "db");
        outcomes.keep(&record(1)).unwrap();
        assert!(Outcomes::below(directory.path(), "other").left().is_empty());
    }

    #[test]
    fn nobody_else_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let outcomes = Outcomes::below(directory.path(), "db");
        outcomes.keep(&record(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let kept = outcomes.directory.clone().unwrap();
        assert_eq!(mode(&kept), 0o700);
        assert_eq!(mode(&file_of(&kept, record(1).run_id)), 0o600);
    }
}
