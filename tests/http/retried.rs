//! What is sent again, as it is heard by a server. The rules themselves are tested beside them, without sockets.

use std::time::Duration;

use crontabber::http::{HttpError, Limits, Method, Policy, Timeout, retry::Methods};
use tokio::net::TcpListener;

use crate::common::{Asked, Server, client, fast, limits, ok, redirect, with_status};

fn asked(method: Method) -> Asked {
    Asked {
        method,
        retry: fast(),
        ..Asked::default()
    }
}

#[tokio::test]
async fn a_server_that_fails_for_a_while_is_asked_until_it_answers() {
    let broken = with_status("500 Internal Server Error", "", b"");
    let server = Server::in_turn([broken.clone(), broken, ok("", b"feed")]).await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!(answer.body, b"feed");
    let waits: Vec<_> = answer.attempts.iter().map(|attempt| attempt.wait).collect();
    let first = Some(Duration::ZERO);
    let second = Some(Duration::from_millis(6));
    assert_eq!(waits, [first, second, None]);
    let line = answer.attempts[1].to_string();
    assert!(
        line.starts_with(&format!("GET {}: 500 after ", server.url("/"))),
        "{line}"
    );
    assert!(line.ends_with("ms, again in 6ms"), "{line}");
}

#[tokio::test]
async fn a_server_that_goes_on_failing_is_asked_four_times_and_its_answer_is_one() {
    let server = Server::saying(with_status("502 Bad Gateway", "", b"sorry")).await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!((answer.status, &answer.body[..]), (502, &b"sorry"[..]));
    assert_eq!((answer.attempts.len(), server.heard().len()), (4, 4));
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_asked_then() {
    let busy = with_status("429 Too Many Requests", "Retry-After: 1\r\n", b"");
    let server = Server::in_turn([busy, ok("", b"feed")]).await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!(answer.attempts[0].wait, Some(Duration::from_secs(1)));
    assert_eq!((answer.status, answer.retry_after), (200, None));
}

#[tokio::test]
async fn nothing_waits_beyond_the_deadline_and_the_answer_says_what_was_asked() {
    let server = Server::saying(with_status(
        "503 Service Unavailable",
        "Retry-After: 3600\r\n",
        b"",
    ))
    .await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!((answer.status, server.heard().len()), (503, 1));
    assert_eq!(answer.retry_after, Some(Duration::from_hours(1)));
}

#[tokio::test]
async fn a_retry_after_that_nobody_can_read_is_one_of_no_seconds() {
    let server = Server::saying(with_status(
        "503 Service Unavailable",
        "Retry-After: soon\r\n",
        b"",
    ))
    .await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status, answer.retry_after, answer.attempts.len()),
        (503, None, 4)
    );
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again_for_every_method() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    for method in [Method::GET, Method::POST] {
        let failed = asked(method)
            .of(&client(limits()), &address)
            .await
            .expect_err("refused");
        let HttpError::CannotConnect(why) = &failed.error else {
            panic!("{failed:?}");
        };
        assert!(why.contains("Connection refused"), "{why}");
        assert_eq!(failed.attempts.len(), 4);
    }
}

#[tokio::test]
async fn what_was_perhaps_heard_is_sent_again_only_if_that_does_no_harm() {
    for (method, methods, requests) in [
        (Method::GET, Methods::Idempotent, 4),
        (Method::PUT, Methods::Idempotent, 4),
        (Method::POST, Methods::Idempotent, 1),
        (Method::POST, Methods::Any, 4),
    ] {
        let closing = Server::saying("").await;
        let silent = Server::new(|_, stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .await;
        let retry = Policy { methods, ..fast() };
        let impatient = Limits {
            connect: Duration::from_millis(20),
            read: Duration::from_millis(20),
            ..limits()
        };
        let asked = Asked {
            retry,
            ..asked(method)
        };
        let failed = asked
            .of(&client(limits()), &closing.url("/"))
            .await
            .expect_err("closed");
        assert!(matches!(failed.error, HttpError::NoAnswer(_)), "{failed:?}");
        assert_eq!(closing.heard().len(), requests);
        let failed = asked
            .of(&client(impatient), &silent.url("/"))
            .await
            .expect_err("silence");
        assert!(
            matches!(failed.error, HttpError::Timeout(Timeout::Head(_))),
            "{failed:?}"
        );
        assert_eq!(failed.attempts.len(), requests);
    }
}

#[tokio::test]
async fn a_short_body_is_not_asked_for_again() {
    let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello feed").await;
    let failed = asked(Method::GET)
        .of(&client(limits()), &server.url("/"))
        .await
        .expect_err("short");
    assert!(
        matches!(failed.error, HttpError::CutShort { bytes: 10, .. }),
        "{failed:?}"
    );
    assert_eq!(server.heard().len(), 1);
}

#[tokio::test]
async fn a_redirect_starts_anew() {
    let broken = with_status("500 Internal Server Error", "", b"");
    let server = Server::in_turn([redirect("307 Temporary Redirect", "/b"), broken]).await;
    let answer = asked(Method::GET)
        .of(&client(limits()), &server.url("/a"))
        .await
        .expect("an answer");
    assert_eq!((answer.status, answer.attempts.len()), (500, 5));
    let waits: Vec<_> = answer.attempts.iter().map(|attempt| attempt.wait).collect();
    let milliseconds = |wait| Some(Duration::from_millis(wait));
    assert_eq!(
        waits,
        [
            None,
            milliseconds(0),
            milliseconds(6),
            milliseconds(12),
            None
        ]
    );
}

#[tokio::test]
async fn a_body_is_sent_again_with_its_request() {
    let broken = with_status("500 Internal Server Error", "", b"");
    let server = Server::in_turn([
        broken,
        redirect("308 Permanent Redirect", "/b"),
        ok("", b""),
    ])
    .await;
    let asked = Asked {
        body: Some(b"message".to_vec()),
        ..asked(Method::PUT)
    };
    let answer = asked
        .of(&client(limits()), &server.url("/a"))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    for head in server.heard() {
        assert!(
            head.starts_with("PUT ") && head.contains("content-length: 7"),
            "{head}"
        );
    }
}
