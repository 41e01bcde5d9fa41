//! What may stand on a line of crontabber's, read as its `getopt` reads it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
    slice,
};

use super::{super::fail::Failure, gone};

#[cfg(test)]
mod tests;

/// A flag that still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Conf,
    ListJobs,
    Nagios,
    Version,
    ResetJob,
    AuditGhosts,
    Configtest,
    Job,
    Force,
}

impl Flag {
    /// In the order in which crontabber asks for them: where several are given the first is obeyed.
    const ALL: [Self; 9] = [
        Self::Conf,
        Self::ListJobs,
        Self::Nagios,
        Self::Version,
        Self::ResetJob,
        Self::AuditGhosts,
        Self::Configtest,
        Self::Job,
        Self::Force,
    ];

    fn long(self) -> &'static str {
        match self {
            Self::Conf => "admin.conf",
            Self::ListJobs => "list-jobs",
            Self::Nagios => "nagios",
            Self::Version => "version",
            Self::ResetJob => "reset-job",
            Self::AuditGhosts => "audit-ghosts",
            Self::Configtest => "configtest",
            Self::Job => "job",
            Self::Force => "force",
        }
    }

    fn short(self) -> Option<u8> {
        match self {
            Self::ListJobs => Some(b'l'),
            Self::Nagios => Some(b'n'),
            Self::Version => Some(b'v'),
            Self::ResetJob => Some(b'r'),
            Self::Job => Some(b'j'),
            Self::Force => Some(b'f'),
            Self::Conf | Self::AuditGhosts | Self::Configtest => None,
        }
    }

    fn takes_value(self) -> bool {
        matches!(self, Self::Conf | Self::ResetJob | Self::Job)
    }

    fn of_long(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|flag| flag.long().as_bytes() == name)
    }

    fn of_short(letter: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|flag| flag.short() == Some(letter))
    }
}

/// The long names of the flags that still work.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Flag::ALL.into_iter().map(Flag::long)
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    ListJobs,
    Nagios,
    Version,
    ResetJob(String),
    AuditGhosts,
    Configtest,
    Job { job: String, force: bool },
    All { force: bool },
}

/// A line that is understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) asked: Asked,
    /// The value of `--admin.conf`.
    pub(super) conf: Option<PathBuf>,
}

/// A line as it was typed.
#[derive(Debug, Default)]
pub(super) struct Line {
    given: Vec<(Flag, OsString)>,
    /// `--help` or `-h` is on it.
    pub(super) wants_help: bool,
    /// What is wrong with what we know.
    mistakes: Vec<String>,
    /// Options that we do not know, by their names.
    unknown: Vec<String>,
    /// Words that belong to no option.
    words: Vec<String>,
}

/// Whether a line is crontabber's: its first argument is one of its flags, or a `--section.key` of its
/// configuration. `-v` and `--version` are ours too: theirs only where nothing else of ours is on the line
/// (`crontabber -v tick` is not).
pub(super) fn is_crontabbers(arguments: &[OsString]) -> bool {
    let Some(first) = arguments.first().map(|first| first.as_bytes()) else {
        return false;
    };
    let flag = match first.strip_prefix(b"--") {
        Some(long) => {
            let name = long.split(|&byte| byte == b'=').next().unwrap_or(long);
            if gone::is_named(&String::from_utf8_lossy(name)) {
                return true;
            }
            Flag::of_long(name)
        }
        None if first.len() > 1 && first[0] == b'-' => Flag::of_short(first[1]),
        None => None,
    };
    match flag {
        Some(Flag::Version) => {
            let line = Line::read(arguments);
            line.unknown.is_empty() && line.words.is_empty()
        }
        Some(_) => true,
        None => false,
    }
}

