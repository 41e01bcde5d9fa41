//! `action feeds look`: one feed, and nothing kept.

use std::{io, path::Path};

use clap::Args;

use super::input;
use crate::{
    actions::feeds::{
        fetch::{Fetcher, Manners},
        look::{self, Looked, NoFeed},
        sources,
    },
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    http::Network,
    view::{Medium, text::harmless},
};

/// What would be taken from a feed, and what is wrong with it
///
/// Fetches it as a pass would, with the same limits and retries, and keeps nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crontabber action feeds look https://example.com/podcast.xml
  crontabber action feeds look ./saved.xml
  curl https://example.com/feed | crontabber action feeds look -

Exit codes: 0 it can be read; 1 it cannot, or nobody answers; 64 usage; 74 the file cannot be read.")]
pub(super) struct Look {
    /// Its address, a file, or `-` for the standard input
    #[arg(value_name = "ADDRESS|FILE")]
    feed: String,
    /// A network that may be asked although it is private or this host's own, such as 10.0.0.0/8; again for another
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<Network>,
    /// How to reach you, for the operators of the server, such as an address of mail
    #[arg(long, value_name = "TEXT")]
    contact: Option<String>,
    /// As an object with everything that would be taken (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Look {
    pub(super) fn answer(&self) -> Result<Exit, Failure> {
        match self.look()? {
            Ok(looked) => {
                print(&if self.json {
                    looked.json()
                } else {
                    looked.text(Medium::of_stdout())
                })?;
                Ok(Exit::Ok)
            }
            Err(why) => {
                eprintln!("{}", harmless(&why.to_string()));
                Ok(Exit::Failed)
            }
        }
    }

    fn look(&self) -> Result<Result<Looked, NoFeed>, Failure> {
        if self.feed == "-" {
            let body = input::standard()?;
            return Ok(look::in_file("the standard input", &body));
        }
        if !self.feed.contains("://") {
            let read = sources::read(Path::new(&self.feed));
            let body = read.map_err(|error| self.unread(&error))?;
            return Ok(look::in_file(&self.feed, &body));
        }
        let fetcher = Fetcher::new(Manners {
            contact: self.contact.clone(),
            allowed: self.allow.clone(),
            ..Manners::default()
        });
        let fetcher = fetcher.map_err(|error| Failure::Usage(error.to_string()))?;
        block_on(async { Ok(look::at(&self.feed, &fetcher).await) })
    }

    fn unread(&self, error: &io::Error) -> Failure {
        let name = harmless(&self.feed);
        Failure::Io(io::Error::new(
            error.kind(),
            format!(
                "`{name}` is no address (https://...), and as a file it cannot be read: {error}"
            ),
        ))
    }
}
