use super::*;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderValue};

fn trail(url: &str) -> Trail {
    Trail::new(address(url).unwrap(), Method::GET, HeaderMap::new(), false)
}

fn followed(start: &str, hops: &[(u16, &str)]) -> Result<Trail, HttpError> {
    let mut trail = trail(start);
    for (status, location) in hops {
        trail.follow(*status, location.as_bytes())?;
    }
    Ok(trail)
}

#[test]
fn the_permanent_address_is_the_end_of_the_leading_run_of_permanent_hops() {
    for (hops, last, permanent) in [
        (&[][..], "http://a/", None),
        (&[(301, "/b")], "http://a/b", Some("http://a/b")),
        (
            &[(308, "/b"), (301, "/c")],
            "http://a/c",
            Some("http://a/c"),
        ),
        (
            &[(301, "/b"), (302, "/c")],
            "http://a/c",
            Some("http://a/b"),
        ),
        (
            &[(301, "/b"), (302, "/c"), (301, "/d")],
            "http://a/d",
            Some("http://a/b"),
        ),
        (&[(302, "/b"), (301, "/c")], "http://a/c", None),
        (&[(307, "/b")], "http://a/b", None),
        (&[(303, "/b"), (308, "/c")], "http://a/c", None),
        (
            &[(301, "//b/x?y#z"), (307, "../c")],
            "http://b/c",
            Some("http://b/x?y"),
        ),
    ] {
        let trail = followed("http://a/", hops).unwrap();
        assert_eq!(trail.address().as_str(), last, "{hops:?}");
        assert_eq!(trail.permanent().map(Url::as_str), permanent, "{hops:?}");
    }
}

#[test]
fn circles_are_named_and_long_ways_end() {
    let error = followed(
        "http://a/1?token=s3cret",
        &[(301, "/2"), (302, "/3"), (302, "/2")],
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "the redirects go in a circle: http://a/2 → http://a/3 → http://a/2"
    );
    let itself = followed("http://a/1", &[(302, "#here")]);
    assert!(matches!(itself, Err(HttpError::RedirectLoop(_))));
    let mut trail = trail("http://a/0");
    for hop in 1..=10 {
        trail.follow(302, format!("/{hop}").as_bytes()).unwrap();
    }
    let eleventh = trail.follow(302, b"/11");
    assert_eq!(eleventh, Err(HttpError::TooManyRedirects { limit: 10 }));
}

#[test]
fn a_redirect_leads_to_http_and_nowhere_else() {
    let long = format!("/{}", "x".repeat(LONGEST));
    for (location, why) in [
        ("file:///etc/passwd", "`file:` is neither http: nor https:"),
        ("ftp://a/", "`ftp:` is neither http: nor https:"),
        (
            "javascript:alert(1)",
            "`javascript:` is neither http: nor https:",
        ),
        ("http://", "its address cannot be read: empty host"),
        (
            "http://[::1",
            "its address cannot be read: invalid IPv6 address",
        ),
        (&long, "it is longer than 8192 bytes"),
    ] {
        let error = followed("http://a/", &[(302, location)]).map(drop);
        assert_eq!(
            error,
            Err(HttpError::BadRedirect(why.to_owned())),
            "{location:.40}"
        );
    }
    let not_text = trail("http://a/").follow(302, b"/\xff");
    assert_eq!(
        not_text,
        Err(HttpError::BadRedirect("its address is not text".to_owned()))
    );
}

#[test]
fn what_names_us_stays_with_the_origin_it_was_meant_for() {
    let mut headers = HeaderMap::new();
    for name in [
        AUTHORIZATION,
        COOKIE,
        HeaderName::from_static("x-api-key"),
        ACCEPT,
    ] {
        headers.insert(name, HeaderValue::from_static("x"));
    }
    let known = |start: &str, hops: &[&str]| {
        let mut trail = Trail::new(address(start).unwrap(), Method::GET, headers.clone(), false);
        for hop in hops {
            trail.follow(302, hop.as_bytes()).unwrap();
        }
        (trail.headers.len(), trail.address().to_string())
    };
    for (hops, headers, last) in [
        (&["/y"][..], 4, "https://me:pw@a/y"),
        (&["https://a/y"], 4, "https://me:pw@a/y"),
        (&["https://a:443/y"], 4, "https://me:pw@a/y"),
        (&["https://you:other@a/y"], 4, "https://me:pw@a/y"),
        (&["http://a/y"], 1, "http://a/y"),
        (&["https://a:444/y"], 1, "https://a:444/y"),
        (&["https://b/y"], 1, "https://b/y"),
        (&["https://you:other@b/y"], 1, "https://b/y"),
        (&["https://b/y", "https://a/z"], 1, "https://a/z"),
    ] {
        let seen = known("https://me:pw@a/", hops);
        assert_eq!(seen, (headers, last.to_owned()), "{hops:?}");
    }
}

#[test]
fn a_post_becomes_a_get_where_browsers_make_it_one_and_its_body_stays() {
    let posted = |status, location: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let mut trail = Trail::new(address("http://a/").unwrap(), Method::POST, headers, true);
        trail.follow(status, location.as_bytes())?;
        Ok((
            trail.method.to_string(),
            trail.has_body,
            trail.headers.len(),
        ))
    };
    for status in [301, 302, 303] {
        assert_eq!(posted(status, "/b"), Ok(("GET".to_owned(), false, 0)));
        assert_eq!(
            posted(status, "http://b/"),
            Ok(("GET".to_owned(), false, 0))
        );
    }
    for status in [307, 308] {
        assert_eq!(posted(status, "/b"), Ok(("POST".to_owned(), true, 1)));
        let elsewhere = "it would send the body of a POST to `b`, another server";
        assert_eq!(
            posted(status, "http://b/"),
            Err(HttpError::BadRedirect(elsewhere.to_owned()))
        );
    }
}
