//! What lies in URLs stays there.

use std::time::Duration;

use crontabber::http::Limits;

use crate::common::{Server, client, get, limits, ok, redirect};

const SECRET: &str = "s3cret";

#[tokio::test]
async fn no_error_and_no_attempt_tells_what_a_url_keeps() {
    let brief = Limits {
        connect: Duration::from_millis(50),
        read: Duration::from_millis(50),
        ..limits()
    };
    let small = Limits {
        body: 1,
        ..limits()
    };
    let silent = Server::new(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let bad_redirects = [
        "ftp://user:s3cret@a/?s3cret",
        "http://[s3cret/",
        "http://user:s3cret@10.0.0.1/?s3cret",
        "http://user:s3cret@x.invalid/?s3cret",
        "/?s3cret",
    ];
    let mut cases = vec![
        (brief, silent.url("")),
        (limits(), Server::saying("").await.url("")),
        (limits(), Server::saying("nonsense").await.url("")),
        (
            limits(),
            Server::saying(ok("Content-Encoding: gzip\r\n", b"nonsense"))
                .await
                .url(""),
        ),
        (
            limits(),
            Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
                .await
                .url(""),
        ),
        (small, Server::saying(ok("", b"feed")).await.url("")),
        (limits(), "http://127.0.0.1:1".to_owned()),
        (limits(), "https://127.0.0.1:1".to_owned()),
        (limits(), "http://10.0.0.1".to_owned()),
        (limits(), "http://feeds.invalid".to_owned()),
        (limits(), "http://feeds.invalid:99999".to_owned()),
        (limits(), "gopher://feeds.invalid".to_owned()),
    ];
    for location in bad_redirects {
        cases.push((
            limits(),
            Server::saying(redirect("302 Found", location))
                .await
                .url(""),
        ));
    }
    for (limits, address) in cases {
        let address = address.replacen("://", &format!("://user:{SECRET}@"), 1);
        let failed = get(
            &client(limits),
            &format!("{address}/?token={SECRET}#{SECRET}"),
        )
        .await;
        let failed = failed.expect_err(&address);
        let told = format!("{failed} {failed:?} {:?}", failed.error);
        assert!(!told.contains(SECRET), "{told}");
        assert!(
            failed
                .attempts
                .iter()
                .all(|attempt| !attempt.to_string().contains(SECRET))
        );
    }
}
