//! What a run printed.

use std::borrow::Cow;

use super::{
    Medium, Times,
    entry::Entry,
    text::{harmless, harmless_lines},
};

/// What the run printed: as it is for programs, harmless on a terminal, with a line end at the end.
#[must_use]
pub fn output(entry: &Entry, medium: Medium) -> Cow<'_, str> {
    let printed = entry.output.as_deref().unwrap_or_default();
    if !medium.is_terminal() {
        return Cow::Borrowed(printed);
    }
    let mut safe = harmless_lines(printed);
    if !safe.is_empty() && !safe.ends_with('\n') {
        safe.push('\n');
    }
    Cow::Owned(safe)
}

/// Which run it is, for stderr: one line.
#[must_use]
pub fn header(entry: &Entry, times: &Times) -> String {
    let mut words = vec![format!("{}:", entry.name), entry.outcome.clone()];
    words.extend(entry.reason.as_ref().map(|reason| format!("({reason})")));
    words.extend(entry.host.as_ref().map(|host| format!("on {host},")));
    words.extend(
        entry
            .started_at
            .map(|at| format!("started {},", times.both(at))),
    );
    words.extend(entry.attempt.map(|attempt| format!("attempt {attempt},")));
    words.extend(entry.run_id.map(|id| format!("run {id}")));
    harmless(&words.join(" ")).into_owned()
}

/// Whether it has no record that its output would be in.
#[must_use]
pub fn is_unrecorded(entry: &Entry) -> bool {
    entry.output.is_none() && matches!(entry.outcome.as_str(), "running" | "lost")
}

/// What to say where there is no output, or not all of it because it was told from its stream; else nothing.
#[must_use]
pub fn remark(entry: &Entry, is_streamed: bool) -> Option<&'static str> {
    match (&entry.output, entry.outcome.as_str()) {
        (Some(output), _) if !output.is_empty() => None,
        (_, "running") if is_streamed => Some("it is still running; --follow prints what comes"),
        (_, "lost") if is_streamed => Some("its host was lost; this is what was streamed before"),
        (_, "running") => Some(
            "it is still running: its output is in the log when it has ended; --follow waits for that",
        ),
        (_, "lost") => Some("its host was lost, and its output with it"),
        _ => Some("it printed nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(output: Option<&str>) -> Entry {
        Entry {
            output: output.map(str::to_owned),
            outcome: "success".into(),
            ..Entry::default()
        }
    }

    #[test]
    fn escapes_reach_programs_and_never_a_terminal() {
        let entry = printed(Some("\u{1b}[2Jboo\r\nend"));
        assert_eq!(output(&entry, Medium::Pipe), "\u{1b}[2Jboo\r\nend");
        assert_eq!(
            output(
                &entry,
                Medium::Terminal {
                    width: 80,
                    colour: true
                }
            ),
            "\\u{1b}[2Jboo\nend\n"
        );
    }

    #[test]
    fn silence_is_explained() {
        assert_eq!(remark(&printed(None), false), Some("it printed nothing"));
        assert_eq!(remark(&printed(Some("x")), false), None);
    }
}
