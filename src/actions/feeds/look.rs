//! A look at one feed: what would be taken from it, and what is wrong with it. Nothing is kept.

mod shown;

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::{
    fetch::{Fetcher, Without},
    parse::{Feed, Unreadable, parse},
};
use crate::http::{Validators, shown_address};

/// Where a feed came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, or the standard input.
    File(String),
    /// A server.
    Server(Answered),
}

/// How a server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The address that was asked.
    pub asked: String,
    /// The one that answered, after all redirects.
    pub address: String,
    /// The one to remember instead of what was asked, if there is one.
    pub permanent_address: Option<String>,
    /// The bytes of the body, decompressed.
    pub bytes: usize,
    /// How many requests it took.
    pub requests: usize,
    /// How long it took.
    pub took: Duration,
    /// What it said of the body's type.
    pub content_type: Option<String>,
    /// What to show it next time.
    pub validators: Validators,
}

/// A feed, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Where from.
    pub source: Source,
    /// What it is.
    pub feed: Feed,
}

/// Why there is nothing to see.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoFeed {
    /// No answer, or not one that brings a document.
    #[error("{0}")]
    Without(#[from] Without),
    /// What came is no feed.
    #[error("{from}: {why}")]
    Unreadable {
        /// From where.
        from: String,
        /// Why not.
        why: Unreadable,
    },
}

/// Fetches a feed and reads it.
pub async fn at(address: &str, fetcher: &Fetcher) -> Result<Looked, NoFeed> {
    let started = Instant::now();
    let turn = fetcher.turn(address).await;
    let document = fetcher.fetch(turn, address, None).await?;
    let content_type = document.content_type.as_deref();
    let feed = parse(&document.body, content_type, &document.address);
    let feed = feed.map_err(|why| NoFeed::Unreadable {
        from: shown_address(&document.address),
        why,
    })?;
    let answered = Answered {
        asked: address.to_owned(),
        address: document.address,
        permanent_address: document.permanent_address,
        bytes: document.body.len(),
        requests: document.requests,
        took: started.elapsed(),
        content_type: document.content_type,
        validators: document.validators,
    };
    Ok(Looked {
        source: Source::Server(answered),
        feed,
    })
}

/// Reads a feed that somebody has already; `name` is what to call it.
pub fn in_file(name: &str, body: &[u8]) -> Result<Looked, NoFeed> {
    let feed = parse(body, None, "");
    let feed = feed.map_err(|why| NoFeed::Unreadable {
        from: name.to_owned(),
        why,
    })?;
    Ok(Looked {
        source: Source::File(name.to_owned()),
        feed,
    })
}
