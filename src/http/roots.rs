//! Whose certificates are believed: the operating system's roots.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// What connections are encrypted with.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) config: ClientConfig,
    /// No root: no certificate will do.
    pub(super) trusts_nobody: bool,
}

/// Reads the roots, and has ring do the arithmetic of this client. Nothing is set for the process as a whole.
///
/// What cannot be parsed is left out: the system's set is not the operator's to repair.
pub(super) fn tls() -> Result<Tls, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let trusts_nobody = roots.is_empty();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Tls {
        config,
        trusts_nobody,
    })
}
