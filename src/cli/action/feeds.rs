//! `action feeds`: what a job runs, and what people ask of its tables.

// A pass, as a job runs it.
mod work;
// What people ask of its tables, and of one feed.
mod add;
mod list;
mod look;
mod resume;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::{
    exit::Exit,
    store::{Address, Database, Environment},
};

use crate::cli::fail::Failure;

/// Podcasts and other feeds, fetched politely and kept in tables
///
/// Without a command it does what a job of `action = "feeds"` does: it reads the job's table as JSON from its standard
/// input, fetches what is due, and ends with a line of JSON that says what it did.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds look https://example.com/podcast.xml
  crontabber action feeds add https://example.com/podcast.xml --every 6h
  echo '{}' | crontabber action feeds
  crontabber action feeds list --state suspended

Exit codes: 0 well; 1 too many feeds have failed, or one cannot be read; 64 usage; 69 no database; 78 the job's table.")]
pub(in crate::cli) struct Feeds {
    /// The database whose tables hold the feeds: an address as of libpq
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true
    )]
    database: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Look(look::Look),
    Add(add::Add),
    List(list::List),
    Resume(resume::Resume),
}

/// How long a database may take to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

impl Feeds {
    pub(super) fn answer(&self) -> Result<Exit, Failure> {
        match &self.command {
            None => self.work(),
            Some(Command::Look(look)) => look.answer(),
            Some(Command::Add(add)) => add.answer(&self),
            Some(Command::List(list)) => list.answer(&self),
            Some(Command::Resume(resume)) => resume.answer(&self),
        }
    }

    fn database(&self, connections: usize) -> Result<Database, Failure> {
        let Some(text) = &self.database else {
            return Err(Failure::NoDatabase(
                "nothing says where the feeds are kept: set DATABASE_URL, in a job by `secrets` or `env`, or write \
                 --database URL"
                    .to_owned(),
            ));
        };
        let address = Address::parse(text, &Environment::of_this_process());
        let address = address.map_err(|error| Failure::NoDatabase(error.to_string()))?;
        Ok(Database::new(
            address,
            "crontabber action feeds",
            connections,
            CONNECT,
        ))
    }
}
