//! What a run has counted: the last line that it printed, where that is a JSON object of numbers.
//!
//! A convention that any job may follow: `{"copied": 41, "failed": 0}` on the last line, and whoever looks at its runs sees
//! what they did without reading what they printed.

use serde::Serialize;
use serde_json::{Map, Value};

/// Numbers by their names; a number may be an object of numbers itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Counts(Map<String, Value>);

/// The longest line that is looked at, in characters.
pub const LONGEST: u16 = 500;

impl Counts {
    /// Those at the end of what a run has printed; of which the beginning may be missing.
    #[must_use]
    pub fn at_the_end_of(output: &str) -> Option<Self> {
        let line = last_line(output);
        if !line.starts_with('{') || line.chars().count() > usize::from(LONGEST) {
            return None;
        }
        let counts: Map<String, Value> = serde_json::from_str(line).ok()?;
        let is_count = |value: &Value| match value {
            Value::Object(parts) => parts.values().all(Value::is_number),
            value => value.is_number(),
        };
        (!counts.is_empty() && counts.values().all(is_count)).then_some(Self(counts))
    }

    /// In words, without what is zero: `added 12, ended gone 1, fetched 40`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut words = Vec::new();
        for (name, value) in &self.0 {
            match value {
                Value::Object(parts) => {
                    let parts = parts.iter().filter(|(_, number)| !is_zero(number));
                    words.extend(parts.map(|(part, number)| format!("{name} {part} {number}")));
                }
                number if !is_zero(number) => words.push(format!("{name} {number}")),
                _ => {}
            }
        }
        match words.as_slice() {
            [] => "nothing".to_owned(),
            words => words.join(", "),
        }
    }

    /// As it was printed, but for spaces and the order.
    #[must_use]
    pub fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

/// The last line, without the line's end.
fn last_line(output: &str) -> &str {
    let output = output.trim_end();
    output.rsplit('\n').next().unwrap_or(output).trim()
}

/// What was printed before the last line.
#[must_use]
pub fn before_the_last_line(output: &str) -> &str {
    let output = output.trim_end();
    output.rsplit_once('\n').map_or("", |(before, _)| before)
}

fn is_zero(number: &Value) -> bool {
    number.as_f64() == Some(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_of_numbers_is_what_a_run_has_counted() {
        let output = "feed 7: 404\n{\"fetched\": 40, \"failed\": 0, \"ended\": {\"gone\": 1, \"complete\": 0}, \"share\": 0.5}\n\n";
        let counts = Counts::at_the_end_of(output).unwrap();
        assert_eq!(counts.text(), "ended gone 1, fetched 40, share 0.5");
        assert_eq!(
            counts.json(),
            "{\"ended\":{\"complete\":0,\"gone\":1},\"failed\":0,\"fetched\":40,\"share\":0.5}"
        );
        assert_eq!(before_the_last_line(output), "feed 7: 404");
    }

    #[test]
    fn who_has_counted_only_zeroes_has_done_nothing() {
        let counts = Counts::at_the_end_of("{\"fetched\": 0, \"ended\": {}}").unwrap();
        assert_eq!(counts.text(), "nothing");
    }

    #[test]
    fn other_last_lines_are_no_counts() {
        let long = format!("{{\"a\": {}}}", "1".repeat(usize::from(LONGEST)));
        for output in [
            "",
            "{}",
            "done",
            "{\"level\": \"info\", \"items\": 4}",
            "{\"items\": [1, 2]}",
            "{\"deep\": {\"er\": {\"still\": 1}}}",
            "{\"copied\": 4}\ndone",
            "{\"copied\": 4",
            "4",
            &long,
        ] {
            assert_eq!(Counts::at_the_end_of(output), None, "{output}");
        }
    }
}
