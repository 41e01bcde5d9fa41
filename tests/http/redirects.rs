//! From address to address.

use crontabber::http::{HttpError, Method, Validators};

use crate::common::{Asked, Server, client, get, limits, ok, redirect, with_status};

#[tokio::test]
async fn an_answer_tells_who_gave_it_and_which_address_to_remember() {
    let server = Server::in_turn([
        redirect("301 Moved Permanently", "/b"),
        redirect("308 Permanent Redirect", "/c?x=1"),
        redirect("302 Found", "/d"),
        redirect("301 Moved Permanently", "/e"),
        ok("ETag: W/\"1\"\r\n", b"feed"),
    ])
    .await;
    let answer = get(&client(limits()), &server.url("/a"))
        .await
        .expect("an answer");
    assert_eq!(answer.address, server.url("/e"));
    assert_eq!(answer.permanent_address, Some(server.url("/c?x=1")));
    assert_eq!(answer.body, b"feed");
    assert_eq!(answer.header(&reqwest::header::ETAG), Some("W/\"1\""));
    let statuses: Vec<u16> = answer
        .attempts
        .iter()
        .filter_map(|attempt| attempt.result.clone().ok())
        .collect();
    assert_eq!(statuses, [301, 308, 302, 301, 200]);
}

#[tokio::test]
async fn a_circle_of_redirects_is_named() {
    let server = Server::in_turn([
        redirect("302 Found", "/b?token=s3cret"),
        redirect("302 Found", "/a"),
    ])
    .await;
    let failed = get(&client(limits()), &server.url("/a"))
        .await
        .expect_err("a circle");
    let [a, b] = ["/a", "/b"].map(|path| server.url(path));
    assert_eq!(
        failed.error,
        HttpError::RedirectLoop(format!("{a} → {b} → {a}"))
    );
    assert_eq!(server.heard().len(), 2);
}

#[tokio::test]
async fn an_endless_chain_of_redirects_ends() {
    let hops = (1..100).map(|hop| redirect("302 Found", &format!("/{hop}")));
    let server = Server::in_turn(hops).await;
    let failed = get(&client(limits()), &server.url("/0"))
        .await
        .expect_err("no end");
    assert_eq!(failed.error, HttpError::TooManyRedirects { limit: 10 });
    assert_eq!(server.heard().len(), 11);
}

#[tokio::test]
async fn a_redirect_to_a_file_is_not_followed() {
    let server = Server::saying(redirect("302 Found", "file:///etc/passwd")).await;
    let failed = get(&client(limits()), &server.url("/"))
        .await
        .expect_err("no file");
    assert!(
        matches!(failed.error, HttpError::BadRedirect(_)),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_an_answer() {
    let server = Server::saying(with_status("302 Found", "", b"somewhere")).await;
    let answer = get(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!((answer.status, &answer.body[..]), (302, &b"somewhere"[..]));
}

#[tokio::test]
async fn validators_go_to_the_address_that_gave_them_and_to_no_other() {
    let known = Server::saying(with_status("304 Not Modified", "ETag: \"1\"\r\n", b"")).await;
    let start = Server::saying(redirect("302 Found", &known.url("/feed"))).await;
    let asked = |address: String| Asked {
        validators: Some(Validators {
            address,
            etag: Some("\"1\"".to_owned()),
            last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        }),
        ..Asked::default()
    };
    let client = client(limits());
    let of_target = asked(known.url("/feed"));
    let answer = of_target
        .of(&client, &start.url("/"))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 304);
    let of_start = asked(start.url("/"));
    of_start
        .of(&client, &start.url("/"))
        .await
        .expect("an answer");

    let validators = |head: &String| {
        let head = head.to_lowercase();
        head.contains("if-none-match: \"1\"")
            && head.contains("if-modified-since: sun, 06 nov 1994")
    };
    let seen = |server: &Server| server.heard().iter().map(validators).collect::<Vec<_>>();
    assert_eq!(
        (seen(&start), seen(&known)),
        (vec![false, true], vec![true, false])
    );
}

#[tokio::test]
async fn credentials_are_not_told_to_another_server() {
    let other = Server::saying(ok("", b"feed")).await;
    let own = Server::in_turn([
        redirect("302 Found", "/again"),
        redirect("302 Found", &other.url("/")),
    ])
    .await;
    let mut asked = Asked::default();
    for name in ["cookie", "x-api-key"] {
        asked
            .headers
            .insert(name, "s3cret".parse().expect("a value"));
    }
    let address = own.url("/").replace("http://", "http://user:s3cret@");
    asked
        .of(&client(limits()), &address)
        .await
        .expect("an answer");
    for head in own.heard() {
        // dXNlcjpzM2NyZXQ= is user:s3cret.
        for told in [
            "cookie: s3cret",
            "x-api-key: s3cret",
            "authorization: Basic dXNlcjpzM2NyZXQ=",
        ] {
            assert!(head.contains(told), "{head}");
        }
    }
    let head = other.heard().remove(0).to_lowercase();
    for name in ["cookie", "x-api-key", "authorization", "referer", "s3cret"] {
        assert!(!head.contains(name), "{head}");
    }
    assert!(
        head.contains("user-agent: crontabber/test (+mailto:ops@example.com)"),
        "{head}"
    );
}

#[tokio::test]
async fn a_post_is_not_sent_on_to_another_server() {
    let other = Server::saying(ok("", b"")).await;
    let own = Server::saying(redirect("307 Temporary Redirect", &other.url("/"))).await;
    let asked = Asked {
        method: Method::POST,
        body: Some(b"message".to_vec()),
        ..Asked::default()
    };
    let failed = asked
        .of(&client(limits()), &own.url("/"))
        .await
        .expect_err("not sent");
    assert!(
        matches!(failed.error, HttpError::BadRedirect(_)),
        "{failed:?}"
    );
    assert!(other.heard().is_empty());
}
