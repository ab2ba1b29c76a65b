//! A TCP server that does what a script says, byte by byte, and keeps what it was sent.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What the server does on a connection, one after the other; after the last step it closes.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Reads one whole request and keeps it.
    Take,
    /// Reads the first bytes of a request.
    TakeSome,
    /// Writes.
    Say(&'static str),
    /// Writes a byte at a time.
    Drip(&'static str),
    /// Writes for ever.
    Flood,
    /// Does nothing for so many milliseconds.
    #[allow(dead_code, reason = "not every sink has a test that waits")]
    Wait(u64),
    /// Does nothing for ever.
    Hang,
    /// Closes with a reset.
    Reset,
}

/// An answer with a body; `head` is the status, and further headers behind `\r\n`.
pub(crate) fn answer(head: &str, body: &str) -> Step {
    let length = body.len();
    let text = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
    Step::Say(text.leak())
}

/// A running server.
pub(crate) struct Server {
    pub port: u16,
    requests: mpsc::Receiver<Vec<u8>>,
}

impl Server {
    /// Plays one script a connection; further connections are closed at once.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Server {
        Server::start_with(scripts, None).await
    }

    /// The same behind TLS.
    pub async fn start_with(scripts: Vec<Vec<Step>>, tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::channel();
        tokio::spawn(async move {
            let mut scripts = scripts.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let script = scripts.next().unwrap_or_default();
                tokio::spawn(serve(stream, script, tls.clone(), sender.clone()));
            }
        });
        Server { port, requests }
    }

    /// The requests that came whole since the last time.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.try_iter().collect()
    }
}

async fn serve(
    stream: TcpStream,
    script: Vec<Step>,
    tls: Option<Arc<ServerConfig>>,
    requests: mpsc::Sender<Vec<u8>>,
) {
    if script.iter().any(|step| matches!(step, Step::Reset)) {
        stream.set_zero_linger().unwrap();
    }
    match tls {
        None => play(stream, script, requests).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                play(stream, script, requests).await;
            }
        }
    }
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: Vec<Step>,
    requests: mpsc::Sender<Vec<u8>>,
) {
    for step in script {
        let done = match step {
            Step::Take => match request(&mut stream).await {
                Some(request) => requests.send(request).is_ok(),
                None => false,
            },
            Step::TakeSome => stream.read_u8().await.is_ok(),
            Step::Say(text) => stream.write_all(text.as_bytes()).await.is_ok(),
            Step::Drip(text) => {
                for byte in text.as_bytes() {
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                true
            }
            Step::Flood => {
                while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
                false
            }
            Step::Wait(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                true
            }
            Step::Hang => std::future::pending().await,
            Step::Reset => false,
        };
        if !done {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    bytes.extend(body);
    Some(bytes)
}
