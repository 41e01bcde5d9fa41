//! Encrypted connections.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::Arc,
};

use crontabber::http::HttpError;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

use crate::common::{client, get, limits};

/// A server of TLS for one request, with a certificate that only it has signed; and that.
fn server(names: &[&str]) -> (SocketAddr, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a configuration");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            // A client that does not believe us is gone by now.
            if stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
                let _ = stream.flush();
            }
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn a_certificate_that_no_root_has_signed_is_not_believed() {
    let (address, _) = server(&["127.0.0.1"]);
    let failed = get(&client(limits()), &format!("https://{address}/"))
        .await
        .expect_err("no trust");
    let HttpError::Tls(why) = &failed.error else {
        panic!("{failed:?}");
    };
    assert!(why.contains("certificate"), "{why}");
}

/// Not a test by itself: it is run with the roots and the address that its caller makes.
#[tokio::test]
async fn asked_by_the_test_below() {
    let Ok(address) = std::env::var("ASKED_OVER_TLS") else {
        return;
    };
    match get(&client(limits()), &address).await {
        Ok(answer) => println!("answer: {}", String::from_utf8_lossy(&answer.body)),
        Err(failed) => println!("error: {failed}"),
    }
}

#[test]
fn the_roots_are_the_systems_and_the_name_counts() {
    let asked = |address: &str, roots: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), roots).expect("a file");
        let output = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "tls::asked_by_the_test_below", "--nocapture"])
            .env("ASKED_OVER_TLS", address)
            .env("SSL_CERT_FILE", file.path())
            .env_remove("SSL_CERT_DIR")
            .stderr(Stdio::null())
            .output();
        String::from_utf8(output.expect("it runs").stdout).expect("text")
    };
    let (address, root) = server(&["127.0.0.1"]);
    let (elsewhere, other_root) = server(&["feeds.example"]);
    let told = asked(&format!("https://{address}/"), &root);
    assert!(told.contains("answer: hello"), "{told}");
    let told = asked(&format!("https://{elsewhere}/"), &other_root);
    assert!(told.contains("error: cannot agree on TLS: "), "{told}");
    assert!(told.contains("feeds.example"), "{told}");
    let told = asked(&format!("https://{address}/"), "");
    assert!(
        told.contains("this machine has no root certificates"),
        "{told}"
    );
}
