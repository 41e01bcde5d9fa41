//! Redirects, retries and limits put together: a request in, an answer out.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{
    Method, RequestBuilder, Response,
    header::{
        HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
    },
    redirect,
};
use thiserror::Error;
use tokio::time::Instant;

use super::{
    error::{HttpError, SettingsError, shown},
    exchange::{Exchange, Limits},
    guard::Guard,
    network::Network,
    redirect::{Trail, address, is_redirect},
    retry::{Ended, Policy, Retries},
    retry_after,
    room::{Room, Share},
    roots,
};

/// What holds for all requests of a client.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who asks, and how to reach them: `crontabber/1.0 (+mailto:ops@example.com)`.
    pub user_agent: String,
    /// Networks that are asked although they are not of the world.
    pub allowed: Vec<Network>,
    /// How much of a server is borne.
    pub limits: Limits,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What to do.
    pub method: &'a Method,
    /// Where: `http:` or `https:`, of at most 8192 bytes.
    pub address: &'a str,
    /// What to say, beside what a client says by itself: the user agent and the encodings that it reads.
    pub headers: &'a HeaderMap,
    /// What is known already, for an answer of 304.
    pub validators: Option<&'a Validators>,
    /// What to send along. At another origin than this address it is not sent.
    pub body: Option<&'a [u8]>,
    /// When to send it again.
    pub retry: &'a Policy,
    /// When all of it has to be over: redirects, retries, and the waits between.
    pub deadline: Instant,
}

/// What an address said of its last answer, word for word (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// That address, [`Answer::address`]: they are sent to no other, whichever the request starts at.
    pub address: String,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Vec<u8>,
    /// What the body takes of the room for all of them ([`Limits::bodies`]); to be kept as long as the body, and what was
    /// made of it.
    pub share: Share,
    /// Who answered, after all redirects.
    pub address: String,
    /// The address to remember instead of the one that was asked: where the redirects that are for ever lead before the
    /// first one that is for now only. Worth something if the answer is.
    pub permanent_address: Option<String>,
    /// How long the server asks not to be asked again; `None`: it does not say, or nobody can read it.
    pub retry_after: Option<Duration>,
    /// Every request that it took; the last one is this answer's.
    pub attempts: Vec<Attempt>,
}

/// No answer.
#[derive(Debug, Clone, Error)]
#[error("{error}")]
pub struct Failed {
    /// Why.
    pub error: HttpError,
    /// Every request that was sent, and the last one perhaps only tried.
    pub attempts: Vec<Attempt>,
}

/// One request of several.
///
/// Prints as a line for the log: `GET https://example.com/feed: 503 after 120ms, again in 1s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was to be done.
    pub method: Method,
    /// Where; without what may be secret.
    pub address: String,
    /// How long it took.
    pub took: Duration,
    /// The status, or why there is none.
    pub result: Result<u16, HttpError>,
    /// The wait before the next one, if it was sent again.
    pub wait: Option<Duration>,
}

impl Answer {
    /// A field of the head; of several the first. `None` also where it is more than visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.address)?;
        match &self.result {
            Ok(status) => write!(f, "{status}")?,
            Err(error) => write!(f, "{error}")?,
        }
        write!(f, " after {}ms", self.took.as_millis())?;
        match self.wait {
            Some(wait) => write!(f, ", again in {wait:?}"),
            None => Ok(()),
        }
    }
}

/// Asks servers. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    guard: Guard,
    limits: Limits,
    room: Room,
    trusts_nobody: bool,
}

/// How long a connection is kept that nobody uses. Who asks many hosts one after the other would run out of descriptors.
const IDLE: Duration = Duration::from_secs(5);

