//! The roles of docs/operations.md, read out of it.

use std::fs;

use super::common::Database;

/// One right, as a line of the document grants it, alone or with others.
#[derive(Debug, Clone)]
pub(crate) struct Right {
    /// A privilege; or a role, if it is on nothing.
    privilege: String,
    object: Option<String>,
}

/// A role and all its rights.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) rights: Vec<Right>,
}

impl Role {
    /// The role of this name: of the block of SQL that begins with `-- role: NAME`.
    pub(crate) fn documented(name: &str) -> Self {
        let text = fs::read_to_string("docs/operations.md").expect("it is there");
        let block = text
            .split_once(&format!("```sql\n-- role: {name}\n"))
            .unwrap_or_else(|| panic!("the document has no role {name}"))
            .1;
        let grants = block.lines().take_while(|line| *line != "```");
        let rights = grants.flat_map(|line| {
            let grant = line.strip_prefix("GRANT ").expect("a grant a line");
            let grant = grant.strip_suffix(&format!(" TO {name};"));
            let grant = grant.unwrap_or_else(|| panic!("to somebody else: {line}"));
            let (privileges, object) = match grant.split_once(" ON ") {
                Some((privileges, object)) => (privileges, Some(object.to_owned())),
                None => (grant, None),
            };
            let right = move |privilege: &str| Right {
                privilege: privilege.to_owned(),
                object: object.clone(),
            };
            privileges.split(", ").map(right).collect::<Vec<_>>()
        });
        let rights: Vec<Right> = rights.collect();
        assert!(!rights.is_empty(), "{name} may do nothing");
        Self {
            name: name.to_owned(),
            rights,
        }
    }

    /// The rights that a copy of a database has, because they are on things in it.
    pub(crate) fn inside(&self) -> impl Iterator<Item = &Right> {
        self.rights.iter().filter(|right| right.is_inside())
    }

    /// The rights that it has not.
    pub(crate) fn outside(&self) -> impl Iterator<Item = &Right> {
        self.rights.iter().filter(|right| !right.is_inside())
    }
}

impl Right {
    pub(crate) fn grant(&self, role: &Role) -> String {
        format!("GRANT {} TO {}", self.what(), role.name)
    }

    pub(crate) fn revoke(&self, role: &Role) -> String {
        format!("REVOKE {} FROM {}", self.what(), role.name)
    }

    /// What an error about its absence names.
    pub(crate) fn object(&self) -> &str {
        let object = self.object.as_ref().unwrap_or(&self.privilege);
        object.split_whitespace().last().expect("it is not empty")
    }

    /// The same in a database of another name.
    pub(crate) fn there(&self, database: &Database) -> Self {
        let object = self.object.as_ref().map(|object| {
            if object.starts_with("DATABASE ") {
                format!("DATABASE {}", database.name())
            } else {
                object.clone()
            }
        });
        Self {
            object,
            ..self.clone()
        }
    }

    fn is_inside(&self) -> bool {
        let object = self.object.as_ref();
        object.is_some_and(|object| !object.starts_with("DATABASE "))
    }

    fn what(&self) -> String {
        match &self.object {
            Some(object) => format!("{} ON {object}", self.privilege),
            None => self.privilege.clone(),
        }
    }
}
