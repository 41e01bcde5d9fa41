//! Files as configobj reads them for crontabber: nested sections, quotes, values of several lines.
//!
//! A value is a part of the text itself, so that whatever is wrong in it has a place. More is accepted than configobj
//! accepts where the meaning is plain: lines that go on with deeper indentation, lists that would need quotes.

use std::ops::Range;

/// What the file says, in its order.
#[derive(Debug, Default)]
pub(super) struct Ini<'a> {
    pub(super) values: Vec<Value<'a>>,
    /// Sections by their path, also those without a key.
    pub(super) sections: Vec<(Vec<&'a str>, usize)>,
    pub(super) mistakes: Vec<Mistake>,
}

/// One `key = value`.
#[derive(Debug)]
pub(super) struct Value<'a> {
    /// The sections it is in, and its key.
    pub(super) path: Vec<&'a str>,
    /// Where the key stands.
    pub(super) at: usize,
    /// Where the value stands, quotes left out.
    pub(super) span: Range<usize>,
}

/// Something that is neither.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) message: &'static str,
    pub(super) help: Option<&'static str>,
}

impl<'a> Ini<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut ini = Self::default();
        let mut path = Vec::new();
        let mut at = 0;
        while at < text.len() {
            at = ini.line(text, at, &mut path);
        }
        ini
    }

    /// The last value at this path; a key may be dotted, as in a variable of the environment.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value<'a>> {
        let mut values = self.values.iter().rev();
        values.find(|value| value.path == path)
    }

    /// Reads the line that starts here; where the next one starts.
    fn line(&mut self, text: &'a str, start: usize, path: &mut Vec<&'a str>) -> usize {
        let end = line_end(text, start);
        let line = text[start..end].trim_end();
        let said = line.trim_start();
        let at = start + line.len() - said.len();
        if said.is_empty() || said.starts_with(['#', ';']) {
            return end + 1;
        }
        if said.starts_with("+include") {
            let help = "write the lines of that file in its place";
            self.mistake(at, "`+include` is not followed", Some(help));
        } else if said.starts_with('[') {
            self.section(said, at, path);
        } else if let Some((key, value)) = assignment(said) {
            let mut path: Vec<_> = path.clone();
            path.extend(key.split('.'));
            let value = at + said.len() - value.len();
            let (span, next) = self.value(text, start, value);
            self.values.push(Value { path, at, span });
            return next;
        } else {
            self.mistake(at, "neither a section nor a key with a value", None);
        }
        end + 1
    }

    fn mistake(&mut self, at: usize, message: &'static str, help: Option<&'static str>) {
        self.mistakes.push(Mistake { at, message, help });
    }

    fn section(&mut self, said: &'a str, at: usize, path: &mut Vec<&'a str>) {
        let depth = said.len() - said.trim_start_matches('[').len();
        let name = said[depth..].split(']').next().unwrap_or_default();
        let is_closed = said[depth + name.len()..].starts_with(&"]".repeat(depth));
        if !is_closed || depth > path.len() + 1 {
            let help = "`[section]`, and inside of it `[[section]]`";
            self.mistake(
                at,
                "a section that is not closed, or inside of none",
                Some(help),
            );
        }
        path.truncate(depth - 1);
        path.push(unquoted(name.trim()));
        self.sections.push((path.clone(), at));
    }

    /// The value that begins here on a line that begins there, and where the next line starts.
    fn value(&mut self, text: &str, start: usize, from: usize) -> (Range<usize>, usize) {
        let rest = &text[from..];
        for quotes in ["'''", "\"\"\""] {
            if let Some(inside) = rest.strip_prefix(quotes) {
                let from = from + quotes.len();
                let Some(length) = inside.find(quotes) else {
                    self.mistake(from, "a value that is not closed", None);
                    return (from..text.len(), text.len());
                };
                let to = from + length;
                return (from..to, line_end(text, to) + 1);
            }
        }
        let end = line_end(text, start).max(from);
        let line = &text[from..end];
        if let Some(quote) = line.chars().next().filter(|c| matches!(c, '\'' | '"'))
            && let Some(length) = line[1..].find(quote)
            // What follows may be a comment, but not the second element of a list.
            && line[length + 2..].trim_start().chars().all_or_comment()
        {
            return (from + 1..from + 1 + length, end + 1);
        }
        let said = line.split('#').next().unwrap_or_default();
        let mut to = from + said.trim_end().len();
        let mut next = end + 1;
        let mut at = next;
        // Lines that are indented more than their key and are nothing else go on with the value.
        let indent = indent(&text[start..]);
        while at < text.len() {
            let end = line_end(text, at);
            let line = &text[at..end];
            let said = line.trim();
            let is_silent = said.is_empty() || said.starts_with(['#', ';']);
            let goes_on = !is_silent
                && self::indent(line) > indent
                && !said.starts_with(['[', '+'])
                && assignment(said).is_none();
            if goes_on {
                to = at + line.trim_end().len();
                next = end + 1;
            } else if !is_silent {
                break;
            }
            at = end + 1;
        }
        (from..to, next)
    }
}

