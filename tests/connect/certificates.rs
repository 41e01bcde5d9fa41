//! Certificates: an authority, what it has signed, and some that nobody should believe.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A certificate and its key, as text.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    key: String,
}

pub(crate) struct Certificates {
    directory: PathBuf,
    /// The authority.
    pub(crate) root: PathBuf,
    /// Another authority, which has signed nothing.
    pub(crate) stranger: PathBuf,
    /// For `localhost`, signed by the authority.
    pub(crate) server: Pair,
    /// What `openssl req -x509` makes: for `localhost`, signed by itself, and able to sign.
    pub(crate) own: Pair,
    /// The same, but it has expired.
    pub(crate) expired: Pair,
    /// For the role `certified`, signed by the authority.
    pub(crate) client: PathBuf,
    pub(crate) client_key: PathBuf,
}

impl Certificates {
    pub(crate) fn make(directory: &Path) -> Self {
        let key = KeyPair::generate().expect("a key");
        let root = authority("the authority")
            .self_signed(&key)
            .expect("signed");
        let stranger = KeyPair::generate().expect("a key");
        let stranger = authority("a stranger")
            .self_signed(&stranger)
            .expect("signed");
        let root_text = root.pem();
        let issuer = Issuer::new(authority("the authority"), key);

        let mut client = CertificateParams::new(Vec::new()).expect("parameters");
        client
            .distinguished_name
            .push(DnType::CommonName, "certified");
        let client = signed(&client, &issuer);
        let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let mut expired = signing_server();
        expired.not_before = date_time_ymd(2001, 1, 1);
        expired.not_after = date_time_ymd(2002, 1, 1);
        let store = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).expect("the directory is ours");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
            path
        };
        Self {
            directory: directory.to_owned(),
            root: store("root.crt", &root_text),
            stranger: store("stranger.crt", &stranger.pem()),
            server: signed(&server, &issuer),
            own: self_signed(&signing_server()),
            expired: self_signed(&expired),
            client: store("client.crt", &client.certificate),
            client_key: store("client.key", &client.key),
        }
    }

    /// A file with this text in it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).expect("the directory is ours");
        path
    }

    /// Puts a certificate where a server looks for its own.
    pub(crate) fn install(&self, pair: &Pair, data: &Path) {
        for (name, text) in [("server.crt", &pair.certificate), ("server.key", &pair.key)] {
            fs::write(data.join(name), text).expect("the data directory is writable");
        }
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(data.join("server.key"), private).expect("the key is ours");
        fs::copy(&self.root, data.join("root.crt")).expect("the data directory is writable");
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

fn signing_server() -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

fn signed(parameters: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, issuer).expect("signed");
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn self_signed(parameters: &CertificateParams) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.clone().self_signed(&key).expect("signed");
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}
