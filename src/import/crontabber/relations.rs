//! What the jobs of an ini are to each other: classes that are listed twice, names, parents.

use std::collections::{BTreeMap, BTreeSet};

use crate::{dag, spec::JobName};

use super::{
    super::{
        Weight,
        naming::{self, Names},
        quoted,
    },
    Named, Reader,
};

impl<'a> Reader<'a> {
    /// Python keeps the options of a class under its last name: two classes of one name share them.
    pub(super) fn same_class_name(&mut self, named: &[Named<'_>]) {
        let mut modules = BTreeMap::<&str, &str>::new();
        for Named { class, element, .. } in named {
            let name = class.rsplit('.').next().unwrap_or_default();
            if let Some(other) = modules.insert(name, class).filter(|other| other != class) {
                let message = format!(
                    "`{other}` and `{class}` share [[class-{name}]]: Python runs both as often as the later one"
                );
                let at = self.positions.at(element.at);
                self.import
                    .remark(Some(at), Weight::Note, message)
                    .help("here each keeps its own frequency");
            }
        }
    }

    /// Of a class that is listed twice the last counts, as in Python.
    pub(super) fn without_repeated(&mut self, named: Vec<Named<'a>>) -> Vec<Named<'a>> {
        let mut seen = BTreeSet::new();
        let mut kept: Vec<_> = named
            .into_iter()
            .rev()
            .filter(|job| {
                let is_first = seen.insert(job.class);
                if !is_first {
                    let at = self.positions.at(job.element.at);
                    let message = format!("`{}` is listed again below, and that counts", job.class);
                    self.import.remark(Some(at), Weight::Note, message);
                }
                is_first
            })
            .collect();
        kept.reverse();
        kept
    }

    /// The name of each, and whether it is a guess.
    pub(super) fn names(&mut self, named: &[Named<'a>]) -> Vec<(JobName, bool)> {
        let mut names = Names::with_prefix("");
        let known: Vec<_> = named
            .iter()
            .map(|job| Some(&self.source.classes.get(job.class)?.app_name))
            .collect();
        // Those that are known first: a guess must not take a name away.
        let mut given = BTreeMap::new();
        for (number, name) in known.iter().enumerate() {
            let Some(name) = name else { continue };
            let unique = names.give(name.as_str());
            if unique != **name {
                let at = self.positions.at(named[number].element.at);
                let message = format!("two classes are called `{name}`: one row is for one job");
                self.import.remark(Some(at), Weight::NotTaken, message);
            }
            given.insert(number, (unique, false));
        }
        for (number, job) in named.iter().enumerate() {
            given.entry(number).or_insert_with(|| {
                let guess = format!("{}{}", self.source.prefix, naming::of_class(job.class));
                (names.give(&guess), true)
            });
        }
        given.into_values().collect()
    }

    /// The parents of each that are here and do not wait for it.
    pub(super) fn parents(
        &mut self,
        named: &[Named<'a>],
        names: &[(JobName, bool)],
    ) -> Vec<Vec<String>> {
        let mut parents = Vec::new();
        for (number, job) in named.iter().enumerate() {
            let wanted = self.source.classes.get(job.class);
            let mut kept = Vec::<String>::new();
            for parent in wanted.iter().flat_map(|class| &class.depends_on) {
                let place = names.iter().position(|(name, _)| name.as_str() == parent);
                let why = match place {
                    Some(place) if place == number => "itself, which never succeeds first",
                    Some(place) if named[place].when.is_ok() => {
                        if !kept.contains(parent) {
                            kept.push(parent.clone());
                        }
                        continue;
                    }
                    Some(_) => "a job that is not taken over",
                    None => "a job that is not in this file",
                };
                let at = self.positions.at(job.element.at);
                let message = format!("`{}` waits for {}: {why}", names[number].0, quoted(parent));
                self.import.remark(Some(at), Weight::NotTaken, message);
            }
            parents.push(kept);
        }
        self.without_circles(named, names, parents)
    }

    /// Jobs that wait for each other never run, in Python as here: none of those edges is taken over.
    fn without_circles(
        &mut self,
        named: &[Named<'a>],
        names: &[(JobName, bool)],
        mut parents: Vec<Vec<String>>,
    ) -> Vec<Vec<String>> {
        loop {
            let edges: Vec<(&JobName, Vec<JobName>)> = names
                .iter()
                .zip(&parents)
                .map(|((name, _), parents)| {
                    let parents = parents.iter().filter_map(|parent| parent.parse().ok());
                    (name, parents.collect())
                })
                .collect();
            let checked = dag::levels(edges.iter().map(|(name, parents)| (*name, parents.iter())));
            let circles = checked
                .err()
                .into_iter()
                .flatten()
                .filter_map(|error| match error {
                    dag::DagError::Cycle { circle } => Some(circle),
                    _ => None,
                });
            let circles: Vec<_> = circles.collect();
            if circles.is_empty() {
                return parents;
            }
            for circle in circles {
                let members: Vec<_> = circle.iter().map(JobName::as_str).collect();
                let in_circle = |number: &usize| members.contains(&names[*number].0.as_str());
                let numbers: Vec<_> = (0..names.len()).filter(in_circle).collect();
                let at = numbers
                    .first()
                    .map(|number| self.positions.at(named[*number].element.at));
                let message = format!(
                    "jobs wait for each other in a circle: {}",
                    members.join(", ")
                );
                self.import.remark(at, Weight::NotTaken, message).help(
                    "none of these edges is taken over; write `depends_on` where it is meant",
                );
                for number in numbers {
                    parents[number].retain(|parent| !members.contains(&parent.as_str()));
                }
            }
        }
    }
}
