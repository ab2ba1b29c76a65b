//! TLS by rustls with ring, set up with the first https connection.
//!
//! Trust is the compiled-in list of Mozilla (webpki-roots), and one private CA where the sink names it. Certificates
//! that are installed in the image are not looked at. A sink that has a certificate of its own shows it where it is
//! asked for one.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tapline_core::config::{Field, FieldKind, Fields, Reader, Secret};
use tapline_core::level::Level;
use tapline_core::world::{Stream, World};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::http::Failure;

/// Largest PEM file, in bytes: some 300 certificates.
const PEM_BYTES_MAX: u64 = 1 << 20;

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
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Certificate that shows the destination who connects, with those between it and its root: a PEM file, or \
              the PEM text. It is read with the first connection and needs `key`.",
    },
    Field {
        name: "key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Private key of `cert`: the PEM text, or a PEM file.",
    },
];

/// What stands in for keys that the file does not have.
#[derive(Default)]
pub(crate) struct StandIns {
    pub ca: Option<PathBuf>,
    pub identity: Option<Identity>,
}

/// Reads `tls`. `None` after it reported what is wrong.
pub(crate) fn read(reader: &Reader<'_>, stand_ins: StandIns) -> Option<Tls> {
    let tls = reader.table("tls")?;
    let (path, cert, key) = (tls.text("ca"), tls.text("cert"), tls.secret("key"));
    for (own, other) in [("cert", "key"), ("key", "cert")] {
        if let (Some(span), false) = (tls.key_span(own), tls.has(other)) {
            let message = format!("`{own}` is of no use without `{other}`");
            let help = format!("add `{other}`, or leave `{own}` out");
            tls.error(span, message, help);
        }
    }
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(Identity {
            cert: ("cert".to_owned(), cert.value),
            key: ("key".to_owned(), key.value),
        }),
        _ if tls.has("cert") || tls.has("key") => return None,
        _ => stand_ins.identity,
    };
    if tls.has("ca") && path.is_none() {
        return None;
    }
    Some(Tls {
        ca: path.map(|path| path.value.into()).or(stand_ins.ca),
        identity,
        ..Tls::default()
    })
}

/// Who connects: each a PEM text or the path of a PEM file, with the name of what holds it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub cert: (String, String),
    pub key: (String, Secret),
}

/// The TLS of one client. Nothing is read or set up before its first connection.
#[derive(Default)]
pub(crate) struct Tls {
    ca: Option<PathBuf>,
    identity: Option<Identity>,
    connector: Option<TlsConnector>,
    /// HTTP/2 is asked for, in place of HTTP/1.1.
    http2: bool,
    /// What went wrong was named.
    named: bool,
}

/// Why there is no TLS: a word for the ledger, and a sentence for people.
struct Trouble {
    word: &'static str,
    text: String,
}

impl Trouble {
    /// Something in the files or values of `tls`.
    fn files(text: impl ToString) -> Trouble {
        Trouble {
            word: "tls_files",
            text: text.to_string(),
        }
    }
}

impl Tls {
    /// TLS that trusts the same authorities, for a proxy: it is not shown who connects.
    pub fn without_identity(&self) -> Tls {
        Tls {
            ca: self.ca.clone(),
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

    /// Shakes hands over a connection. What goes wrong is logged once. A certificate that is not trusted and files that
    /// cannot be used do not pass by themselves, anything else may.
    pub async fn wrap(
        &mut self,
        world: &dyn World,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, Failure> {
        match self.shake_hands(host, stream).await {
            Ok(stream) => Ok(stream),
            Err(Trouble { word, text }) => {
                if !self.named {
                    self.named = true;
                    let message = format!("no TLS connection to `{host}`: {text}");
                    world.log(Level::Warn, &message);
                }
                Err(Failure::unanswered(word))
            }
        }
    }

    async fn shake_hands(
        &mut self,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, Trouble> {
        let connector = match &self.connector {
            Some(connector) => connector.clone(),
            None => {
                let protocol: &[u8] = if self.http2 { b"h2" } else { b"http/1.1" };
                let built = connector(self.ca.as_deref(), self.identity.as_ref(), protocol)?;
                self.connector.insert(built).clone()
            }
        };
        let name = ServerName::try_from(host.to_owned()).map_err(Trouble::files)?;
        let connected = connector.connect(name, stream).await;
        connected
            .map(|stream| Box::new(stream) as Box<dyn Stream>)
            .map_err(|error| Trouble {
                word: word_of(&error),
                text: error.to_string(),
            })
    }
}

/// A certificate that does not fit stays wrong until somebody changes something.
fn word_of(error: &std::io::Error) -> &'static str {
    let inner = error.get_ref();
    let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => "certificate",
        _ => "tls",
    }
}

fn connector(
    ca: Option<&Path>,
    identity: Option<&Identity>,
    protocol: &[u8],
) -> Result<TlsConnector, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca {
        let added = add_private(&mut roots, path);
        added.map_err(|why| Trouble::files(format!("`{}` {why}", path.display())))?;
    }
    // The provider is named: with two of them in a build, rustls would panic rather than choose.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Trouble::files)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity).map_err(Trouble::files)?;
            let built = builder.with_client_auth_cert(chain, key);
            let names = (&identity.cert.0, &identity.key.0);
            built.map_err(|error| {
                Trouble::files(format!(
                    "`{}` and `{}` do not fit: {error}",
                    names.0, names.1
                ))
            })?
        }
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(TlsConnector::from(Arc::new(config)))
}

type Chain = Vec<CertificateDer<'static>>;

fn read_identity(identity: &Identity) -> Result<(Chain, PrivateKeyDer<'static>), String> {
    let (name, text) = &identity.cert;
    let pem = pem_of(name, text)?;
    let chain: Result<Chain, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| format!("`{name}` is no PEM"))?;
    if chain.is_empty() {
        return Err(format!("`{name}` holds no certificate"));
    }
    let (name, text) = &identity.key;
    let pem = pem_of(name, text.expose())?;
    let key = PrivateKeyDer::from_pem_slice(&pem);
    Ok((
        chain,
        key.map_err(|_| format!("`{name}` holds no private key in PEM"))?,
    ))
}

/// PEM text as it is, or that of the file which it names. Neither is ever shown.
fn pem_of(what: &str, value: &str) -> Result<Vec<u8>, String> {
    if value.trim_start().starts_with("-----BEGIN") {
        return Ok(value.as_bytes().to_vec());
    }
    read_pem(Path::new(value))
        .map_err(|error| format!("the file of `{what}` cannot be read: {error}"))
}

fn read_pem(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(PEM_BYTES_MAX).read_to_end(&mut pem)?;
    Ok(pem)
}

fn add_private(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let pem = read_pem(path).map_err(|error| format!("cannot be read: {error}"))?;
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
