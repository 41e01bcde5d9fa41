//! `action feeds`: what a job runs, and what people ask of its tables.

// A pass, as a job runs it.
mod work;
// What people ask of its tables, and of one feed.
mod add;
mod export;
mod import;
mod list;
mod look;
mod remove;
mod resume;
mod show;
mod stats;
// What they read.
mod input;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::{
    actions::feeds::{
        by_hand::{self, Found, Named, NotFound},
        schema, trouble,
    },
    cli::{fail::Failure, open::block_on},
    duration,
    exit::Exit,
    store::{Address, Database, Environment},
    view::text::harmless,
};

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
  crontabber action feeds import subscriptions.opml

Exit codes: 0 well; 1 too many feeds have failed, one cannot be read, or there is none of that name; 64 usage; 69 no
database, or no room in it; 77 a right is missing in it; 78 the job's table, a source that it names, or the tables of the
database.")]
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
    Show(show::Show),
    Resume(resume::Resume),
    Remove(remove::Remove),
    Import(import::Import),
    Export(export::Export),
    Stats(stats::Stats),
}

/// How long a database may take to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

impl Feeds {
    pub(super) fn answer(&self) -> Result<Exit, Failure> {
        let answered = match &self.command {
            None => self.work(),
            Some(Command::Look(look)) => look.answer(),
            Some(Command::Add(add)) => add.answer(self),
            Some(Command::List(list)) => list.answer(self),
            Some(Command::Show(show)) => show.answer(self),
            Some(Command::Resume(resume)) => resume.answer(self),
            Some(Command::Remove(remove)) => remove.answer(self),
            Some(Command::Import(import)) => import.answer(self),
            Some(Command::Export(export)) => export.answer(self),
            Some(Command::Stats(stats)) => stats.answer(self),
        };
        answered.or_else(|failure| self.explained(failure))
    }

    /// Says what to do about it where the tables have refused; other failures are told as they are.
    fn explained(&self, failure: Failure) -> Result<Exit, Failure> {
        let Failure::Database(error) = &failure else {
            return Err(failure);
        };
        let database = self.database(1)?;
        let text = block_on(async { Ok(trouble::explained(&database, error).await) })?;
        let Some(text) = text else {
            return Err(failure);
        };
        eprintln!("error: {}", harmless(&text));
        Ok(error.exit())
    }

    /// The database, with the tables in it. In a runtime.
    async fn tables(&self) -> Result<Database, Failure> {
        let database = self.database(1)?;
        schema::prepare(&database).await?;
        Ok(database)
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

/// The feeds of these names, all of them.
async fn find(database: &Database, names: &[Named]) -> Result<Vec<Found>, Failure> {
    by_hand::find(database, names)
        .await
        .map_err(|error| match error {
            NotFound::Database(error) => error.into(),
            unknown @ NotFound::Unknown(_) => {
                Failure::NotFound(harmless(&unknown.to_string()).into_owned())
            }
        })
}

/// How often feeds are to be fetched, as somebody has typed it.
fn every(text: &str) -> Result<Duration, Failure> {
    let every = duration::parse(text)
        .map_err(|_| Failure::Usage(format!("`{}` is no duration such as 6h", harmless(text))))?;
    if every < Duration::from_mins(1) {
        return Err(Failure::Usage(
            "a feed is fetched every minute at most".to_owned(),
        ));
    }
    Ok(every)
}
