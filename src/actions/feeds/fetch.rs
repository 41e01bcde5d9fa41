//! Asking a server for a feed.

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::policy::Came;
use crate::http::{
    Client, HeaderMap, HeaderValue, HostGate, Limits, Method, Network, Policy, Request, Settings,
    SettingsError, Validators, header, shown_address,
};

/// Fetches feeds: one request at a time for each host.
#[derive(Debug)]
pub struct Fetcher {
    client: Client,
    gate: HostGate,
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
    /// How long a host is left alone between two requests.
    pub gap: Duration,
    /// The longest body, in bytes after decompression.
    pub max_body: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            contact: None,
            allowed: Vec::new(),
            gap: Duration::from_secs(1),
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

/// A document as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What is preferred where a server has several.
const ACCEPT: &str = "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml, \
                      application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5";

/// How long a fetch may take, with redirects, retries and the waits between; a server that asks for more of them is
/// asked again another time.
const WITHIN: Duration = Duration::from_mins(3);

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
            retry: Policy::default(),
            headers: HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(ACCEPT))]),
        })
    }

    /// Fetches a feed, when its host's turn has come.
    pub async fn fetch(
        &self,
        address: &str,
        validators: Option<&Validators>,
    ) -> Result<Document, Without> {
        let _turn = self.gate.enter(address).await;
        let request = Request {
            method: &Method::GET,
            address,
            headers: &self.headers,
            validators,
            body: None,
            retry: &self.retry,
            deadline: Instant::now() + WITHIN,
        };
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|failed| Without::Unanswered(failed.to_string()))?;
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
        })
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
