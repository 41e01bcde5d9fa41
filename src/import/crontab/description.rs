//! What the comment above a line of a crontab says.

use crate::schedule::Crontab;

/// What the comment above a line says of it: not the ruler of columns, not a line that is switched off.
pub(super) fn description(comments: &[&str]) -> Option<String> {
    const LONGEST: usize = 200;
    let is_ruler = |comment: &&str| {
        let words: Vec<_> = comment.split_whitespace().take(3).collect();
        words == ["m", "h", "dom"]
    };
    let after_ruler = comments.iter().rposition(is_ruler).map_or(0, |at| at + 1);
    let is_switched_off = |comment: &str| {
        let words: Vec<_> = comment.split_whitespace().collect();
        let fields = if comment.starts_with('@') { 1 } else { 5 };
        words.len() > fields && Crontab::parse(&words[..fields].join(" ")).is_ok()
    };
    let said: Vec<_> = comments[after_ruler..]
        .iter()
        .map(|comment| comment.trim_start_matches('#').trim())
        .filter(|comment| comment.contains(char::is_alphanumeric) && !is_switched_off(comment))
        .collect();
    let text = said.join(" ");
    let text = if text.chars().count() > LONGEST {
        (*said.last()?).chars().take(LONGEST).collect()
    } else {
        text
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_above_a_line_describes_it() {
        let described = |comments: &[&str]| description(comments);
        assert_eq!(
            described(&["Nightly", "backup"]).as_deref(),
            Some("Nightly backup")
        );
        assert_eq!(
            described(&["Edit this file", "m h  dom mon dow   command", "Backup"]).as_deref(),
            Some("Backup")
        );
        assert_eq!(
            described(&["0 5 * * * /old/job", "======", "# Mail"]).as_deref(),
            Some("Mail")
        );
        assert_eq!(described(&["@daily /old/job"]), None);
        let long = "x".repeat(300);
        assert_eq!(described(&[&long, "last"]).as_deref(), Some("last"));
    }
}
