//! TLS by rustls with ring, set up with the first https connection.
//!
//! Trust is the compiled-in list of Mozilla (webpki-roots), and one private CA where the sink names it. Certificates
//! that are installed in the image are not looked at.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::level::Level;
use tapline_core::world::{Stream, World};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::headers::refuse;
use super::http::Failure;

/// Largest file of a private CA, in bytes: some 300 certificates.
const CA_BYTES_MAX: u64 = 1 << 20;

/// Sessions that are remembered for a shorter handshake; a client talks to one host.
const SESSIONS_MAX: usize = 4;

/// The keys of `tls`.
pub(crate) const TLS_FIELDS: Fields = &[
    Field {
        name: "ca",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "PEM file of certificates that are trusted beside the public ones. It is read with the first connection.",
    },
    Field {
        name: "cert",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Certificate of the client. Not in this version.",
    },
    Field {
        name: "key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Key of the client's certificate. Not in this version.",
    },
];

/// Reads `tls`; `ca` stands in for a key that the file does not have. `None` after it reported what is wrong.
pub(crate) fn read(reader: &Reader<'_>, ca: impl FnOnce() -> Option<PathBuf>) -> Option<Tls> {
    let tls = reader.table("tls")?;
    let later = ["cert", "key"].map(|key| refuse(&tls, key));
    let path = tls.text("ca");
    if later.contains(&true) || (tls.has("ca") && path.is_none()) {
        return None;
    }
    Some(Tls::new(path.map(|path| path.value.into()).or_else(ca)))
}

/// The TLS of one client.
#[derive(Default)]
pub(crate) struct Tls {
    ca: Option<PathBuf>,
    connector: Option<TlsConnector>,
    /// HTTP/2 is asked for, in place of HTTP/1.1.
    http2: bool,
    /// What went wrong was named.
    named: bool,
}

impl Tls {
    /// TLS that also trusts the certificates in a PEM file. It is read with the first connection.
    pub fn new(ca: Option<PathBuf>) -> Tls {
        Tls {
            ca,
            ..Tls::default()
        }
    }

    /// The same for connections that will speak HTTP/2.
    pub fn over_http2(self) -> Tls {
        Tls {
            http2: true,
            ..self
        }
    }

    /// Shakes hands over a connection. What goes wrong is logged once; the record's fate is a retry, as a certificate
    /// may be renewed.
    pub async fn wrap(
        &mut self,
        world: &dyn World,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, Failure> {
        match self.shake_hands(host, stream).await {
            Ok(stream) => Ok(stream),
            Err(why) => {
                if !self.named {
                    self.named = true;
                    let message = format!("no TLS connection to `{host}`: {why}");
                    world.log(Level::Warn, &message);
                }
                Err(Failure::unanswered("tls"))
            }
        }
    }

    async fn shake_hands(
        &mut self,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, String> {
        let connector = match &self.connector {
            Some(connector) => connector.clone(),
            None => {
                let protocol: &[u8] = if self.http2 { b"h2" } else { b"http/1.1" };
                let built = connector(self.ca.as_deref(), protocol)?;
                self.connector.insert(built).clone()
            }
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connected = connector.connect(name, stream).await;
        connected
            .map(|stream| Box::new(stream) as Box<dyn Stream>)
            .map_err(|error| error.to_string())
    }
}

fn connector(ca: Option<&Path>, protocol: &[u8]) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca {
        add_private(&mut roots, path).map_err(|why| format!("`{}` {why}", path.display()))?;
    }
    // The provider is named: with two of them in a build, rustls would panic rather than choose.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add_private(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| "is no PEM file".to_owned())?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
    }
    if roots.len() == before {
        return Err("holds no certificate".to_owned());
    }
    Ok(())
}
