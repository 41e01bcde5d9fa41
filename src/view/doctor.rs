//! What `doctor` has found: an aligned line a finding, and below it what to do.

use serde::Serialize;

use crate::doctor::{Finding, Level, worst};

use super::{
    Medium,
    mark::{Mark, Tone},
    text::{self, counted, harmless, width},
};

/// How wide the longest label is.
const LABELS: usize = 13;

/// Where the text of a line begins: mark, label, and a space after each.
const INDENT: usize = 2 + LABELS + 2;

/// For people marks and what to do below; for programs `level<TAB>check<TAB>fact<TAB>what to do`.
#[must_use]
pub fn text(findings: &[Finding], medium: Medium) -> String {
    let mut text: String = match medium {
        Medium::Pipe => findings.iter().map(tabbed).collect(),
        Medium::Terminal { width, .. } => findings
            .iter()
            .map(|finding| line(finding, width, medium))
            .collect(),
    };
    if medium.is_terminal() {
        text.push_str(&summary(findings));
    }
    text
}

fn tabbed(finding: &Finding) -> String {
    let line = [
        finding.level.as_str(),
        finding.check.label(),
        &harmless(&finding.fact),
        &harmless(finding.advice.as_deref().unwrap_or_default()),
    ];
    line.join("\t").trim_end().to_owned() + "\n"
}

fn line(finding: &Finding, width: usize, medium: Medium) -> String {
    let Mark { sign, tone } = mark(finding.level);
    let sign = tone.paint(&sign.to_string(), medium);
    let label = format!("{:LABELS$}", finding.check.label());
    let fact = wrapped(&harmless(&finding.fact), "", width);
    let advice = finding.advice.as_deref().map(|advice| {
        let indent = " ".repeat(INDENT);
        format!("{indent}{}", wrapped(&harmless(advice), "→ ", width))
    });
    format!("{sign} {label}  {fact}{}", advice.unwrap_or_default())
}

fn mark(level: Level) -> Mark {
    let (sign, tone) = match level {
        Level::Ok => ('✓', Tone::Well),
        Level::Warning => ('!', Tone::Odd),
        Level::Problem => ('✗', Tone::Bad),
    };
    Mark { sign, tone }
}

/// The least room a text is given, whatever the terminal says.
const LEAST: usize = 30;

/// The words after `lead`, on as many lines as they take, each of them indented but the first.
fn wrapped(words: &str, lead: &str, terminal: usize) -> String {
    let room = terminal.saturating_sub(INDENT).max(LEAST);
    let indent = " ".repeat(INDENT + width(lead));
    let mut text = lead.to_owned();
    let mut used = width(lead);
    for (number, word) in words.split(' ').enumerate() {
        let cells = width(word);
        if number > 0 && used + 1 + cells > room {
            text.push('\n');
            text.push_str(&indent);
            used = width(lead);
        } else if number > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += cells;
    }
    text.push('\n');
    text
}

/// `2 problems, 1 warning.`
fn summary(findings: &[Finding]) -> String {
    let number = |level| {
        let of_it = findings.iter().filter(|finding| finding.level == level);
        of_it.count()
    };
    let counts = [
        (number(Level::Problem), "problem"),
        (number(Level::Warning), "warning"),
    ];
    let told = counts.iter().filter(|(number, _)| *number > 0);
    let told: Vec<_> = told.map(|&(number, what)| counted(number, what)).collect();
    if told.is_empty() {
        return "All is well.\n".to_owned();
    }
    format!("{}.\n", told.join(", "))
}

/// The answer as `doctor --json` has it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    level: Level,
    version: &'a str,
    findings: &'a [Finding],
}

/// An object.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    text::json(&Answer {
        level: worst(findings),
        version: env!("CARGO_PKG_VERSION"),
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Check;

    fn findings() -> Vec<Finding> {
        let finding = |check, level, fact: &str, advice: Option<&str>| Finding {
            check,
            level,
            fact: fact.to_owned(),
            advice: advice.map(str::to_owned),
        };
        vec![
            finding(Check::Schema, Level::Ok, "version 5, current", None),
            finding(
                Check::RoundTrip,
                Level::Warning,
                "80.0 ms to connect and a few words more than fit",
                Some("run it\tnearer to its database"),
            ),
            finding(Check::Guard, Level::Problem, "gone", Some("put it back")),
        ]
    }

    #[test]
    fn people_read_a_line_a_finding_and_below_it_what_to_do() {
        let medium = Medium::Terminal {
            width: 50,
            colour: false,
        };
        let expected = "\
✓ schema         version 5, current
! round trip     80.0 ms to connect and a few
                 words more than fit
                 → run it\\tnearer to its database
✗ guard          gone
                 → put it back
1 problem, 1 warning.
";
        assert_eq!(text(&findings(), medium), expected);
    }

    #[test]
    fn programs_read_a_line_a_finding_with_tabs() {
        let expected = "\
ok\tschema\tversion 5, current
warning\tround trip\t80.0 ms to connect and a few words more than fit\trun it\\tnearer to its database
problem\tguard\tgone\tput it back
";
        assert_eq!(text(&findings(), Medium::Pipe), expected);
    }

    #[test]
    fn the_json_says_the_worst_first() {
        let json: serde_json::Value = serde_json::from_str(&json(&findings())).unwrap();
        assert_eq!(json["level"], "problem");
        assert_eq!(json["findings"][1]["check"], "round_trip");
        assert_eq!(json["findings"][0]["advice"], serde_json::Value::Null);
    }
}