impl Client {
    /// Reads the system's root certificates: milliseconds, and of the disk.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let user_agent = HeaderValue::from_str(&settings.user_agent)
            .ok()
            .filter(|value| value.to_str().is_ok() && !value.is_empty())
            .ok_or(SettingsError::UserAgent(settings.user_agent))?;
        let build = |error: &dyn fmt::Display| SettingsError::Build(error.to_string());
        let tls = roots::tls().map_err(|error| build(&error))?;
        let guard = Guard::new(settings.allowed);
        let http = reqwest::Client::builder()
            .user_agent(user_agent)
            .tls_backend_preconfigured(tls.config)
            .dns_resolver(Arc::new(guard.clone()))
            .connect_timeout(settings.limits.connect)
            // A proxy would resolve names itself, behind the back of the guard.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| build(&error))?;
        Ok(Self {
            http,
            guard,
            room: Room::new(settings.limits.bodies.max(settings.limits.body)),
            limits: settings.limits,
            trusts_nobody: tls.trusts_nobody,
        })
    }

    /// Sends a request until there is an answer that counts, wherever that is.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, Failed> {
        let mut attempts = Vec::new();
        match self.follow(&request, &mut attempts).await {
            Ok(answer) => Ok(Answer { attempts, ..answer }),
            Err(error) => Err(Failed { error, attempts }),
        }
    }

    /// From redirect to redirect.
    async fn follow(
        &self,
        request: &Request<'_>,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Answer, HttpError> {
        let mut trail = Trail::new(
            address(request.address)?,
            request.method.clone(),
            request.headers.clone(),
            request.body.is_some(),
        );
        loop {
            match self.persist(request, &trail, attempts).await? {
                Step::Done(answer) => return Ok(answer),
                Step::Elsewhere { status, location } => {
                    trail.follow(status, location.as_bytes())?;
                }
            }
        }
    }

    /// From retry to retry, at one address.
    async fn persist(
        &self,
        request: &Request<'_>,
        trail: &Trail,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Step, HttpError> {
        let mut retries = Retries::new(request.retry, &trail.method);
        loop {
            let mut exchange = Exchange::start(&self.limits, &self.room, request.deadline);
            let head = self.head(&exchange, request, trail).await;
            let remaining = request.deadline.saturating_duration_since(Instant::now());
            let wait = ended(&head).and_then(|ended| retries.after(ended, remaining));
            if let Some(wait) = wait {
                let result = head.map(|response| response.status().as_u16());
                attempts.push(attempt(trail, &exchange, result, Some(wait)));
                tokio::time::sleep(wait).await;
                continue;
            }
            let step = match head {
                Ok(response) => step(response, trail, &mut exchange).await,
                Err(error) => Err(error),
            };
            let result = step.as_ref().map(Step::status).map_err(Clone::clone);
            attempts.push(attempt(trail, &exchange, result, None));
            return step;
        }
    }

    async fn head(
        &self,
        exchange: &Exchange<'_>,
        request: &Request<'_>,
        trail: &Trail,
    ) -> Result<Response, HttpError> {
        let url = trail.address();
        self.guard.check(url)?;
        if self.trusts_nobody && url.scheme() == "https" {
            return Err(HttpError::Tls(
                "this machine has no root certificates (is `ca-certificates` installed?)"
                    .to_owned(),
            ));
        }
        exchange.head(self.build(request, trail), url).await
    }

    fn build(&self, request: &Request<'_>, trail: &Trail) -> RequestBuilder {
        let url = trail.address();
        let mut built = self
            .http
            .request(trail.method.clone(), url.clone())
            .headers(trail.headers.clone());
        let known = request
            .validators
            .filter(|validators| validators.address == url.as_str());
        if let Some(known) = known {
            let fields = [
                (IF_NONE_MATCH, &known.etag),
                (IF_MODIFIED_SINCE, &known.last_modified),
            ];
            for (name, value) in fields {
                // Kept somewhere in between, it may have become what no header can hold: then the whole answer comes.
                if let Some(Ok(value)) = value.as_deref().map(HeaderValue::from_str) {
                    built = built.header(name, value);
                }
            }
        }
        match request.body {
            Some(body) if trail.has_body => built.body(body.to_vec()),
            _ => built,
        }
    }
}

/// What came of asking one address.
enum Step {
    Done(Answer),
    Elsewhere { status: u16, location: HeaderValue },
}

impl Step {
    fn status(&self) -> u16 {
        match self {
            Self::Done(Answer { status, .. }) | Self::Elsewhere { status, .. } => *status,
        }
    }
}

/// What retries know of a head; `None`: nothing would be different next time.
fn ended(head: &Result<Response, HttpError>) -> Option<Ended> {
    use super::error::Timeout;
    match head {
        Ok(response) => Some(Ended::Answered {
            status: response.status().as_u16(),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .map(|value| asked_wait(value).unwrap_or_default()),
        }),
        Err(
            HttpError::CannotResolve { .. }
            | HttpError::CannotConnect(_)
            | HttpError::Tls(_)
            | HttpError::Timeout(Timeout::Connect(_)),
        ) => Some(Ended::Unheard),
        Err(HttpError::NoAnswer(_) | HttpError::Timeout(_)) => Some(Ended::Unanswered),
        Err(_) => None,
    }
}

fn asked_wait(value: &HeaderValue) -> Option<Duration> {
    retry_after::wait(value.to_str().ok()?, Timestamp::now())
}

/// Takes the rest of an answer that is not asked for again. The body of a redirect is left where it is.
async fn step(
    response: Response,
    trail: &Trail,
    exchange: &mut Exchange<'_>,
) -> Result<Step, HttpError> {
    let status = response.status().as_u16();
    if is_redirect(status)
        && let Some(location) = response.headers().get(LOCATION)
    {
        let location = location.clone();
        return Ok(Step::Elsewhere { status, location });
    }
    let headers = response.headers().clone();
    let (body, share) = exchange.body(response).await?;
    Ok(Step::Done(Answer {
        status,
        retry_after: headers.get(RETRY_AFTER).and_then(asked_wait),
        headers,
        body,
        share,
        address: trail.address().to_string(),
        permanent_address: trail.permanent().map(ToString::to_string),
        attempts: Vec::new(),
    }))
}

fn attempt(
    trail: &Trail,
    exchange: &Exchange<'_>,
    result: Result<u16, HttpError>,
    wait: Option<Duration>,
) -> Attempt {
    Attempt {
        method: trail.method.clone(),
        address: shown(trail.address()),
        took: exchange.took(),
        result,
        wait,
    }
}
