//! `action feeds`: what a job runs, and what people ask of its tables.

mod look;

use std::{
    io::{self, IsTerminal as _, Read as _},
    time::Duration,
};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::{
    actions::feeds::{
        fetch::{Fetcher, Manners},
        pass::pass,
        store::{self, Listed},
        table::Table,
    },
    duration,
    exit::Exit,
    store::{Address, Database, Environment},
    view::{
        Medium,
        mark::{Mark, Tone},
        table::{Column, Row, render},
        text::harmless,
    },
};

use crate::cli::{fail::Failure, open::block_on, print};

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
    Add(Add),
    List(List),
    Resume(Resume),
}

/// Adds feeds; each is fetched by the next pass
#[derive(Debug, Args)]
struct Add {
    /// Their addresses
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// How often they are fetched
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    every: String,
}

/// The feeds, those that need somebody first
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: number, state, errors, episodes, next fetch, address, title, reason or last error.")]
struct List {
    /// Those in a state: active, suspended, gone, complete or duplicate
    #[arg(long, value_name = "STATE", value_parser = ["active", "suspended", "gone", "complete", "duplicate"])]
    state: Option<String>,
}

/// Fetches feeds again that have been given up
#[derive(Debug, Args)]
struct Resume {
    /// Their numbers, as `list` has them
    #[arg(required = true, value_name = "NUMBER")]
    numbers: Vec<i64>,
}

/// How long a database may take to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest table of a job, in bytes.
const LONGEST: u64 = 1 << 20;

impl Feeds {
    pub(super) fn answer(self) -> Result<Exit, Failure> {
        match &self.command {
            None => self.work(),
            Some(Command::Look(look)) => look.answer(),
            Some(Command::Add(add)) => self.add(add),
            Some(Command::List(list)) => self.list(list),
            Some(Command::Resume(resume)) => self.resume(resume),
        }
    }

    fn work(&self) -> Result<Exit, Failure> {
        if io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "a pass reads the job's table from its standard input: echo '{}' | crontabber action feeds; other \
                 commands: crontabber action feeds --help"
                    .to_owned(),
            ));
        }
        let mut json = String::new();
        io::stdin().lock().take(LONGEST).read_to_string(&mut json)?;
        let table = match Table::parse(&json) {
            Ok(table) => table,
            Err(bad) => {
                eprintln!("error: {}", harmless(&bad.to_string()));
                return Ok(Exit::Configuration);
            }
        };
        // One for each document that is kept, one for claims, one for notes.
        let database = self.database(table.parallel + 2)?;
        let fetcher = Fetcher::new(Manners {
            contact: table.contact,
            allowed: table.allow,
            parallel: table.parallel,
            gap: table.gap,
            timeout: table.timeout,
            max_body: table.max_body,
        });
        let fetcher = fetcher.map_err(|error| Failure::Usage(error.to_string()))?;
        let done = block_on(async {
            store::prepare(&database).await?;
            if !table.feeds.is_empty() {
                store::add(&database, &table.feeds, table.every).await?;
            }
            let tell = |why: &str| println!("{}", harmless(why));
            Ok(pass(&database, &fetcher, table.parallel, tell).await?)
        })?;
        let json = serde_json::to_string(&done).expect("counts have a JSON form");
        print(&format!("{json}\n"))?;
        #[expect(clippy::cast_precision_loss, reason = "a share of feeds, not of atoms")]
        let share = done.failed as f64 / done.fetched.max(1) as f64;
        Ok(if share > table.fail_above {
            Exit::Failed
        } else {
            Exit::Ok
        })
    }

    fn add(&self, add: &Add) -> Result<Exit, Failure> {
        let every = duration::parse(&add.every).map_err(|_| {
            Failure::Usage(format!(
                "`{}` is no duration such as 6h",
                harmless(&add.every)
            ))
        })?;
        if every < Duration::from_mins(1) {
            return Err(Failure::Usage(
                "a feed is fetched every minute at most".to_owned(),
            ));
        }
        let strange = add
            .addresses
            .iter()
            .find(|address| !(address.starts_with("http://") || address.starts_with("https://")));
        if let Some(strange) = strange {
            let strange = harmless(strange);
            return Err(Failure::Usage(format!(
                "`{strange}` is no address of a feed: https://..."
            )));
        }
        let database = self.database(1)?;
        let added = block_on(async {
            store::prepare(&database).await?;
            Ok(store::add(&database, &add.addresses, every).await?)
        })?;
        for address in &add.addresses {
            let what = if added.contains(address) {
                "added"
            } else {
                "is there already"
            };
            print(&format!("{}\t{what}\n", harmless(address)))?;
        }
        Ok(Exit::Ok)
    }

    fn list(&self, list: &List) -> Result<Exit, Failure> {
        let database = self.database(1)?;
        let feeds = block_on(async {
            store::prepare(&database).await?;
            Ok(store::list(&database, list.state.as_deref()).await?)
        })?;
        let columns = [
            Column::right("FEED"),
            Column::left("STATE").toned(),
            Column::right("ERRORS"),
            Column::right("EPISODES"),
            Column::left("NEXT FETCH"),
            Column::left("ADDRESS").yields(1, 30),
            Column::left("TITLE").yields(0, 16),
            Column::left("WHY").yields(2, 30),
        ];
        let medium = Medium::of_stdout();
        let rows: Vec<Row> = feeds.iter().map(|feed| row(feed, medium)).collect();
        print(&render(&columns, &rows, medium))?;
        Ok(Exit::Ok)
    }

    fn resume(&self, resume: &Resume) -> Result<Exit, Failure> {
        let database = self.database(1)?;
        let resumed = block_on(async { Ok(store::resume(&database, &resume.numbers).await?) })?;
        let unknown = resume
            .numbers
            .iter()
            .find(|number| !resumed.contains(number));
        match unknown {
            Some(number) => Err(Failure::Usage(format!("there is no feed {number}"))),
            None => Ok(Exit::Ok),
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

fn row(feed: &Listed, medium: Medium) -> Row {
    let is_active = feed.state == "active";
    let next = |at: Timestamp| match medium {
        Medium::Pipe => at.to_string(),
        Medium::Terminal { .. } => at.strftime("%F %R").to_string(),
    };
    let (sign, tone) = match (feed.state.as_str(), feed.errors) {
        ("active", 0) => (' ', Tone::Well),
        ("active" | "complete" | "duplicate", _) => (' ', Tone::Odd),
        _ => ('!', Tone::Bad),
    };
    let why = feed.last_error.as_ref().or(feed.reason.as_ref());
    Row {
        mark: Mark { sign, tone },
        cells: vec![
            feed.id.to_string(),
            feed.state.clone(),
            feed.errors.to_string(),
            feed.episodes.to_string(),
            if is_active {
                next(feed.next_fetch)
            } else {
                String::new()
            },
            feed.url.clone(),
            feed.title.clone().unwrap_or_default(),
            why.cloned().unwrap_or_default(),
        ],
    }
}
