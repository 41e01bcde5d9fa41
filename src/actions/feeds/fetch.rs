//! Asking a server for a feed.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::policy::Came;
use crate::http::{
    Client, Failed, HeaderMap, HeaderValue, HostGate, HttpError, Limits, Method, Network, Pass,
    Policy, Request, Settings, SettingsError, Share, Timeout, Validators, header, shown_address,
};

/// Fetches feeds: one request at a time for each host, and so many at a time for all of them.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    gate: HostGate,
    slots: Arc<Semaphore>,
    timeout: Duration,
    retry: Policy,
    headers: HeaderMap,
}

/// How servers are asked.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How to reach who asks: `+https://example.com/bot`.
    pub contact: Option<String>,
    /// Networks that are asked although they are not of the world.
    pub allowed: Vec<Network>,
    /// How many feeds are fetched at once.
    pub parallel: usize,
    /// How long a host is left alone between two requests.
    pub gap: Duration,
    /// How long a fetch may take, with redirects, retries and the waits between; a server that asks for more of them is
    /// asked again another time.
    pub timeout: Duration,
    /// The longest body, in bytes after decompression.
    pub max_body: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            contact: None,
            allowed: Vec::new(),
            parallel: 1,
            gap: Duration::from_secs(1),
            timeout: Duration::from_mins(3),
            max_body: Limits::default().body,
        }
    }
}

/// What came instead of a document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Without {
    /// Word that there is nothing new.
    #[error("there is nothing new")]
    NotModified,
    /// Another status.
    #[error("{address} answers {status}{}", .retry_after.map(asks).unwrap_or_default())]
    Status {
        /// Who says so; without what may be secret.
        address: String,
        /// It.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing that counts, and why.
    #[error("{0}")]
    Unanswered(String),
}

fn asks(to_wait: Duration) -> String {
    format!(", and asks to be left alone for {} s", to_wait.as_secs())
}

/// The right to fetch a feed now: nobody else of this process asks its host, and one of the slots is ours.
#[derive(Debug)]
#[must_use = "a turn that is dropped lets the next one in"]
pub struct Turn {
    host: Pass,
    slot: Option<OwnedSemaphorePermit>,
}

/// What a document takes from others as long as somebody has it, or what was made of it: a slot, and room in memory.
#[derive(Debug)]
#[must_use = "what is dropped another document may take"]
pub struct Taken {
    _slot: Option<OwnedSemaphorePermit>,
    room: Share,
}

impl Taken {
    /// Whether the document is one of the large ones.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.room.is_some()
    }
}

/// A document as it came.
#[derive(Debug)]
pub struct Document {
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// Who answered.
    pub address: String,
    /// The address to ask from now on, if it is another.
    pub permanent_address: Option<String>,
    /// What the body is said to be.
    pub content_type: Option<String>,
    /// What to show next time.
    pub validators: Validators,
    /// How many requests it took.
    pub requests: usize,
    /// What it takes from others.
    pub taken: Taken,
}

/// What is preferred where a server has several.
const ACCEPT: &str = "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml, \
                      application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5";

impl Fetcher {
    /// One with its own connections.
    pub fn new(manners: Manners) -> Result<Self, SettingsError> {
        let contact = manners.contact.map(|contact| format!(" ({contact})"));
        let contact = contact.unwrap_or_default();
        let client = Client::new(Settings {
            user_agent: format!("crontabber/{}{contact}", env!("CARGO_PKG_VERSION")),
            allowed: manners.allowed,
            limits: Limits {
                body: manners.max_body,
                ..Limits::default()
            },
        })?;
        Ok(Self {
            client,
            gate: HostGate::new(manners.gap),
            slots: Arc::new(Semaphore::new(manners.parallel)),
            timeout: manners.timeout,
            retry: Policy::default(),
            headers: HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(ACCEPT))]),
        })
    }

    /// Waits for the turn of a feed at its host, and then for a slot: who waits for a host keeps none from others.
    pub async fn turn(&self, address: &str) -> Turn {
        let host = self.gate.enter(address).await;
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        // Nobody closes it.
        let slot = slot.ok();
        Turn { host, slot }
    }

    /// Fetches a feed.
    pub async fn fetch(
        &self,
        turn: Turn,
        address: &str,
        validators: Option<&Validators>,
    ) -> Result<Document, Without> {
        let mut headers = self.headers.clone();
        if !turn.host.is_awaited() {
            // A connection that nobody needs again is not kept, of thousands of hosts.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let request = Request {
            method: &Method::GET,
            address,
            headers: &headers,
            validators,
            body: None,
            retry: &self.retry,
            deadline: Instant::now() + self.timeout,
        };
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|failed| Without::Unanswered(self.why(&failed)))?;
        match answer.status {
            304 if validators.is_some() => return Err(Without::NotModified),
            200 => {}
            status => {
                return Err(Without::Status {
                    address: shown_address(&answer.address),
                    status,
                    retry_after: answer.retry_after,
                });
            }
        }
        let said = |name| answer.header(&name).map(str::to_owned);
        Ok(Document {
            content_type: said(header::CONTENT_TYPE),
            validators: Validators {
                address: answer.address.clone(),
                etag: said(header::ETAG),
                last_modified: said(header::LAST_MODIFIED),
            },
            requests: answer.attempts.len(),
            body: answer.body,
            address: answer.address,
            permanent_address: answer.permanent_address,
            taken: Taken {
                _slot: turn.slot,
                room: answer.share,
            },
        })
    }

    /// How long a fetch may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    fn why(&self, failed: &Failed) -> String {
        if failed.error != HttpError::Timeout(Timeout::Deadline) {
            return failed.to_string();
        }
        let requests = failed.attempts.len();
        let requests = if requests > 1 {
            format!(", with {requests} requests")
        } else {
            String::new()
        };
        format!("it was not done within {:?}{requests}", self.timeout)
    }
}

impl Without {
    /// What the policy makes of it.
    #[must_use]
    pub fn came(&self) -> Came {
        match self {
            Self::NotModified => Came::Well {
                hint: None,
                is_complete: false,
            },
            Self::Status {
                status,
                retry_after,
                ..
            } => Came::Status {
                status: *status,
                retry_after: *retry_after,
            },
            Self::Unanswered(_) => Came::Nothing,
        }
    }

    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotModified => Some(304),
            Self::Status { status, .. } => Some(*status),
            Self::Unanswered(_) => None,
        }
    }
}
