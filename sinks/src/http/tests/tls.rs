//! TLS: whom we trust, who we say we are, and what becomes of the records where either is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{StoresServerSessions, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

fn denied(why: &'static str) -> Verdict {
    Verdict::Denied { why: why.into() }
}

type Issuer = rcgen::CertifiedIssuer<'static, rcgen::KeyPair>;

/// A certificate that `issuer` vouches for, and its key.
fn certified(issuer: &Issuer, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

fn issuer() -> Issuer {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    rcgen::CertifiedIssuer::self_signed(params, ca_key).unwrap()
}

/// A server for `localhost` and the file with the CA that vouches for it.
pub(super) fn authority() -> (Arc<ServerConfig>, tempfile::Ca) {
    authority_for("localhost")
}

/// The same for another name.
pub(super) fn authority_for(name: &str) -> (Arc<ServerConfig>, tempfile::Ca) {
    let ca = issuer();
    (server_config(&ca, name, None), tempfile::Ca::new(&ca.pem()))
}

/// A server for a name, which lets in whom `clients` vouches for, or everybody.
fn server_config(ca: &Issuer, name: &str, clients: Option<&Issuer>) -> Arc<ServerConfig> {
    let (certificate, key) = certified(ca, name);
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// A file that is gone with its test.
pub(super) mod tempfile {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    pub struct Ca(pub PathBuf);

    impl Ca {
        pub fn new(pem: &str) -> Ca {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            // Relaxed: only the number matters.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("tapline-ca-{}-{number}.pem", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, pem).unwrap();
            Ca(path)
        }
    }

    impl Drop for Ca {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }
}

pub(super) fn secure(server: &Server, host: &str, ca: Option<&tempfile::Ca>) -> Http {
    let tls = ca.map_or(String::new(), |ca| {
        format!("tls = {{ ca = \"{}\" }}", ca.0.display())
    });
    sink(&format!(
        "url = \"https://{host}:{}/in\"\n{tls}",
        server.port
    ))
    .unwrap()
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named() {
    let (config, ca) = authority();
    let server = Server::start_with(vec![vec![Take, OK, Take, OK]], Some(config)).await;
    let (world, mut sink) = (TestWorld::new(), secure(&server, "localhost", Some(&ca)));
    for _ in 0..2 {
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    }
    assert_eq!((world.connects.get(), server.requests().len()), (1, 2));
    assert!(world.messages.borrow().is_empty());
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_sends_nothing_and_is_named_once() {
    let (config, ca) = authority();
    let (empty, nonsense) = (
        tempfile::Ca::new(""),
        tempfile::Ca::new("-----BEGIN CERTIFICATE-----\n@\n-----END CERTIFICATE-----\n"),
    );
    let missing = tempfile::Ca::new("");
    let rows = [
        ("localhost", None, "UnknownIssuer", "certificate"),
        (
            "wrong.example",
            Some(&ca),
            "not valid for name",
            "certificate",
        ),
        (
            "localhost",
            Some(&empty),
            "holds no certificate",
            "tls_files",
        ),
        ("localhost", Some(&nonsense), "is no PEM file", "tls_files"),
        ("localhost", Some(&missing), "cannot be read", "tls_files"),
    ];
    let server = Server::start_with(vec![vec![Take, OK]; 10], Some(config)).await;
    for (host, ca, message, why) in rows {
        let world = TestWorld::new();
        let mut sink = secure(&server, host, ca);
        if message == "cannot be read" {
            std::fs::remove_file(&missing.0).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(deliver(&mut sink, &world).await, denied(why));
        }
        let messages = world.messages.borrow();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(message), "{messages:?}");
    }
    std::fs::write(&missing.0, "").unwrap();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_no_destination_for_https() {
    let server = Server::start(vec![vec![Say("HTTP/1.1 400 Plain\r\n\r\n")]]).await;
    let mut sink = secure(&server, "localhost", None);
    let verdict = deliver(&mut sink, &TestWorld::new()).await;
    assert_eq!(verdict, retry("tls", None, false));
}

/// A destination that asks who connects is shown the certificate; without one, or with one that it does not know, the
/// records stay.
#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let (ca, clients) = (issuer(), issuer());
    let config = server_config(&ca, "localhost", Some(&clients));
    let server = Server::start_with(vec![vec![Take, OK]; 8], Some(config)).await;
    let ca = tempfile::Ca::new(&ca.pem());
    let (certificate, key) = certified(&clients, "client");
    let (stranger, its_key) = certified(&issuer(), "client");
    let files = (
        tempfile::Ca::new(&certificate.pem()),
        tempfile::Ca::new(&key.serialize_pem()),
    );
    let with = |more: &str| {
        let (port, ca) = (server.port, ca.0.display());
        sink(&format!(
            "url = \"https://localhost:{port}/\"\n[tls]\nca = \"{ca}\"\n{more}"
        ))
        .unwrap()
    };
    let pair = |cert: &str, key: &str| format!("cert = '''{cert}'''\nkey = '''{key}'''\n");
    let world = TestWorld::new();
    let text = pair(&certificate.pem(), &key.serialize_pem());
    assert_eq!(deliver(&mut with(&text), &world).await, Verdict::Accepted);
    let paths = format!(
        "cert = \"{}\"\nkey = \"{}\"\n",
        files.0.0.display(),
        files.1.0.display()
    );
    assert_eq!(deliver(&mut with(&paths), &world).await, Verdict::Accepted);
    assert!(world.messages.borrow().is_empty());
    assert_eq!(server.requests().len(), 2);
    let unknown = pair(&stranger.pem(), &its_key.serialize_pem());
    for more in ["", unknown.as_str()] {
        let verdict = deliver(&mut with(more), &world).await;
        assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_and_a_key_that_do_not_fit_are_named_and_never_shown() {
    let (certificate, key) = certified(&issuer(), "client");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let rows = [
        (certificate.as_str(), other.as_str(), "do not fit"),
        (
            "/nowhere/cert.pem",
            key.as_str(),
            "file of `cert` cannot be read",
        ),
        (
            certificate.as_str(),
            "/nowhere/s3cret",
            "file of `key` cannot be read",
        ),
        ("-----BEGIN NOTHING-----", key.as_str(), "`cert` "),
        (
            certificate.as_str(),
            certificate.as_str(),
            "`key` holds no private key",
        ),
    ];
    let server = Server::start(vec![vec![Hang]; 10]).await;
    for (cert, key, message) in rows {
        let port = server.port;
        let mut sink = sink(&format!(
            "url = \"https://localhost:{port}/\"\n[tls]\ncert = '''{cert}'''\nkey = '''{key}'''\n"
        ))
        .unwrap();
        let world = TestWorld::new();
        assert_eq!(
            deliver(&mut sink, &world).await,
            denied("tls_files"),
            "{message}"
        );
        let messages = world.messages.borrow();
        assert!(messages[0].contains(message), "{messages:?}");
        assert!(
            !messages[0].contains("s3cret") && !messages[0].contains("MIG"),
            "{messages:?}"
        );
    }
}

/// The sessions that a server keeps, and how many came back.
#[derive(Debug)]
struct Sessions {
    kept: Arc<dyn StoresServerSessions>,
    resumed: AtomicUsize,
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.kept.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.kept.take(key);
        // Relaxed: only the number matters.
        self.resumed
            .fetch_add(usize::from(found.is_some()), Ordering::Relaxed);
        found
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// A thaw wants a new connection; what costs most of it, the handshake in full, is made once.
#[tokio::test]
async fn a_second_connection_resumes_the_session_of_the_first() {
    let (mut config, ca) = authority();
    let sessions = {
        let config = Arc::get_mut(&mut config).unwrap();
        let sessions = Arc::new(Sessions {
            kept: config.session_storage.clone(),
            resumed: AtomicUsize::new(0),
        });
        config.session_storage = sessions.clone();
        sessions
    };
    let server = Server::start_with(vec![vec![Take, OK, Take], vec![Take, OK]], Some(config)).await;
    let (world, mut sink) = (TestWorld::new(), secure(&server, "localhost", Some(&ca)));
    assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    assert_eq!(sessions.resumed.load(Ordering::Relaxed), 0);
    world.thaws.set(1);
    assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    assert_eq!(world.connects.get(), 2);
    assert_eq!(sessions.resumed.load(Ordering::Relaxed), 1);
}
