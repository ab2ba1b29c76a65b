//! Certificates that variables of the environment name: whom to trust, and who connects.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;

const TAKEN: Step =
    Say("HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");

type Issuer = rcgen::CertifiedIssuer<'static, rcgen::KeyPair>;

fn issuer() -> Issuer {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap()
}

fn certified(issuer: &Issuer, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

/// A server for `localhost` that lets in whom `clients` vouches for.
fn config(ca: &Issuer, clients: &Issuer) -> Arc<ServerConfig> {
    let (certificate, key) = certified(ca, "localhost");
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// A folder of PEM files that is gone with its test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("tapline-mutual-tls-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Writes a file, and gives its path.
    fn file(&self, name: &str, pem: &str) -> &'static str {
        let path = self.0.join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string().leak()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The signal's own variable wins over the general one, the file over both; what is wrong is named by its variable.
#[tokio::test]
async fn certificates_of_the_environment_are_trusted_and_shown() {
    let (ca, clients) = (issuer(), issuer());
    let (certificate, key) = certified(&clients, "client");
    let (stranger, its_key) = certified(&issuer(), "client");
    let folder = Folder::new();
    let ca_file = folder.file("ca", &ca.pem());
    let cert_file = folder.file("cert", &certificate.pem());
    let key_file = folder.file("key", &key.serialize_pem());
    let other_cert = folder.file("other-cert", &stranger.pem());
    let other_key = folder.file("other-key", &its_key.serialize_pem());
    let server = Server::start_with(vec![vec![Take, TAKEN]; 9], Some(config(&ca, &clients))).await;
    let world = TestWorld::new();
    let deliver = async |more: &str, variables: &[(&'static str, &'static str)]| {
        let text = format!("endpoint = \"https://localhost:{}\"\n{more}", server.port);
        let mut sink = sink(&text, variables.to_vec().leak());
        let (records, budget) = (selection(&["a"]), Budget::new(64 << 20));
        sink.deliver(&records, world.call(&budget)).await.verdict
    };
    let trust = ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca_file);
    let cert = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", cert_file);
    let key = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key_file);
    let wrong_cert = ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", other_cert);
    let wrong_key = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", other_key);
    let logs_trust = ("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", ca_file);
    let logs_cert = ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", cert_file);
    let logs_key = ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", key_file);
    assert_eq!(deliver("", &[trust, cert, key]).await, Verdict::Accepted);
    let of_signal = [wrong_cert, wrong_key, logs_trust, logs_cert, logs_key];
    assert_eq!(deliver("", &of_signal).await, Verdict::Accepted);
    let own =
        format!("tls = {{ ca = \"{ca_file}\", cert = \"{cert_file}\", key = \"{key_file}\" }}");
    assert_eq!(
        deliver(&own, &[wrong_cert, wrong_key]).await,
        Verdict::Accepted
    );
    assert_eq!(server.requests().len(), 3);
    assert!(world.messages.borrow().is_empty());
    // Nobody in particular, and a stranger, are not let in.
    for variables in [&[trust][..], &[trust, wrong_cert, wrong_key]] {
        let verdict = deliver("", variables).await;
        assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
    }
    let unfit = deliver("", &[trust, cert, wrong_key]).await;
    assert!(matches!(unfit, Verdict::Denied { .. }), "{unfit:?}");
    let said = world.messages.take().join("\n");
    assert!(
        said.contains("`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` and"),
        "{said}"
    );
    assert!(server.requests().is_empty());
}

#[test]
fn half_a_pair_in_the_environment_is_warned_about_and_not_used() {
    for (name, other) in [
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "CLIENT_CERTIFICATE"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "CLIENT_KEY"),
    ] {
        let variables: Variables = vec![(name, "s3cret")].leak();
        let (sink, said) = read_with("", variables);
        assert!(sink.is_some());
        assert!(said.contains(&format!("`{name}` is of no use")), "{said}");
        assert!(said.contains(&format!("OTLP_{other}` too")), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}
