//! The client's side of the handshake: what is read from files, and how a certificate is judged.

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
};
use thiserror::Error;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Roots, TlsFile, TlsMode, TlsTerms};

/// What makes a plain connection an encrypted one.
pub(in crate::store) type Connector = MakeRustlsConnect;

/// Why there can be no handshake.
#[derive(Debug, Error)]
pub(in crate::store) enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("{}: {cause}", .path.display())]
    File { path: PathBuf, cause: pem::Error },
    /// A file without the certificate or key that it is read for.
    #[error("{}: no {what} in it", .path.display())]
    Empty { path: PathBuf, what: &'static str },
    /// A private key that is not private.
    #[error("{}: others can read the key; its mode should be 0600, or 0640 if root owns it", .0.display())]
    OpenKey(PathBuf),
    /// Verification without anything to verify against.
    #[error(
        "sslmode={0} needs root certificates: name a file with sslrootcert, or use sslrootcert=system"
    )]
    NoRoots(TlsMode),
    /// The operating system trusts nobody.
    #[error(
        "sslrootcert=system: the system has no root certificates (is `ca-certificates` installed?)"
    )]
    NoSystemRoots,
    /// What rustls makes of the files.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Makes handshakes on some terms. Reads no file before the first.
pub(in crate::store) struct Handshakes {
    terms: TlsTerms,
    connector: OnceLock<Connector>,
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handshakes").field(&self.terms).finish()
    }
}

impl Handshakes {
    pub(in crate::store) fn new(terms: TlsTerms) -> Self {
        Self {
            terms,
            connector: OnceLock::new(),
        }
    }

    /// The connector of these terms. A failure is not kept: the file may be there next time.
    pub(in crate::store) fn connector(&self) -> Result<Connector, TlsError> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let made = Connector::new(client_config(&self.terms)?);
        Ok(self.connector.get_or_init(|| made).clone())
    }
}

fn client_config(terms: &TlsTerms) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier = Arc::new(Verifier::of(terms, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(certificate) = terms.certificate.path() else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate)?;
    let key = private_key(terms.key.path().unwrap_or(certificate))?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |cause| TlsError::File {
        path: file.to_owned(),
        cause,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(failed)?;
    if chain.is_empty() {
        return Err(TlsError::Empty {
            path: file.to_owned(),
            what: "certificate",
        });
    }
    Ok(chain)
}

/// The key in `file`, which nobody else may read: libpq's rule.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |cause| TlsError::File {
        path: file.to_owned(),
        cause,
    };
    let metadata = file
        .metadata()
        .map_err(|error| failed(pem::Error::Io(error)))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(TlsError::OpenKey(file.to_owned()));
    }
    match PrivateKeyDer::from_pem_file(file) {
        Err(pem::Error::NoItemsFound) => Err(TlsError::Empty {
            path: file.to_owned(),
            what: "private key",
        }),
        key => key.map_err(failed),
    }
}

/// How a server's certificate is judged.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate will do.
    trust: Option<Trust>,
    name: NameCheck,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The certificates that are believed.
#[derive(Debug)]
struct Trust {
    store: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

/// Whether the certificate must be for the name that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameCheck {
    Any,
    Exact,
}

impl Verifier {
    fn of(terms: &TlsTerms, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let trust = match &terms.roots {
            Roots::System => Some(Trust::of_the_system()?),
            Roots::File(file) => Trust::of_file(file)?,
        };
        if trust.is_none() && terms.mode >= TlsMode::VerifyCa {
            return Err(TlsError::NoRoots(terms.mode));
        }
        Ok(Self {
            trust,
            name: match terms.mode {
                TlsMode::VerifyFull => NameCheck::Exact,
                _ => NameCheck::Any,
            },
            algorithms: provider.signature_verification_algorithms,
        })
    }
}

impl Trust {
    fn of_file(file: &TlsFile) -> Result<Option<Self>, TlsError> {
        let Some(path) = file.path() else {
            return Ok(None);
        };
        let certificates = certificates(path)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            store.add(certificate.clone())?;
        }
        Ok(Some(Self {
            store,
            certificates,
        }))
    }

    /// What cannot be parsed is left out: the system's set is not the operator's to repair.
    fn of_the_system() -> Result<Self, TlsError> {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates.iter().cloned());
        if store.is_empty() {
            return Err(TlsError::NoSystemRoots);
        }
        Ok(Self {
            store,
            certificates,
        })
    }

    /// Whether a root has signed `server`, or `server` *is* a root.
    ///
    /// The second is the recipe of the manual, `openssl req -x509` with `sslrootcert=server.crt`: that
    /// certificate may sign others, and webpki does not take such a one for a server's. Its dates have
    /// been checked by then: an expired certificate fails with another error.
    fn check(
        &self,
        server: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), rustls::Error> {
        let checked = verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.store,
            intermediates,
            now,
            algorithms.all,
        );
        match checked {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.certificates.contains(server) =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(trust) = &self.trust {
            let parsed = ParsedCertificate::try_from(server)?;
            trust.check(server, &parsed, intermediates, now, &self.algorithms)?;
            if self.name == NameCheck::Exact {
                verify_server_name(&parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
