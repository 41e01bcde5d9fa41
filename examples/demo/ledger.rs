//! What the jobs noted themselves: a second witness, that has never heard of a claim.

use std::collections::{HashMap, HashSet};

/// What is to be read in the ledger, held against the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ledger {
    /// Runs that began.
    pub(crate) starts: usize,
    /// Attempts at a slot that began a second time.
    pub(crate) twice: usize,
    /// Runs that began while another run of their job had neither ended nor been lost.
    pub(crate) overlaps: usize,
    /// Runs that the log does not know.
    pub(crate) strangers: usize,
}

impl Ledger {
    /// Reads notes in the order in which they were written. `outcomes` are those of the log, by run id.
    pub(crate) fn read(notes: &str, outcomes: &HashMap<String, String>) -> Self {
        let mut ledger = Self::default();
        let mut begun = HashSet::new();
        let mut open: HashMap<&str, &str> = HashMap::new();
        for note in notes.lines().filter_map(Note::read) {
            match note.what {
                "start" => {
                    ledger.starts += 1;
                    let is_new = begun.insert((note.job, note.slot, note.attempt));
                    ledger.twice += usize::from(!is_new);
                    ledger.strangers += usize::from(!outcomes.contains_key(note.run_id));
                    let before = open.insert(note.job, note.run_id);
                    // A run that was killed notes no end. That its processes were gone was seen when it was killed.
                    let is_lost = |run_id| {
                        outcomes
                            .get(run_id)
                            .is_some_and(|outcome| outcome == "lost")
                    };
                    ledger.overlaps += usize::from(before.is_some_and(|run_id| !is_lost(run_id)));
                }
                _ if open.get(note.job) == Some(&note.run_id) => {
                    open.remove(note.job);
                }
                // The end of a run that another one had overlapped, and that was counted then.
                _ => {}
            }
        }
        ledger
    }
}

/// One line, as `begin.sh` writes it.
struct Note<'a> {
    what: &'a str,
    job: &'a str,
    slot: &'a str,
    attempt: &'a str,
    run_id: &'a str,
}

impl<'a> Note<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            what: words.next()?,
            job: words.next()?,
            slot: words.next()?,
            attempt: words.next()?,
            run_id: words.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(notes: &str, outcomes: &[(&str, &str)]) -> Ledger {
        let outcomes = outcomes
            .iter()
            .map(|&(run_id, outcome)| (run_id.into(), outcome.into()))
            .collect();
        Ledger::read(notes, &outcomes)
    }

    #[test]
    fn runs_that_follow_each_other_are_all_there_is() {
        let notes =
            "start a s 1 r1 alpha\nstart b s 1 r2 beta\nend a s 1 r1 alpha\nstart a t 1 r3 beta\n";
        let outcomes = [("r1", "success"), ("r2", "success"), ("r3", "success")];
        assert_eq!(
            read(notes, &outcomes),
            Ledger {
                starts: 3,
                ..Ledger::default()
            }
        );
    }

    #[test]
    fn a_run_that_begins_before_the_other_has_ended_is_an_overlap() {
        let notes = "start a s 1 r1 alpha\nstart a t 1 r2 beta\n";
        let outcomes = [("r1", "success"), ("r2", "success")];
        assert_eq!(
            read(notes, &outcomes),
            Ledger {
                starts: 2,
                overlaps: 1,
                ..Ledger::default()
            }
        );
    }

    #[test]
    fn a_run_that_follows_a_lost_one_is_none() {
        let notes = "start a s 1 r1 alpha\nstart a s 2 r2 beta\n";
        assert_eq!(
            read(notes, &[("r1", "lost"), ("r2", "success")]),
            Ledger {
                starts: 2,
                ..Ledger::default()
            }
        );
    }

    #[test]
    fn an_attempt_that_begins_twice_is_counted_and_so_is_a_run_of_nobody() {
        let notes = "start a s 1 r1 alpha\nend a s 1 r1 alpha\nstart a s 1 r2 beta\n";
        let expected = Ledger {
            starts: 2,
            twice: 1,
            strangers: 1,
            ..Ledger::default()
        };
        assert_eq!(read(notes, &[("r1", "success")]), expected);
    }
}
