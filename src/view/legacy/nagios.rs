//! The line that crontabber gives Nagios.

use crate::{plan::Planned, spec::CatchUp};

use super::{super::text::harmless, Memory, what_in_a_word};

/// What Nagios is told, in its own words; the codes of a plugin are 0 to 3 in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No job has failed.
    Ok,
    /// Only jobs that catch up on every slot have failed, once each.
    Warning,
    /// A job has failed.
    Critical,
    /// Nobody can say.
    Unknown,
}

/// How long one error may be, and all of them; Nagios cuts a line at a few thousand bytes.
const ERROR: usize = 200;
const LINE: usize = 3_000;

/// The status and one line, by crontabber's rule: errors in a row, and nothing else. Jobs that catch up on every slot
/// stand for its backfill jobs: their first error is a warning. `crontabber check` sees more.
///
/// crontabber puts a `|` between name, type and value, and Nagios takes what follows the first for figures, so that
/// nobody ever saw an error there. Here it is a `/`, also inside the texts.
#[must_use]
pub fn nagios(jobs: &[&Planned<'_>], memory: &Memory) -> (Status, String) {
    let (mut warnings, mut criticals) = (Vec::new(), Vec::new());
    for job in jobs {
        let count = job.row.map_or(0, |row| row.error_count);
        if count == 0 {
            continue;
        }
        let name = job.name.as_ref();
        let (kind, value) = memory.of(name).map_or(("", ""), |error| {
            (error.kind.as_str(), error.value.as_str())
        });
        let said = format!(
            "{name} ({}) / {} / {}",
            what_in_a_word(job.spec),
            clipped(kind),
            clipped(value)
        );
        if count == 1 && job.spec.catch_up == CatchUp::All {
            warnings.push(said);
        } else {
            criticals.push(said);
        }
    }
    if !criticals.is_empty() {
        (Status::Critical, line("CRITICAL", &criticals))
    } else if !warnings.is_empty() {
        (Status::Warning, line("WARNING", &warnings))
    } else {
        (Status::Ok, "OK - All systems nominal\n".to_owned())
    }
}

/// The line where nothing could be looked at, and why: crontabber dies with a traceback and 1 there, which Nagios takes for a
/// warning without a text.
#[must_use]
pub fn broken(status: Status, why: &str) -> String {
    let word = match status {
        Status::Critical => "CRITICAL",
        _ => "UNKNOWN",
    };
    line(word, &[clipped(why)])
}

fn line(word: &str, said: &[String]) -> String {
    let mut text = String::new();
    for (number, one) in said.iter().enumerate() {
        if text.len() + one.len() > LINE {
            let more = said.len() - number;
            return format!("{word} - {text}; and {more} more\n");
        }
        if number > 0 {
            text.push_str("; ");
        }
        text.push_str(&one.replace('|', "/"));
    }
    format!("{word} - {text}\n")
}

/// One line of at most [`ERROR`] characters.
fn clipped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(ERROR).collect();
    let text = words.join(" ");
    let text = harmless(&text);
    match text.char_indices().nth(ERROR) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}
