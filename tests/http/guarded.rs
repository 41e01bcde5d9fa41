//! Addresses that this host keeps to itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use crontabber::http::{Client, HttpError, Settings, SettingsError};

use crate::common::{Server, client, client_allowed, get, limits, ok, redirect};

/// What the error calls the address.
fn refused(error: &HttpError) -> &'static str {
    match error {
        HttpError::Refused(refused) => refused.what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_loopback_is_not_asked_unless_it_is_allowed() {
    let server = Server::saying(ok("", b"secret")).await;
    let nobody = client_allowed(limits(), &[]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "localhost",
    ] {
        let address = format!("http://{host}:{}/", server.address.port());
        let failed = get(&nobody, &address).await.expect_err(host);
        assert!(refused(&failed.error).contains("loopback"), "{host}");
    }
    assert!(server.heard().is_empty());
    let answer = get(&client(limits()), &server.url("/"))
        .await
        .expect("it is allowed");
    assert_eq!(answer.body, b"secret");
}

#[tokio::test]
async fn a_redirect_leads_to_no_address_that_is_not_asked() {
    for (location, what) in [
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[fd00::1]/", "unique local"),
        ("http://127.0.0.1/", "loopback"),
        ("http://0/", "unspecified"),
        // A name, and what it resolves to is not 127.0.0.2.
        ("http://localhost/", "loopback"),
    ] {
        let answer = redirect("302 Found", location);
        let server = Server::at("127.0.0.2:0", move |_, mut stream| {
            let answer = answer.clone();
            async move {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await;
            }
        })
        .await;
        let client = client_allowed(limits(), &["127.0.0.2"]);
        let failed = get(&client, &server.url("/")).await.expect_err(location);
        assert!(
            refused(&failed.error).contains(what),
            "{location}: {failed}"
        );
        let seen: Vec<bool> = failed
            .attempts
            .iter()
            .map(|attempt| attempt.result.is_ok())
            .collect();
        assert_eq!(seen, [true, false], "{location}");
    }
}

#[tokio::test]
async fn what_is_no_address_of_http_is_not_asked() {
    for address in [
        "",
        "feed",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://",
        "http://[::1",
        "http://a b/",
    ] {
        let failed = get(&client(limits()), address).await.expect_err(address);
        assert!(
            matches!(failed.error, HttpError::BadUrl(_)),
            "{address}: {failed:?}"
        );
        assert!(failed.attempts.is_empty());
    }
    let long = format!("http://127.0.0.1/{}", "x".repeat(10_000));
    let failed = get(&client(limits()), &long).await.expect_err("too long");
    assert_eq!(
        failed.to_string(),
        "bad address: it is longer than 8192 bytes"
    );
}

#[tokio::test]
async fn a_name_that_nobody_knows_cannot_be_resolved() {
    // RFC 6761: no resolver knows it.
    let failed = get(&client(limits()), "http://feeds.invalid/")
        .await
        .expect_err("no such name");
    let HttpError::CannotResolve { host, .. } = &failed.error else {
        panic!("{failed:?}");
    };
    assert_eq!(host, "feeds.invalid");
}

#[tokio::test]
async fn no_proxy_of_the_environment_is_asked() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let proxy = Server::new(|_, _| async {
        ASKED.fetch_add(1, Ordering::Relaxed);
    })
    .await;
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "guarded::the_loopback_is_not_asked_unless_it_is_allowed",
        ])
        .env("http_proxy", proxy.url(""))
        .env("all_proxy", proxy.url(""))
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut child = child.expect("this program runs");
    let status = tokio::task::spawn_blocking(move || child.wait()).await;
    assert!(status.expect("no panic").expect("it ends").success());
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
}

#[test]
fn a_user_agent_is_text_that_can_be_sent() {
    for user_agent in ["", "crontabber\r\nX: y", "crontabber/1.0 (+Grüße)"] {
        let settings = Settings {
            user_agent: user_agent.to_owned(),
            allowed: Vec::new(),
            limits: limits(),
        };
        let error = Client::new(settings).expect_err(user_agent);
        assert!(matches!(error, SettingsError::UserAgent(_)), "{error}");
    }
}
