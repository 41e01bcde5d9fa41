//! `import crontab` and `import crontabber`: a foreign file, as a configuration.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use jiff::{Timestamp, tz::TimeZone};
use nix::unistd::User;

use crate::{
    exit::Exit,
    import::{
        Import as Imported, Shape,
        crontab::{self, Form},
        crontabber::{self, Classes},
    },
    schedule,
    spec::JobName,
    view::text::{counted, harmless},
};

use super::{fail::Failure, now, print, zone};

/// Writes the jobs of cron or of crontabber 0.18 as TOML.
///
/// Runs nothing, changes nothing, and needs no database. The configuration goes to stdout, or to the file that
/// `--output` names; what is different now, and what could not be taken over, goes to stderr. Exit code 1 says that
/// something could not be taken over.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  crontab -l | crontabber import crontab - --output crontabber.toml
  crontabber import crontabber /etc/crontabber.ini --names names --output crontabber.toml")]
pub(super) enum Import {
    Crontab(Crontab),
    Crontabber(Crontabber),
}

/// The jobs of a crontab.
///
/// Each line keeps its fields, which mean the same here; its variables, its zone, its home and its input (`%`) come
/// along. Beside each job are the line it comes from and its next three runs, to compare.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontab -l | crontabber import crontab - --output crontabber.toml
  crontabber import crontab /etc/cron.d/backup --drop-in > jobs.d/backup.toml
  crontabber import crontab - --after 2027-03-27T00:00:00Z < old     # the runs around a change of clocks")]
pub(super) struct Crontab {
    /// The crontab; `-`: stdin
    file: PathBuf,
    /// It has a column for users; so have /etc/crontab and the files of /etc/cron.d without being told
    #[arg(long)]
    system: bool,
    /// It has no column for users
    #[arg(long, conflicts_with = "system")]
    user: bool,
    /// The zone its times are in, unless `CRON_TZ` says so [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// The jobs of an ini of crontabber 0.18.
///
/// The ini does not say what its classes are called. Ask Python, with the script that runs them:
/// `run_class.py --describe F.ini > names`; otherwise the names are guesses, marked to be checked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber import crontabber /etc/crontabber.ini --names names --output crontabber.toml
  crontabber config check --config crontabber.toml

A file of names has one line for each class:
  package.module.Class = app-name
  package.module.Class = app-name, parent, parent")]
pub(super) struct Crontabber {
    /// The ini; `-`: stdin
    file: PathBuf,
    /// What the classes are called, and what they wait for
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Write the configuration here; a file that exists is left alone
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a file for jobs.d: without the sections that belong in the main file
    #[arg(long)]
    drop_in: bool,
    /// What the names of the jobs start with
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    prefix: String,
    /// Show the runs that come after this instant [default: now]
    #[arg(long, value_name = "INSTANT")]
    after: Option<Timestamp>,
}

impl Import {
    pub(super) fn answer(self) -> Result<Exit, Failure> {
        match self {
            Self::Crontab(crontab) => crontab.answer(),
            Self::Crontabber(crontabber) => crontabber.answer(),
        }
    }
}

impl Crontab {
    fn answer(self) -> Result<Exit, Failure> {
        self.common.check()?;
        let timezone = self.timezone()?;
        let text = text(&self.file)?;
        let form = match () {
            () if self.system => Form::System,
            () if self.user => Form::User,
            () if is_of_the_system(&self.file) => {
                let name = harmless(&self.file.to_string_lossy()).into_owned();
                tell(&format!(
                    "{name}: read as a system crontab, with a user before the command (`--user`: without)"
                ))?;
                Form::System
            }
            () => Form::User,
        };
        let owner = owner(&self.file);
        let home = |user: Option<&str>| match user.or(owner.as_deref()) {
            Some(user) => home_of(user),
            None => std::env::var("HOME").ok(),
        };
        let imported = crontab::import(&crontab::Source {
            text: &text,
            name: &name(&self.file),
            form,
            prefix: &self.common.prefix,
            timezone: &timezone,
            home: &home,
        });
        self.common.finish(&self.file, &imported)
    }

