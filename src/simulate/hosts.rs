//! The hosts of a scenario: which are up, and who has room.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::place::Place;

/// A host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name and its tags.
    pub place: Place,
    /// How many runs it has at once.
    pub max_parallel: usize,
    /// When it is down.
    pub down: Vec<Down>,
}

/// A stretch of time in which a host is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Down {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant at which it is up again.
    pub to: Timestamp,
}

/// All of them at work.
#[derive(Debug)]
pub(super) struct Hosts {
    all: Vec<(Host, usize)>,
    places: Vec<Place>,
    /// The jobs that are due, and that nobody has room for or is there for.
    waiting: BTreeSet<usize>,
    /// Who is asked first: another one each time.
    turn: usize,
}

impl Hosts {
    pub(super) fn new(hosts: &[Host]) -> Self {
        Self {
            places: hosts.iter().map(|host| host.place.clone()).collect(),
            all: hosts.iter().map(|host| (host.clone(), 0)).collect(),
            waiting: BTreeSet::new(),
            turn: 0,
        }
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn place(&self, host: usize) -> &Place {
        &self.places[host]
    }

    pub(super) fn is_up(&self, host: usize, now: Timestamp) -> bool {
        let down = |down: &Down| down.from <= now && now < down.to;
        !self.all[host].0.down.iter().any(down)
    }

    /// Those that are up, in the order in which they are asked.
    pub(super) fn up(&mut self, now: Timestamp) -> Vec<usize> {
        self.turn += 1;
        let count = self.all.len();
        let order = (0..count).map(|nth| (nth + self.turn) % count);
        order.filter(|host| self.is_up(*host, now)).collect()
    }

    /// What is kept running takes no room.
    pub(super) fn has_room(&self, host: usize, is_kept: bool) -> bool {
        let (host, taken) = &self.all[host];
        is_kept || *taken < host.max_parallel
    }

    pub(super) fn enter(&mut self, host: usize, is_kept: bool) {
        self.all[host].1 += usize::from(!is_kept);
    }

    /// How many runs there are, those that are kept running aside.
    pub(super) fn taken(&self) -> usize {
        self.all.iter().map(|(_, taken)| taken).sum()
    }

    pub(super) fn leave(&mut self, host: usize, is_kept: bool) {
        self.all[host].1 -= usize::from(!is_kept);
    }

    pub(super) fn wait(&mut self, jobs: Vec<usize>) {
        self.waiting.extend(jobs);
    }

    /// All of those that wait, in the order of the graph.
    pub(super) fn take_waiting(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.waiting).into_iter().collect()
    }

    /// For how many more runs there is room.
    pub(super) fn room(&self, now: Timestamp) -> usize {
        let up = (0..self.all.len()).filter(|host| self.is_up(*host, now));
        up.map(|host| {
            let (host, taken) = &self.all[host];
            host.max_parallel.saturating_sub(*taken)
        })
        .sum()
    }
}
