//! What one line of a crontab says, as crontab(5) has it.

use std::ops::Range;

use super::Form;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    /// Behind the `#`.
    Comment(&'a str),
    /// `NAME = value`, quotes taken off.
    Variable {
        name: &'a str,
        value: &'a str,
    },
    Entry(Entry<'a>),
}

/// A schedule and what it runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Five fields, or a nickname; or what there is of them.
    pub(super) schedule: &'a str,
    /// Where in the line it stands.
    pub(super) at: usize,
    /// The sixth column of a system crontab.
    pub(super) user: Option<&'a str>,
    /// As it stands; empty: there is none.
    pub(super) command: &'a str,
}

/// cron knows no other blanks.
const BLANK: [char; 2] = [' ', '\t'];

pub(super) fn read(line: &str, form: Form) -> Line<'_> {
    let said = line.trim_matches(BLANK);
    if said.is_empty() {
        return Line::Blank;
    }
    if let Some(comment) = said.strip_prefix('#') {
        return Line::Comment(comment);
    }
    match variable(said) {
        Some((name, value)) => Line::Variable { name, value },
        None => Line::Entry(entry(line, form)),
    }
}

/// cron looks for a variable first: a name, blanks, `=`.
fn variable(said: &str) -> Option<(&str, &str)> {
    let (name, rest) = match said.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split_once(said.chars().next()?)?,
        None => said.split_at(said.find(|c| c == '=' || BLANK.contains(&c))?),
    };
    let value = rest.trim_start_matches(BLANK).strip_prefix('=')?;
    if name.is_empty() {
        return None;
    }
    Some((name, unquoted(value.trim_matches(BLANK))))
}

/// Without the quotes that keep its blanks, where they match.
fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value)
}

fn entry(line: &str, form: Form) -> Entry<'_> {
    let mut at = line.len() - line.trim_start_matches(BLANK).len();
    // "-" keeps a line of root's out of cron's own log.
    if line[at..].starts_with('-') {
        at += 1;
    }
    let rest = &line[at..];
    let fields = if rest.starts_with('@') { 1 } else { 5 };
    let schedule = words(rest).take(fields).last().unwrap_or(0..0);
    let (schedule, mut command) = rest.split_at(schedule.end);
    let mut user = None;
    if form == Form::System
        && let Some(word) = words(command).next()
    {
        user = Some(&command[word.clone()]);
        command = &command[word.end..];
    }
    Entry {
        schedule,
        at,
        user,
        command: command.trim_matches(BLANK),
    }
}

/// Where the words of a text are.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].find(|c| !BLANK.contains(&c))?;
        let length = text[start..].find(BLANK);
        from = length.map_or(text.len(), |length| start + length);
        Some(start..from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'_> {
        read(text, Form::User)
    }

    #[test]
    fn quotes_around_a_value_keep_its_blanks() {
        let variable = |name, value| Line::Variable { name, value };
        assert_eq!(line("A=b c "), variable("A", "b c"));
        assert_eq!(line("  A = \" b \""), variable("A", " b "));
        assert_eq!(line("'A' = 'b\"'"), variable("A", "b\""));
        assert_eq!(line("A=\"b"), variable("A", "\"b"));
        assert_eq!(line("MAILTO="), variable("MAILTO", ""));
        assert!(matches!(line("* * * * * A=b c"), Line::Entry(_)));
        assert!(matches!(line("@daily A=b c"), Line::Entry(_)));
    }

    #[test]
    fn a_system_crontab_has_a_user_before_the_command() {
        let text = "\t17 *\t* * *  root    cd / && x ";
        let Line::Entry(entry) = read(text, Form::System) else {
            panic!("a schedule and a command");
        };
        assert_eq!((entry.schedule, entry.at), ("17 *\t* * *", 1));
        assert_eq!((entry.user, entry.command), (Some("root"), "cd / && x"));
    }

    #[test]
    fn a_short_line_is_an_entry_that_says_too_little() {
        for (text, schedule) in [("1 2 3", "1 2 3"), ("@daily", "@daily"), ("-", "")] {
            let Line::Entry(entry) = line(text) else {
                panic!("{text}");
            };
            assert_eq!((entry.schedule, entry.command), (schedule, ""));
        }
    }
}
