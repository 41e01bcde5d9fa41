//! What single keys may hold: texts of many kinds, and lists of them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{actions, run::placeholder, spec::is_host_name};

use super::{
    diagnostic::{Code, Findings},
    setting::{Found, Setting},
};

/// A list of texts, none of them empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts(pub(super) Vec<String>);

impl Setting for Texts {
    const EXPECTED: &'static str = "a list of texts such as [\"a\", \"b\"]";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let texts: Vec<_> = elements
            .map(|element| {
                let text = element.text::<Self>(findings)?;
                if text.is_empty() {
                    element.bad_value(findings, "empty");
                    return None;
                }
                Some(text.to_owned())
            })
            .collect();
        texts.into_iter().collect::<Option<_>>().map(Self)
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argv(pub(super) Vec<String>);

impl Setting for Argv {
    const EXPECTED: &'static str =
        "a list of a program and its arguments such as [\"echo\", \"hello\"]";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_str() {
            let help = "for a line that a shell reads write `shell = \"...\"`";
            found.wrong_type(Self::EXPECTED, findings).help(help);
            return None;
        }
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let texts: Vec<_> = elements
            .map(|element| {
                let text = element.text::<Self>(findings)?;
                check_placeholders(&element, text, findings).then(|| text.to_owned())
            })
            .collect();
        let argv: Vec<String> = texts.into_iter().collect::<Option<_>>()?;
        if argv.first().is_none_or(String::is_empty) {
            found.bad_value(findings, "no program");
            return None;
        }
        Some(Self(argv))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// The name of a user of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserName(pub(super) String);

impl Setting for UserName {
    const EXPECTED: &'static str = "the name of a user such as \"backup\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if text.is_empty() || text.starts_with(['-', '.']) || !text.chars().all(is_letter) {
            found.bad_value(findings, "letters, digits, `_`, `-` and `.`");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// The name of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionName(pub(super) String);

impl Setting for ActionName {
    const EXPECTED: &'static str = "the name of an action such as \"backup\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        if !actions::is_name(text) {
            let allowed =
                "small letters, digits, `-` and `_`, a letter first: it runs as `crontabber-NAME`";
            found.bad_value(findings, allowed);
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// Where Python finds a class: `package.module.Class`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassPath(pub(super) String);

impl Setting for ClassPath {
    const EXPECTED: &'static str = "a class such as \"package.module.Class\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        if !is_class_path(text) {
            found.bad_value(
                findings,
                "packages, a module and a class, with dots between",
            );
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// Whether Python can import it: names with dots between, at least two of them.
pub(crate) fn is_class_path(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = |name: &str| {
        name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
    };
    text.contains('.') && text.split('.').all(is_name)
}

/// Tells the first mistake in the braces of a text; `true` if there is none.
pub(super) fn check_placeholders(found: &Found<'_>, text: &str, findings: &mut Findings) -> bool {
    let Err(bad) = placeholder::check(text) else {
        return true;
    };
    let error = findings.error(Code::BadPlaceholder, found.part(bad.span), bad.message);
    error.label("not filled in").help(placeholder::HELP);
    false
}

/// Text that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script(pub(super) String);

impl Setting for Script {
    const EXPECTED: &'static str = "a text";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        if text.trim().is_empty() {
            found.bad_value(findings, "nothing to run");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// A directory, named from the root: a run's own directory is no place to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory(pub(super) PathBuf);

impl Setting for Directory {
    const EXPECTED: &'static str = "a directory such as \"/var/lib/app\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let path = PathBuf::from(found.text::<Self>(findings)?);
        if path.is_relative() {
            found.bad_value(findings, "must start with `/`");
            return None;
        }
        Some(Self(path))
    }

    fn value(&self) -> Value {
        json!(self.0.to_string_lossy())
    }
}

/// Exit codes of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExitCodes(pub(super) Vec<i32>);

impl Setting for ExitCodes {
    const EXPECTED: &'static str = "a list of exit codes such as [75]";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let codes: Vec<_> = elements
            .map(|element| {
                let number = element.expect::<Self, _>(element.value.as_integer(), findings)?;
                let code = i32::from_str_radix(number.as_str(), number.radix());
                if let Ok(code @ 1..=255) = code {
                    return Some(code);
                }
                element.bad_value(findings, "1 to 255; 0 is success");
                None
            })
            .collect();
        codes.into_iter().collect::<Option<_>>().map(Self)
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// The name of a schema: what needs no quotes in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier(pub(super) String);

impl Setting for Identifier {
    const EXPECTED: &'static str = "the name of a schema";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_plain = text.starts_with(is_letter)
            && text.len() <= 63
            && text.chars().all(|c| is_letter(c) || c.is_ascii_digit());
        if !is_plain {
            found.bad_value(findings, "a-z, 0-9 and _, 63 at most, no digit first");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

/// The name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostName(pub(super) String);

impl Setting for HostName {
    const EXPECTED: &'static str = "the name of this host";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        if !is_host_name(text) {
            found.bad_value(findings, "letters, digits, `.`, `-` and `_`");
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}
