//! Databases that are not the referee's: those of `[database.NAME]`, reached when a job wants one.

use std::{fmt, sync::Arc};

use super::Database;

/// How a named database is reached; the text of an error says why it cannot be.
type Reach = dyn Fn(&str) -> Result<Database, String> + Send + Sync;

/// The way to databases by name. Nothing is read or opened before a job wants one: a pass with nothing due must not
/// fail for a secret that it does not need.
#[derive(Clone)]
pub struct Elsewhere(Arc<Reach>);

impl Elsewhere {
    /// Databases that are reached like this.
    pub fn new(reach: impl Fn(&str) -> Result<Database, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reach))
    }

    /// The database of this name.
    pub fn database(&self, name: &str) -> Result<Database, String> {
        (self.0)(name)
    }
}

impl Default for Elsewhere {
    /// No other database than the referee.
    fn default() -> Self {
        Self::new(|name| Err(format!("no database is named `{name}`")))
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elsewhere")
    }
}