impl Line {
    /// Takes a line apart; nothing on it is dropped.
    pub(super) fn read(arguments: &[OsString]) -> Self {
        let mut line = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_bytes() {
                b"--" => line.words.extend(rest.by_ref().map(text)),
                b"--help" | b"-h" => line.wants_help = true,
                [b'-', b'-', long @ ..] => line.long(long, &mut rest),
                [b'-', short @ ..] if !short.is_empty() => line.short(short, &mut rest),
                _ => line.words.push(text(argument)),
            }
        }
        line
    }

    fn long(&mut self, argument: &[u8], rest: &mut slice::Iter<'_, OsString>) {
        let mut parts = argument.splitn(2, |&byte| byte == b'=');
        let name = parts.next().unwrap_or_default();
        let value = parts.next().map(<[u8]>::to_vec).map(OsString::from_vec);
        match Flag::of_long(name) {
            Some(flag) if flag.takes_value() => {
                let value = value.or_else(|| rest.next().cloned());
                self.take(flag, value);
            }
            Some(flag) if value.is_some() => {
                let name = flag.long();
                self.mistakes.push(format!("`--{name}` takes no value"));
            }
            Some(flag) => self.given.push((flag, OsString::new())),
            None => {
                let name = String::from_utf8_lossy(name).into_owned();
                // Its value, if it is one with a value and that is a word of its own.
                let is_value = |next: &&OsString| !next.as_bytes().starts_with(b"-");
                if value.is_none()
                    && name.contains('.')
                    && rest.as_slice().first().is_some_and(|next| is_value(&next))
                {
                    rest.next();
                }
                self.unknown.push(name);
            }
        }
    }

    /// Letters in one argument: `-fj X`, `-fjX`.
    fn short(&mut self, letters: &[u8], rest: &mut slice::Iter<'_, OsString>) {
        for (at, &letter) in letters.iter().enumerate() {
            match Flag::of_short(letter) {
                Some(flag) if flag.takes_value() => {
                    let attached = &letters[at + 1..];
                    let value = if attached.is_empty() {
                        rest.next().cloned()
                    } else {
                        Some(OsString::from_vec(attached.to_vec()))
                    };
                    return self.take(flag, value);
                }
                Some(flag) => self.given.push((flag, OsString::new())),
                None => {
                    let shown = String::from_utf8_lossy(&letters[at..]).into_owned();
                    let letter: String = shown.chars().take(1).collect();
                    return self.mistakes.push(format!(
                        "`-{}` is no flag of crontabber's",
                        letter.escape_debug()
                    ));
                }
            }
        }
    }

    fn take(&mut self, flag: Flag, value: Option<OsString>) {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.given.push((flag, value)),
            // crontabber takes an empty job for none, and runs all of them: `--job=$JOB` of a script.
            None => self
                .mistakes
                .push(format!("`--{}` needs a value", flag.long())),
        }
    }

    fn has(&self, flag: Flag) -> bool {
        self.given.iter().any(|(given, _)| *given == flag)
    }

    /// The last value that was given, as `getopt` has it.
    fn value(&self, flag: Flag) -> Option<&OsStr> {
        let mut given = self.given.iter().rev();
        given
            .find(|(given, _)| *given == flag)
            .map(|(_, value)| value.as_os_str())
    }

    /// Whether the answer is for Nagios, which reads one line of stdout and a code.
    pub(super) fn is_for_nagios(&self) -> bool {
        self.has(Flag::Nagios) && !self.has(Flag::ListJobs)
    }

    /// What it asks for; or all that is wrong with it.
    pub(super) fn order(self) -> Result<Order, Failure> {
        let mut wrong = self.mistakes.clone();
        wrong.extend(self.unknown.iter().map(|name| gone::instead_of(name)));
        wrong.extend(self.words.iter().map(|word| gone::word(word)));
        if !wrong.is_empty() {
            return Err(Failure::Usage(wrong.join("\n       ")));
        }
        let force = self.has(Flag::Force);
        let orders = |&flag: &Flag| !matches!(flag, Flag::Conf | Flag::Force) && self.has(flag);
        let named = |flag| {
            self.value(flag)
                .map(|job| job.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let asked = match Flag::ALL.into_iter().find(orders) {
            Some(Flag::ListJobs) => Asked::ListJobs,
            Some(Flag::Nagios) => Asked::Nagios,
            Some(Flag::Version) => Asked::Version,
            Some(Flag::AuditGhosts) => Asked::AuditGhosts,
            Some(Flag::Configtest) => Asked::Configtest,
            Some(Flag::ResetJob) => Asked::ResetJob(named(Flag::ResetJob)),
            Some(Flag::Job) => Asked::Job {
                job: named(Flag::Job),
                force,
            },
            Some(Flag::Conf | Flag::Force) | None => Asked::All { force },
        };
        Ok(Order {
            asked,
            conf: self.value(Flag::Conf).map(PathBuf::from),
        })
    }
}

fn text(argument: &OsString) -> String {
    argument.to_string_lossy().into_owned()
}
