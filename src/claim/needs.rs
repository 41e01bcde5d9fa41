//! What parents must have done, as statements ask for it.

use jiff::Timestamp;

use crate::plan::Need;

/// Needs as a statement takes them.
pub(crate) struct Needs<'a> {
    pub(crate) parents: Vec<&'a str>,
    pub(crate) slots: Vec<Timestamp>,
    /// Of each whether it is enough that a run has ended.
    pub(crate) finishes: Vec<bool>,
}

impl<'a> Needs<'a> {
    pub(crate) fn of(needs: impl Iterator<Item = &'a Need> + Clone) -> Self {
        Self {
            parents: needs.clone().map(|need| need.parent.as_str()).collect(),
            slots: needs.clone().map(|need| need.slot).collect(),
            finishes: needs.map(Need::is_finish).collect(),
        }
    }
}
