//! What a job is called that had no name.

use std::collections::{HashMap, HashSet};

use crate::spec::JobName;

/// The names that are given away.
#[derive(Debug, Default)]
pub(super) struct Names {
    prefix: String,
    taken: HashSet<JobName>,
    /// How often each name was wanted.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// Names that all start like this.
    pub(super) fn with_prefix(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            ..Self::default()
        }
    }

    /// A name like this one that no other job has: the second `backup` is `backup-2`.
    pub(super) fn give(&mut self, wanted: &str) -> JobName {
        let wanted = format!("{}{}", self.prefix, sanitised(wanted));
        let number = self.wanted.entry(wanted.clone()).or_default();
        loop {
            *number += 1;
            let end = match *number {
                1 => String::new(),
                number => format!("-{number}"),
            };
            let length = wanted.len().min(JobName::MAX - end.len());
            let name = format!("{}{end}", &wanted[..length]);
            let name: JobName = name.parse().expect("it is sanitised");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The text as the name of a job: what a name cannot hold is `-`.
pub(super) fn sanitised(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        let allowed = character.is_ascii_alphanumeric() || matches!(character, '_' | '.');
        match character {
            _ if allowed => name.push(character),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_matches(['-', '.']);
    let name = name[..name.len().min(JobName::MAX)].trim_end_matches('-');
    match name {
        "" => "job".to_owned(),
        name => name.to_owned(),
    }
}

/// `FTPScraperCronApp` as people named such apps: `ftp-scraper`.
pub(super) fn of_class(class: &str) -> String {
    let class = class.rsplit('.').next().unwrap_or(class);
    let stem = ["CronApp", "App"]
        .iter()
        .find_map(|suffix| class.strip_suffix(suffix).filter(|stem| !stem.is_empty()))
        .unwrap_or(class);
    let letters: Vec<char> = stem.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(at + 1);
        let starts_a_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if starts_a_word {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    sanitised(&name.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_a_name_gets_a_number() {
        let mut names = Names::default();
        let given: Vec<_> = ["a", "a-2", "a", "a"]
            .map(|wanted| names.give(wanted).to_string())
            .into();
        assert_eq!(given, ["a", "a-2", "a-3", "a-4"]);
        let long = "x".repeat(300);
        assert_eq!(names.give(&long).as_str().len(), JobName::MAX);
        assert!(names.give(&long).as_str().ends_with("x-2"));
    }

    #[test]
    fn anything_becomes_a_name() {
        for (text, name) in [
            ("back up.sh", "back-up.sh"),
            ("--.", "job"),
            ("", "job"),
            ("größe", "gr-e"),
            ("a@b", "a-b"),
        ] {
            assert_eq!(sanitised(text), name);
            assert!(sanitised(text).parse::<JobName>().is_ok());
        }
    }

    #[test]
    fn a_class_is_named_as_people_named_its_app() {
        for (class, name) in [
            (
                "socorro.cron.jobs.ftpscraper.FTPScraperCronApp",
                "ftp-scraper",
            ),
            ("a.AutomaticEmailsCronApp", "automatic-emails"),
            ("a.FooBarJob", "foo-bar-job"),
            ("a.Bar2Baz", "bar2-baz"),
            ("a.App", "app"),
            ("a.snake_case", "snake-case"),
        ] {
            assert_eq!(of_class(class), name);
        }
    }
}
