//! Servers that say nothing, or say no end of things before they come to the matter.

use std::time::Duration;

use crontabber::http::{HttpError, Limits, Timeout};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::common::{Asked, Server, client, get, limits};

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Server::new(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let brief = Duration::from_millis(50);
    let impatient = Limits {
        connect: brief,
        read: brief,
        ..limits()
    };
    let failed = get(&client(impatient), &server.url("/"))
        .await
        .expect_err("silence");
    assert_eq!(failed.error, Timeout::Head(brief * 2).into());
    let hurried = Asked {
        within: brief,
        ..Asked::default()
    };
    let failed = hurried.of(&client(limits()), &server.url("/")).await;
    assert_eq!(failed.expect_err("silence").error, Timeout::Deadline.into());
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_no_connection() {
    // The kernel takes the connection, and nobody ever answers to its TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("https://{}/", listener.local_addr().expect("an address"));
    let connect = Duration::from_millis(50);
    let impatient = Limits {
        connect,
        ..limits()
    };
    let failed = get(&client(impatient), &address)
        .await
        .expect_err("silence");
    assert_eq!(failed.error, Timeout::Connect(connect).into());
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up_where_it_grows_too_large() {
    for field in [
        format!("x-{}: y\r\n", "x".repeat(1_000)),
        "x: y\r\n".to_owned(),
    ] {
        let server = Server::new(move |_, mut stream| {
            let fields = field.repeat(100);
            async move {
                let mut piece: &[u8] = b"HTTP/1.1 200 OK\r\n";
                while stream.write_all(piece).await.is_ok() {
                    piece = fields.as_bytes();
                }
            }
        })
        .await;
        let failed = get(&client(limits()), &server.url("/"))
            .await
            .expect_err("no answer");
        assert!(matches!(failed.error, HttpError::NoAnswer(_)), "{failed:?}");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_given_up_in_time() {
    let server = Server::new(|_, mut stream| async move {
        let mut piece: &[u8] = b"HTTP/1.1 200 OK\r\nx: ";
        while stream.write_all(piece).await.is_ok() {
            piece = b"x";
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let total = Duration::from_millis(200);
    let brief = Limits { total, ..limits() };
    let failed = get(&client(brief), &server.url("/"))
        .await
        .expect_err("no answer");
    assert_eq!(failed.error, Timeout::Total(total).into());
}

#[tokio::test]
async fn an_answer_that_is_always_about_to_come_is_given_up_in_time() {
    let server = Server::new(|_, mut stream| async move {
        let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        while stream.write_all(hint).await.is_ok() {}
    })
    .await;
    let total = Duration::from_millis(200);
    let brief = Limits { total, ..limits() };
    let failed = get(&client(brief), &server.url("/"))
        .await
        .expect_err("no answer");
    assert_eq!(failed.error, Timeout::Total(total).into());
}

#[tokio::test]
async fn a_head_of_a_megabyte_or_of_a_hundred_and_one_fields_is_no_answer() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
    for (fields, is_answer) in [
        (format!("x: {}\r\n", "y".repeat(1 << 20)), false),
        ("x: y\r\n".repeat(100), false),
        (format!("x: {}\r\n", "y".repeat(300 << 10)), true),
        ("x: y\r\n".repeat(99), true),
    ] {
        let server = Server::saying(head(&fields)).await;
        let answer = get(&client(limits()), &server.url("/")).await;
        assert_eq!(answer.is_ok(), is_answer, "{} bytes", fields.len());
        if let Err(failed) = answer {
            assert!(matches!(failed.error, HttpError::NoAnswer(_)), "{failed:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    for words in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0",
        "HTTP/1.1 abc\r\n\r\n",
        "hello\r\n\r\n",
        "",
    ] {
        let server = Server::saying(words).await;
        let failed = get(&client(limits()), &server.url("/"))
            .await
            .expect_err(words);
        assert!(
            matches!(failed.error, HttpError::NoAnswer(_)),
            "{words}: {failed:?}"
        );
    }
}
