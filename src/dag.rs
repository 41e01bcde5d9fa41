//! From a heap of jobs to a graph that is known to be sound.

pub mod render;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
};

use petgraph::{
    algo::{kosaraju_scc, toposort},
    graph::{DiGraph, NodeIndex},
};
use thiserror::Error;

use crate::spec::{JobName, JobSpec, Parent};

/// The jobs and who waits for whom: every parent exists, nobody waits for itself.
///
/// Jobs are numbered layer by layer and by name within a layer, so parents come before their
/// children, and the order depends on nothing but the names and the edges.
#[derive(Debug, Clone)]
pub struct JobGraph {
    jobs: Vec<JobSpec>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    /// By job and parent, of the few edges that say more than that there is one.
    terms: HashMap<(usize, usize), Parent>,
    layers: Vec<Range<usize>>,
    by_name: BTreeMap<JobName, usize>,
}

/// Why jobs do not make a graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DagError {
    /// Two jobs have one name.
    #[error("job `{job}` is defined twice")]
    Duplicate {
        /// The name.
        job: JobName,
    },
    /// An edge that leads nowhere.
    #[error("job `{job}` depends on `{dependency}`, which no file defines")]
    UnknownDependency {
        /// The job.
        job: JobName,
        /// What it names as a parent.
        dependency: JobName,
    },
    /// A job that waits for itself.
    #[error("job `{job}` depends on itself")]
    SelfDependency {
        /// The job.
        job: JobName,
    },
    /// Jobs that wait for each other.
    #[error("jobs depend on each other in a circle: {}", circle_text(.circle))]
    Cycle {
        /// Each depends on the next, the last on the first, which has the smallest name.
        circle: Vec<JobName>,
    },
}

fn circle_text(circle: &[JobName]) -> String {
    let names = circle.iter().chain(circle.first()).map(JobName::as_str);
    names.collect::<Vec<_>>().join(" → ")
}

impl JobGraph {
    /// The graph of these jobs, or everything that is wrong with it, in the order of the names.
    pub fn resolve(jobs: Vec<JobSpec>) -> Result<Self, Vec<DagError>> {
        let levels = levels(jobs.iter().map(|job| {
            let parents = job.depends_on.iter().map(|parent| &parent.job);
            (&job.name, parents)
        }))?;
        let mut jobs: Vec<_> = levels.into_iter().zip(jobs).collect();
        jobs.sort_by(|(level, job), (other_level, other)| {
            (level, &job.name).cmp(&(other_level, &other.name))
        });
        let layers = layers(jobs.iter().map(|(level, _)| *level));
        let jobs: Vec<_> = jobs.into_iter().map(|(_, job)| job).collect();
        Ok(Self::wire(jobs, layers))
    }

    /// Turns names into numbers; every name is known to be there.
    fn wire(jobs: Vec<JobSpec>, layers: Vec<Range<usize>>) -> Self {
        let numbered = jobs.iter().enumerate();
        let by_name: BTreeMap<_, _> = numbered.map(|(i, job)| (job.name.clone(), i)).collect();
        let mut children = vec![Vec::new(); jobs.len()];
        let mut parents = Vec::with_capacity(jobs.len());
        let mut terms = HashMap::new();
        for (child, job) in jobs.iter().enumerate() {
            let said = job.depends_on.iter().filter(|parent| !parent.is_usual());
            terms.extend(said.map(|parent| ((child, by_name[&parent.job]), parent.clone())));
            let named = job.depends_on.iter().map(|parent| &parent.job);
            let mut of_job: Vec<usize> = named.map(|parent| by_name[parent]).collect();
            of_job.sort_unstable();
            of_job.dedup();
            for &parent in &of_job {
                children[parent].push(child);
            }
            parents.push(of_job);
        }
        Self {
            jobs,
            parents,
            children,
            terms,
            layers,
            by_name,
        }
    }

    /// All jobs, parents before their children.
    #[must_use]
    pub fn jobs(&self) -> &[JobSpec] {
        &self.jobs
    }

    /// The numbers of the jobs of each layer: jobs without parents first, then those whose parents
    /// are all in earlier layers.
    #[must_use]
    pub fn layers(&self) -> &[Range<usize>] {
        &self.layers
    }

    /// The job of this name.
    #[must_use]
    pub fn get(&self, name: &JobName) -> Option<&JobSpec> {
        self.number(name).map(|number| &self.jobs[number])
    }

    /// Whether a job that runs once waits for one that runs on each host: for which of them, only the hosts tell.
    #[must_use]
    pub fn waits_for_hosts(&self) -> bool {
        let is_on_each = |&number: &usize| self.jobs[number].is_on_each();
        let jobs = self.jobs.iter().zip(&self.parents);
        jobs.into_iter()
            .any(|(job, parents)| !job.is_on_each() && parents.iter().any(is_on_each))
    }

