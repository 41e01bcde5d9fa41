//! Asking a server for a feed.

use std::time::Duration;

use tokio::time::Instant;

use super::policy::Came;
use crate::http::{
    Client, HeaderMap, HeaderValue, HostGate, Limits, Method, Network, Policy, Request, Settings,
    SettingsError, Validators, header,
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

/// What has come.
#[derive(Debug)]
pub enum Fetched {
    /// A document.
    Document(Box<Document>),
    /// Word that there is nothing new.
    NotModified,
    /// Another status.
    Status {
        /// Who says so.
        address: String,
        /// It.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Nothing that counts, and why.
    Nothing(String),
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

    /// Fetches a feed, when its host's turn has come; `within` counts from then, and holds for all of it.
    pub async fn fetch(
        &self,
        address: &str,
        validators: Option<&Validators>,
        within: Duration,
    ) -> Fetched {
        let _turn = self.gate.enter(address).await;
        let request = Request {
            method: &Method::GET,
            address,
            headers: &self.headers,
            validators,
            body: None,
            retry: &self.retry,
            deadline: Instant::now() + within,
        };
        let answer = match self.client.send(request).await {
            Ok(answer) => answer,
            Err(failed) => return Fetched::Nothing(failed.to_string()),
        };
        match answer.status {
            304 if validators.is_some() => return Fetched::NotModified,
            200 => {}
            status => {
                return Fetched::Status {
                    address: answer.address,
                    status,
                    retry_after: answer.retry_after,
                };
            }
        }
        let said = |name| answer.header(&name).map(str::to_owned);
        Fetched::Document(Box::new(Document {
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
        }))
    }
}

impl Fetched {
    /// What came instead of a document: for the policy, its status, and the error, if it is one.
    #[must_use]
    pub fn told(&self) -> (Came, Option<u16>, Option<String>) {
        match self {
            Self::Document(_) | Self::NotModified => {
                let hint = None;
                let is_complete = false;
                (Came::Well { hint, is_complete }, Some(304), None)
            }
            Self::Status {
                address,
                status,
                retry_after,
            } => {
                let came = Came::Status {
                    status: *status,
                    retry_after: *retry_after,
                };
                let asks = retry_after
                    .map(|after| format!(", and asks to be left alone for {} s", after.as_secs()));
                let why = format!("{address} answers {status}{}", asks.unwrap_or_default());
                (came, Some(*status), Some(why))
            }
            Self::Nothing(why) => (Came::Nothing, None, Some(why.clone())),
        }
    }
}
