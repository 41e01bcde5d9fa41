//! What servers do to the HTTP client, and what becomes of it: a server of raw sockets on 127.0.0.1 with every trick.

#![cfg(feature = "http")]

mod bodies;
mod common;
mod guarded;
mod redirects;
mod retried;
mod secrets;
mod tls;
mod waiting;
