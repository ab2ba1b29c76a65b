//! Straight to the extension's listener, past the platform: whatever bytes a scenario wants to send there.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// The listener's address and token.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it listens on loopback.
    pub port: u16,
    /// What POSTs must carry.
    pub token: String,
}

impl Listener {
    /// Reads what the extension remembers in the environment's private folder.
    pub fn find(folder: &Path) -> Listener {
        let files = std::fs::read_dir(folder)
            .expect("the folder is there")
            .flatten();
        let file = files
            .map(|entry| entry.path())
            .find(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(".tapline-"))
            })
            .expect("the extension remembers its address");
        let text = std::fs::read_to_string(file).expect("it can be read");
        let (port, token) = text.trim_end().split_once(' ').expect("a port and a token");
        Listener {
            port: port.parse().expect("a number"),
            token: token.to_owned(),
        }
    }

    /// POSTs a body with the right token; gives the status.
    pub async fn post(&self, body: &[u8]) -> u16 {
        self.send("POST", &format!("/{}", self.token), body.len(), body)
            .await
            .expect("it answers")
    }

    /// Sends a request that announces `length` bytes and has those of `body`; gives the status.
    ///
    /// # Errors
    ///
    /// When the connection ends without an answer, or none comes in time.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        length: usize,
        body: &[u8],
    ) -> io::Result<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        if body.len() < length {
            stream.shutdown().await?;
        }
        let mut answer = Vec::new();
        let read = async {
            while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
                if stream.read_buf(&mut answer).await? == 0 {
                    break;
                }
            }
            Ok::<_, io::Error>(())
        };
        timeout(ANSWER_TIME, read).await??;
        let status = answer
            .get(9..12)
            .and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        status.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