/// Whether nothing is left but a comment.
trait Rest {
    fn all_or_comment(self) -> bool;
}

impl Rest for std::str::Chars<'_> {
    fn all_or_comment(mut self) -> bool {
        matches!(self.next(), None | Some('#'))
    }
}

fn line_end(text: &str, from: usize) -> usize {
    text[from..].find('\n').map_or(text.len(), |at| from + at)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// `key = value`, the value with everything behind it.
fn assignment(said: &str) -> Option<(&str, &str)> {
    let (key, value) = said.split_once('=')?;
    let key = unquoted(key.trim());
    let is_key = !key.is_empty() && !key.contains(['|', '#', ',']);
    is_key.then(|| (key, value.trim_start()))
}

pub(super) fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, &str)> {
        let ini = Ini::read(text);
        assert!(ini.mistakes.is_empty(), "{:?}", ini.mistakes);
        let values = ini.values.into_iter();
        values
            .map(|value| (value.path.join("/"), &text[value.span]))
            .collect()
    }

    fn value(text: &str) -> &str {
        values(text)[0].1
    }

    #[test]
    fn sections_nest_by_their_brackets() {
        let text = "a=1\n[s]\nb=2\n[[ t ]]\nc=3\n[[u]]\nd=4\n['v w']\ne=5\n";
        let paths: Vec<_> = values(text).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "s/b", "s/t/c", "s/u/d", "v w/e"]);
        assert_eq!(values("crontabber.jobs = x")[0].0, "crontabber/jobs");
    }

    #[test]
    fn a_value_ends_where_configobj_ends_it() {
        assert_eq!(value("a = b c # d"), "b c");
        assert_eq!(value("a = 'b # c' # d"), "b # c");
        assert_eq!(value("a = \"b\""), "b");
        assert_eq!(value("a = "), "");
        assert_eq!(value("a = '''\nb # c\n'''  # d\ne=f"), "\nb # c\n");
        assert_eq!(value("a = \"\"\"b'''c\"\"\""), "b'''c");
        assert_eq!(value("a = 'b', 'c'"), "'b', 'c'");
    }

    #[test]
    fn a_value_goes_on_in_lines_with_more_indentation() {
        let text = "[s]\n a =\n   b|1d\n\n   # c\n   d|2d\n # e\n f = g\n";
        let found = values(text);
        assert_eq!(found[0].1.trim(), "b|1d\n\n   # c\n   d|2d");
        assert_eq!(found[1], ("s/f".to_owned(), "g"));
    }

    #[test]
    fn what_is_neither_has_a_place() {
        for (text, at) in [
            ("a\n", 0),
            ("  [s\n", 2),
            ("[[s]]\n", 0),
            ("a = '''b", 7),
            ("+include x", 0),
        ] {
            let ini = Ini::read(text);
            assert_eq!(ini.mistakes.len(), 1, "{text}");
            assert_eq!(ini.mistakes[0].at, at, "{text}");
        }
    }
}