    /// The number of the job of this name.
    #[must_use]
    pub fn number(&self, name: &JobName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The names of all jobs in their order, each with its number.
    pub fn by_name(&self) -> impl Iterator<Item = (&JobName, usize)> {
        self.by_name.iter().map(|(name, number)| (name, *number))
    }

    /// The numbers of the jobs that this one waits for, in order.
    #[must_use]
    pub fn parents(&self, number: usize) -> &[usize] {
        &self.parents[number]
    }

    /// What a job says of a parent beyond its name; `None`: nothing.
    #[must_use]
    pub fn terms(&self, number: usize, parent: usize) -> Option<&Parent> {
        self.terms.get(&(number, parent))
    }

    /// The numbers of the jobs that wait for this one, in order.
    #[must_use]
    pub fn children(&self, number: usize) -> &[usize] {
        &self.children[number]
    }
}

/// For each job the length of the longest chain of parents above it, or all that is wrong.
///
/// Takes names alone, so that a heap in which single jobs are broken can be checked as well.
pub fn levels<'a, Parents>(
    jobs: impl Iterator<Item = (&'a JobName, Parents)>,
) -> Result<Vec<usize>, Vec<DagError>>
where
    Parents: Iterator<Item = &'a JobName>,
{
    let (names, wanted): (Vec<_>, Vec<_>) = jobs.unzip();
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by_key(|&number| names[number]);
    let mut errors: Vec<_> = sorted
        .windows(2)
        .filter(|pair| names[pair[0]] == names[pair[1]])
        .map(|pair| DagError::Duplicate {
            job: names[pair[0]].clone(),
        })
        .collect();
    let by_name: HashMap<_, _> = sorted
        .iter()
        .map(|&number| (names[number], number))
        .collect();
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (number, wanted) in wanted.into_iter().enumerate() {
        let job = names[number];
        for dependency in wanted {
            match by_name.get(dependency) {
                Some(&parent) if parent != number => parents[number].push(parent),
                Some(_) => errors.push(DagError::SelfDependency { job: job.clone() }),
                None => errors.push(DagError::UnknownDependency {
                    job: job.clone(),
                    dependency: dependency.clone(),
                }),
            }
        }
    }
    match longest_chains(&parents) {
        Ok(levels) if errors.is_empty() => return Ok(levels),
        Ok(_) => {}
        Err(graph) => errors.extend(circles(&graph, &names, &parents)),
    }
    errors.sort_by(|error, other| first_name(error).cmp(first_name(other)));
    Err(errors)
}

fn first_name(error: &DagError) -> &JobName {
    match error {
        DagError::Duplicate { job }
        | DagError::UnknownDependency { job, .. }
        | DagError::SelfDependency { job } => job,
        DagError::Cycle { circle } => &circle[0],
    }
}

/// The level of each node, or the graph itself when it has circles.
fn longest_chains(parents: &[Vec<usize>]) -> Result<Vec<usize>, DiGraph<(), (), usize>> {
    let mut graph = DiGraph::<(), (), usize>::default();
    for _ in parents {
        graph.add_node(());
    }
    for (child, parents) in parents.iter().enumerate() {
        for &parent in parents {
            graph.add_edge(NodeIndex::new(parent), NodeIndex::new(child), ());
        }
    }
    let Ok(order) = toposort(&graph, None) else {
        return Err(graph);
    };
    let mut levels = vec![0; parents.len()];
    for node in order {
        let above = parents[node.index()]
            .iter()
            .map(|&parent| levels[parent] + 1);
        levels[node.index()] = above.max().unwrap_or(0);
    }
    Ok(levels)
}

/// One circle of each knot of jobs: a shortest one through the smallest name.
///
/// Kosaraju and not Tarjan: petgraph's Tarjan recurses, and a chain of 10,000 jobs overflows the
/// stack of a thread.
fn circles(
    graph: &DiGraph<(), (), usize>,
    names: &[&JobName],
    parents: &[Vec<usize>],
) -> Vec<DagError> {
    let knots = kosaraju_scc(graph);
    let knots = knots.into_iter().filter(|knot| knot.len() > 1);
    knots
        .map(|knot| {
            let mut knot: Vec<usize> = knot.into_iter().map(NodeIndex::index).collect();
            knot.sort_by_key(|&number| names[number]);
            let circle = shortest_circle(&knot, names, parents);
            DagError::Cycle {
                circle: circle
                    .into_iter()
                    .map(|number| names[number].clone())
                    .collect(),
            }
        })
        .collect()
}

/// The first node of the knot, what it waits for, and so on back to it. Parents are tried by name.
fn shortest_circle(knot: &[usize], names: &[&JobName], parents: &[Vec<usize>]) -> Vec<usize> {
    let start = knot[0];
    // Which node led to this one; none for those outside of the knot, who are never asked.
    let mut came_from: HashMap<usize, Option<usize>> = knot.iter().map(|&n| (n, None)).collect();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut above = parents[node].clone();
        above.sort_by_key(|&parent| names[parent]);
        if above.contains(&start) {
            return trail(node, start, &came_from);
        }
        for parent in above {
            if let Some(origin @ None) = came_from.get_mut(&parent) {
                *origin = Some(node);
                queue.push_back(parent);
            }
        }
    }
    // A knot is strongly connected, so the search has met its start; all of it is a circle too.
    knot.to_vec()
}

