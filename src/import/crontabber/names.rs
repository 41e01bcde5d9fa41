//! What the ini does not say of its classes: `app_name`, parents, whether each missed date is run.
//!
//! One line a class, in any of these forms; `run_class.py --describe` writes the last:
//!
//! ```text
//! package.module.Class = app-name
//! package.module.Class = app-name, parent, parent
//! "package.module.Class" = { app_name = "app-name", depends_on = ["parent"], backfill = true }
//! ```

use std::collections::BTreeMap;

use thiserror::Error;

use crate::spec::JobName;

/// What is known of classes.
#[derive(Debug, Default)]
pub struct Classes(BTreeMap<String, Class>);

/// What is known of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) app_name: JobName,
    pub(super) depends_on: Vec<String>,
    /// Whether it is called for each date that was missed.
    pub(super) backfill: bool,
}

/// Which line does not say what a class is called.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {message}; write `package.module.Class = app-name`")]
pub struct BadNames {
    /// From 1.
    pub line: usize,
    /// A lower-case fragment.
    pub message: String,
}

impl Classes {
    /// Reads the lines.
    pub fn parse(text: &str) -> Result<Self, BadNames> {
        let mut classes = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let said = line.trim();
            if said.is_empty() || said.starts_with('#') {
                continue;
            }
            let bad = |message: String| BadNames {
                line: number + 1,
                message,
            };
            let (class, about) = said
                .split_once('=')
                .ok_or_else(|| bad("there is no `=`".to_owned()))?;
            let class = class.trim().trim_matches(['"', '\'']);
            classes.insert(class.to_owned(), self::class(about.trim()).map_err(bad)?);
        }
        Ok(Self(classes))
    }

    pub(super) fn get(&self, class: &str) -> Option<&Class> {
        self.0.get(class)
    }

    /// Whether nothing is known at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn class(about: &str) -> Result<Class, String> {
    if about.starts_with(['{', '"', '\'']) {
        return class_of_toml(about);
    }
    let mut names = about.split(',').map(str::trim);
    let app_name = name(names.next().unwrap_or_default())?;
    let depends_on = names.filter(|name| !name.is_empty());
    Ok(Class {
        app_name,
        depends_on: depends_on.map(str::to_owned).collect(),
        backfill: false,
    })
}

fn class_of_toml(about: &str) -> Result<Class, String> {
    let table: toml::Table =
        toml::from_str(&format!("class = {about}")).map_err(|error| error.message().to_owned())?;
    let class = table.get("class");
    let field = |key: &str| class.and_then(|class| class.get(key));
    let called = class.and_then(toml::Value::as_str);
    let called = called.or_else(|| field("app_name")?.as_str());
    let parents = field("depends_on").and_then(toml::Value::as_array);
    let parents = parents
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str);
    Ok(Class {
        app_name: name(called.ok_or("there is no `app_name`")?)?,
        depends_on: parents.map(str::to_owned).collect(),
        backfill: field("backfill").and_then(toml::Value::as_bool) == Some(true),
    })
}

fn name(text: &str) -> Result<JobName, String> {
    text.parse()
        .map_err(|bad| format!("{} cannot be the name of a job: {bad}", super::quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_class_in_one_of_three_forms() {
        let text = "# names\n\na.A = first\na.B = second, first\n\
            \"a.C\" = { app_name = \"third\", depends_on = [\"first\"], backfill = true }\na.D = \"fourth\"\n";
        let classes = Classes::parse(text).unwrap();
        let about = |class: &str| {
            let class = classes.get(class).expect("it is there");
            (
                class.app_name.to_string(),
                class.depends_on.join(" "),
                class.backfill,
            )
        };
        assert_eq!(about("a.A"), ("first".into(), String::new(), false));
        assert_eq!(about("a.B"), ("second".into(), "first".into(), false));
        assert_eq!(about("a.C"), ("third".into(), "first".into(), true));
        assert_eq!(about("a.D"), ("fourth".into(), String::new(), false));
        assert!(classes.get("a.E").is_none());
    }

    #[test]
    fn a_line_that_names_nothing_is_named() {
        for (text, line) in [
            ("a.A", 1),
            ("\na.A = ", 2),
            ("a.A = two words", 1),
            ("a.A = { depends_on = [] }", 1),
            ("a.A = {", 1),
        ] {
            assert_eq!(Classes::parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
