//! libpq's two grammars, `keyword = value` pairs and URLs, down to their quirks. What the keywords
//! mean is decided by [`super::Address`].
//!
//! No message repeats a value, and none repeats a word that may be the rest of a password.

use super::{
    AddressError,
    settings::{KEYWORDS, Keyword, Settings},
};

/// What `text` says, in either grammar. An empty text says nothing.
pub(super) fn parse(text: &str) -> Result<Settings, AddressError> {
    if text.contains('\0') {
        return Err(AddressError::BadEncoding);
    }
    let text = text.trim();
    let url = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match url {
        Some(rest) => parse_url(rest),
        None => parse_pairs(text),
    }
}

/// The keyword called `name`, or the error that says which one was probably meant.
///
/// After `password` the name itself may be the rest of one, so it is not repeated.
fn keyword(name: &str, previous: Option<&str>) -> Result<&'static Keyword, AddressError> {
    if let Some(known) = KEYWORDS.iter().find(|known| known.name == name) {
        return Ok(known);
    }
    if previous == Some("password") {
        return Err(AddressError::AfterPassword);
    }
    let nearest = KEYWORDS
        .iter()
        .map(|known| known.name)
        .min_by_key(|known| strsim::damerau_levenshtein(known, name))
        .expect("the table of keywords is not empty");
    Err(AddressError::Unknown {
        keyword: name.to_owned(),
        nearest,
    })
}

/// `keyword = value` pairs. Quotes hold spaces, a backslash takes the next character as it is.
fn parse_pairs(text: &str) -> Result<Settings, AddressError> {
    let mut settings = Settings::default();
    let mut previous = None;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(value) = rest[end..].trim_start().strip_prefix('=') else {
            return Err(AddressError::MissingEquals { previous });
        };
        let known = keyword(name, previous)?;
        let (value, left) = value_of_pair(value.trim_start(), known.name)?;
        settings.set(known.name, value);
        previous = Some(known.name);
        rest = left.trim_start();
    }
    Ok(settings)
}

/// The value at the start of `text`, and what is left behind it.
fn value_of_pair<'a>(
    text: &'a str,
    keyword: &'static str,
) -> Result<(String, &'a str), AddressError> {
    let (quoted, text) = match text.strip_prefix('\'') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            space if !quoted && space.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    if quoted {
        return Err(AddressError::UnterminatedQuote { keyword });
    }
    Ok((value, ""))
}

/// What stands behind `postgres://`: `user:password@host:port,host:port/dbname?keyword=value&...`,
/// every part of it optional.
fn parse_url(url: &str) -> Result<Settings, AddressError> {
    let mut settings = Settings::default();
    let mut rest = url;
    // As in libpq: credentials end at the first `@`, and only a `/` before it means there are none.
    let has_credentials = matches!(rest.find(['@', '/']), Some(at) if rest[at..].starts_with('@'));
    if has_credentials {
        let (credentials, left) = rest.split_once('@').expect("an `@` was just found");
        rest = left;
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        if !user.is_empty() {
            settings.set("user", decode(user)?);
        }
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            settings.set("password", decode(password)?);
        }
    }
    rest = hosts_of_url(rest, &mut settings)?;
    if let Some(path) = rest.strip_prefix('/') {
        let end = path.find('?').unwrap_or(path.len());
        // libpq would take it for a part of the database's name, and show it.
        if path[..end].contains('@') {
            return Err(AddressError::AtSignInPath);
        }
        if end > 0 {
            settings.set("dbname", decode(&path[..end])?);
        }
        rest = &path[end..];
    }
    if let Some(query) = rest.strip_prefix('?') {
        parameters_of_url(query, &mut settings)?;
    }
    Ok(settings)
}

/// The list of hosts and ports at the start of `text`, and what is left behind it.
fn hosts_of_url<'a>(text: &'a str, settings: &mut Settings) -> Result<&'a str, AddressError> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    let mut rest = text;
    loop {
        let host = if let Some(inside) = rest.strip_prefix('[') {
            let (host, left) = inside.split_once(']').ok_or(AddressError::BadBrackets)?;
            if host.is_empty() || !(left.is_empty() || left.starts_with([':', '/', '?', ','])) {
                return Err(AddressError::BadBrackets);
            }
            rest = left;
            host
        } else {
            take_until(&mut rest, &[':', '/', '?', ','])
        };
        hosts.push(host);
        ports.push(match rest.strip_prefix(':') {
            Some(left) => {
                rest = left;
                take_until(&mut rest, &['/', '?', ','])
            }
            None => "",
        });
        match rest.strip_prefix(',') {
            Some(left) => rest = left,
            None => break,
        }
    }
    for (keyword, list) in [("host", hosts.join(",")), ("port", ports.join(","))] {
        if !list.is_empty() {
            settings.set(keyword, decode(&list)?);
        }
    }
    Ok(rest)
}

/// The start of `rest` up to the first of `ends`; `rest` begins there afterwards.
fn take_until<'a>(rest: &mut &'a str, ends: &[char]) -> &'a str {
    let (taken, left) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    *rest = left;
    taken
}

fn parameters_of_url(query: &str, settings: &mut Settings) -> Result<(), AddressError> {
    let mut previous = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) if !value.contains('=') => (decode(name)?, decode(value)?),
            _ => return Err(AddressError::BadParameter { previous }),
        };
        // JDBC's spelling, which libpq takes too.
        if name == "ssl" && value == "true" {
            settings.set("sslmode", "require".to_owned());
            continue;
        }
        let known = keyword(&name, previous)?;
        settings.set(known.name, value);
        previous = Some(known.name);
    }
    Ok(())
}

/// `%41` is `A`; what it spells must be UTF-8 without a zero byte.
fn decode(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        match (digit(), digit()) {
            (Some(0), Some(0)) | (None, _) | (_, None) => return Err(AddressError::BadEncoding),
            (Some(high), Some(low)) => {
                bytes.push(
                    u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"),
                );
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| AddressError::BadEncoding)
}