fn trail(end: usize, start: usize, came_from: &HashMap<usize, Option<usize>>) -> Vec<usize> {
    let mut trail = vec![end];
    let mut node = end;
    while node != start
        && let Some(&Some(origin)) = came_from.get(&node)
    {
        trail.push(origin);
        node = origin;
    }
    trail.reverse();
    trail
}

/// Ranges of equal levels in a sorted sequence that leaves none out.
fn layers(levels: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut layers: Vec<Range<usize>> = Vec::new();
    for (number, level) in levels.enumerate() {
        if layers.len() <= level {
            layers.push(number..number);
        }
        layers[level].end = number + 1;
    }
    layers
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// `"a < b"`: a depends on b. `"a"`: just a job.
    fn jobs(text: &str) -> Vec<JobSpec> {
        let mut jobs: Vec<JobSpec> = Vec::new();
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, parent) = match part.split_once(" < ") {
                Some((name, parent)) => (name, Some(parent)),
                None => (part, None),
            };
            let place = jobs.iter().position(|job| job.name.as_str() == name);
            let place = place.unwrap_or_else(|| {
                jobs.push(render::tests::job(name));
                jobs.len() - 1
            });
            jobs[place].depends_on.extend(
                parent.map(|parent| Parent::named(parent.parse().expect("tests use good names"))),
            );
        }
        jobs
    }

    fn order(graph: &JobGraph) -> Vec<&str> {
        graph.jobs().iter().map(|job| job.name.as_str()).collect()
    }

    fn refuses(text: &str, expected: &[&str]) {
        let mut jobs = jobs(text);
        for _ in 0..2 {
            let errors = JobGraph::resolve(jobs.clone()).expect_err("it is wrong");
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(errors, expected);
            jobs.reverse(); // the order of the files must not matter
        }
    }

    #[test]
    fn parents_come_before_children_and_names_decide_the_rest() {
        let mut heap = jobs("d < b; d < c; c < a; b < a; e; a");
        let graph = JobGraph::resolve(heap.clone()).unwrap();
        assert_eq!(order(&graph), ["a", "e", "b", "c", "d"]);
        assert_eq!(graph.layers(), [0..2, 2..4, 4..5]);
        assert_eq!(graph.parents(4), [2, 3]);
        assert_eq!(graph.children(0), [2, 3]);
        assert_eq!(graph.number(&"c".parse().unwrap()), Some(3));
        assert!(graph.get(&"f".parse().unwrap()).is_none());
        heap.rotate_left(2);
        assert_eq!(order(&JobGraph::resolve(heap).unwrap()), order(&graph));
    }

    #[test]
    fn no_jobs_make_an_empty_graph() {
        assert!(JobGraph::resolve(Vec::new()).unwrap().layers().is_empty());
    }

    #[test]
    fn a_circle_is_named_whole_from_its_smallest_name() {
        let circle = "jobs depend on each other in a circle: ";
        refuses(
            "c < a; a < b; b < c; d < a",
            &[&format!("{circle}a → b → c → a")],
        );
        refuses(
            "a < b; b < a; c < d; d < c; b < c",
            &[&format!("{circle}a → b → a"), &format!("{circle}c → d → c")],
        );
        // Two circles in one knot: the shorter one through the smallest name.
        refuses(
            "a < b; b < c; c < a; a < d; d < a",
            &[&format!("{circle}a → d → a")],
        );
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        refuses(
            "a < a; b < x; c < d; d < c",
            &[
                "job `a` depends on itself",
                "job `b` depends on `x`, which no file defines",
                "jobs depend on each other in a circle: c → d → c",
            ],
        );
        let mut twice = jobs("a");
        twice.extend(jobs("a"));
        let errors = JobGraph::resolve(twice).unwrap_err();
        assert_eq!(
            errors,
            [DagError::Duplicate {
                job: "a".parse().unwrap()
            }]
        );
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_fits_a_small_stack() {
        const LENGTH: usize = 100_000;
        let chain = |closed: bool| {
            let names: Vec<JobName> = (0..LENGTH)
                .map(|i| format!("j{i}").parse().unwrap())
                .collect();
            let parent = move |i: usize| match i {
                0 => closed.then_some(LENGTH - 1),
                i => Some(i - 1),
            };
            let result =
                levels((0..LENGTH).map(|i| (&names[i], parent(i).map(|p| &names[p]).into_iter())));
            result.map(|levels| levels[LENGTH - 1])
        };
        let small = thread::Builder::new().stack_size(2 << 20);
        let (open, closed) = small
            .spawn(move || (chain(false), chain(true)))
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(open, Ok(LENGTH - 1));
        let circle = &closed.unwrap_err()[0];
        assert!(matches!(circle, DagError::Cycle { circle } if circle.len() == LENGTH));
    }
}
