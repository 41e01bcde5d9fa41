//! What went wrong, in words for an operator and as kinds to decide on.
//!
//! No text of this module holds a URL's query or its `user:password@`: secrets live there.

use std::{error::Error, io, time::Duration};

use reqwest::Url;
use thiserror::Error;

use super::{guard::Refused, pace::Pace};
use crate::store::error::one_line;

/// Why there is no answer. The causes are in the words: a status such as 404 is an answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be asked by anybody.
    #[error("bad address: {0}")]
    BadUrl(String),
    /// The address is not asked by this host.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The name has no address, or nobody could say.
    #[error("cannot resolve `{host}`: {why}")]
    CannotResolve {
        /// The name.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// No connection.
    #[error("cannot connect: {0}")]
    CannotConnect(String),
    /// A connection, and no trust in it.
    #[error("cannot agree on TLS: {0}")]
    Tls(String),
    /// Something took too long.
    #[error(transparent)]
    Timeout(#[from] Timeout),
    /// The connection broke before the answer, or what came is not HTTP, or its head is larger than 400 KiB or 100 fields.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The body is not as long as it should be, or the connection broke while it came.
    #[error("the answer was cut short after {bytes} bytes: {why}")]
    CutShort {
        /// What had come, after decompression.
        bytes: usize,
        /// What the connection says.
        why: String,
    },
    /// The body is not in the encoding that the answer names.
    #[error("the answer is not in the encoding it names: {0}")]
    BadEncoding(String),
    /// An encoding that was not asked for.
    #[error("the answer is encoded as `{0}`, which nobody asked for")]
    UnknownEncoding(String),
    /// The body is larger than it may be.
    #[error("the answer is larger than {limit} bytes")]
    TooBig {
        /// What it may be, after decompression.
        limit: usize,
    },
    /// The body comes, but would take for ever.
    #[error("the answer comes too slowly: less than {} bytes in {:?}", .0.bytes, .0.window)]
    TooSlow(Pace),
    /// It would take one redirect more.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// How many there may be.
        limit: usize,
    },
    /// The redirects lead to where one of them started.
    #[error("the redirects go in a circle: {0}")]
    RedirectLoop(String),
    /// A redirect that is not followed.
    #[error("a redirect is not followed: {0}")]
    BadRedirect(String),
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Timeout {
    /// Finding the address, the connection and its encryption.
    #[error("no connection within {0:?}")]
    Connect(Duration),
    /// The head of the answer, from the start of the request.
    #[error("no answer within {0:?}")]
    Head(Duration),
    /// The next piece of the body.
    #[error("the answer stopped coming for {0:?}")]
    Idle(Duration),
    /// One request with its answer.
    #[error("the answer was not complete within {0:?}")]
    Total(Duration),
    /// All of it: the caller's own deadline.
    #[error("the time for all of it was over")]
    Deadline,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The user agent cannot be sent.
    #[error(
        "`{0}` cannot be a User-Agent: write visible ASCII, such as crontabber/1.0 (+mailto:ops@example.com)"
    )]
    UserAgent(String),
    /// What reqwest or rustls makes of it.
    #[error("cannot make an HTTP client: {0}")]
    Build(String),
}

impl HttpError {
    /// Of a request that has got no head of an answer; `connect` is its limit.
    pub(super) fn of_head(error: &reqwest::Error, url: &Url, connect: Duration) -> Self {
        if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
            return Self::Refused(refused.clone());
        }
        let why = words(error);
        if error.is_dns() {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Self::CannotResolve { host, why };
        }
        match () {
            () if error.is_connect() && error.is_timeout() => Timeout::Connect(connect).into(),
            () if error.is_connect() && causes(error).any(is_tls) => Self::Tls(why),
            () if error.is_connect() => Self::CannotConnect(why),
            () if error.is_builder() => Self::BadUrl(why),
            () => Self::NoAnswer(why),
        }
    }

    /// Of a body, of which so many bytes had come.
    pub(super) fn of_body(error: &reqwest::Error, bytes: usize) -> Self {
        let why = words(error);
        // What the connection says comes wrapped by hyper; an error of input and output on top is the decoder's.
        let first = causes(error).find(|cause| !cause.is::<reqwest::Error>());
        let is_decoders = first.is_some_and(<dyn Error>::is::<io::Error>) || why == TRAILING;
        if is_decoders {
            Self::BadEncoding(why)
        } else {
            Self::CutShort { bytes, why }
        }
    }
}

/// The one error of decoding that has no type (tower-http 0.6.11); a test has it come from there.
const TRAILING: &str = "there are extra bytes after body has been decompressed";

fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    // What an error of input and output wraps is not its `source`, and it may wrap another one (hyper-rustls does).
    let mut inner = cause;
    for _ in 0..4 {
        if inner.is::<rustls::Error>() {
            return true;
        }
        match inner.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => inner = wrapped,
            None => return false,
        }
    }
    false
}

/// An error and what caused it, and so on; a chain that bites its tail ends, too.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &'a (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source()).take(16)
}

/// The whole chain in one line. reqwest's own words are left out: they say no more than the kind, and hold the URL.
fn words(error: &reqwest::Error) -> String {
    let mut all = String::new();
    for cause in causes(error).filter(|cause| !cause.is::<reqwest::Error>()) {
        let words = cause.to_string();
        // Many an error repeats the one below it.
        if all.contains(&words) {
            continue;
        }
        if !all.is_empty() {
            all.push_str(": ");
        }
        all.push_str(&words);
    }
    if all.is_empty() {
        all.push_str("it cannot be sent");
    }
    one_line(&all)
}

/// An address as texts may show it: without query, fragment and `user:password@`, where secrets live. What is no address is
/// shown as it is, but for what follows a `?`.
#[must_use]
pub fn shown_address(address: &str) -> String {
    Url::parse(address).map_or_else(
        |_| address.split('?').next().unwrap_or_default().to_owned(),
        |url| shown(&url),
    )
}

/// A URL as texts may show it: without query, fragment and `user:password@`.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
