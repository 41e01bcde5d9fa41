//! Who is at the root of a block: a job waits for a parent, which waits for its own, and one of them is to blame.

use std::collections::HashMap;

use crate::plan::{Block, BlockedBy, Plan, Planned, Verdict};

/// The end of a chain of jobs that wait for each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root<'a> {
    /// The block of the last job that waits; its parent is to blame.
    block: &'a Block,
    /// What the plan says of that parent.
    parent: Option<&'a Planned<'a>>,
}

/// The root of every blocked job, by the name of the job.
///
/// One walk over the plan, parents first: a chain of a hundred thousand jobs is legal.
pub(super) fn roots<'a>(plan: &'a Plan<'a>) -> HashMap<&'a str, Root<'a>> {
    let mut met = HashMap::new();
    let mut roots: HashMap<&str, Root<'_>> = HashMap::new();
    for job in &plan.jobs {
        let name = job.name.as_ref();
        met.insert(name, job);
        let blocks = match &job.verdict {
            Verdict::Blocked(blocks) => blocks,
            Verdict::Skip(skip) => &skip.blocks,
            _ => continue,
        };
        let Some(block) = to_blame(blocks) else {
            continue;
        };
        let parent = block.parent.as_str();
        let root = roots.get(parent).copied().unwrap_or(Root {
            block,
            parent: met.get(parent).copied(),
        });
        roots.insert(name, root);
    }
    roots
}

/// The parent to name: one that will not come by itself, before one that is running.
pub(super) fn to_blame(blocks: &[Block]) -> Option<&Block> {
    let stands_still = |block: &&Block| block.why != BlockedBy::Running;
    blocks.iter().find(stands_still).or(blocks.first())
}

impl Root<'_> {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.block.parent.as_str()
    }

    /// `feeds is failing: exit 1`.
    pub(super) fn why(&self) -> String {
        match self.parent {
            // The row's pause says no more than that there is one; the plan knows why.
            Some(parent) if matches!(parent.verdict, Verdict::Held | Verdict::Paused(_)) => {
                format!("{} is {}", self.name(), parent.reason())
            }
            Some(parent) if matches!(parent.verdict, Verdict::NoHost(_)) => {
                format!("{} has {}", self.name(), parent.reason())
            }
            _ => self.block.to_string(),
        }
    }
}