    /// The zone that the machine's cron plans by.
    fn timezone(&self) -> Result<String, Failure> {
        let Some(named) = &self.timezone else {
            return machines_zone().ok_or_else(|| {
                let help = "name it, as in `--timezone Europe/Berlin`";
                Failure::Usage(format!(
                    "this machine does not say which zone it is in: {help}"
                ))
            });
        };
        zone(named)?;
        Ok(named.clone())
    }
}

impl Crontabber {
    fn answer(self) -> Result<Exit, Failure> {
        self.common.check()?;
        let classes = match &self.names {
            None => Classes::default(),
            Some(names) => Classes::parse(&text(names)?).map_err(|bad| {
                Failure::Usage(format!("{}: {bad}", harmless(&names.to_string_lossy())))
            })?,
        };
        let text = text(&self.file)?;
        let imported = crontabber::import(&crontabber::Source {
            text: &text,
            path: &absolute(&self.file),
            prefix: &self.common.prefix,
            classes: &classes,
        });
        self.common.finish(&self.file, &imported)
    }
}

impl Common {
    fn check(&self) -> Result<(), Failure> {
        let longest = JobName::MAX / 2;
        let is_prefix = format!("{}x", self.prefix).parse::<JobName>().is_ok();
        if is_prefix && self.prefix.len() <= longest {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "`{}` cannot begin the name of a job: letters, digits, `_`, and inside also `-` and `.`, {longest} at most",
            harmless(&self.prefix)
        )))
    }

    /// Writes the configuration and tells what there is to tell.
    fn finish(&self, file: &Path, imported: &Imported) -> Result<Exit, Failure> {
        let shape = if self.drop_in {
            Shape::DropIn
        } else {
            Shape::Main
        };
        let after = match self.after {
            Some(after) => after,
            None => now()?,
        };
        let toml = imported.write(shape, after);
        match &self.output {
            Some(output) => write_new(output, &toml)?,
            None => print(&toml)?,
        }
        let name = harmless(&name(file)).into_owned();
        let mut said = String::new();
        for remark in imported.remarks() {
            let _ = writeln!(said, "{name}:{remark}");
        }
        let (taken, refused) = imported.counts();
        said.push_str(&counted(taken, "job"));
        said.push_str(" taken over");
        if refused > 0 {
            let refused = counted(refused, "job");
            let _ = write!(said, ", {refused} not (see the comments in their places)");
        }
        said.push_str(&self.next_step());
        tell(&said)?;
        Ok(if imported.is_whole() {
            Exit::Ok
        } else {
            Exit::Failed
        })
    }

    fn next_step(&self) -> String {
        match &self.output {
            Some(output) => {
                let output = output.to_string_lossy();
                let output = harmless(&output);
                let option = if self.drop_in {
                    String::new()
                } else {
                    format!(" --config {output}")
                };
                format!(", written to {output}; next: crontabber config check{option}")
            }
            None => "; next: crontabber config check".to_owned(),
        }
    }
}

/// The name of the zone that this machine is in.
fn machines_zone() -> Option<String> {
    let here = TimeZone::try_system().ok();
    let named = here
        .as_ref()
        .and_then(TimeZone::iana_name)
        .map(str::to_owned);
    // Where the zone is a copy of a file and not a link to it, Debian has its name beside it.
    let name = named.or_else(|| Some(fs::read_to_string("/etc/timezone").ok()?.trim().to_owned()));
    // Without any, the C library takes UTC.
    let is_unset = || std::env::var_os("TZ").is_none() && !Path::new("/etc/localtime").exists();
    match name.filter(|name| schedule::zone(name).is_ok()).as_deref() {
        Some("Etc/UTC" | "Etc/UCT" | "Etc/Universal" | "Etc/Zulu") => Some("UTC".to_owned()),
        Some(name) => Some(name.to_owned()),
        None => is_unset().then(|| "UTC".to_owned()),
    }
}

/// More than anybody has in a crontab or an ini.
const LARGEST: u64 = 1024 * 1024;

/// The text of a file or of stdin; what is not UTF-8 in it becomes U+FFFD, which neither a command nor a class may hold.
fn text(file: &Path) -> Result<String, Failure> {
    let name = name(file);
    let at = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(at)?;
    if bytes.len() as u64 > LARGEST {
        return Err(at(io::Error::other("larger than 1 MiB")).into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn name(file: &Path) -> String {
    match file.to_str() {
        Some("-") => "stdin".to_owned(),
        _ => file.display().to_string(),
    }
}

/// The path as every host can use it that has the same file.
fn absolute(file: &Path) -> String {
    if file == Path::new("-") {
        return "/etc/crontabber.ini".to_owned();
    }
    let absolute = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    absolute.to_string_lossy().into_owned()
}

/// Whether it lies where cron expects a column for users.
fn is_of_the_system(file: &Path) -> bool {
    let parent = file.parent().and_then(Path::file_name);
    let is_etc = parent == Some("etc".as_ref()) && file.file_name() == Some("crontab".as_ref());
    is_etc || parent == Some("cron.d".as_ref())
}

/// Whose crontab it is, where cron keeps those of users.
fn owner(file: &Path) -> Option<String> {
    let is_spool = [
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
        "/var/spool/cron/tabs",
    ]
    .iter()
    .any(|spool| file.parent() == Some(Path::new(spool)));
    let name = file.file_name()?.to_str()?;
    is_spool.then(|| name.to_owned())
}

fn home_of(user: &str) -> Option<String> {
    let user = User::from_name(user).ok().flatten()?;
    user.dir.to_str().map(str::to_owned)
}

fn write_new(output: &Path, toml: &str) -> Result<(), Failure> {
    let shown = output.to_string_lossy();
    let shown = harmless(&shown);
    let created = OpenOptions::new().write(true).create_new(true).open(output);
    let mut file = match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::Usage(format!(
                "{shown} exists, and is left alone: name another file"
            )));
        }
        created => {
            created.map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")))?
        }
    };
    file.write_all(toml.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| io::Error::new(error.kind(), format!("{shown}: {error}")).into())
}

fn tell(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}
