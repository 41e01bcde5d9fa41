//! A look at one feed: what would be taken from it, and what is wrong with it. Nothing is kept.

mod shown;

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::parse::{Feed, Unreadable, parse};
use crate::http::{
    Client, Failed, HeaderMap, HeaderValue, Limits, Method, Network, Policy, Request, Settings,
    SettingsError, header,
};

/// How a server is asked.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How to reach who asks, after the name of the program: `+https://example.com/bot`.
    pub contact: Option<String>,
    /// Networks that are asked although they are not of the world.
    pub allowed: Vec<Network>,
    /// When all of it has to be over.
    pub within: Duration,
}

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
    /// The status.
    pub status: u16,
    /// The bytes of the body, decompressed.
    pub bytes: usize,
    /// How many requests it took.
    pub requests: usize,
    /// How long it took.
    pub took: Duration,
    /// What it said of the body's type.
    pub content_type: Option<String>,
    /// What it wants to be shown next time, and whether there is anything of that.
    pub etag: Option<String>,
    /// The same by date.
    pub last_modified: Option<String>,
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
#[derive(Debug, Error)]
pub enum NoFeed {
    /// The answer is none.
    #[error("{0}")]
    Failed(#[from] Failed),
    /// The answer is no success.
    #[error("{address} answers {status}{}", retry(.retry_after))]
    Status {
        /// Who says so.
        address: String,
        /// What.
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// What came is no feed.
    #[error("{from}: {why}")]
    Unreadable {
        /// From where.
        from: String,
        /// Why not.
        why: Unreadable,
    },
    /// Nobody could be asked like this.
    #[error("{0}")]
    Settings(#[from] SettingsError),
}

fn retry(after: &Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        format!(", and asks to be left alone for {} s", after.as_secs())
    })
}

/// What is preferred where a server has several.
const ACCEPT: &str = "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml, \
                      application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5";

/// Fetches a feed and reads it.
pub async fn at(address: &str, manners: &Manners) -> Result<Looked, NoFeed> {
    let contact = manners.contact.as_deref();
    let contact = contact.map_or_else(String::new, |contact| format!(" ({contact})"));
    let client = Client::new(Settings {
        user_agent: format!("crontabber/{}{contact}", env!("CARGO_PKG_VERSION")),
        allowed: manners.allowed.clone(),
        limits: Limits::default(),
    })?;
    let started = Instant::now();
    let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(ACCEPT))]);
    let answer = client
        .send(Request {
            method: &Method::GET,
            address,
            headers: &headers,
            validators: None,
            body: None,
            retry: &Policy::default(),
            deadline: started + manners.within,
        })
        .await?;
    if answer.status != 200 {
        return Err(NoFeed::Status {
            address: answer.address,
            status: answer.status,
            retry_after: answer.retry_after,
        });
    }
    let said = |name| answer.header(&name).map(str::to_owned);
    let answered = Answered {
        asked: address.to_owned(),
        address: answer.address.clone(),
        permanent_address: answer.permanent_address.clone(),
        status: answer.status,
        bytes: answer.body.len(),
        requests: answer.attempts.len(),
        took: started.elapsed(),
        content_type: said(header::CONTENT_TYPE),
        etag: said(header::ETAG),
        last_modified: said(header::LAST_MODIFIED),
    };
    let content_type = answered.content_type.as_deref();
    let feed = parse(&answer.body, content_type, &answer.address);
    let feed = feed.map_err(|why| NoFeed::Unreadable {
        from: answer.address.clone(),
        why,
    })?;
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
