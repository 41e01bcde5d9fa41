//! The grammar of a plugin's answer, read from the Monitoring Plugins' guidelines and not from our code:
//!
//! ```text
//! 'label'=value[UOM];[warn];[crit];[min];[max]
//! ```
//!
//! Space separated; a label without `=` or `'`, quoted where it holds a space; a value of digits, `-` and `.`, or `U`; one of
//! a few units; thresholds as ranges; empty ends may be left out. One `|` between text and figures.

use std::collections::BTreeMap;

/// An answer that has been read.
#[derive(Debug)]
pub(crate) struct Read {
    /// `OK`, `WARNING`, `CRITICAL` or `UNKNOWN`.
    pub(crate) status: String,
    /// The text of the first line.
    pub(crate) text: String,
    /// Each figure, by its label: the number with its unit; `U` for one that is not known.
    pub(crate) figures: BTreeMap<String, String>,
    /// The other lines.
    pub(crate) lines: Vec<String>,
}

/// Reads an answer, or says what is wrong with it.
pub(crate) fn read(answer: &str) -> Result<Read, String> {
    if answer.len() >= 4096 {
        return Err(format!("{} bytes", answer.len()));
    }
    let answer = answer.strip_suffix('\n').ok_or("no line end at the end")?;
    let mut lines = answer.split('\n');
    let first = lines.next().ok_or("nothing")?;
    if first.len() + 1 >= 300 {
        return Err(format!("{} bytes in the first line", first.len() + 1));
    }
    if answer.matches('|').count() > 1 {
        return Err("more than one bar".into());
    }
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.iter().any(|line| line.contains('|')) {
        return Err("a bar after the first line".into());
    }
    if lines.iter().any(|line| line.starts_with("CRONTABBER")) {
        return Err("a second status line".into());
    }
    if answer.chars().any(|c| c.is_control() && c != '\n') {
        return Err("a control character".into());
    }
    let (said, figures) = match first.split_once(" | ") {
        Some((said, figures)) => (said, figures),
        None if first.contains('|') => return Err("a bar without spaces".into()),
        None => (first, ""),
    };
    let rest = said.strip_prefix("CRONTABBER ").ok_or("no service")?;
    let (status, text) = rest.split_once(": ").ok_or("no status")?;
    if !["OK", "WARNING", "CRITICAL", "UNKNOWN"].contains(&status) {
        return Err(format!("status {status}"));
    }
    Ok(Read {
        status: status.into(),
        text: text.into(),
        figures: perfdata(figures)?,
        lines,
    })
}

fn perfdata(mut rest: &str) -> Result<BTreeMap<String, String>, String> {
    let mut figures = BTreeMap::new();
    while !rest.is_empty() {
        let (label, after) = label(rest)?;
        let end = after.find(' ').unwrap_or(after.len());
        let mut parts = after[..end].split(';');
        let figure = parts.next().ok_or("no value")?;
        if figure != "U" {
            let number = figure.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
            decimal(number).map_err(|wrong| format!("{label}: {wrong}"))?;
            let unit = &figure[number.len()..];
            if !["", "s", "us", "ms", "%", "B", "KB", "MB", "TB", "c"].contains(&unit) {
                return Err(format!("{label}: unit {unit}"));
            }
        }
        let ends: Vec<&str> = parts.collect();
        if ends.len() > 4 {
            return Err(format!("{label}: too many ends"));
        }
        for (number, end) in ends.iter().enumerate().filter(|(_, end)| !end.is_empty()) {
            let read = if number < 2 { range(end) } else { decimal(end) };
            read.map_err(|wrong| format!("{label}: {wrong}"))?;
        }
        let short: String = label.chars().take(19).collect();
        if figures
            .keys()
            .any(|known: &String| known.starts_with(&short))
        {
            return Err(format!("{label} twice in 19 characters"));
        }
        figures.insert(label, figure.to_owned());
        rest = after[end..].trim_start_matches(' ');
    }
    Ok(figures)
}

/// A label and what follows its `=`.
fn label(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, rest) = text.split_once('=').ok_or("no =")?;
        let is_bare = |c: char| !c.is_whitespace() && c != '\'';
        if label.is_empty() || !label.chars().all(is_bare) {
            return Err(format!("label {label}"));
        }
        return Ok((label.to_owned(), rest));
    };
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('\'').ok_or("an open quote")?;
        label.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => break rest = after,
        }
    }
    if label.is_empty() || label.contains('=') {
        return Err(format!("label {label}"));
    }
    let rest = rest.strip_prefix('=').ok_or("no =")?;
    Ok((label, rest))
}

/// `10`, `10:`, `~:10`, `10:20`, each also behind `@`.
fn range(text: &str) -> Result<(), String> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let Some((start, end)) = text.split_once(':') else {
        return decimal(text);
    };
    if start != "~" {
        decimal(start)?;
    }
    if end.is_empty() { Ok(()) } else { decimal(end) }
}

fn decimal(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if are_digits(whole) && are_digits(part) {
        Ok(())
    } else {
        Err(format!("`{text}` is no number"))
    }
}

#[test]
fn the_reader_reads_what_the_guidelines_show() {
    let read = read(
        "CRONTABBER OK: well | /=2643MB;5948;5958;0;5968 'two words'=1.5s;@1:2;~:3 un'known=U\n",
    );
    // A quote inside of a bare label is none of theirs.
    assert!(read.is_err());
    let answer =
        "CRONTABBER OK: well | /=2643MB;5948;5958;0;5968 'it''s two'=-1.5s;@1:2;~:3 x=U\nmore\n";
    let read = self::read(answer).expect("it is what they show");
    assert_eq!((read.status.as_str(), read.text.as_str()), ("OK", "well"));
    assert_eq!(read.figures["it's two"], "-1.5s");
    assert_eq!(read.figures.len(), 3);
    assert_eq!(read.lines, ["more"]);
}

#[test]
fn the_reader_refuses_what_a_plugin_must_not_print() {
    for wrong in [
        "",
        "CRONTABBER OK: well",
        "CRONTABBER FINE: well\n",
        "OK: well\n",
        "CRONTABBER OK: a | b | c=1\n",
        "CRONTABBER OK: a|b=1\n",
        "CRONTABBER OK: a | b=1\nc | d=1\n",
        "CRONTABBER OK: a | b=1\nCRONTABBER OK: a\n",
        "CRONTABBER OK: a\tb\n",
        "CRONTABBER OK: a | b=1,5\n",
        "CRONTABBER OK: a | b=1e3\n",
        "CRONTABBER OK: a | b=1parsec\n",
        "CRONTABBER OK: a | b=\n",
        "CRONTABBER OK: a | b\n",
        "CRONTABBER OK: a | 'b=1\n",
        "CRONTABBER OK: a | b=1;2;3;4;5;6\n",
        "CRONTABBER OK: a | b=1;x\n",
        "CRONTABBER OK: a | b=1 b=2\n",
        &format!("CRONTABBER OK: {}\n", "x".repeat(300)),
        &format!("CRONTABBER OK: x\n{}\n", "x".repeat(4096)),
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
