//! Where an answer sends us, and what goes along.
//!
//! What is not obvious:
//!
//! - The *permanent* address is the end of the leading run of 301 and 308: the first hop that is for now only ends the
//!   run, whatever follows it. That is the address to remember.
//! - To another origin (RFC 6454) go the headers that say what is wanted, and nothing else: no credentials of any name,
//!   and no body. What was left behind once stays behind.
//! - Validators belong to one address, and go to that one only.
//! - A redirect cannot hand out credentials: the `user:password@` of a target is dropped. Within an origin ours is kept.

use reqwest::{
    Method, Url,
    header::{ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName},
};

use super::error::{HttpError, shown};

/// More than any site needs, and few enough to be told.
pub(super) const MOST: usize = 10;

/// RFC 9110, section 4.1, asks for 8000 at least.
const LONGEST: usize = 8_192;

/// What another origin may know.
const FOR_ANYBODY: [HeaderName; 4] = [ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_TYPE];

/// A request on its way from address to address.
#[derive(Debug)]
pub(super) struct Trail {
    /// The addresses so far; the last is the next to be asked. At most [`MOST`] + 1.
    visited: Vec<Url>,
    permanent: Permanent,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// Whether the request still has its body.
    pub(super) has_body: bool,
}

/// The leading run of permanent hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permanent {
    /// It goes on, to the address at this place.
    Open(usize),
    /// A hop that is for now only has ended it there.
    Closed(usize),
}

impl Permanent {
    fn place(self) -> usize {
        match self {
            Self::Open(place) | Self::Closed(place) => place,
        }
    }
}

/// Reads an address that requests can go to.
pub(super) fn address(text: &str) -> Result<Url, HttpError> {
    if text.len() > LONGEST {
        return Err(HttpError::BadUrl(format!(
            "it is longer than {LONGEST} bytes"
        )));
    }
    let url = Url::parse(text).map_err(|error| HttpError::BadUrl(error.to_string()))?;
    check(&url).map_err(HttpError::BadUrl)?;
    Ok(url)
}

fn check(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is neither http: nor https:", url.scheme()));
    }
    if url.as_str().len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    Ok(())
}

/// Whether an answer with this status sends us elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Trail {
    pub(super) fn new(mut url: Url, method: Method, headers: HeaderMap, has_body: bool) -> Self {
        url.set_fragment(None);
        Self {
            visited: vec![url],
            permanent: Permanent::Open(0),
            method,
            headers,
            has_body,
        }
    }

    /// The address to be asked now.
    pub(super) fn address(&self) -> &Url {
        self.visited.last().expect("it starts with one")
    }

    /// The address to remember, if it is not the first.
    pub(super) fn permanent(&self) -> Option<&Url> {
        let place = self.permanent.place();
        (place > 0).then(|| &self.visited[place])
    }

    /// Goes on to where an answer points.
    pub(super) fn follow(&mut self, status: u16, location: &[u8]) -> Result<(), HttpError> {
        if self.visited.len() > MOST {
            return Err(HttpError::TooManyRedirects { limit: MOST });
        }
        let here = self.address();
        let next = target(here, location)?;
        let is_elsewhere = next.origin() != here.origin();
        if let Some(place) = self.visited.iter().position(|visited| *visited == next) {
            return Err(self.circle(place));
        }
        self.adapt(status);
        if is_elsewhere {
            self.leave_origin(&next)?;
        }
        let place = self.visited.len();
        self.permanent = match (self.permanent, status) {
            (Permanent::Open(_), 301 | 308) => Permanent::Open(place),
            (permanent, _) => Permanent::Closed(permanent.place()),
        };
        self.visited.push(next);
        Ok(())
    }

    /// Method and body, as browsers have it: 303 asks for another thing, and 301 and 302 have always been taken so for
    /// a POST (RFC 9110, section 15.4).
    fn adapt(&mut self, status: u16) {
        let becomes_get = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.has_body = false;
            self.headers.remove(CONTENT_TYPE);
        }
    }

    fn leave_origin(&mut self, next: &Url) -> Result<(), HttpError> {
        if self.has_body {
            let host = next.host_str().unwrap_or_default();
            return Err(HttpError::BadRedirect(format!(
                "it would send the body of a {} to `{host}`, another server",
                self.method
            )));
        }
        let all = std::mem::take(&mut self.headers);
        for name in FOR_ANYBODY {
            for value in all.get_all(&name) {
                self.headers.append(&name, value.clone());
            }
        }
        Ok(())
    }

    fn circle(&self, place: usize) -> HttpError {
        let mut stations: Vec<String> = self.visited[place..].iter().map(shown).collect();
        stations.push(shown(&self.visited[place]));
        HttpError::RedirectLoop(stations.join(" → "))
    }
}

/// The address that a `Location` (RFC 9110, section 10.2.2) means here.
fn target(here: &Url, location: &[u8]) -> Result<Url, HttpError> {
    // Bytes that are no ASCII are UTF-8 in the wild, and the parser of URLs escapes them.
    let location = std::str::from_utf8(location)
        .map_err(|_| HttpError::BadRedirect("its address is not text".to_owned()))?;
    let mut next = here
        .join(location)
        .map_err(|error| HttpError::BadRedirect(format!("its address cannot be read: {error}")))?;
    check(&next).map_err(HttpError::BadRedirect)?;
    let (user, password) = if next.origin() == here.origin() {
        (here.username(), here.password())
    } else {
        ("", None)
    };
    // They fail for addresses without a host, which http and https do not have.
    let kept = next
        .set_username(user)
        .and_then(|()| next.set_password(password));
    kept.map_err(|()| HttpError::BadRedirect("its address has no host".to_owned()))?;
    next.set_fragment(None);
    Ok(next)
}

#[cfg(test)]
mod tests;
